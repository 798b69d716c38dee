"""A package with the native build under test, and the command line that runs it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Dualmem

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def package(native_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH in which dualmem_cli is the checkout's, with the native build under test beside it."""
    folder = tmp_path_factory.mktemp("package")
    home = folder / "dualmem_cli"
    (home / "_native").mkdir(parents=True)
    for entry in (ROOT / "dualmem_cli").iterdir():
        if entry.name not in ("_native", "__pycache__"):
            (home / entry.name).symlink_to(entry)
    for name in ("dualmem-worker", "dualmem-player", "_host.abi3.so", "_store.abi3.so"):
        (home / "_native" / name).symlink_to(native_build / name)
    (home / "_native" / "scenarios").symlink_to(ROOT / "scenarios")
    (home / "_native" / "selftest").symlink_to(native_build / "selftest")
    return folder


@pytest.fixture
def dualmem(package: Path, subjects: Path, tmp_path: Path) -> Iterator[Dualmem]:
    ours = ("NO_COLOR", "FORCE_COLOR", "DUALMEM_CACHE", "DUALMEM_HISTORY")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment |= {"PYTHONPATH": str(package), "DUALMEM_CACHE": str(tmp_path / "cache"), "COLUMNS": "200"}
    (tmp_path / "tmp").mkdir()
    environment["TMPDIR"] = str(tmp_path / "tmp")  # runs take turns by a lock there: other tests are no business of theirs
    folder = tmp_path / "work"
    folder.mkdir()
    made = Dualmem(folder, environment, subjects)
    yield made
    for process in made.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

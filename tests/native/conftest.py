"""A native build for the tests, and a worker to talk to."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import dualmem_cli

NATIVE = Path(__file__).resolve().parents[2] / "native"
TARGETS = ("dualmem_worker", "dualmem_player", "subjects", "selftest_links", "dmx_cffi", "dm_python", "snapshot_speed")

Event = dict[str, Any]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build directory with the worker, the cffi module and the subjects: DUALMEM_TEST_BUILD (brought up to date), or a new one."""
    given = os.environ.get("DUALMEM_TEST_BUILD")
    directory = Path(given).resolve() if given else tmp_path_factory.mktemp("native")
    if not (directory / "CMakeCache.txt").exists():
        configure = ["cmake", "-S", NATIVE, "-B", directory, "-G", "Ninja", "-DDUALMEM_TESTS=ON", "-DDUALMEM_PYTHON=ON"]
        _run([*configure, "-DDUALMEM_WERROR=ON", f"-DPython_EXECUTABLE={sys.executable}"])
    _run(["cmake", "--build", directory, "--target", *TARGETS])
    return directory


def _run(command: list[Any]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PATH": _path()})
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"


def _path() -> str:
    """cmake and ninja may have been installed beside this Python without being on PATH."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="session")
def subjects(build: Path) -> Path:
    return build / "subjects"


@pytest.fixture
def package(build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place where dualmem_cli finds this build as its native part, as if it had been installed."""
    native = tmp_path / "package" / "_native"
    native.mkdir(parents=True)
    for name in ("_host.abi3.so", "_store.abi3.so", "dualmem-worker", "dualmem-player"):
        (native / name).symlink_to(build / name)
    monkeypatch.setattr(dualmem_cli, "__path__", [str(native.parent), *dualmem_cli.__path__])
    yield native.parent


@dataclass(frozen=True)
class Answer:
    """What a worker left behind. Every line must have been valid JSON with an `event`."""

    returncode: int
    events: list[Event]
    stderr: str

    def all(self, name: str) -> list[Event]:
        return [event for event in self.events if event["event"] == name]

    def one(self, name: str) -> Event:
        found = self.all(name)
        assert len(found) == 1, f"{len(found)} {name} events in {self.names}; {self.all('error')}"
        return found[0]

    @property
    def names(self) -> list[str]:
        return [event["event"] for event in self.events]

    @property
    def phases(self) -> list[tuple[str, int | None]]:
        return [(event["phase"], event["arm"]) for event in self.all("phase")]

    def refused(self, phase: str, arm: int | None, message: str) -> Event:
        """Assert that the worker ended with exactly this kind of error."""
        error = self.one("error")
        assert (error["phase"], error["arm"]) == (phase, arm), error
        assert message in error["message"], error
        assert "\n" not in error["message"]
        assert self.returncode == (2 if phase == "request" else 3)
        assert not self.all("done")
        return error


class Worker:
    """Starts `dualmem-worker` with a request and reads its answer."""

    def __init__(self, build: Path) -> None:
        self.executable = build / "dualmem-worker"
        self.subjects = build / "subjects"

    def library(self, name: str) -> str:
        path = self.subjects / f"{name}.so"
        assert path.exists()
        return str(path)

    def say(self, text: str | bytes, *, timeout: float = 60.0) -> Answer:
        raw = text.encode() if isinstance(text, str) else text
        done = subprocess.run([self.executable], input=raw, capture_output=True, timeout=timeout, check=False)
        return self.read(done.returncode, done.stdout, done.stderr)

    @staticmethod
    def read(returncode: int, stdout: bytes, stderr: bytes) -> Answer:
        lines = stdout.decode("ascii").split("\n")
        assert lines.pop() == "", "the last line was not ended"
        events = [json.loads(line) for line in lines]
        assert all("event" in event for event in events)
        return Answer(returncode, events, stderr.decode(errors="replace"))

    def request(self, task: str, libraries: list[str], arms: list[str], *lines: str) -> str:
        """Request text; `libraries` are subjects by name, or absolute paths."""
        paths = [name if name.startswith("/") else self.library(name) for name in libraries]
        return "\n".join(
            [
                "dualmem-worker 1",
                f"task {task}",
                *(f"library {path}" for path in paths),
                *(f"arm {arm}" for arm in arms),
                *lines,
                "end",
                "",
            ]
        )

    def describe(self, *libraries: str) -> Answer:
        return self.say(self.request("describe", list(libraries), []))

    def measure(self, libraries: list[str], arms: list[str], *lines: str) -> Answer:
        return self.say(self.request("measure", libraries, arms, *lines))


@pytest.fixture(scope="session")
def worker(build: Path) -> Worker:
    return Worker(build)

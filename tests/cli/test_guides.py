"""The guides under docs/ are followed as they are written: their commands run, their files exist, their links lead somewhere."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from command_line import Dualmem

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "how-to" / "measure-your-library.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def shell_blocks(page: Path) -> list[str]:
    return re.findall(r"^ *```sh\n(.*?)^ *```", page.read_text(encoding="utf-8"), flags=re.S | re.M)


def test_measure_your_library(dualmem: Dualmem) -> None:
    """Every line of the guide: the example compiles without a warning, and is described, measured and judged."""
    compiling, measuring = shell_blocks(GUIDE)
    for line in compiling.splitlines():
        command = [*shlex.split(line), "-Wall", "-Wextra", "-Werror"]
        target = dualmem.folder / command[command.index("-o") + 1]
        command[command.index("-o") + 1] = str(target)
        subprocess.run(command, cwd=ROOT, check=True)
    statuses = {}
    for line in measuring.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "dualmem"
        done = dualmem(*arguments)
        statuses[arguments[0]] = done.status
        assert "step" in done.out + done.err
    assert statuses["kernels"] == statuses["bench"] == 0
    assert statuses["compare"] in (0, 1, 4), "it was judged; -O3 against -O2 may go either way"


def test_several_links_of_your_library(dualmem: Dualmem) -> None:
    """The guide's loop makes four different links a side, which are rotated: no caution about one layout is left."""
    (block,) = re.findall(r"^```bash\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), flags=re.S | re.M)
    making, _, comparing = block.rpartition("dualmem compare")
    steps = making.replace("native/", f"{ROOT}/native/").replace("docs/", f"{ROOT}/docs/")
    subprocess.run(["bash", "-e", "-c", steps], cwd=dualmem.folder, check=True)
    for side in ("baseline", "candidate"):
        links = sorted((dualmem.folder / "links" / side).glob("*.so"))
        assert len({path.read_bytes() for path in links}) == len(links) == 4
    done = dualmem("compare", *shlex.split(comparing))
    assert done.status in (0, 1, 4), done
    record = dualmem.record("compare")
    assert [len(build["links"]) for build in record["builds"]] == [4, 4]
    assert "one layout" not in {caution["kind"] for caution in record["cautions"]}


def test_the_example_is_as_short_as_is_said() -> None:
    lines = (ROOT / "docs" / "how-to" / "my-library" / "my_kernels.c").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if not line.startswith("#include")]) <= 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_plain_shell_in_ci(dualmem: Dualmem) -> None:
    """The plain-shell steps of the CI guide, from `compare` on, as the shell runs them."""
    block = shell_blocks(ROOT / "docs" / "how-to" / "ci.md")[0]
    steps = "\n".join(line for line in block.splitlines() if "make build" not in line and "activate" not in line)
    folder = dualmem.folder
    scenario = dualmem.scenario()
    against = f"{scenario} --library {dualmem.subject('slower_10')} --against {dualmem.subject('ok')}"
    (folder / "dualmem").write_text(
        f'#!/bin/sh\ncase "$1" in compare) set -- "$@" {against};; esac\nexec "$PYTHON" -m dualmem_cli "$@"\n'
    )
    (folder / "dualmem").chmod(0o755)
    import sys

    environment = {**dualmem.environment, "PYTHON": sys.executable, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-e", "-c", steps], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert '"regressed"' in (folder / "compare.json").read_text()
    assert "REGRESSED" in (folder / "compare.md").read_text()

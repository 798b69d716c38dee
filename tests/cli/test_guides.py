"""The guides under docs/ are followed as they are written: their commands run, their files exist, their links lead somewhere."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import junitparser
import pytest
import yaml
from command_line import Dualmem

from dualmem_cli.plan.load_scenario import parse_load_scenario
from dualmem_cli.store.trace_lines import from_lines

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "how-to" / "measure-your-library.md"
CI = ROOT / "docs" / "how-to" / "ci.md"
TRACES = ROOT / "docs" / "how-to" / "trace.md"
PYTHON = ROOT / "docs" / "how-to" / "store-from-python.md"
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


def test_store_from_python(package: Path) -> None:
    """The programs on the page run as they stand, one after the other, and say what they say."""
    programs = re.findall(r"^```python\n(.*?)^```", PYTHON.read_text(encoding="utf-8"), flags=re.S | re.M)
    assert len(programs) == 3
    environment = {**os.environ, "PYTHONPATH": str(package)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(programs)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert re.fullmatch(r"concept 7 has \d+ episodes; strengths \[0\.\d+ +0\.\d+ +0\.\d+ *\]", first), first
    assert re.fullmatch(r"[2-5] concepts; .+", second), second
    assert re.search("scan|lists|graph", third), third


def test_traces(package: Path) -> None:
    """The page on traces: its program runs as it stands, its lines and its scenario are read."""
    page = TRACES.read_text(encoding="utf-8")
    (program,), (lines,), (scenario,) = (
        re.findall(rf"^```{kind}\n(.*?)^```", page, flags=re.S | re.M) for kind in ("python", "json", "toml")
    )
    environment = {**os.environ, "PYTHONPATH": str(package)}
    subprocess.run([sys.executable, "-W", "error", "-c", program], env=environment, check=True)
    assert len(from_lines(lines, path="day.jsonl", sort=False, from_first=False)) == 2
    assert parse_load_scenario(scenario, path="day.toml", name="day").trace == "day.dmtrace"


def test_the_example_is_as_short_as_is_said() -> None:
    lines = (ROOT / "docs" / "how-to" / "my-library" / "my_kernels.c").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if not line.startswith("#include")]) <= 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def followed_in_ci(dualmem: Dualmem, steps: list[str], **environment: str) -> list[int]:
    """Run a job's shell steps as a runner does, each by `bash -e` in the job's folder, with a dualmem on PATH and in .venv/bin that judges
    a kernel with 10 % more work; the exit status of each."""
    against = f"{dualmem.scenario()} --library {dualmem.subject('slower_10')} --against {dualmem.subject('ok')}"
    programs = dualmem.folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "dualmem").write_text(
        f'#!/bin/sh\ncase "$1" in compare) set -- "$@" {against};; esac\nexec "$PYTHON" -m dualmem_cli "$@"\n'
    )
    (programs / "dualmem").chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    known = {**dualmem.environment, "PYTHON": sys.executable, "PATH": path, **environment}
    return [
        subprocess.run(["bash", "-e", "-c", step], cwd=dualmem.folder, env=known, capture_output=True, check=False).returncode
        for step in steps
    ]


def yaml_block(heading: str) -> Any:
    """The one YAML block under a heading of the CI guide, read by the parser that everybody uses."""
    section = CI.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"^```yaml\n(.*?)^```", section, flags=re.S | re.M)
    return yaml.safe_load(block)


def test_plain_shell_in_ci(dualmem: Dualmem) -> None:
    """The plain-shell steps of the CI guide, from `compare` on."""
    block = shell_blocks(CI)[0]
    steps = "\n".join(line for line in block.splitlines() if "make build" not in line and "activate" not in line)
    assert followed_in_ci(dualmem, [steps]) == [1]
    assert '"regressed"' in (dualmem.folder / "compare.json").read_text()
    assert "REGRESSED" in (dualmem.folder / "compare.md").read_text()


def test_github_actions(dualmem: Dualmem) -> None:
    """The steps of the GitHub job, but for the build and the action that fetches the baseline: the gate fails the job, and the step that
    runs always puts the summary where the runner looks for it."""
    steps = yaml_block("GitHub Actions")
    assert all(len({"run", "uses"} & set(step)) == 1 for step in steps)
    assert all(set(step) <= {"run", "uses", "with", "if"} for step in steps)
    assert next(step["run"] for step in steps if "run" in step) == "make build"
    gate, summary = [step for step in steps if "run" in step][1:]
    assert summary["if"] == "always()"
    page = dualmem.folder / "step-summary.md"
    assert followed_in_ci(dualmem, [gate["run"], summary["run"]], GITHUB_STEP_SUMMARY=str(page)) == [1, 0]
    assert "REGRESSED" in page.read_text()
    assert len(junitparser.JUnitXml.fromfile(str(dualmem.folder / "dualmem.xml"))) > 0


def test_gitlab(dualmem: Dualmem) -> None:
    """The script of the GitLab job, and that what it calls a report is written."""
    gate = yaml_block("GitLab")["gate"]
    build, *steps = gate["script"]
    assert build == "make build"
    assert followed_in_ci(dualmem, steps) == [1]
    report = dualmem.folder / gate["artifacts"]["reports"]["junit"]
    assert len(junitparser.JUnitXml.fromfile(str(report))) > 0
    assert all((dualmem.folder / path).exists() for path in gate["artifacts"]["paths"])

"""--export on the real command line: several formats of one run, mistakes before anything is measured, nothing lost at the end."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pyperf
import pytest
from command_line import Dualmem
from junitparser import JUnitXml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from dualmem_cli.report import COMPARE_ONLY, RENDERERS


def test_every_format_of_one_bench_and_of_one_compare(dualmem: Dualmem) -> None:
    scenario = dualmem.scenario(samples=20)
    bench = ("bench", scenario, "--library", dualmem.subject("ok"))
    compare = (
        "compare",
        scenario,
        "--library",
        dualmem.subject("slower_10"),
        "--against",
        dualmem.subject("ok"),
        "--allow-inconclusive",
        "--no-explain",
    )
    for kind, command in (("bench", bench), ("compare", compare)):
        formats = [name for name in RENDERERS if kind == "compare" or name not in COMPARE_ONLY]
        done = dualmem(*command, *(f"--export={name}={kind}.{name}" for name in formats))
        assert done.status in (0, 1), done
        for name in formats:
            assert (dualmem.folder / f"{kind}.{name}").stat().st_size or name == "github"
        found = JUnitXml.fromfile(str(dualmem.folder / f"{kind}.junit"))
        assert found.tests >= 1
        assert bool(found.failures + found.errors) == bool(done.status)
        suite = pyperf.BenchmarkSuite.load(str(dualmem.folder / f"{kind}.pyperf"))
        assert suite.get_benchmark_names() == ["quick/plain"]
        assert list(text_string_to_metric_families((dualmem.folder / f"{kind}.openmetrics").read_text()))  # type: ignore[no-untyped-call]


def test_stdout_comes_after_the_table(dualmem: Dualmem) -> None:
    done = dualmem.compare("wrong_output", dualmem.scenario(), "--export", "github=-", "--export", "junit=r.xml")
    assert done.status == 3, done
    lines = done.out.splitlines()
    assert re.match(r"::error file=\S*quick\.toml,line=2,title=invalid%3A quick plain::", lines[-1])
    assert not any(line.startswith("::") for line in lines[:-1])
    assert JUnitXml.fromfile(str(dualmem.folder / "r.xml")).errors == 1


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (("junti=r.xml",), '"junti" is not a format; did you mean "junit"?'),
        (("junit",), '--export "junit" names no file. Write FORMAT=FILE, such as junit=dualmem.xml.'),
        (("junit=",), '--export "junit=" names no file'),
        (("junit=a", "bencher=a"), "two exports go to a. Give each a file of its own."),
        (("pyperf-baseline=a",), 'a bench has no baseline that "pyperf-baseline" could show. Its own numbers are "pyperf".'),
    ],
)
def test_mistakes_are_said_before_anything_is_measured(dualmem: Dualmem, wish: tuple[str, ...], said: str) -> None:
    exports = [f"--export={each}" for each in wish]
    for command in (("bench", dualmem.scenario(), "--library", dualmem.subject("ok")), ("compare", dualmem.scenario())):
        if "baseline" in wish[0] and command[0] == "compare":
            continue
        done = dualmem(*command, *exports)
        assert (done.status, done.out) == (2, ""), done
        assert done.err.startswith(f"dualmem: {said}"), done.err
        assert len(done.err.splitlines()) == 1
    assert not (dualmem.folder / "reports").exists()


def test_what_cannot_be_written_costs_nothing_else(dualmem: Dualmem) -> None:
    wishes = ("--export=junit=gone/r.xml", "--export=bencher=b.json", "--export=openmetrics=.")
    done = dualmem("bench", "-q", dualmem.scenario(), "--library", dualmem.subject("ok"), *wishes)
    assert done.status == 3
    assert "dualmem: not everything could be saved: gone/r.xml: No such file or directory; .: Is a directory" in done.err
    assert json.loads((dualmem.folder / "b.json").read_text())
    assert dualmem.record("bench")["cases"]
    assert list((dualmem.folder / "reports").glob("*.html"))


def test_a_saved_record_is_exported_too(dualmem: Dualmem) -> None:
    assert dualmem("bench", "-q", dualmem.scenario(), "--library", dualmem.subject("ok")).status == 0
    (record,) = (dualmem.folder / "reports").glob("*-bench.json")
    done = dualmem("report", record, "--export", "junit=r.xml", "--export", "benchstat=-")
    assert done.status == 0
    assert "\nBenchmarkDualmem/scenario=quick/variant=plain " in done.out
    assert JUnitXml.fromfile(str(dualmem.folder / "r.xml")).tests == 1
    shown = dualmem("report", record, "--format", "openmetrics")
    assert shown.out.endswith("\n# EOF\n"), "nothing may follow"
    assert dualmem("report", record, "--export=junit=gone/r.xml").status == 3
    said = dualmem("report", record, "--format", "google-benchmark-baseline")
    assert said.status == 2 and "a bench has no baseline" in said.err


def test_every_format_stands_in_the_help(dualmem: Dualmem) -> None:
    for command in ("bench", "compare", "report"):
        unwrapped = re.sub(r"-\s+", "-", dualmem(command, "--help").out)  # a name may be broken at its hyphen
        assert set(RENDERERS) <= set(re.split(r"[\s,.]+", unwrapped))


def test_the_command_line_stays_light() -> None:
    """The formats are listed in --help; none of their libraries is imported for that."""
    heavy = "'matplotlib', 'numpy', 'pyperf', 'pydantic', 'xml.etree'"
    code = f"import sys, dualmem_cli.cli.app; print([m for m in ({heavy}) if m in sys.modules])"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"


def test_documents_are_utf_8_whatever_the_locale(dualmem: Dualmem) -> None:
    scenario = dualmem.scenario("größe")
    assert dualmem("bench", "-q", scenario, "--library", dualmem.subject("ok")).status == 0
    (record,) = (dualmem.folder / "reports").glob("*.json")
    for format_ in ("html", "text"):
        done = dualmem("report", record, "-f", format_, PYTHONIOENCODING="latin-1")
        assert done.status == 0
        assert "größe" in done.out

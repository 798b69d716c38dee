"""The Go benchmark format, by a strict reader of the documented grammar (golang.org/design/14313-benchmark-format and, for unit lines,
golang/go#43744), and by benchstat itself where Go is installed.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import pytest
from interchange.shown import AWKWARD, SEEN, SHOWN, context, record_of, shown

from dualmem_cli.errors import ExitStatus
from dualmem_cli.report import RENDERERS

BENCHSTAT = "golang.org/x/perf/cmd/benchstat@latest"
SECONDS_TO_INSTALL = 120


@dataclass
class Results:
    """Unit -> better, and every result with the configuration that it stands under."""

    units: dict[str, str] = field(default_factory=dict)
    results: list[tuple[dict[str, str], str, int, dict[str, float]]] = field(default_factory=list)


def read(text: str) -> Results:
    """Every line is a configuration, a unit, a result, empty or a comment; nothing may be ignored unseen."""
    found = Results()
    configuration: dict[str, str] = {}
    for line in text.splitlines():
        if not line or line.startswith("# "):
            continue
        if re.match(r"[a-z][^\sA-Z:]*:(\s|$)", line):
            key, _, value = line.partition(":")
            configuration = {**configuration, key: value.strip()}
        elif line.startswith("Unit "):
            _, unit, *pairs = line.split()
            assert unit not in found.units
            for pair in pairs:
                key, _, value = pair.partition("=")
                assert (key, value) in {("better", "higher"), ("better", "lower")}
                found.units[unit] = value
        else:
            name, iterations, *rest = line.split()
            assert re.match(r"Benchmark($|[A-Z])", name), line
            assert rest and len(rest) % 2 == 0, line
            values = {unit: float(value) for value, unit in zip(rest[::2], rest[1::2], strict=True)}
            assert len(values) == len(rest) // 2, "a unit twice in a line"
            assert not re.search(r"-\d+$", name) or name.endswith("-1"), "read as a number of processors"
            found.results.append((configuration, name.removesuffix("-1"), int(iterations), values))
    return found


@pytest.mark.parametrize("name", SHOWN)
def test_the_grammar(name: str) -> None:
    found = read(shown(name, "benchstat"))
    for configuration, _, iterations, values in found.results:
        assert iterations > 0
        assert configuration["side"] in ("subject", "baseline", "candidate")
        assert all(value >= 0 for value in values.values())


def test_a_line_per_worker_and_side() -> None:
    record, found = record_of("compare"), read(shown("compare", "benchstat"))
    name = "BenchmarkDualmem/scenario=similarity/variant=avx2/count=16/dim=768"
    for side, expected in (("baseline", record.compare[0].baseline_ns), ("candidate", record.compare[0].candidate_ns)):
        times = [v["ns/op"] for c, n, _, v in found.results if n == name and c["side"] == side]
        assert len(times) == len(record.cases[0].workers)
        assert median(times) == pytest.approx(expected, rel=0.01)


def test_a_case_that_is_not_valid_has_no_line() -> None:
    assert not [n for _, n, _, _ in read(shown("compare", "benchstat")).results if "concept_lookup" in n]
    assert "# not valid: concept_lookup/graph/rows=10000\n" in shown("compare", "benchstat")


def test_percentiles_metrics_and_recall() -> None:
    found = read(shown("bench", "benchstat"))
    units = {unit for _, _, _, values in found.results for unit in values}
    assert {"ns/op", "p50-ns", "p95-ns", "p99-ns", "recall"} <= units
    assert found.units == {"hit_rate": "higher", "recall": "higher"}


def test_awkward_names_stay_one_field_and_one_part() -> None:
    wanted = re.sub(r"\s", "_", AWKWARD.replace("\n\x1b[31m", SEEN)).replace("/", "\\x2f")
    names = {name for _, name, _, _ in read(shown("awkward-compare", "benchstat")).results}
    assert f"BenchmarkDualmem/scenario={wanted}/variant=avx2/count=16/dim=768" in names


@pytest.fixture(scope="session")
def benchstat(tmp_path_factory: pytest.TempPathFactory) -> str:
    """benchstat, built by the Go on this machine; the test is skipped where that is not possible."""
    installed = shutil.which("benchstat")
    if installed:
        return installed
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed, so there is no benchstat")
    folder = tmp_path_factory.mktemp("go")
    try:
        done = subprocess.run(
            [go, "install", BENCHSTAT],
            env={**os.environ, "GOBIN": str(folder)},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_TO_INSTALL,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"go install {BENCHSTAT} took longer than {SECONDS_TO_INSTALL} s")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        pytest.skip(f"go install {BENCHSTAT}: {last}")
    return str(folder / "benchstat")


def run(benchstat: str, text: str, folder: Path, *options: str) -> str:
    file = folder / "dualmem.txt"
    file.write_text(text)
    done = subprocess.run([benchstat, *options, str(file)], capture_output=True, text=True, check=True)
    assert done.stderr == "", "benchstat says there what it could not read"
    return done.stdout


@pytest.mark.parametrize("name", [name for name in SHOWN if name not in ("empty", "load")])
def test_benchstat_reads_it(name: str, benchstat: str, tmp_path: Path) -> None:
    assert "sec/op" in run(benchstat, shown(name, "benchstat"), tmp_path)


def test_benchstat_sets_the_sides_side_by_side(benchstat: str, tmp_path: Path) -> None:
    shown_table = run(benchstat, shown("compare", "benchstat"), tmp_path, "-col", "side")
    (row,) = [line for line in shown_table.splitlines() if "/count=16/" in line]
    assert "(p=0.000 n=24)" in row
    assert float(re.findall(r"([+-][\d.]+)%", row)[0]) == pytest.approx(7.9, abs=0.5)


def test_benchstat_takes_a_parameter_for_a_key(benchstat: str, tmp_path: Path) -> None:
    text = RENDERERS["benchstat"](record_of("compare"), context(ExitStatus.REGRESSION))
    only = run(benchstat, text, tmp_path, "-filter", "/scenario:fan", "-col", "/variant", "-row", "/scenario")
    assert "by_handle" in only and "by_id" in only and "similarity" not in only

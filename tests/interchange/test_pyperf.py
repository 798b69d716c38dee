"""pyperf JSON, loaded by pyperf and compared by its own command."""

import subprocess
import sys
from pathlib import Path

import pyperf
import pytest
from interchange.shown import AWKWARD, SEEN, context, invalid_ids, record_of, shown

from dualmem_cli.errors import DualmemError, ExitStatus
from dualmem_cli.report import RENDERERS


def load(text: str) -> pyperf.BenchmarkSuite:
    return pyperf.BenchmarkSuite.loads(text)


@pytest.mark.parametrize("name", ["bench", "interrupted", "hostile", "awkward-bench", "compare", "awkward-compare", "green"])
def test_a_worker_is_a_run_with_one_value(name: str) -> None:
    record = record_of(name)
    suite = load(shown(name, "pyperf"))
    bad = invalid_ids(record)
    found = suite.get_benchmark_names()
    assert found and not bad & set(found)
    for run in record.cases:
        timed = [worker for worker in run.workers if worker.samples]
        if timed and run.case.id in found:
            benchmark = suite.get_benchmark(run.case.id)
            assert benchmark.get_nrun() == benchmark.get_nvalue() == len(timed)
            assert benchmark.get_unit() == "second"


def test_the_values_are_the_times() -> None:
    record, suite = record_of("compare"), load(shown("compare", "pyperf"))
    slow = record.compare[0]
    assert slow.candidate_ns
    assert suite.get_benchmark(slow.case).mean() == pytest.approx(slow.candidate_ns / 1e9, rel=0.01)


def test_pyperf_compares_both_sides_of_a_compare(tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(shown("compare", "pyperf-baseline"))
    new.write_text(shown("compare", "pyperf"))
    command = [sys.executable, "-m", "pyperf", "compare_to", str(old), str(new)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "similarity/avx2/count=16,dim=768: Mean +- std dev: [old] 412 ns" in done.stdout
    assert "1.08x slower" in done.stdout
    assert "not significant" in done.stdout, "what did not change is not called a change"


def test_what_was_not_measured_is_no_file() -> None:
    with pytest.raises(DualmemError, match="one valid case"):
        RENDERERS["pyperf"](record_of("empty"), context(ExitStatus.NOT_COMPARABLE))


def test_awkward_names_come_back() -> None:
    wanted = AWKWARD.replace("\n\x1b[31m", SEEN)
    assert f"{wanted}/avx2/count=16,dim=768" in load(shown("awkward-compare", "pyperf")).get_benchmark_names()

"""Whatever happens while a regression is explained becomes a sentence: the verdict was reached before."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fabricated_loads import Slower, compare, load, players
from golden.records import RECORDS

from dualmem_cli.cli import explaining, regressed
from dualmem_cli.cli.explaining import explanations
from dualmem_cli.cli.regressed import MOST, RegressedCase, RegressedKind, worst
from dualmem_cli.errors import DualmemError
from dualmem_cli.model.record import Record
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.profile.engines import find_engine
from dualmem_cli.profile.folded import Profile
from dualmem_cli.profile.session import Refusal
from dualmem_cli.profile.target import Target


@pytest.fixture
def record() -> Record:
    return RECORDS["compare"]()


def sentences(record: Record, monkeypatch: pytest.MonkeyPatch, capture: Any, count: Any = None) -> list[str]:
    monkeypatch.setattr(
        explaining, "best_engine", lambda _names: (find_engine("pyspy"), (Refusal("perf", "not there", "install it"),))
    )
    monkeypatch.setattr(regressed, "targets_of", lambda *_, **__: ((TARGET, TARGET), {}))
    monkeypatch.setattr(explaining, "capture_in_turns", capture)
    monkeypatch.setattr(explaining, "count_both", count or raises(DualmemError("valgrind is not installed", hint="Install it.")))
    found = worst(record)
    assert found, "the record has a regression"
    told = explanations(found, (record.builds[0], record.builds[1]), page=Path("r/x.json"), quiet=True)
    return [f"{each.headline} {' '.join(each.lines)}".strip() for each in told]


TARGET = Target("t", "c", (), (), "", (), 1.0)
PROFILE = Profile("t", "perf", "perf 6", "cpu-clock", 999.0, 999.0, 20, 0, 0, 0.0, 1.0, ((("run (a.so)",), 20),))
NOT_COUNTED = "Not counted by callgrind: valgrind is not installed. Install it."


def raises(error: BaseException) -> Any:
    def refuse(*_: Any, **__: Any) -> Any:
        raise error

    return refuse


def test_the_worst_first_and_not_too_many(record: Record) -> None:
    found = worst(record)
    assert len(found) <= MOST
    assert all(isinstance(each, RegressedCase) for each in found)
    findings = [each.finding for each in found]
    changes = [finding.change.value for finding in findings if finding.change]
    assert changes == sorted(changes, reverse=True)
    assert all(finding.verdict is Verdict.REGRESSED and finding.change and finding.change.value > 0 for finding in findings)


def test_a_kind_of_operation_is_explained_once(tmp_path: Path) -> None:
    """By its mean time where that regressed as well: the change of a percentile is not one of all the time."""
    gate = "[gate]\ntime = 0.05\np50 = 0.05\n"
    record = compare(players(Slower(1.08), process_noise=0.004), tmp_path, load(gate, measure="threads = 2"))
    (found,) = worst(record)
    assert isinstance(found, RegressedKind)
    assert (found.finding.case, found.kind, found.title, found.threads) == (
        "load/dual/update time",
        "update",
        "load dual/update",
        2,
    )
    assert found.shares == found.finding
    (by_median,) = worst(replace(record, compare=tuple(f for f in record.compare if not f.case.endswith(" time"))))
    assert by_median.finding.case == "load/dual/update p50"
    assert by_median.shares.change is None
    assert "What regressed is p50; samples and counts are of all these operations." in by_median.notes


def test_another_trace_than_the_one_replayed_explains_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = compare(players(Slower(1.08), process_noise=0.004), tmp_path, load())
    run = replace(record.loads[0], trace=replace(record.loads[0].trace, digest="e" * 64))
    (told,) = sentences(replace(record, loads=(run,)), monkeypatch, raises(AssertionError()))
    assert told == "Not explained: the trace of load/dual is not the one that was replayed. Compare again, then it is explained."


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyboardInterrupt(), "The explanation was cut by an interruption; the verdict stands."),
        (ZeroDivisionError("a mistake"), "Not explained: internal error, ZeroDivisionError: a mistake"),
    ],
)
def test_nothing_gets_out(record: Record, monkeypatch: pytest.MonkeyPatch, error: BaseException, words: str) -> None:
    assert sentences(record, monkeypatch, raises(error))[-1] == words


def test_what_cannot_be_sampled_may_be_counted_and_the_other_way_round(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    told = sentences(record, monkeypatch, raises(DualmemError("perf took no sample of the target", hint="Sample for longer.")))
    assert told[0].startswith(
        "Not sampled: perf took no sample of the target. Sample for longer. perf: not there. Remedy: install it"
    )
    assert NOT_COUNTED in told[0]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError("a mistake")])
def test_what_was_sampled_is_kept_when_counting_ends_badly(
    record: Record, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: BaseException
) -> None:
    monkeypatch.setattr(explaining, "keep_sides", lambda *_, **__: (tmp_path / "a", tmp_path / "b"))
    told = sentences(record, monkeypatch, lambda *_, **__: (PROFILE, PROFILE), raises(error))
    assert "The two profiles are the same, stack for stack" in told[-1]
    assert told[-1].endswith(("the verdict stands.", "ZeroDivisionError: a mistake"))


def test_a_profiler_that_hangs_is_ended(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explaining, "_LONGEST_S", 0.1)
    begun = time.monotonic()

    def hang(*_: Any, **__: Any) -> Any:
        time.sleep(30)
        raise AssertionError

    told = sentences(record, monkeypatch, hang)
    assert time.monotonic() - begun < 10
    assert told[0].startswith(
        "Not sampled: pyspy took longer than 0 s. perf: not there. Remedy: install it Not counted by callgrind"
    )

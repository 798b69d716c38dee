"""Whatever happens while a regression is explained becomes a sentence: the verdict was reached before."""

import time
from pathlib import Path
from typing import Any

import pytest
from golden.records import RECORDS

from dualmem_cli.cli import explaining
from dualmem_cli.cli.explaining import MOST_CASES, explanations, worst_cases
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
    monkeypatch.setattr(explaining, "best_engine", lambda: (find_engine("pyspy"), (Refusal("perf", "not there", "install it"),)))
    monkeypatch.setattr(explaining, "targets_of", lambda *_, **__: ((TARGET, TARGET), {}))
    monkeypatch.setattr(explaining, "capture_in_turns", capture)
    monkeypatch.setattr(explaining, "count_both", count or raises(DualmemError("valgrind is not installed", hint="Install it.")))
    worst = worst_cases(record)
    assert worst, "the record has a regression"
    told = explanations(record, worst, (record.builds[0], record.builds[1]), page=Path("r/x.json"), quiet=True)
    return [f"{each.headline} {' '.join(each.lines)}".strip() for each in told]


TARGET = Target("t", "c", (), (), "", (), 1.0)
PROFILE = Profile("t", "perf", "perf 6", "cpu-clock", 999.0, 999.0, 20, 0, 0, 0.0, 1.0, ((("run (a.so)",), 20),))
NOT_COUNTED = "Not counted by callgrind: valgrind is not installed. Install it."


def raises(error: BaseException) -> Any:
    def refuse(*_: Any, **__: Any) -> Any:
        raise error

    return refuse


def test_the_worst_first_and_not_too_many(record: Record) -> None:
    worst = worst_cases(record)
    assert len(worst) <= MOST_CASES
    changes = [finding.change.value for _, finding in worst if finding.change]
    assert changes == sorted(changes, reverse=True)
    assert all(finding.verdict is Verdict.REGRESSED and finding.change and finding.change.value > 0 for _, finding in worst)


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

"""Whatever happens while a regression is explained becomes a sentence: the verdict was reached before."""

import time
from pathlib import Path
from typing import Any

import pytest
from golden.records import RECORDS

from dualmem_cli.cli import explaining
from dualmem_cli.cli.explaining import MOST_CASES, Columns, beside, explanations, worst_cases
from dualmem_cli.errors import DualmemError
from dualmem_cli.model.record import Record
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.profile.engines import find_engine
from dualmem_cli.profile.session import Refusal
from dualmem_cli.report.explanation import Explanation


@pytest.fixture
def record() -> Record:
    return RECORDS["compare"]()


def sentences(record: Record, monkeypatch: pytest.MonkeyPatch, explain: Any) -> list[str]:
    monkeypatch.setattr(explaining, "best_engine", lambda: (find_engine("pyspy"), (Refusal("perf", "not there", "install it"),)))
    monkeypatch.setattr(explaining, "_explained", explain)
    worst = worst_cases(record)
    assert worst, "the record has a regression"
    told = explanations(record, worst, (record.builds[0], record.builds[1]), page=Path("r/x.json"), quiet=True)
    return [f"{each.headline} {' '.join(each.lines)}".strip() for each in told]


def raises(error: BaseException) -> Any:
    def explain(*_: Any, **__: Any) -> Explanation:
        raise error

    return explain


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
        (
            DualmemError("perf took no sample of the target", hint="Sample for longer."),
            "Not explained: perf took no sample of the target. Sample for longer.",
        ),
        (ZeroDivisionError("a mistake"), "Not explained: internal error, ZeroDivisionError: a mistake"),
    ],
)
def test_nothing_gets_out(record: Record, monkeypatch: pytest.MonkeyPatch, error: BaseException, words: str) -> None:
    assert sentences(record, monkeypatch, raises(error))[-1] == words


def test_a_profiler_that_hangs_is_ended(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explaining, "_LONGEST_S", 0.1)
    begun = time.monotonic()

    def hang(*_: Any, **__: Any) -> Explanation:
        time.sleep(30)
        raise AssertionError

    told = sentences(record, monkeypatch, hang)
    assert time.monotonic() - begun < 10
    assert told[0] == "Not explained: pyspy took longer than 0 s. perf: not there. Remedy: install it"


def test_columns_beside_each_other() -> None:
    first: Columns = (("a",), {"f": ("1",)})
    second: Columns = (("old", "new"), {"f": ("2", "3"), "g": ("4", "5")})
    assert beside(first, second) == (("a", "old", "new"), {"f": ("1", "2", "3"), "g": ("", "4", "5")})
    assert beside(first, ((), {})) == first

"""Ctrl-C, a full disk, a scenario that is wrong: what is kept of a run, and what is not hidden."""

import errno
import os
from pathlib import Path

import pytest
from simulated_machine import bench, compare, machine, one, saved, scenarios, status

from dualmem_cli.errors import ExitStatus, RecordError, ScenarioError
from dualmem_cli.judge.outcome import bench_status
from dualmem_cli.model.caution import CautionKind
from dualmem_cli.model.plan import WorkerRequest
from dualmem_cli.model.record import Record
from dualmem_cli.model.samples import WorkerRun


@pytest.mark.parametrize("at", [1, 2, 9, 14, 15, 20, 60])
@pytest.mark.parametrize("kind", ["bench", "compare"])
def test_ctrl_c_keeps_what_was_measured(tmp_path: Path, at: int, kind: str) -> None:
    def press(number: int, _request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
        if number == at:
            raise KeyboardInterrupt
        return answer

    runner = machine(one("a", "b", "c"), interfere=press)
    opened = (compare if kind == "compare" else bench)(runner, tmp_path, scenarios("a", "b", "c"))
    record = opened.record
    finished = runner.count < at
    assert record.interrupted is not finished
    assert saved(tmp_path) == record
    assert opened.unsaved == ""
    assert len(record.cases) == len(record.compare if kind == "compare" else record.bench)
    done = status(record) if kind == "compare" else bench_status(record, enforce_budgets=True)
    assert done is (ExitStatus.OK if finished else ExitStatus.INTERRUPTED)
    assert (CautionKind.INTERRUPTED in [caution.kind for caution in record.cautions]) is not finished
    full = compare(machine(one("a", "b", "c")), tmp_path / "full", scenarios("a", "b", "c")) if kind == "compare" else None
    if full is not None and not finished:
        there = [run.workers for run in full.record.cases[: len(record.cases)]]
        assert [run.workers for run in record.cases] == there, "what was finished is what it would have been"


@pytest.mark.parametrize("kind", ["bench", "compare"])
def test_ctrl_c_while_data_are_made_leaves_no_record_behind(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dualmem_cli.laboratory.materialise", press)
    runner = machine(one())
    with pytest.raises(KeyboardInterrupt):
        run = compare if kind == "compare" else bench
        run(runner, tmp_path, scenarios("spin", text='[data]\nsynthetic = "gaussian"\nrows = 9'))
    assert runner.count == 0
    assert list((tmp_path / "reports").iterdir()) == []


def test_a_run_that_is_killed_leaves_an_interrupted_record(tmp_path: Path) -> None:
    """kill -9 runs no handler: what lies on the disk after every save must say by itself that it is not whole."""
    seen: list[Record] = []

    def look(_number: int, _request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
        seen.append(saved(tmp_path))
        return answer

    compare(machine(one("a", "b"), interfere=look), tmp_path, scenarios("a", "b"))
    assert {len(record.cases) for record in seen} == {0, 1, 2}, "two in the controls, which come last"
    assert all(record.interrupted for record in seen)
    assert not saved(tmp_path).interrupted


def test_a_disk_that_fills_up_costs_no_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = os.fsync
    calls = 0

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    opened = compare(machine(one("a", "b", "c")), tmp_path, scenarios("a", "b", "c"))
    assert len(opened.record.compare) == 3
    assert "No space left on device" in opened.unsaved
    assert len(saved(tmp_path).cases) == 1, "the last one that could be saved is whole"


def test_a_disk_that_is_full_is_met_before_an_hour_of_measuring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    runner = machine(one())
    with pytest.raises(RecordError, match="No space left on device"):
        compare(runner, tmp_path, scenarios("spin"))
    assert runner.count == 0


@pytest.mark.parametrize("kind", ["bench", "compare"])
def test_a_scenario_that_cannot_be_used_leaves_no_record_behind(tmp_path: Path, kind: str) -> None:
    """Else the empty record would be the newest one, and `baseline save` would promote it."""
    runner = machine(one())
    with pytest.raises(ScenarioError, match="wrok"):
        (compare if kind == "compare" else bench)(runner, tmp_path, scenarios("spin", text="[params]\nwrok = 3"))
    assert runner.count == 0
    assert list((tmp_path / "reports").iterdir()) == []


def test_a_bug_of_ours_is_not_hidden(tmp_path: Path) -> None:
    def bug(_number: int, _request: WorkerRequest, _answer: WorkerRun) -> WorkerRun:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        compare(machine(one(), interfere=bug), tmp_path, scenarios("spin"))
    assert saved(tmp_path).interrupted

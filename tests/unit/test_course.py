"""What a history tells of a series: only of one machine, counted numbers exactly, ratios as ratios; and what it keeps of a record."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from chronicles import OTHER, bench_record, compare_record, entry, noisy, step_records
from fabricated import CASE, KERNEL, build, library

from dualmem_cli.judge.course import course
from dualmem_cli.judge.entry import machine_name
from dualmem_cli.model.history import Course, Point, Series
from dualmem_cli.model.metric import Better
from dualmem_cli.model.record import Record
from dualmem_cli.model.verdict import BenchFinding, MetricChange, Verdict


def series(records: Sequence[Record], quantity: str) -> Series:
    """As the store would give it, of whatever machines."""
    entries = [entry(made) for made in records]
    found = [(one, amount) for one in entries for amount in one.amounts if amount.measured.quantity == quantity]
    points = tuple(Point(one.record, amount.value, amount.low, amount.high) for one, amount in found)
    return Series(found[0][1].measured, "", points)


def times(values: Sequence[float], **changes: object) -> Course:
    made = series([bench_record(number, time_ns=value) for number, value in enumerate(values)], "time")
    return course(replace(made, measured=replace(made.measured, **changes)), last=20)  # type: ignore[arg-type]


def test_a_step_is_told_with_its_size_and_place() -> None:
    found = course(series(step_records(30, 18, size=0.08), "time"), last=20)
    (change,) = found.changes
    assert change.at == 18
    assert change.relative
    assert change.worse is True
    assert change.size.low < 0.08 < change.size.high
    assert change.size.value == pytest.approx(0.08, abs=0.01)
    assert [(begin, end) for begin, end, _ in found.levels] == [(0, 18), (18, 30)]
    assert [level for _, _, level in found.levels] == pytest.approx([5000, 5400], rel=0.01)
    assert found.trend is not None
    assert found.trend.size.count == 12  # since the change


def test_faster_is_better_unless_more_is() -> None:
    values = noisy([5000.0] * 12 + [4500.0] * 12, seed=2)
    assert times(values).changes[0].worse is False
    assert times(values, better=Better.HIGHER).changes[0].worse is True
    assert times(values, better=Better.NEITHER).changes[0].worse is None


def test_a_drift_and_a_trend_of_the_last() -> None:
    drifting = times(noisy([5000.0 * (1 + 0.004 * number) for number in range(30)], seed=3))
    assert drifting.drifts
    assert drifting.changes == ()
    assert drifting.trend is not None
    assert drifting.trend.worse is True
    assert drifting.trend.size.value == pytest.approx(0.116, abs=0.015)
    still = times(noisy([5000.0] * 30, seed=4))
    assert still.trend is not None
    assert (still.drifts, still.trend.worse, still.trend.size.count) == (False, None, 20)


def test_a_busy_record_is_left_out_of_the_level() -> None:
    values = noisy([5000.0] * 20, seed=5)
    values[9] *= 1.5
    found = times(values)
    assert (found.changes, found.outliers) == ((), (9,))
    assert found.levels[0][2] == pytest.approx(5000, rel=0.01)


def test_two_machines_mixed_would_change_and_apart_do_not() -> None:
    """The reason why series are of one machine: the very same records, mixed in time."""
    fast = [bench_record(number, time_ns=value) for number, value in enumerate(noisy([5000.0] * 15, seed=6))]
    slow = [bench_record(number + 15, time_ns=value, machine=OTHER) for number, value in enumerate(noisy([6000.0] * 15, seed=7))]
    assert course(series([*fast, *slow], "time"), last=20).changes
    assert course(series(fast, "time"), last=20).changes == ()
    assert course(series(slow, "time"), last=20).changes == ()


def test_counted_numbers_change_exactly_also_on_another_machine() -> None:
    held = [64.0] * 5 + [80.0] * 3
    records = [
        bench_record(number, time_ns=1.0, memory=value, machine=OTHER if number % 2 else bench_record(0, time_ns=1.0).machine)
        for number, value in enumerate(held)
    ]
    found = course(series(records, "memory_bytes"), last=20)
    (change,) = found.changes
    assert (change.at, change.size.confidence) == (5, 1.0)
    assert change.size.value == change.size.low == pytest.approx(0.25)
    assert change.worse is True
    assert found.levels == ((0, 5, 64.0), (5, 8, 80.0))
    assert found.trend is None


def test_a_counted_number_that_always_differs_is_measured() -> None:
    records = [bench_record(number, time_ns=1.0, memory=value) for number, value in enumerate(noisy([64.0] * 20, seed=8))]
    assert course(series(records, "memory_bytes"), last=20).changes == ()


def test_an_overhead_is_told_in_points_and_may_be_negative() -> None:
    values = [0.01 + 0.001 * (number % 3) + 0.06 * (number >= 10) for number in range(20)]
    found = times([value - 0.011 for value in values], quantity="overhead", unit="1")
    (change,) = found.changes
    assert not change.relative
    assert change.size.value == pytest.approx(0.06, abs=0.002)


@pytest.mark.parametrize("values", [[1.0], [1.0, 2.0], [0.0, 0.0, 0.0], [float("inf")] * 8, [0.0] * 8])
def test_short_or_odd_series_are_told_without_a_change(values: list[float]) -> None:
    assert times(values).changes == ()


def test_what_is_kept_of_a_bench() -> None:
    made = bench_record(4, time_ns=100.0)
    kept = entry(made)
    assert (kept.record.revision, kept.record.dirty) == ("0000000004", True)
    assert kept.record.created.isoformat() == "2026-01-06T03:04:05"
    assert kept.record.machine == machine_name(made.machine) != machine_name(OTHER)
    facts = {amount.measured.quantity: (amount.measured.better, amount.measured.shared) for amount in kept.amounts}
    assert facts == {
        "time": (Better.LOWER, False),
        "overhead": (Better.LOWER, False),
        "memory_bytes": (Better.LOWER, True),
    }
    assert kept.amounts[0].measured.parameters == "work=1000"


def test_a_case_that_was_not_valid_has_no_numbers() -> None:
    made = replace(bench_record(0, time_ns=1.0), bench=(BenchFinding(CASE.id, (), "worker 1 died"),))
    assert entry(made).amounts == ()


def test_what_is_kept_of_a_compare() -> None:
    made = compare_record(1, Verdict.REGRESSED)
    metric = MetricChange("memory_bytes", "B", 64.0, 80.0, 0.0, worsened=True)
    counted = replace(
        made, compare=(replace(made.compare[0], metrics=(metric,)),), builds=(build(library()), build(library(KERNEL)))
    )
    kept = entry(counted)
    assert [(amount.measured.quantity, amount.value, amount.low) for amount in kept.amounts] == [
        ("time", 5400.0, None),
        ("memory_bytes", 80.0, 80.0),
    ]
    (judged,) = kept.verdicts
    assert (judged.verdict, judged.change, judged.kernel) == (Verdict.REGRESSED, 0.08, "spin")
    assert entry(made).record.build == "c" * 64
    gone = replace(made, cases=(), compare=(replace(made.compare[0], verdict=Verdict.MISSING, change=None, candidate_ns=None),))
    assert (entry(gone).amounts, entry(gone).verdicts[0].scenario) == ((), "s")

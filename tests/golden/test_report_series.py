"""What the plots draw, against plain recounts of the samples."""

import math
import statistics
from dataclasses import replace

import pytest
from golden.parts import CLOCK, block_worker, latency_worker, run_of
from golden.records import RECORDS
from scipy import stats

from dualmem_cli.model.plan import Arm, Case, Role
from dualmem_cli.model.record import CaseRun
from dualmem_cli.report.series import bulk, pairs_by_worker, percentile_curves, quantiles, times_by_arm
from dualmem_cli.stats.histogram import bucket_range

CASE = Case("s", "k", "avx2", (("count", 1.0),), ("count",), "")
SIDES = (Arm(Role.BASELINE, 0, "k", "avx2"), Arm(Role.CANDIDATE, 1, "k", "avx2"))


def compare_run(*, workers: int, change: float, controls: tuple[Arm, ...] = ()) -> CaseRun:
    times = (500.0, 500.0 * (1 + change), *(500.0 * arm.work for arm in controls))
    made = tuple(block_worker(5, per_op=times, index=i, builds=2, bursts=0.0, noise=0.001) for i in range(workers))
    return run_of(CASE, (*SIDES, *controls), made)


def test_pairs_are_candidate_over_baseline_in_time_order() -> None:
    run = compare_run(workers=3, change=0.08)
    series = pairs_by_worker(run)
    assert [worker.worker for worker in series] == [1, 2, 3]
    for worker, found in zip(run.workers, series, strict=True):
        samples = worker.samples
        assert samples is not None
        walls = {digit: [w for w, d in zip(samples.wall_ns, samples.schedule, strict=True) if d == digit] for digit in "01"}
        expected = [new / old - 1 for old, new in zip(walls["0"], walls["1"], strict=True)]
        assert found.changes == pytest.approx(expected)
        assert found.value == pytest.approx(stats.trim_mean(expected, 0.25), abs=1e-4)
        assert 0.06 < found.value < 0.10


def test_controls_with_more_work_are_not_the_baseline() -> None:
    control = Arm(Role.BASELINE, 0, "k", "avx2", work=1.08)
    run = compare_run(workers=1, change=0.0, controls=(control,))
    assert abs(pairs_by_worker(run)[0].value) < 0.02


def test_a_worker_that_failed_draws_nothing() -> None:
    run = compare_run(workers=3, change=0.08)
    broken = replace(run.workers[1], samples=None)
    series = pairs_by_worker(replace(run, workers=(run.workers[0], broken, run.workers[2])))
    assert [worker.worker for worker in series] == [1, 3]


def test_a_bench_has_no_pairs() -> None:
    assert all(pairs_by_worker(run) == () for run in RECORDS["bench"]().cases)


def test_times_per_operation_are_all_there_and_sorted() -> None:
    run = compare_run(workers=4, change=0.08)
    old, new = times_by_arm(run, frozenset({Role.BASELINE, Role.CANDIDATE}))
    assert (old.name, new.name) == ("baseline", "candidate")
    assert len(old.sorted_ns) == len(new.sorted_ns) == 4 * 60
    assert list(old.sorted_ns) == sorted(old.sorted_ns)
    assert statistics.median(new.sorted_ns) / statistics.median(old.sorted_ns) == pytest.approx(1.08, abs=0.02)


def test_only_the_roles_asked_for() -> None:
    run = RECORDS["bench"]().cases[4]
    assert [arm.role for arm in times_by_arm(run, frozenset({Role.EMPTY, Role.CONTROL}))] == [Role.EMPTY, Role.CONTROL]


def test_percentile_curves_against_the_expanded_histogram() -> None:
    run = run_of(
        CASE, (Arm(Role.SUBJECT, 0, "k", "avx2"),), (latency_worker(9, median_ns=(50_000.0,), index=0, operations=400, passes=2),)
    )
    every, fastest = percentile_curves(run)
    assert (every.fastest, fastest.fastest) == (False, True)
    histogram = run.workers[0].latency[0].every
    values = sorted(sum(bucket_range(index)) / 2 for index, count in histogram.buckets for _ in range(count))
    for rare, latency in zip(every.rarity, every.latency_ns, strict=True):
        rank = math.ceil((1 - rare) * len(values) - 1e-9)
        assert latency == pytest.approx(min(values[rank - 1], histogram.max_ns))
    assert list(every.rarity) == sorted(every.rarity, reverse=True)
    assert list(every.latency_ns) == sorted(every.latency_ns)
    assert all(fast <= slow for fast, slow in zip(fastest.latency_ns, every.latency_ns, strict=False))


def test_quantiles_keep_both_ends() -> None:
    values, shares = quantiles(tuple(float(v) for v in range(1000)), most=50)
    assert len(values) <= 51
    assert (values[0], values[-1], shares[-1]) == (0.0, 999.0, 1.0)
    assert all(share == (value + 1) / 1000 for value, share in zip(values, shares, strict=True))


def test_the_bulk_leaves_out_both_tails() -> None:
    assert bulk([float(v) for v in range(1000)], share=0.99) == (5.0, 994.0)
    assert bulk([3.0], share=0.99) == (3.0, 3.0)


def test_the_clock_is_not_needed() -> None:
    run = compare_run(workers=1, change=0.0)
    assert run.workers[0].clock == CLOCK
    assert pairs_by_worker(replace(run, workers=(replace(run.workers[0], clock=None),)))

"""The fake that ships: what it answers is what it was told, so that a test of a gate knows the truth."""

import math
import statistics
from dataclasses import replace

import pytest
from fabricated import DRAW, library

from dualmem_cli.measure.fake import FakeRunner
from dualmem_cli.model.plan import Task, WorkerArm, WorkerRequest
from dualmem_cli.model.samples import Failure, FailureKind
from dualmem_cli.plan.schedule import mirrored
from dualmem_cli.stats.histogram import percentile
from dualmem_cli.stats.pairs import paired_ratios

REQUEST = WorkerRequest(
    task=Task.MEASURE, libraries=("/old.so", "/new.so"), arms=(WorkerArm(0, "spin", "plain"), WorkerArm(1, "spin", "plain")),
    target_ns=200_000, schedule=mirrored(arms=2, samples=60, seed=1),
)  # fmt: skip
COSTS = {("/old.so", "spin"): 5000.0, ("", "spin"): 5300.0}


def fake(*, seed: int = 1, worker_noise: float = 0.0) -> FakeRunner:
    return FakeRunner(library=library(), cost_ns=COSTS, seed=seed, worker_noise=worker_noise)


def test_costs_are_what_was_told() -> None:
    run = fake().measure(REQUEST, DRAW, timeout_s=1)
    assert run.samples is not None
    assert run.samples.iterations == (40, 40), "the target over the cost of the first arm"
    assert paired_ratios(run.samples, arm=1, reference=0).value == pytest.approx(math.log(1.06), abs=0.002)


def test_noise_between_workers_has_the_size_that_was_told() -> None:
    runner = fake(worker_noise=0.01)
    logs = []
    for _ in range(300):
        run = runner.measure(REQUEST, DRAW, timeout_s=1)
        assert run.samples is not None
        logs.append(paired_ratios(run.samples, arm=1, reference=0).value)
    assert statistics.stdev(logs) == pytest.approx(0.01 * math.sqrt(2), rel=0.15)
    assert statistics.fmean(logs) == pytest.approx(math.log(1.06), abs=0.004)


def test_a_seed_is_a_history() -> None:
    first, again, other = (fake(seed=seed).measure(REQUEST, DRAW, timeout_s=1).samples for seed in (1, 1, 2))
    assert first == again != other


def test_more_work_takes_longer() -> None:
    arms = (REQUEST.arms[0], replace(REQUEST.arms[0], work=1.08))
    run = fake().measure(replace(REQUEST, arms=arms), DRAW, timeout_s=1)
    assert run.samples is not None
    assert run.samples.iterations == (40, 44), "rounded up"
    assert paired_ratios(run.samples, arm=1, reference=0).value == pytest.approx(math.log(1.1), abs=0.002)


def test_failures_and_latencies() -> None:
    died = Failure(FailureKind.CRASHED, "run", 0, "died")
    failing = FakeRunner(library=library(), cost_ns=COSTS, seed=1, failures={"spin": died})
    run = failing.measure(REQUEST, DRAW, timeout_s=1)
    assert (run.failure, run.samples, run.latency) == (died, None, ())
    request = replace(REQUEST, task=Task.LATENCY, arms=REQUEST.arms[:1], operations=200, passes=3)
    (latency,) = fake().measure(request, DRAW, timeout_s=1).latency
    assert (latency.every.count, latency.fastest.count) == (600, 200)
    assert percentile(latency.fastest, 0.5) < percentile(latency.every, 0.5) == pytest.approx(5000, rel=0.01)


def test_an_unknown_kernel_is_a_mistake_of_the_test() -> None:
    with pytest.raises(KeyError, match="no cost of other"):
        fake().measure(replace(REQUEST, arms=(WorkerArm(0, "other", "plain"),)), DRAW, timeout_s=1)

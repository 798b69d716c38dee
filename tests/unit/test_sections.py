"""Percentiles of latencies that depend on each other: how often their intervals cover the truth, on queues whose truth is known."""

import math
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from dualmem_cli.measure.fake_player import histogram_of
from dualmem_cli.model.load import KindPlayed, Part, Play, Played, PlayerRun, PlayMode
from dualmem_cli.model.samples import Histogram
from dualmem_cli.stats.sections import (
    batches,
    midmean_of,
    percentile_interval,
    pooled,
    smooth_percentile,
    trimmed_mean_of,
)

MEAN_NS = 100_000.0


def histogram(values: NDArray[np.float64]) -> Histogram:
    """As a player counts them, by arrays: `histogram_of` takes a second for a million."""
    whole = values.astype(np.int64)
    shift = np.maximum(np.floor(np.log2(np.maximum(whole, 1))).astype(np.int64) - 7, 0)
    buckets, counts = np.unique((shift << 7) + (whole >> shift), return_counts=True)
    pairs = tuple((int(bucket), int(count)) for bucket, count in zip(buckets, counts, strict=True))
    return Histogram(len(whole), int(whole.sum()), int(whole.max()), pairs)


def queue(random: np.random.Generator, *, busy: float, count: int) -> NDArray[np.float64]:
    """Response times of a queue with exponential gaps and services (M/M/1), by Lindley's recursion: wait' = max(0, wait + service - gap).
    The response is exponential too, with the mean MEAN_NS / (1 - busy)."""
    warm = 2000
    service = random.exponential(MEAN_NS, count + warm)
    gap = random.exponential(MEAN_NS / busy, count + warm)
    walk = np.concatenate(([0.0], np.cumsum(service[:-1] - gap[1:])))
    found: NDArray[np.float64] = (walk - np.minimum.accumulate(walk) + service)[warm:]
    return found


def coverage(*, busy: float, share: float, repetitions: int, count: int = 20_000) -> tuple[float, float]:
    """How often the interval of sections covers the true percentile, and how often the binomial one of independent values does."""
    random = np.random.default_rng(7)
    truth = -math.log(1 - share) * MEAN_NS / (1 - busy)
    ours = binomial = 0
    for _ in range(repetitions):
        responses = queue(random, busy=busy, count=count)
        found = percentile_interval([histogram(part) for part in np.array_split(responses, 20)], share, confidence=0.95)
        ours += found.low <= truth <= found.high
        ascending, reach = np.sort(responses), 1.96 * math.sqrt(count * share * (1 - share))
        binomial += bool(ascending[int(count * share - reach)] <= truth <= ascending[min(count - 1, int(count * share + reach))])
    return ours / repetitions, binomial / repetitions


@pytest.mark.parametrize(("busy", "share", "least"), [(0.3, 0.99, 0.90), (0.6, 0.95, 0.88)])
def test_intervals_of_percentiles_cover_the_truth_of_a_queue(busy: float, share: float, least: float) -> None:
    ours, binomial = coverage(busy=busy, share=share, repetitions=70)
    assert ours >= least
    assert binomial < ours - 0.1  # what independence would have promised


def test_autocorrelated_noise_is_covered_too() -> None:
    """AR(1) on a log scale, correlation 0.9 from one latency to the next: the median is known."""
    random = np.random.default_rng(3)
    hits = 0
    for _ in range(100):
        steps = random.normal(size=8_000)
        level = np.empty_like(steps)
        level[0] = steps[0] / math.sqrt(1 - 0.81)
        for index, (_, step) in enumerate(pairwise(steps), 1):
            level[index] = 0.9 * level[index - 1] + step
        latencies = MEAN_NS * np.exp(0.2 * level)
        found = percentile_interval([histogram(part) for part in np.array_split(latencies, 16)], 0.5, confidence=0.95)
        hits += found.low <= MEAN_NS <= found.high
    assert hits >= 89


def test_too_few_latencies_have_no_interval() -> None:
    found = percentile_interval([histogram_of([1000 + i for i in range(100)])] * 10, 0.99, confidence=0.95)
    assert (found.low, found.high, found.count) == (0.0, math.inf, 0)
    assert "too few" in found.method


def test_batches_are_neighbours_and_lose_nothing() -> None:
    sections = [histogram_of([100 * (i + 1)] * 150) for i in range(23)]
    parts = batches(sections, 0.5)
    assert len(parts) == 10
    assert sum(part.count for part in parts) == 23 * 150
    for earlier, later in pairwise(parts):
        assert earlier.max_ns < later.buckets[0][0] * 1000


def test_an_interval_is_never_narrower_than_a_bucket() -> None:
    found = percentile_interval([histogram_of([100_000] * 1000)] * 10, 0.5, confidence=0.95)
    assert found.low < found.value * 0.997
    assert found.high > found.value * 1.003


@pytest.mark.parametrize("seed", range(5))
def test_means_and_smooth_percentiles_against_numpy(seed: int) -> None:
    values = np.random.default_rng(seed).lognormal(11, 0.7, 5_000).astype(np.int64)
    counted = histogram_of([int(value) for value in values])
    ascending = np.sort(values)
    assert midmean_of(counted) == pytest.approx(float(ascending[1250:3750].mean()), rel=2e-3)
    assert trimmed_mean_of(counted) == pytest.approx(float(ascending[:4750].mean()), rel=2e-3)
    for share in (0.5, 0.95, 0.99):
        assert smooth_percentile(counted, share) == pytest.approx(float(np.quantile(values, share)), rel=8e-3)


def test_a_ratio_of_smooth_percentiles_has_no_steps() -> None:
    """Buckets are 0.8 % wide: the middle of one would say 0 or 0.8 % for a change of 0.4 %."""
    values = np.random.default_rng(1).lognormal(11, 0.3, 20_000)
    before, after = (histogram(values * factor) for factor in (1.0, 1.004))
    assert smooth_percentile(after, 0.5) / smooth_percentile(before, 0.5) == pytest.approx(1.004, abs=0.001)


def test_a_process_that_is_one_unit_keeps_one_play_of_each_arm() -> None:
    """Everything is counted, in either arm, and what is not steady stays as it was."""

    def play(arm: int, values: list[int]) -> Played:
        kind = KindPlayed("read", len(values), 0, None, histogram_of(values), "aa")
        return Played(
            play=Play(arm, 0, len(values), PlayMode.CLOSED, 1.0, 1), scheduled_ns=0, elapsed_ns=10, kinds=(kind,), lateness=None, cpu_ns=1,
            minor_faults=0, major_faults=0, voluntary_switches=0, involuntary_switches=0, rss_bytes=None, metrics=(),
        )  # fmt: skip

    plays = (
        (Part.WARMUP, 0, [5]),
        (Part.STEADY, 0, [10, 20]),
        (Part.STEADY, 1, [30]),
        (Part.STEADY, 1, [40]),
        (Part.STEADY, 0, [50]),
    )
    run = PlayerRun(
        (0, 1),
        (0,),
        None,
        (),
        tuple((part, play(arm, values)) for part, arm, values in plays),
        (1.0, 2.0, 3.0, 4.0, 5.0),
        (),
        None,
    )
    found = pooled(run)
    assert [(part, played.play.arm, played.operations, played.elapsed_ns) for part, played in found.plays] == [
        (Part.WARMUP, 0, 1, 10), (Part.STEADY, 1, 2, 20), (Part.STEADY, 0, 3, 20),
    ]  # fmt: skip
    assert found.began_s == (1.0, 4.0, 5.0)
    assert found.of(Part.STEADY, 0)[0].kinds[0].service == histogram_of([10, 20, 50])

"""Percentiles of latencies under load, with intervals that are valid for them.

Latencies under load are not independent: one that waits makes the next one wait. The order statistics' binomial interval takes n latencies
for n independent ones and covers the true P99 of a queue that is 80 % busy in two cases of three instead of 95 of 100 (tests/unit/
test_sections.py). What is independent, nearly, is what happens in stretches of time that are long against the queue's memory. So the run is
cut into batches of neighbouring sections; each gives a percentile of its own, and their scatter round that of all together, with
Student's t, is the interval (sectioning: Asmussen & Glynn, Stochastic Simulation, 2007, III.5a). On a logarithmic scale, where percentiles
of a skewed distribution scatter evenly. A batch must hold enough latencies beyond the percentile to have one; where fewer than five such
batches can be had, the interval is not known and says so.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.samples import Histogram
from dualmem_cli.model.units import Unit
from dualmem_cli.stats.histogram import PRECISION_BITS, bucket_range, merge, percentile
from dualmem_cli.stats.student import quantile

FEWEST_BATCHES = 5
MOST_BATCHES = 10
BEYOND = 20  # latencies above the percentile in every batch, on average
_BUCKET = 0.5 ** (PRECISION_BITS + 1)  # half a bucket's width, relative: no interval is known better


def batches(sections: Sequence[Histogram], share: float) -> tuple[Histogram, ...]:
    """The sections pooled into as many runs of neighbours as there may be for this percentile; none when they are too few."""
    filled = [section for section in sections if section.count]
    total = sum(section.count for section in filled)
    wanted = min(MOST_BATCHES, len(filled), math.floor(total * (1.0 - share) / BEYOND + 1e-9))
    if wanted < FEWEST_BATCHES:
        return ()
    borders = [round(number * len(filled) / wanted) for number in range(wanted + 1)]
    return tuple(merge(filled[low:high]) for low, high in pairwise(borders))


def percentile_interval(sections: Sequence[Histogram], share: float, *, confidence: float) -> Estimate:
    """The percentile of all sections together; its interval from batches of them. Raises ValueError when nothing was timed."""
    pooled = merge(sections)
    value = percentile(pooled, share)
    parts = batches(sections, share)
    low, high = 0.0, math.inf
    if parts:
        centre = math.log(max(value, 0.5))
        squares = math.fsum((math.log(max(percentile(part, share), 0.5)) - centre) ** 2 for part in parts)
        error = math.sqrt(squares / (len(parts) - 1) / len(parts))
        half = max(quantile((1.0 - confidence) / 2.0, len(parts) - 1) * error, _BUCKET)
        low, high = value * math.exp(-half), value * math.exp(half)
    return Estimate(
        value=value,
        low=low,
        high=high,
        confidence=confidence,
        unit=Unit.NANOSECOND,
        count=len(parts),
        method=f"of {pooled.count:,} latencies; interval from {len(parts)} batches in time, Student's t of their logarithms"
        if parts
        else f"of {pooled.count:,} latencies, too few for an interval",
    )


def midmean_of(histogram: Histogram, *, cut: float = 0.25) -> float:
    """The mean without the share `cut` at either end: what an operation takes when nothing else happens. Within a bucket, the middle."""
    drop = cut * histogram.count
    seen = total = kept = 0.0
    for index, count in histogram.buckets:
        low, high = max(seen, drop), min(seen + count, histogram.count - drop)
        if high > low:
            ends = bucket_range(index)
            total += (high - low) * (ends[0] + ends[1]) / 2
            kept += high - low
        seen += count
    if not kept:
        raise ValueError("an empty histogram has no mean")
    return total / kept


def smooth_percentile(histogram: Histogram, share: float) -> float:
    """The percentile, interpolated within its bucket: for ratios, in which a step of a bucket would be 0.8 %."""
    if histogram.count == 0:
        raise ValueError("an empty histogram has no percentiles")
    wanted = share * histogram.count
    seen = 0
    for index, count in histogram.buckets:
        if seen + count >= wanted:
            low, high = bucket_range(index)
            return min(low + (high + 1 - low) * max(wanted - seen, 0.0) / count, float(histogram.max_ns))
        seen += count
    return float(histogram.max_ns)

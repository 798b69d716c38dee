"""Percentiles of log-linear histograms (docs/reference/worker-protocol.md): 7 precision bits, no clipping."""

from collections import Counter
from collections.abc import Iterable

from dualmem_cli.model.samples import Histogram

PRECISION_BITS = 7
# P99.9 of fewer latencies is the maximum of a handful.
LATENCIES_FOR_P999 = 10_000


def bucket_of(value: int) -> int:
    """The bucket of a value >= 0."""
    if value < 1 << (PRECISION_BITS + 1):
        return value
    shift = value.bit_length() - 1 - PRECISION_BITS
    return (shift << PRECISION_BITS) + (value >> shift)


def bucket_range(index: int) -> tuple[int, int]:
    """The smallest and the largest value of a bucket."""
    if index < 1 << (PRECISION_BITS + 1):
        return index, index
    shift = (index >> PRECISION_BITS) - 1
    low = (index - (shift << PRECISION_BITS)) << shift
    return low, low + (1 << shift) - 1


def merge(histograms: Iterable[Histogram]) -> Histogram:
    """All values of several histograms in one. Percentiles must be taken after pooling, never averaged or maximised."""
    counts: Counter[int] = Counter()
    count = total = largest = 0
    for histogram in histograms:
        counts.update(dict(histogram.buckets))
        count += histogram.count
        total += histogram.sum_ns
        largest = max(largest, histogram.max_ns)
    return Histogram(count=count, sum_ns=total, max_ns=largest, buckets=tuple(sorted(counts.items())))


def percentile(histogram: Histogram, share: float) -> float:
    """The smallest value with at least `share` of all values at or below it, as the middle of its bucket (within 1/256).

    Never above the exact maximum. Raises ValueError for an empty histogram.
    """
    if histogram.count == 0:
        raise ValueError("an empty histogram has no percentiles")
    wanted = max(1, -int(-share * histogram.count // 1))
    seen = 0
    for index, count in histogram.buckets:
        seen += count
        if seen >= wanted:
            low, high = bucket_range(index)
            return min((low + high) / 2, float(histogram.max_ns))
    return float(histogram.max_ns)

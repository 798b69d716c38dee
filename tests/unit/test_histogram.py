"""Log-linear histograms: the buckets tile the integers, percentiles agree with numpy."""

import math
from fractions import Fraction
from random import Random

import numpy as np
import pytest

from dualmem_cli.model.samples import Histogram
from dualmem_cli.stats.histogram import bucket_of, bucket_range, merge, percentile


def histogram(values: list[int]) -> Histogram:
    counts: dict[int, int] = {}
    for value in values:
        counts[bucket_of(value)] = counts.get(bucket_of(value), 0) + 1
    return Histogram(count=len(values), sum_ns=sum(values), max_ns=max(values), buckets=tuple(sorted(counts.items())))


def test_buckets_tile_the_integers() -> None:
    index, expected = 0, 0
    while expected < 1 << 64:
        low, high = bucket_range(index)
        assert low == expected <= high
        assert bucket_of(low) == bucket_of(high) == index
        assert high - low + 1 <= max(1, low / 128), "a bucket is at most 1/128 of its values wide"
        index, expected = index + 1, high + 1
    assert expected == 1 << 64, "the last bucket ends where 64 bits end"


def test_buckets_of_random_values() -> None:
    random = Random(1)
    for _ in range(20_000):
        value = random.getrandbits(random.randint(1, 64))
        low, high = bucket_range(bucket_of(value))
        assert low <= value <= high


def adversarial(random: Random) -> list[int]:
    """Values at edges of buckets and powers of two, with many repetitions and a far tail."""
    edges = [(1 << bits) + step for bits in range(1, 63) for step in (-1, 0, 1)]
    chosen = random.choices(edges, k=random.randint(1, 400))
    return [
        *chosen,
        *([random.choice(chosen)] * random.randint(0, 300)),
        *random.choices([0, 1, 1 << 62], k=random.randint(0, 3)),
    ]


@pytest.mark.parametrize("seed", range(40))
def test_percentiles_against_numpy(seed: int) -> None:
    random = Random(seed)
    kinds = (
        lambda: [round(random.lognormvariate(6, 2)) for _ in range(random.randint(1, 3000))],
        lambda: [random.getrandbits(random.randint(1, 63)) for _ in range(random.randint(1, 1000))],
        lambda: adversarial(random),
        lambda: [random.randint(0, 300)] * random.randint(1, 50),
    )
    values = kinds[seed % 4]()
    made = histogram(values)
    for share in (0.001, 0.25, 0.5, 0.95, 0.99, 0.999, 1.0):
        # dtype=object keeps integers above 2^53 exact.
        true = int(np.percentile(np.array(values, dtype=object), 100 * share, method="inverted_cdf"))
        low, high = bucket_range(bucket_of(true))
        found = percentile(made, share)
        assert float(low) <= found <= float(high)
        assert abs(found - true) <= max(0.5, true / 256)
        assert found <= float(max(values))


def test_percentile_ranks_are_exact() -> None:
    """share x count must not be carried one rank too far by rounding: 0.95 x 20 is rank 19, not 20."""
    for share, exact in (
        (0.5, Fraction(1, 2)),
        (0.95, Fraction(95, 100)),
        (0.99, Fraction(99, 100)),
        (0.999, Fraction(999, 1000)),
    ):
        for count in (*range(1, 3000), 10_000, 24_000, 123_000, 1_000_000):
            wanted = math.ceil(exact * count)
            made = Histogram(count=count, sum_ns=0, max_ns=1, buckets=((0, wanted), (1, count - wanted)))
            assert percentile(made, share) == 0.0, (share, count)
            if wanted > 1:
                made = Histogram(count=count, sum_ns=0, max_ns=1, buckets=((0, wanted - 1), (1, count - wanted + 1)))
                assert percentile(made, share) == 1.0, (share, count)


def test_the_maximum_bounds_every_percentile() -> None:
    made = histogram([1000, 1001])
    assert percentile(made, 1.0) == 1001.0
    assert percentile(histogram([1000]), 0.5) == 1000.0


def test_an_empty_histogram_has_no_percentiles() -> None:
    with pytest.raises(ValueError, match="empty"):
        percentile(Histogram(count=0, sum_ns=0, max_ns=0, buckets=()), 0.5)


def test_merging_is_pooling() -> None:
    random = Random(3)
    parts = [[random.getrandbits(random.randint(1, 40)) for _ in range(random.randint(1, 500))] for _ in range(5)]
    pooled = merge(histogram(part) for part in parts)
    assert pooled == histogram([value for part in parts for value in part])
    assert merge([]) == Histogram(count=0, sum_ns=0, max_ns=0, buckets=())
    # The mistake of the reference: the maximum of the parts' percentiles is not the percentile of the whole.
    assert percentile(pooled, 0.5) != max(percentile(histogram(part), 0.5) for part in parts)

"""Tests and intervals that other tools compute from all samples of two sides, whatever process they came from.

They are here to be compared with (judge/rivals.py), not to judge: the samples of one process are not independent, and each of
these takes them for it. Arrays of shape (samples,), float64, in nanoseconds per operation.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.stats.student import quantile

Times = NDArray[np.float64]
_ROWS = 200  # resamples drawn at a time: 200 of 3,000 samples are 5 MB


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Resamples of two sides. `resamples` draws of each, seeded, so that equal samples get equal answers."""

    resamples: int
    seed: int

    def mean_change(self, baseline: Times, candidate: Times, *, confidence: float) -> tuple[float, float]:
        """The percentile interval of mean(candidate) / mean(baseline) - 1 when each side is drawn again from itself."""
        random = np.random.default_rng(self.seed)
        changes = self._drawn(random, baseline, _means) / self._drawn(random, candidate, _means)
        tail = (1.0 - confidence) / 2.0
        low, high = np.quantile(1.0 / changes - 1.0, (tail, 1.0 - tail))
        return float(low), float(high)

    def t_probability(self, baseline: Times, candidate: Times) -> float:
        """How often Welch's t is as far from 0, both tails, when both sides are drawn from all samples together."""
        random = np.random.default_rng(self.seed)
        together = np.concatenate([baseline, candidate])
        old = self._drawn(random, together, _moments, size=len(baseline))
        new = self._drawn(random, together, _moments, size=len(candidate))
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn = (new[:, 0] - old[:, 0]) / np.sqrt(old[:, 1] / len(baseline) + new[:, 1] / len(candidate))
        drawn = drawn[np.isfinite(drawn)]
        if not len(drawn):
            return 1.0
        below = int(np.count_nonzero(drawn < welch_t(baseline, candidate)))
        return 2.0 * min(below, len(drawn) - below) / len(drawn)

    def _drawn(
        self, random: np.random.Generator, values: Times, statistic: Callable[[Times], Times], *, size: int | None = None
    ) -> Times:
        width = len(values) if size is None else size
        rows = [min(_ROWS, self.resamples - start) for start in range(0, self.resamples, _ROWS)]
        return np.concatenate([statistic(values[random.integers(0, len(values), (count, width))]) for count in rows])


def _means(drawn: Times) -> Times:
    return np.asarray(drawn.mean(axis=1))


def _moments(drawn: Times) -> Times:
    return np.stack([drawn.mean(axis=1), drawn.var(axis=1, ddof=1)], axis=1)


def welch_t(baseline: Times, candidate: Times) -> float:
    """The two-sample t statistic with separate variances; infinite where neither side varies and the means differ."""
    spread = math.sqrt(baseline.var(ddof=1) / len(baseline) + candidate.var(ddof=1) / len(candidate))
    return _ratio(float(candidate.mean() - baseline.mean()), spread)


def student_t(baseline: Times, candidate: Times) -> float:
    """The two-sample t statistic with one pooled variance, for sides of equal length."""
    spread = math.sqrt((baseline.var(ddof=1) + candidate.var(ddof=1)) / len(baseline))
    return _ratio(float(candidate.mean() - baseline.mean()), spread)


def mann_whitney(baseline: Times, candidate: Times) -> float:
    """The two-sided probability of Mann & Whitney's U: normal approximation with the corrections for ties and for continuity, which is
    what scipy takes from nine samples on or where two are equal."""
    n, m = len(baseline), len(candidate)
    values = np.concatenate([baseline, candidate])
    _, places, ties = np.unique(values, return_inverse=True, return_counts=True)
    # Equal values share the mean of the ranks that they take up.
    ranks = (np.cumsum(ties) - (ties - 1) / 2.0)[places]
    u = float(ranks[n:].sum()) - m * (m + 1) / 2.0
    count = n + m
    variance = n * m / 12.0 * (count + 1 - float((ties.astype(float) ** 3 - ties).sum()) / (count * (count - 1)))
    distance = max(abs(u - n * m / 2.0) - 0.5, 0.0)
    return math.erfc(distance / math.sqrt(2.0 * variance)) if variance > 0 else 1.0


def median_interval(values: Times, *, confidence: float) -> tuple[float, float] | None:
    """The interval of the median between two order statistics (the sign test turned round), or None for too few values.

    Exact while the binomial can be added up, the normal approximation for more than 1,024 values.
    """
    count = len(values)
    tail = (1.0 - confidence) / 2.0
    if count <= 1024:
        outside, below = 0, 0.0
        while outside < count:
            below += math.comb(count, outside) / 2**count
            if below > tail:
                break
            outside += 1
    else:
        outside = int(count / 2.0 - _normal_quantile(tail) * math.sqrt(count) / 2.0)
    if outside == 0 or 2 * outside > count:
        return None
    ascending = np.sort(values)
    return float(ascending[outside - 1]), float(ascending[count - outside])


def _normal_quantile(tail: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(1.0 - tail)


def two_sided_t(error: float, freedom: int) -> float:
    """The |t| that is exceeded with probability `error`."""
    return quantile(error / 2.0, freedom)


def _ratio(difference: float, spread: float) -> float:
    if spread > 0:
        return difference / spread
    return math.copysign(math.inf, difference) if difference else 0.0

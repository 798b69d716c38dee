"""Intervals for the mean over workers.

The samples of one process are not independent (intra-process correlation 0.37 was measured in the field), workers
are: each is a fresh process with its own draw. So the unit is the worker, and a worker contributes one number.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, median, stdev

from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.units import Unit
from dualmem_cli.stats.student import quantile


def mean_interval(values: Sequence[float], *, confidence: float, unit: Unit | str, method: str) -> Estimate:
    """The mean of one value per worker with its two-sided Student interval. One value alone has an unbounded interval."""
    if not values:
        raise ValueError("an estimate needs at least one value")
    centre = fmean(values)
    half = math.inf
    if len(values) > 1:
        half = quantile((1.0 - confidence) / 2.0, len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return Estimate(
        value=centre, low=centre - half, high=centre + half, confidence=confidence, unit=unit, count=len(values), method=method
    )


def weighted_interval(
    values: Sequence[float], weights: Sequence[float], *, confidence: float, unit: Unit | str, method: str
) -> Estimate:
    """The mean of two or more values weighted by their precision (1 / variance), with its two-sided Student interval.

    The standard error is the one that the weights promise, or larger when the values scatter more than that (the Birge ratio,
    Phys. Rev. 40, 207, 1932): a weight that was too optimistic widens the interval instead of narrowing it.
    """
    total = math.fsum(weights)
    centre = math.fsum(w * v for w, v in zip(weights, values, strict=True)) / total
    freedom = len(values) - 1
    birge = math.fsum(w * (v - centre) ** 2 for w, v in zip(weights, values, strict=True)) / freedom
    half = quantile((1.0 - confidence) / 2.0, freedom) * math.sqrt(max(1.0, birge) / total)
    return Estimate(
        value=centre, low=centre - half, high=centre + half, confidence=confidence, unit=unit, count=len(values), method=method
    )


def log_ratio_interval(values: Sequence[float], *, confidence: float, method: str) -> Estimate:
    """From one log ratio per worker to the change exp(mean) - 1 with its interval: 0.08 is 8 % slower."""
    return change_of(mean_interval(values, confidence=confidence, unit=Unit.RATIO, method=method))


def change_of(logs: Estimate) -> Estimate:
    """A mean log ratio as a change: 0.08 is 8 % slower."""
    return replace(
        logs,
        value=math.expm1(logs.value),
        low=math.expm1(logs.low),
        high=math.expm1(logs.high) if logs.high < 700 else math.inf,
    )


def median_interval(values: Sequence[float], *, unit: Unit | str, method: str) -> Estimate:
    """The median with the narrowest interval between two of the values that has a confidence of 95 % or more (the sign test, turned round):
    a few workers that somebody disturbed do not widen it. Fewer than six values have an unbounded interval."""
    if not values:
        raise ValueError("an estimate needs at least one value")
    ordered, count = sorted(values), len(values)
    left_out, outside = 0, 0.0  # values on either side, and the chance that the median is not between the others
    while True:
        further = outside + 2.0 * math.comb(count, left_out) / 2.0**count
        if further > 0.05 or 2 * left_out >= count - 1:
            break
        outside, left_out = further, left_out + 1
    low, high = (ordered[left_out - 1], ordered[-left_out]) if left_out else (-math.inf, math.inf)
    return Estimate(value=median(ordered), low=low, high=high, confidence=1.0 - outside, unit=unit, count=count, method=method)


def exact(value: float, *, unit: Unit | str, count: int, method: str) -> Estimate:
    """A number that was counted, not estimated."""
    return Estimate(value=value, low=value, high=value, confidence=1.0, unit=unit, count=count, method=method)

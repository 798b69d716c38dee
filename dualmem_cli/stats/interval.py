"""Intervals for the mean over workers.

The samples of one process are not independent (intra-process correlation 0.37 was measured in the field), workers
are: each is a fresh process with its own draw. So the unit is the worker, and a worker contributes one number.
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

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


def log_ratio_interval(values: Sequence[float], *, confidence: float, method: str) -> Estimate:
    """From one log ratio per worker to the change exp(mean) - 1 with its interval: 0.08 is 8 % slower."""
    logs = mean_interval(values, confidence=confidence, unit=Unit.RATIO, method=method)
    return Estimate(
        value=math.expm1(logs.value),
        low=math.expm1(logs.low),
        high=math.expm1(logs.high) if logs.high < 700 else math.inf,
        confidence=confidence,
        unit=Unit.RATIO,
        count=logs.count,
        method=method,
    )


def exact(value: float, *, unit: Unit | str, count: int, method: str) -> Estimate:
    """A number that was counted, not estimated."""
    return Estimate(value=value, low=value, high=value, confidence=1.0, unit=unit, count=count, method=method)

"""Whether a long run stays what it was: what drifts, what grows, and how surely.

Values that follow each other in time depend on each other, and a straight line's usual error takes them for independent. Two estimators
that do not:

- `drift`, of a level that scatters (latencies of sections): each value of the second half minus the one half a run before it. Every
  difference spans half the run, far longer than neighbours remember each other; batches of them go into Student's t.
- `growth`, of a level that has no reason to come back (resident memory): the mean of the steps from batch to batch. Steps of a random walk
  are independent; those of a level that comes back take each other back, and the interval is then too wide, never too narrow.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import fmean

from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.units import Unit
from dualmem_cli.stats.interval import change_of, mean_interval

FEWEST = 8  # values
_MOST_BATCHES = 12


def drift(values: Sequence[float], *, confidence: float) -> Estimate | None:
    """The relative change over the whole run; None for fewer than 8 values, or one that is not above nothing."""
    if len(values) < FEWEST or min(values) <= 0:
        return None
    logs = _batched([math.log(value) for value in values])
    half = len(logs) // 2
    changes = [2.0 * (later - earlier) for earlier, later in zip(logs[:half], logs[-half:], strict=True)]
    method = f"{half} differences across half the run, doubled"
    return change_of(mean_interval(changes, confidence=confidence, unit=Unit.RATIO, method=method))


def growth(values: Sequence[float], *, confidence: float, unit: Unit | str) -> Estimate | None:
    """By how much a level grew from the first batch to the last, over the whole run; None for fewer than 8 values."""
    if len(values) < FEWEST:
        return None
    levels = _batched(values)
    steps = [after - before for before, after in pairwise(levels)]
    each = mean_interval(steps, confidence=confidence, unit=unit, method=f"mean of {len(steps)} steps between batches in time")
    whole = float(len(levels))
    return replace(each, value=each.value * whole, low=each.low * whole, high=each.high * whole)


def _batched(values: Sequence[float]) -> list[float]:
    """Means of neighbours: at most 12, at least 8."""
    count = min(_MOST_BATCHES, len(values))
    borders = [round(number * len(values) / count) for number in range(count + 1)]
    return [fmean(values[low:high]) for low, high in pairwise(borders)]

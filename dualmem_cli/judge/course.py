"""From series of records to what became of them: changes, drift, trend. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.history import Change, Course, Series, Trend
from dualmem_cli.model.metric import Better
from dualmem_cli.model.units import Unit
from dualmem_cli.stats.changes import CONFIDENCE, Shape, Slope, Step, exact_steps, shape, slope

# Of a counted number: one that differs in more than a quarter of the records is measured, whatever it is called.
_MOST_EXACT = 0.25
_METHOD = "difference of two levels, widened for correlated records"


@dataclass(frozen=True, slots=True)
class _Scale:
    """How values are compared: by ratio, as times are, or by difference, where there may be a zero."""

    relative: bool
    unit: Unit | str

    def of(self, value: float) -> float:
        return math.log(value) if self.relative else value

    def back(self, value: float) -> float:
        return math.exp(value) if self.relative else value

    def change(self, value: float, low: float, high: float, *, count: int, exact: bool) -> Estimate:
        value, low, high = ((_expm1(end) if self.relative else end) for end in (value, low, high))
        confidence = 1.0 if exact else CONFIDENCE
        unit = Unit.RATIO if self.relative else self.unit
        return Estimate(value, low, high, confidence, unit, count, "exact" if exact else _METHOD)


def course(series: Series, *, last: int) -> Course:
    """What became of a series. `last`: how many points its trend is of, at most."""
    scale = _Scale(_by_ratio(series), series.measured.unit)
    values = [scale.of(point.value) for point in series.points]
    exact = _is_exact(values, series)
    measured = not exact and all(map(math.isfinite, values))
    found = Shape(exact_steps(values), None, ()) if exact else shape(values if measured else ())
    begin = found.steps[-1].at if found.steps else 0
    recent = values[max(begin, len(values) - last) :]
    line = found.drift or (slope(recent) if measured else None)
    better = series.measured.better
    return Course(
        series=series,
        changes=tuple(_change(step, scale, better, count=len(values), exact=exact) for step in found.steps),
        trend=None if line is None else _trend(line, scale, better, drift=found.drift is not None),
        outliers=found.outliers,
        levels=_levels([point.value for point in series.points], found, scale),
    )


def _by_ratio(series: Series) -> bool:
    return series.measured.quantity.rpartition(".")[2] not in ("overhead", "overhead_at_rate", "drift") and all(
        0 < point.value < math.inf for point in series.points
    )


def _is_exact(values: Sequence[float], series: Series) -> bool:
    counted = all(point.low == point.value == point.high for point in series.points)
    moved = sum(value != before for before, value in pairwise(values))
    return counted and series.measured.shared and moved <= max(1.0, _MOST_EXACT * (len(values) - 1))


def _levels(values: Sequence[float], found: Shape, scale: _Scale) -> tuple[tuple[int, int, float], ...]:
    bounds = (0, *(step.at for step in found.steps), len(values))
    levels = []
    for begin, end in pairwise(bounds):
        inside = [values[at] for at in range(begin, end) if at not in found.outliers] or list(values[begin:end])
        same = len(set(inside)) == 1
        levels.append((begin, end, inside[0] if same else scale.back(fmean(map(scale.of, inside)))))
    return tuple(levels)


def _change(step: Step, scale: _Scale, better: Better, *, count: int, exact: bool) -> Change:
    size = scale.change(step.size, step.low, step.high, count=count, exact=exact)
    return Change(step.at, step.earliest, step.latest, size, scale.relative, _worse(size, better))


def _trend(line: Slope, scale: _Scale, better: Better, *, drift: bool) -> Trend:
    size = scale.change(line.rise, line.low, line.high, count=line.count, exact=False)
    return Trend(size, scale.relative, _worse(size, better), drift)


def _worse(size: Estimate, better: Better) -> bool | None:
    """Whether a change is for the worse; None as long as its interval holds both directions."""
    if better is Better.NEITHER or size.low <= 0 <= size.high:
        return None
    return (size.value > 0) is (better is Better.LOWER)


def _expm1(value: float) -> float:
    return math.expm1(value) if value < 700 else math.inf

"""Where a series of records changes its level for good.

Candidates come from an exact segmentation (PELT with squared error; Killick et al., 2012; the library is ruptures). A segmentation always
finds something when its penalty is small, and misses much when it is large, so the penalty here is small and every candidate then has to
pass a t-test between its two neighbours, the weakest first, at a level divided by the places at which it could have been found. Records of
one machine are not independent: the error is widened by the autocorrelation of what the levels leave over, and by no less than that of
`LEAST_CORRELATION`, because ten records cannot show that there is none. How often all this is wrong: docs/explanation/history.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.stats.student import quantile

LEAST = 3  # values on each side of a change: two could be one bad hour
LEAST_CORRELATION = 0.3
LEVEL = 0.02  # of one series without a change, were its values as correlated as is assumed
CONFIDENCE = 0.95
_MOST_CORRELATION = 0.9
_PENALTY = 2.0  # times variance times log n
_OUTLYING = 4.0  # robust standard deviations from the median of the five values around
_PLACES = -2.0 * math.log(1.0 - math.sqrt(CONFIDENCE))  # likelihood ratio of a change's place (Siegmund, Biometrika 73, 1986)
_NORMAL_MEDIAN = 0.6745
_NORMAL_MEAN = 0.7979
_LEAST_FOR_A_SLOPE = 5

Values = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Step:
    """A change of level. `at` is the first value after it, which may as well be any from `earliest` to `latest`; `size` is the difference
    of the two levels with its interval [low, high]. Both intervals are of `CONFIDENCE`."""

    at: int
    earliest: int
    latest: int
    size: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Slope:
    """By how much a straight line rises from the first to the last of `count` values."""

    rise: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Shape:
    """What a series does: `steps` in order; or a `drift`, where a straight line describes it better than any steps. `outliers` are the
    values that were left out of account."""

    steps: tuple[Step, ...]
    drift: Slope | None
    outliers: tuple[int, ...]


def shape(values: Sequence[float]) -> Shape:
    """The shape of a series with noise. Fewer than twice `LEAST` values have none."""
    every = np.asarray(values, dtype=np.float64)
    places, outliers = _without_outliers(every)
    kept = every[places]
    if len(kept) < 2 * LEAST or not np.ptp(kept):
        return Shape((), None, outliers)
    levels = _Levels(kept, _candidates(kept))
    while levels.ends and not levels.weakest_holds():
        levels = levels.without_weakest()
    line = _line(kept, places)
    if line is not None and _information(line.squares, 2, len(kept)) < _information(
        levels.squares, 2 * len(levels.ends) + 1, len(kept)
    ):
        drift = line.slope(quantile(LEVEL / 2, line.freedom))
        if drift.low > 0 or drift.high < 0:
            return Shape((), line.slope(quantile((1 - CONFIDENCE) / 2, line.freedom)), outliers)
    return Shape(tuple(_among(step, places) for step in levels.steps()), None, outliers)


def exact_steps(values: Sequence[float]) -> tuple[Step, ...]:
    """The steps of a series without noise: wherever a value is not the one before."""
    return tuple(
        Step(at, at, at, *(values[at] - values[at - 1],) * 3) for at in range(1, len(values)) if values[at] != values[at - 1]
    )


def slope(values: Sequence[float]) -> Slope | None:
    """The straight line through the values, outliers aside; None of fewer than five."""
    every = np.asarray(values, dtype=np.float64)
    places, _ = _without_outliers(every)
    line = _line(every[places], places)
    return None if line is None else line.slope(quantile((1 - CONFIDENCE) / 2, line.freedom))


class _Levels:
    """A series cut at `ends` into stretches of one level each, and how surely each cut is one."""

    def __init__(self, values: Values, ends: Sequence[int]) -> None:
        self.values, self.ends = values, tuple(ends)
        bounds = (0, *self.ends, len(values))
        self._parts = [values[begin:end] for begin, end in pairwise(bounds)]
        self._means = [float(part.mean()) for part in self._parts]
        left = np.concatenate([part - mean for part, mean in zip(self._parts, self._means, strict=True)])
        self.squares = float(left @ left)
        self._widened = _widened(left, [len(part) for part in self._parts])
        self._freedom = max(2.0, (len(values) - len(self._parts)) / self._widened)
        self._variance = self.squares / (len(values) - len(self._parts)) * self._widened

    def _error(self, place: int) -> float:
        """Of the difference of two neighbours. One that is less even than the whole is taken at its own word: three busy records that
        disagree are no level."""
        return math.sqrt(math.fsum(max(self._variance, self._own(part)) / len(part) for part in self._parts[place : place + 2]))

    def _own(self, part: Values) -> float:
        return _spread(part) / (len(part) - 1) * self._widened

    def _size(self, place: int) -> float:
        return self._means[place + 1] - self._means[place]

    def _weakest(self) -> int:
        return min(range(len(self.ends)), key=lambda place: abs(self._size(place)) / (self._error(place) or 1e-300))

    def weakest_holds(self) -> bool:
        """Whether even the least sure cut could not be noise."""
        places = len(self.values) - 2 * LEAST + 1
        wanted = quantile(LEVEL / 2 / places, self._freedom)
        weakest = self._weakest()
        return abs(self._size(weakest)) > wanted * self._error(weakest)

    def without_weakest(self) -> "_Levels":
        weakest = self._weakest()
        return _Levels(self.values, self.ends[:weakest] + self.ends[weakest + 1 :])

    def steps(self) -> tuple[Step, ...]:
        wide = quantile((1 - CONFIDENCE) / 2, self._freedom)
        found = []
        for place, at in enumerate(self.ends):
            size, half = self._size(place), wide * self._error(place)
            earliest, latest = self._range(place)
            found.append(Step(at, earliest, latest, size, size - half, size + half))
        return tuple(found)

    def _range(self, place: int) -> tuple[int, int]:
        """The places of a cut that are nearly as likely as its own, all else as it is."""
        begin = self.ends[place - 1] if place else 0
        both = np.concatenate(self._parts[place : place + 2])
        squares = {begin + cut: _spread(both[:cut]) + _spread(both[cut:]) for cut in range(1, len(both))}
        allowed = squares[self.ends[place]] + _PLACES * self._variance
        likely = [at for at, rest in squares.items() if rest <= allowed]
        return min(likely), max(likely)


@dataclass(frozen=True, slots=True)
class _Line:
    """A straight line by least squares: its rise over the whole, the error of that, and what it leaves over. `count`: the values from the
    first to the last, with those that were left out."""

    rise: float
    error: float
    squares: float
    freedom: float
    count: int

    def slope(self, wide: float) -> Slope:
        return Slope(self.rise, self.rise - wide * self.error, self.rise + wide * self.error, self.count)


def _line(values: Values, places: Places) -> _Line | None:
    count = len(values)
    if count < _LEAST_FOR_A_SLOPE:
        return None
    across = places - places.mean()
    length = int(places[-1] - places[0])
    steepness = float(across @ values / (across @ across))
    left = values - values.mean() - steepness * across
    widened = _widened(left, [count])
    freedom = max(2.0, (count - 2) / widened)
    squares = float(left @ left)
    error = math.sqrt(squares / (count - 2) * widened / float(across @ across))
    return _Line(steepness * length, error * length, squares, freedom, length + 1)


def _among(step: Step, places: Places) -> Step:
    """A step of the kept values as one of all of them: it may lie before or after what was left out beside it."""
    earliest = int(places[step.earliest - 1]) + 1
    return replace(step, at=int(places[step.at]), earliest=earliest, latest=int(places[step.latest]))


def _widened(left: Values, lengths: Sequence[int]) -> float:
    """By how much the variance of a mean exceeds that of independent values: (1 + r) / (1 - r) for a first-order process. The estimate
    of r is corrected for what fitting the levels takes from it (Marriott & Pope, Biometrika 41, 1954)."""
    total = float(left @ left)
    if not total:
        return (1 + LEAST_CORRELATION) / (1 - LEAST_CORRELATION)
    ends = np.cumsum(lengths)
    products = left[1:] * left[:-1]
    products[ends[:-1] - 1] = 0.0
    found = float(products.sum()) / total
    corrected = found + (len(lengths) + 3 * max(found, 0.0)) / len(left)
    r = min(max(corrected, LEAST_CORRELATION), _MOST_CORRELATION)
    return (1 + r) / (1 - r)


def _candidates(values: Values) -> list[int]:
    import ruptures

    noise = _noise(values)
    finder: Any = ruptures.KernelCPD(kernel="linear", min_size=LEAST)
    found: list[int] = finder.fit((values - values.mean()).reshape(-1, 1)).predict(
        pen=_PENALTY * noise**2 * math.log(len(values))
    )
    return found[:-1]


def _without_outliers(values: Values) -> tuple[Places, tuple[int, ...]]:
    """The places of the values to go by, and of single values far from all around them: the noise of a busy hour. A step is none, because
    the median follows its edge; nor is anything in a stretch that is uneven all over."""
    every = np.arange(len(values))
    noise = _noise(values)
    if len(values) < 2 * LEAST or not noise:
        return every, ()
    begins = np.clip(every - 2, 0, len(values) - 5)
    around = np.stack([values[begins + shift] for shift in range(5)])
    middle = np.median(around, axis=0)
    uneven = np.median(np.abs(around - middle), axis=0) / _NORMAL_MEDIAN
    far = np.abs(values - middle) > _OUTLYING * np.maximum(noise, uneven)
    return every[~far], tuple(int(at) for at in every[far])


def _noise(values: Values) -> float:
    """The standard deviation, from differences of neighbours, which no step or drift inflates."""
    if len(values) < 2:
        return 0.0
    differences = np.abs(np.diff(values))
    robust = float(np.median(differences)) / _NORMAL_MEDIAN
    return (robust or float(differences.mean()) / _NORMAL_MEAN) / math.sqrt(2)


def _spread(values: Values) -> float:
    return float(((values - values.mean()) ** 2).sum())


def _information(squares: float, parameters: int, count: int) -> float:
    """The Bayesian information criterion: less is better."""
    return count * math.log(max(squares, 1e-300) / count) + parameters * math.log(count)

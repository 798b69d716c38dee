"""Workers without a machine: noise of every shape that was seen or feared, and the gate's rule for thousands of cases at once.

A row is a case, a column a worker. Bounds do not depend on where zero is, so one matrix of noise serves every true change. That `outcomes`
is the rule itself and not another one is checked by tests/simulated/test_operating_curve.py, decision by decision.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.judge.sequential import PATIENCE, Rule, looks, share
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.stats.student import quantile

Floats = NDArray[np.float64]
# `rows` x `columns` of noise with mean 0 and standard deviation 1.
Shape = Callable[[np.random.Generator, int, int], Floats]

VERDICTS = (None, Verdict.REGRESSED, Verdict.UNCHANGED, Verdict.IMPROVED)
_OPEN, _REGRESSED, _UNCHANGED, _IMPROVED = range(4)


def gaussian(random: np.random.Generator, rows: int, columns: int) -> Floats:
    return random.standard_normal((rows, columns))


def skewed(random: np.random.Generator, rows: int, columns: int) -> Floats:
    """Log-normal: mostly a little fast, sometimes very slow."""
    return (np.exp(random.standard_normal((rows, columns))) - math.exp(0.5)) / math.sqrt((math.e - 1.0) * math.e)


def mirrored_skew(random: np.random.Generator, rows: int, columns: int) -> Floats:
    """The same with the sides exchanged: it is the baseline that is sometimes very slow."""
    return -skewed(random, rows, columns)


def heavy(random: np.random.Generator, rows: int, columns: int) -> Floats:
    """Student's t with 3 degrees of freedom: no fourth moment."""
    return random.standard_t(3, (rows, columns)) / math.sqrt(3.0)


def bimodal(random: np.random.Generator, rows: int, columns: int) -> Floats:
    """One worker in five has another processor or page mapping, two and a half standard deviations away."""
    modes = np.where(random.random((rows, columns)) < 0.2, 2.0, -0.5)
    return (modes + 0.1 * random.standard_normal((rows, columns))) / math.sqrt(1.01)


def mirrored_bimodal(random: np.random.Generator, rows: int, columns: int) -> Floats:
    return -bimodal(random, rows, columns)


def autocorrelated(random: np.random.Generator, rows: int, columns: int) -> Floats:
    """A worker is like the one before it: correlation 0.37, which was measured in the field inside of one process."""
    made = random.standard_normal((rows, columns))
    for column in range(1, columns):
        made[:, column] = 0.37 * made[:, column - 1] + math.sqrt(1.0 - 0.37**2) * made[:, column]
    return made


def drifting(random: np.random.Generator, rows: int, columns: int) -> Floats:
    """Half of the variance is a slow wave, up and down once in 40 workers (some seconds), that begins anywhere."""
    phase = 2.0 * math.pi * (random.random((rows, 1)) + np.arange(columns) / 40.0)
    return np.sin(phase) + math.sqrt(0.5) * random.standard_normal((rows, columns))


def bursts(random: np.random.Generator, rows: int, columns: int) -> Floats:
    """Quiet and loud times take turns, about ten workers each; loud is five times as noisy."""
    turn = random.random((rows, columns)) < 0.1
    turn[:, 0] = random.random(rows) < 0.5
    loud = np.cumsum(turn, axis=1) % 2 == 1
    return np.where(loud, 5.0, 1.0) / math.sqrt(13.0) * random.standard_normal((rows, columns))


SHAPES: tuple[Shape, ...] = (
    gaussian,
    skewed,
    mirrored_skew,
    heavy,
    bimodal,
    mirrored_bimodal,
    autocorrelated,
    drifting,
    bursts,
)


def contaminated(random: np.random.Generator, rows: int, columns: int, *, sd: float) -> Floats:
    """Noise of `sd`, but three workers in a hundred read 15 % too much or too little."""
    wild = np.where(random.random((rows, columns)) < 0.03, random.choice((-0.15, 0.15), (rows, columns)), 0.0)
    return wild + sd * random.standard_normal((rows, columns))


def layouts(random: np.random.Generator, rows: int, columns: int, *, sd: float, links: int = 4) -> Floats:
    """Noise of `sd`, and every link of either build is faster or slower by 1 %; zero is the mean over all pairs of links. Workers rotate
    as plan/draw.py has it."""
    index = np.arange(columns)
    made = sd * random.standard_normal((rows, columns))
    for sign, turn in ((-1.0, index), (1.0, index + index // links)):
        effects = 0.01 * random.standard_normal((rows, links))
        effects -= effects.mean(axis=1, keepdims=True)
        made += sign * effects[:, turn % links]
    return made


def first_arms(random: np.random.Generator, rows: int, columns: int) -> NDArray[np.int64]:
    """Which arm each worker sets up first: in pairs of opposite order, as plan/draw.py deals them."""
    leading = random.integers(0, 2, (rows, columns // 2))
    return np.stack([leading, 1 - leading], axis=2).reshape(rows, columns)


@dataclass(frozen=True)
class Outcomes:
    """Of every case: the verdict (an index into VERDICTS), and after how many workers."""

    verdicts: NDArray[np.int64]
    counts: NDArray[np.int64]
    by_estimate: NDArray[np.bool_]

    def rate(self, verdict: Verdict | None) -> float:
        return float(np.mean(self.verdicts == VERDICTS.index(verdict)))

    def number(self, verdict: Verdict | None) -> int:
        return int(np.sum(self.verdicts == VERDICTS.index(verdict)))


class Cases:
    """Workers' noise (log ratios round 0) with the arm that each set up first; their number is even and so is that of every look."""

    def __init__(self, noise: Floats, firsts: NDArray[np.int64]) -> None:
        self.noise = noise
        self.firsts = firsts
        self.looks = looks(noise.shape[1])

    @cached_property
    def moments(self) -> tuple[Floats, Floats]:
        """Mean and standard error at each look, by least squares with a term for the order of set-up; looks x cases."""
        edges = [0, *self.looks[:-1]]
        used = self.noise[:, : self.looks[-1]]
        signs = 1.0 - 2.0 * self.firsts[:, : self.looks[-1]]
        total, contrast, square = (
            np.cumsum(np.add.reduceat(values, edges, axis=1), axis=1) for values in (used, signs * used, used**2)
        )
        count = np.array(self.looks, dtype=float)
        within = np.maximum(square - (total**2 + contrast**2) / count, 0.0)
        return (total / count).T, np.sqrt(within / (count - 2.0) / count).T

    def bounds(self, rule: Rule) -> tuple[Floats, Floats, Floats]:
        """Mean, lower and upper bound as log ratios; looks x cases."""
        mean, error = self.moments
        below, above = (
            np.array([quantile(share(spent, number), count - 2) for number, count in enumerate(self.looks, start=1)])[:, None]
            for spent in (rule.alarm_error, rule.miss_error)
        )
        return mean, mean - below * error, mean + above * error

    def outcomes(self, change: float, rule: Rule) -> Outcomes:
        """What the rule says of every case when the true change is `change` and these are all workers that time allowed."""
        bounds = self.bounds(rule)
        rows = self.noise.shape[0]
        verdicts, counts = np.zeros(rows, dtype=np.int64), np.full(rows, self.looks[-1])
        by_estimate = np.zeros(rows, dtype=bool)
        limit, margin = rule.threshold, rule.margin
        for count, *look in zip(self.looks, *bounds, strict=True):
            value, low, high = (np.expm1(math.log1p(change) + bound) for bound in look)
            above = value > limit
            near = (high - value <= margin) & (value - low <= margin)
            if count >= PATIENCE or count == self.looks[-1]:
                near |= np.where(above, low > limit - margin, high < limit + margin)
            faster = (high < limit) & (value < -limit) & (high < 0)
            found = np.select(
                [low > limit, faster, high < limit, near & above, near],
                [_REGRESSED, _IMPROVED, _UNCHANGED, _REGRESSED, _UNCHANGED],
                _OPEN,
            )
            ended = (verdicts == _OPEN) & (found != _OPEN)
            verdicts[ended], counts[ended] = found[ended], count
            by_estimate[ended] = ~((low > limit) | (high < limit))[ended]
        return Outcomes(verdicts, counts, by_estimate)

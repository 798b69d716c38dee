"""The operating curve: how often the gate answers what, by what was planted; and the contract that it is held against."""

from dataclasses import dataclass
from enum import StrEnum

from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.selftest import Load, Pair
from dualmem_cli.model.verdict import Verdict

CONFIDENCE = 0.95  # of every interval of the curve


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` of `total` decisions, with the exact two-sided interval of the true rate. `share` is None where nothing was decided."""

    count: int
    total: int
    share: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RivalRate:
    """How often another tool's rule calls a regression: on dualmem's interleaved samples, and on samples taken in turn."""

    name: str
    interleaved: Rate
    in_turn: Rate


@dataclass(frozen=True, slots=True)
class Cell:
    """All trials that are alike in what is given here; None (or "" for `kind`) where they are pooled over it.

    `verdicts` has a rate of every answer, of the trials that were judged; `invalid` counts the others, which could not be
    measured. `bias` is the mean of estimate minus planted, as a fraction, with its interval, and `deviation` the standard deviation of
    one estimate; both None where there are too few. Times are seconds to the verdict.
    """

    planted: float | None
    pair: Pair | None
    load: Load | None
    kind: str
    trials: int
    invalid: int
    by_estimate: int
    verdicts: tuple[tuple[Verdict, Rate], ...]
    bias: Estimate | None
    deviation: float | None
    seconds_median: float | None
    seconds_p95: float | None
    workers_median: float | None
    workers_most: int
    rivals: tuple[RivalRate, ...] = ()

    def rate(self, verdict: Verdict) -> Rate:
        """The rate of one answer."""
        return next(rate for answer, rate in self.verdicts if answer is verdict)

    @property
    def regressed(self) -> Rate:
        return self.rate(Verdict.REGRESSED)


class Standing(StrEnum):
    """How a clause of the contract stands after so many trials."""

    MET = "met"  # shown, at the confidence of the bound
    VIOLATED = "violated"  # shown not to hold
    NOT_SHOWN = "not shown"  # too few trials to tell, or too near


@dataclass(frozen=True, slots=True)
class Clause:
    """One line of the contract for one load (None: all loads together). `limit` is the rate that must not be exceeded, or reached at
    least where `minimum`. `shown` says in words what the trials show. `aim` marks a clause that is aimed at, not promised."""

    name: str
    load: Load | None
    limit: float
    minimum: bool
    rate: Rate
    standing: Standing
    shown: str
    aim: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """A rule beside the others: false alarms up to `low` of the zone, detection from `high` on. dualmem's own rule has no samples in
    turn: it does not take them."""

    name: str
    says: str
    source: str
    false_alarms: Rate
    detection: Rate
    false_alarms_in_turn: Rate | None
    detection_in_turn: Rate | None


@dataclass(frozen=True, slots=True)
class MachineRates:
    """What the trials of one machine say; `machine` indexes the record's `machines`."""

    machine: int
    trials: int
    false_alarms: Rate
    detection: Rate
    inconclusive: Rate
    seconds_median: float | None


@dataclass(frozen=True, slots=True)
class OperatingCurve:
    """What the trials of a self-test say. Slowdowns up to `silent` must not be called, from `caught` on they must.

    `points`: by planted slowdown and load, whatever pair and kind. `cells`: by pair, planted slowdown and load. `kind_cells`: these by
    kind as well. `kinds`: by kind and planted slowdown. `sizes`: by planted slowdown alone. `copies`: unchanged code by pair and load,
    and by pair alone. All in ascending order.
    """

    threshold: float
    silent: float
    caught: float
    cases: int
    points: tuple[Cell, ...]
    cells: tuple[Cell, ...]
    kind_cells: tuple[Cell, ...]
    kinds: tuple[Cell, ...]
    sizes: tuple[Cell, ...]
    copies: tuple[Cell, ...]
    comparisons: tuple[Comparison, ...]
    clauses: tuple[Clause, ...]
    machines: tuple[MachineRates, ...]

    @property
    def drawable(self) -> bool:
        """Whether it is a curve: the rates of one size are a point, which a table says better."""
        return len(self.sizes) > 1

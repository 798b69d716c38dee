"""What was found: quantities beside their budgets (bench) and verdicts against a baseline (compare)."""

from dataclasses import dataclass
from enum import StrEnum

from dualmem_cli.model.estimate import Estimate


class Verdict(StrEnum):
    """The answer of the gate for one case."""

    REGRESSED = "regressed"
    IMPROVED = "improved"
    UNCHANGED = "unchanged"  # proved inside the threshold
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"
    MISSING = "missing"
    INCOMPARABLE = "incomparable"


DECIDED = frozenset({Verdict.REGRESSED, Verdict.IMPROVED, Verdict.UNCHANGED})


class BudgetStanding(StrEnum):
    """How a budget stands. NOT_SHOWN is for what an interval must show: it holds the limit, so nothing is known."""

    MET = "met"
    MISSED = "missed"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A reported number of a bench case. `limit` is its budget (None: has none), `minimum` whether it must be at least that, `met` the
    comparison's result."""

    name: str
    estimate: Estimate
    limit: float | None = None
    minimum: bool = False
    met: bool | None = None

    @property
    def standing(self) -> BudgetStanding | None:
        """None without a budget. An overhead is judged by its interval, everything else by its value."""
        if self.met is None or self.limit is None or self.met:
            return None if self.met is None else BudgetStanding.MET
        by_interval = self.name.rpartition(".")[2] == "overhead" and not self.minimum
        return BudgetStanding.NOT_SHOWN if by_interval and self.estimate.low <= self.limit else BudgetStanding.MISSED


@dataclass(frozen=True, slots=True)
class BenchFinding:
    """One case of a bench. `problem` is "" or says in one line why the case is not valid; the quantities are empty then."""

    case: str
    quantities: tuple[Quantity, ...]
    problem: str

    @property
    def missed(self) -> tuple[Quantity, ...]:
        return tuple(q for q in self.quantities if q.met is False)

    def quantity(self, name: str) -> Quantity | None:
        return next((q for q in self.quantities if q.name == name), None)


@dataclass(frozen=True, slots=True)
class ScalingFinding:
    """How the cost of one operation grows with one parameter, all else (`series`) equal: cost ~ size ** exponent. `cases`, `sizes` and
    `costs_ns` (time per operation, or P50) belong together, by ascending size."""

    scenario: str
    series: str
    parameter: str
    cases: tuple[str, ...]
    sizes: tuple[float, ...]
    costs_ns: tuple[float, ...]
    exponent: Estimate


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """What one arm of one case finds, and what it takes. `effort` is what the case asked for ("recall 0.95"). `per_second`: lookups by one
    thread, from blocks of them. Latencies in nanoseconds, raw and of the fastest pass of each query; None where none, or too few, were
    clocked. `metrics`: what the arm's kernel declared."""

    case: str
    effort: str
    recall: float
    per_second: float | None
    p50_ns: float | None
    p99_ns: float | None
    p999_ns: float | None
    p50_fastest_ns: float | None
    p99_fastest_ns: float | None
    latencies: int
    metrics: tuple[tuple[str, float], ...]

    def metric(self, name: str) -> float | None:
        return next((value for known, value in self.metrics if known == name), None)


@dataclass(frozen=True, slots=True)
class FrontierFinding:
    """How recall and time trade for one arm (`variant` of build number `build`), all else (`series`) equal. Points by ascending recall."""

    scenario: str
    series: str
    variant: str
    build: int
    points: tuple[FrontierPoint, ...]


@dataclass(frozen=True, slots=True)
class Roof:
    """A ceiling of the machine that the run measured. `case` is where; `level` names it: a cache, "memory", or "peak" of arithmetic.
    `rate` is in GB/s or GFLOP/s, by all `threads` together; `bytes_each`: what each of them went through, None for arithmetic."""

    case: str
    level: str
    threads: int
    bytes_each: float | None
    rate: Estimate


@dataclass(frozen=True, slots=True)
class RooflinePoint:
    """A case under the roofs. `intensity` is in floating-point operations per byte, None where it declares only one of them; rates in
    GFLOP/s and GB/s, None where it declares none. `level` is the roof that limits it (a cache, "memory", "peak"), `share` how much of
    that roof it reaches: 1 / distance."""

    case: str
    kernel: str
    variant: str
    threads: int
    intensity: float | None
    gflops: float | None
    gigabytes: float | None
    level: str
    share: float


@dataclass(frozen=True, slots=True)
class RooflineFinding:
    """The machine's roofs, and the cases under them (Williams, Waterman & Patterson 2009)."""

    roofs: tuple[Roof, ...]
    points: tuple[RooflinePoint, ...]


@dataclass(frozen=True, slots=True)
class LayoutCell:
    """Mean change of the workers that ran one pair of links (baseline layout, candidate layout)."""

    baseline: str
    candidate: str
    change: float
    workers: int


@dataclass(frozen=True, slots=True)
class MetricChange:
    """A declared metric (or recall) on both sides. `worsened` is whether it left its allowance."""

    name: str
    unit: str
    baseline: float
    candidate: float
    allowance: float
    worsened: bool


@dataclass(frozen=True, slots=True)
class CompareFinding:
    """One case of a compare. `change` is candidate / baseline - 1 with its interval, None where nothing could be measured. `reason` is the
    sentence a person reads: what was proved, how much slower, or what is missing and how long it would take."""

    case: str
    verdict: Verdict
    threshold: float
    change: Estimate | None
    baseline_ns: float | None  # time per operation, for orientation only: never judged
    candidate_ns: float | None
    reason: str
    layouts: tuple[LayoutCell, ...] = ()
    metrics: tuple[MetricChange, ...] = ()
    layout_sensitive: bool = False  # regressed, and in some code layouts only


@dataclass(frozen=True, slots=True)
class ControlFinding:
    """A control of a compare, pooled over its cases: a copy of the baseline must be silent, the baseline with more work must be caught.
    `name` reads after "controls:", such as "baseline against itself"; `passed` of `cases` did as they should, `held` is whether the
    control as a whole did. `change` is the pooled change, None where nothing could be measured."""

    name: str
    held: bool
    passed: int
    cases: int
    change: Estimate | None

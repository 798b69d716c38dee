"""Workloads and the load they are put under: the Python image of dm_workload.h, and a load scenario as its file states it."""

from dataclasses import dataclass, field
from enum import StrEnum

from dualmem_cli.model.kernel import Parameter
from dualmem_cli.model.metric import Metric
from dualmem_cli.model.scenario import Budget, Data


class KeySpace(StrEnum):
    """What a key counts (dm_workload.h, DM_KEY_...)."""

    NONE = "none"
    QUERY = "query"
    EPISODE = "episode"
    CONCEPT = "concept"
    BINDING = "binding"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Operation:
    """A kind of operation: what its key counts, and what one of it adds one of."""

    name: str
    meaning: str
    key: KeySpace
    inserts: KeySpace


@dataclass(frozen=True, slots=True)
class Workload:
    """One row of a workload table. `reason` says why it is not supported on this machine."""

    name: str
    variant: str
    summary: str
    needs_data: bool
    supported: bool
    reason: str
    parameters: tuple[Parameter, ...]
    metrics: tuple[Metric, ...]
    operations: tuple[Operation, ...]

    def parameter(self, name: str) -> Parameter | None:
        return next((p for p in self.parameters if p.name == name), None)

    def operation(self, name: str) -> Operation | None:
        return next((o for o in self.operations if o.name == name), None)


@dataclass(frozen=True, slots=True)
class WorkloadLibrary:
    """A library that has workloads, as it described itself to the player."""

    path: str
    abi: tuple[int, int]
    name: str
    version: str
    revision: str
    workloads: tuple[Workload, ...]

    def workload(self, name: str, variant: str) -> Workload | None:
        return next((w for w in self.workloads if (w.name, w.variant) == (name, variant)), None)

    def variants(self, name: str) -> tuple[Workload, ...]:
        return tuple(w for w in self.workloads if w.name == name)


class ArrivalKind(StrEnum):
    """When operations arrive."""

    CONSTANT = "constant"  # one every 1 / rate
    POISSON = "poisson"  # independent exponential gaps
    BURSTY = "bursty"  # Poisson at two rates that take turns: a Markov-modulated Poisson process of two states
    CLOSED = "closed"  # none do: each thread takes the next operation when it has finished one
    TRACE = "trace"  # as the trace file says


@dataclass(frozen=True, slots=True)
class Burst:
    """Bursts take turns with calms, both of exponentially distributed length; the rate in a burst is `factor` times the rate in a calm."""

    factor: float
    burst_s: float  # mean length
    calm_s: float  # mean length


@dataclass(frozen=True, slots=True)
class Arrivals:
    """`rate`: operations per second, on average over bursts and calms. CLOSED: how many there are, not when. TRACE: None plays the
    trace as it is, a number plays it at that mean rate."""

    kind: ArrivalKind
    rate: float | None
    burst: Burst | None  # of BURSTY


class KeyChoice(StrEnum):
    """How keys are chosen; after YCSB (Cooper et al. 2010), exactly as docs/reference/scenarios.md says."""

    UNIFORM = "uniform"
    ZIPFIAN = "zipfian"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class OperationMix:
    """One kind's share of the operations, and how its keys are chosen."""

    name: str
    share: float
    keys: KeyChoice
    theta: float  # of ZIPFIAN and LATEST


@dataclass(frozen=True, slots=True)
class LoadMeasure:
    """How much is played. Times in nanoseconds."""

    arrivals: Arrivals
    threads: int  # that play
    warmup_ns: int  # of the schedule, played before what is measured
    steady_ns: int | None  # of the schedule; None: to the end of the trace file
    section_ns: int  # of the schedule: what is played without a pause
    workers: int  # fresh processes: the unit of inference
    seed: int  # of the trace
    timeout_s: float  # how long after the end of its schedule a play may last


@dataclass(frozen=True, slots=True)
class LoadGate:
    """The gates of a load. `errors`: share of operations that may fail. `quantities`: threshold of the relative gate by quantity
    ("time", "p99", "lookup.p99"), as a fraction."""

    errors: float
    quantities: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Twin:
    """The single-type twin: the workload that plays the same trace; `limit` is the largest overhead = dual / single - 1, of all operations
    together and of each kind; `workers`: fresh processes that it is measured in, side by side, and `passes` how often each plays the trace
    at most."""

    workload: str
    variant: str
    limit: float
    workers: int = 8
    passes: int = 1


@dataclass(frozen=True, slots=True)
class LoadScenario:
    """A validated load scenario. Either `mix` says what a trace is made of, or `trace` names one (beside `path`)."""

    name: str
    question: str
    workload: str
    variants: tuple[str, ...]
    data: Data | None
    parameters: tuple[tuple[str, float], ...]
    measure: LoadMeasure
    mix: tuple[OperationMix, ...]
    trace: str  # "" where there is a mix
    saturation: tuple[Budget, ...]  # the highest rate that keeps these is searched; () for no search
    budgets: tuple[Budget, ...]
    gate: LoadGate
    control: Twin | None
    path: str
    digest: str
    source: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TraceFacts:
    """What is known of a trace file. `digest`: SHA-256 of the file."""

    digest: str
    operations: int
    duration_ns: int
    kinds: tuple[tuple[str, int], ...]  # name, how many
    note: str  # the note of the file, JSON

    @property
    def rate(self) -> float:
        """Operations per second; 0 for a trace of no length."""
        return self.operations / self.duration_ns * 1e9 if self.duration_ns else 0.0

"""What workers brought back: raw samples in time order, never sorted, never thinned."""

from dataclasses import dataclass
from enum import StrEnum

from dualmem_cli.model.plan import Draw


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock that timed the samples."""

    name: str
    source: str
    resolution_ns: float
    cost_ns: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """Log-linear latency histogram (docs/reference/worker-protocol.md): sparse (index, count) pairs, exact sum and maximum."""

    count: int
    sum_ns: int
    max_ns: int
    buckets: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Latency:
    """Latencies of one arm: of every operation, and of the fastest pass of each item."""

    arm: int
    operations: int
    every: Histogram
    fastest: Histogram


@dataclass(frozen=True, slots=True)
class Check:
    """What was compared before anything was timed. `differences` are relative to arm 0; None where there is no output to compare."""

    checksums: tuple[str, ...]
    outputs: tuple[int, ...]
    differences: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Samples:
    """Timed samples: entry i of each array belongs to entry i of the schedule. `iterations` and `checksums` are per arm. Before sample
    `exchange` the two arms exchanged their physical pages; 0: they did not."""

    schedule: str
    iterations: tuple[int, ...]
    wall_ns: tuple[int, ...]
    cpu_ns: tuple[int, ...]
    switches: tuple[int, ...]
    checksums: tuple[str, ...]
    exchange: int = 0


@dataclass(frozen=True, slots=True)
class Resources:
    """What a worker used. `steal_ticks` is the machine's, None where it cannot be read."""

    max_rss_bytes: int
    minor_faults: int
    major_faults: int
    steal_ticks: int | None
    voluntary_switches: int
    involuntary_switches: int


class FailureKind(StrEnum):
    """How a worker failed."""

    REFUSED = "refused"  # the host or the library returned an error
    CRASHED = "crashed"  # died of a signal
    TIMED_OUT = "timed out"
    BROKEN = "broken"  # exited without a complete answer


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a worker has no samples. `arm` and `phase` say where; `message` is one line for a person."""

    kind: FailureKind
    phase: str
    arm: int | None
    message: str


@dataclass(frozen=True, slots=True)
class WorkerRun:
    """One fresh process of a case: what it was dealt and what it answered. Exactly one of failure and (samples or latency) is there."""

    draw: Draw
    clock: Clock | None
    check: Check | None
    samples: Samples | None
    latency: tuple[Latency, ...]
    metrics: tuple[tuple[float | None, ...], ...]  # per arm, in the kernel's declared order
    resources: Resources | None
    failure: Failure | None
    seconds: float = 0.0  # wall time of the whole process, start and set-up included; 0 when it was not taken

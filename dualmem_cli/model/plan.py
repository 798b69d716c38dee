"""What is going to be measured: cases, arms, draws and the request that one worker obeys."""

from dataclasses import dataclass
from enum import StrEnum

from dualmem_cli.model.units import significant


class Role(StrEnum):
    """What an arm is for."""

    SUBJECT = "subject"  # bench: the kernel in question
    EMPTY = "empty"  # bench: its empty loop
    CONTROL = "control"  # bench: its single-type twin
    BESIDE = "beside"  # bench: a slower way, for the speed-up
    PEER = "peer"  # bench: another library's kernel of the same name
    BASELINE = "baseline"  # compare
    CANDIDATE = "candidate"  # compare
    COPY = "copy"  # control of a compare: a byte copy of the baseline
    MORE = "more"  # control of a compare: the baseline with more work


@dataclass(frozen=True, slots=True)
class Arm:
    """One thing that is timed. `build` indexes the builds of the run (bench: 0, peers from 1; compare: 0 baseline, 1 candidate)."""

    role: Role
    build: int
    kernel: str
    variant: str
    work: float = 1.0


@dataclass(frozen=True, slots=True)
class Case:
    """One point of a scenario: kernel, variant, every parameter with its value, and the data set's digest ("" for none)."""

    scenario: str
    kernel: str
    variant: str
    parameters: tuple[tuple[str, float], ...]
    stated: tuple[str, ...]  # the parameters that the scenario itself names; the others have their defaults
    data: str

    @property
    def label(self) -> str:
        """What tells the cases of one scenario apart, for a table: 'count 16, avx2'."""
        stated = [f"{name} {significant(value, 12)}" for name, value in self.parameters if name in self.stated]
        return ", ".join([*stated, self.variant])

    @property
    def id(self) -> str:
        """Stable name of the case across builds and machines: 'similarity/avx2/count=16'."""
        stated = [f"{name}={significant(value, 12)}" for name, value in self.parameters if name in self.stated]
        return "/".join([self.scenario, self.variant, *([",".join(stated)] if stated else [])])


@dataclass(frozen=True, slots=True)
class Draw:
    """What one worker was dealt at random, balanced over the workers of a case."""

    cpu: int | None
    stack: int  # bytes
    environment: int  # bytes of padding in the environment
    placement: int  # bytes, a multiple of 64
    order: tuple[int, ...]  # in which the arms are set up
    links: tuple[int, ...]  # per build, which of its links


class Task(StrEnum):
    """What a worker does (docs/reference/worker-protocol.md)."""

    DESCRIBE = "describe"
    PREPARE = "prepare"
    MEASURE = "measure"
    LATENCY = "latency"
    SPIN = "spin"
    LOAD = "load"


class LoadKind(StrEnum):
    """What one process of `Task.LOAD` does."""

    SPIN = "spin"  # a busy loop
    BURSTS = "bursts"  # busy and idle in turn, 20 to 200 ms each
    BANDWIDTH = "bandwidth"  # copies through 128 MiB


@dataclass(frozen=True, slots=True)
class WorkerArm:
    """An arm as a worker sees it: `library` indexes WorkerRequest.libraries."""

    library: int
    kernel: str
    variant: str
    work: float = 1.0
    prepared: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True)
class WorkerRequest:
    """One fresh process. Field for field the worker protocol, version 1."""

    task: Task
    libraries: tuple[str, ...]
    arms: tuple[WorkerArm, ...] = ()
    parameters: tuple[tuple[str, float], ...] = ()
    seed: int = 1
    data: str = ""
    queries: str = ""
    cpu: int | None = None
    stack: int = 0
    environment: int = 0
    placement: int = 0
    order: tuple[int, ...] = ()
    check: int = 1
    warmup_ns: int = 0
    iterations: int = 0
    target_ns: int = 0
    schedule: str = ""
    exchange: int = 0  # the sample before which the two arms exchange their pages; 0: never
    operations: int = 0
    passes: int = 0
    duration_ns: int = 0
    load: LoadKind | None = None
    path: str = ""

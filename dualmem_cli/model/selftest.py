"""The gate measured: decisions whose right answer is known, because the difference was built in.

A *trial* is one decision of the gate about one pair of builds, made as `compare` makes it, with its raw evidence. Trials of equal
kind, planted slowdown and load make a cell of the operating curve.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from dualmem_cli.model.kernel import Build
from dualmem_cli.model.machine import Machine
from dualmem_cli.model.samples import Samples
from dualmem_cli.model.verdict import Verdict

SELFTEST_SCHEMA = 1


class Load(StrEnum):
    """What else runs while a trial is measured."""

    IDLE = "idle"  # nothing that the self-test started
    OTHER_CORE = "other-core"  # a spinning thread on the processor that is not measured on
    SAME_CORE = "same-core"  # a spinning thread on the processor that is measured on
    BURSTS = "bursts"  # both processors, on and off for 20 to 200 ms
    BANDWIDTH = "bandwidth"  # a thread that streams through memory on the other processor


class Pair(StrEnum):
    """How the candidate of a trial differs from its baseline."""

    COPY = "copy"  # not at all: a byte copy
    INERT = "inert"  # recompiled with unused functions, another order, other pads: no work more or less
    PLANTED = "planted"  # an exact extra share of work compiled in


@dataclass(frozen=True, slots=True)
class Trial:
    """One decision. `kind` is the kernel ("compute", "memory", "latency", "nanosecond", "millisecond"); `planted` the true slowdown as a
    fraction. `workers` holds the log ratio of every worker in the order they ran, `firsts` the arm that it set up first: with
    `threshold` and `cases` of the record the decision can be made again from them. `rivals` says of each other tool's rule (by its
    name) whether it calls the same samples a regression beyond the threshold; `in_turn` the same for samples of the two sides that
    were taken one after the other, as those tools are used. `seconds` is the time to the verdict, `load_average` the machine's when
    the trial began (it shows what else ran). `machine` indexes the record's `machines`."""

    # JSON has no infinity; written as a string it is read back as what it was.
    __pydantic_config__ = {"ser_json_inf_nan": "strings"}  # noqa: RUF012

    kind: str
    pair: Pair
    planted: float
    load: Load
    verdict: Verdict
    by_estimate: bool
    change: float
    low: float
    high: float
    workers: tuple[float, ...]
    firsts: tuple[int, ...]
    seconds: float
    load_average: float
    problem: str = ""  # why it is invalid
    rivals: tuple[tuple[str, bool], ...] = ()
    in_turn: tuple[tuple[str, bool], ...] = ()
    machine: int = 0


@dataclass(frozen=True, slots=True)
class SelftestRecord:
    """All trials of one run of `dualmem selftest`, in time order. `raw` names the file beside the record that holds every sample. A run
    that was gone on with on other machines has these in `elsewhere`."""

    schema: Literal[1]
    kind: Literal["selftest"]
    tool: str
    created: str  # ISO 8601, UTC
    seconds: float
    interrupted: bool
    quick: bool
    revision: str
    machine: Machine
    builds: tuple[Build, ...]  # the subjects; the first is the baseline of all trials
    threshold: float
    cases: int  # the suite size whose share of the error budget every trial was given
    seed: int
    raw: str
    trials: tuple[Trial, ...]
    elsewhere: tuple[Machine, ...] = ()
    gate: str = ""  # digest of what sampled and decided (measure/provenance.py); "" in records from before it was kept

    @property
    def machines(self) -> tuple[Machine, ...]:
        """All machines that trials were made on, in the order in which they came in."""
        return (self.machine, *self.elsewhere)


@dataclass(frozen=True, slots=True)
class Pooled:
    """Nanoseconds per operation of every sample of both sides of one trial, all workers together, in time order: what a tool that knows
    no workers would see. Sample i of one side was taken beside sample i of the other."""

    baseline: tuple[float, ...]
    candidate: tuple[float, ...]


def pooled(samples: tuple[Samples, ...]) -> Pooled:
    """All samples of a trial, per operation; arm 0 is the baseline, arm 1 the candidate. Nothing is left out: these rules do not know
    which samples were disturbed."""
    sides: tuple[list[float], list[float]] = ([], [])
    for worker in samples:
        for digit, wall in zip(worker.schedule, worker.wall_ns, strict=True):
            sides[int(digit)].append(wall / worker.iterations[int(digit)])
    return Pooled(tuple(sides[0]), tuple(sides[1]))

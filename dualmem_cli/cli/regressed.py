"""What a failed compare has to explain: kernels' cases that became slower, and kinds of operation of loads."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from dualmem_cli.cli.differing import targets_of
from dualmem_cli.cli.played_target import targets_of_kind
from dualmem_cli.cli.reasoning import alone
from dualmem_cli.cli.setting import PLAYER
from dualmem_cli.judge.limits import threads_of
from dualmem_cli.judge.replay import TIME
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.load import LoadRun
from dualmem_cli.model.record import CaseRun, Record
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.model.verdict import CompareFinding, Verdict
from dualmem_cli.profile.engines import Counter
from dualmem_cli.profile.engines.callgrind import CallgrindEngine
from dualmem_cli.profile.engines.counters import CountersEngine
from dualmem_cli.profile.folded import Profile
from dualmem_cli.profile.target import Target
from dualmem_cli.profile.turns import PREFERRED
from dualmem_cli.profile.within import within

MOST = 3
_COUNTING_S = 12.0  # of each build on a simulated processor; a case that sets up for longer there is not counted
_COUNTING_LOAD_S = 60.0  # a store is set up there, which takes a hundred times as long as it does here
_TURN_S = 1.0
_COUNTERS_S = 0.5
_DIVIDED = 4  # of the operations that would be counted if nobody waited


@dataclass(frozen=True, slots=True)
class Counting:
    """An engine that counts, for how long a target that is not cut into operations runs, and into how many the operations are divided."""

    engine: Counter
    seconds: float
    divided: int


class Regressed(Protocol):
    """Something that became slower. `shares` is the finding as far as it may be laid over samples: without its change where that is not
    one of all the time."""

    @property
    def finding(self) -> CompareFinding: ...
    @property
    def shares(self) -> CompareFinding: ...
    @property
    def title(self) -> str: ...
    @property
    def threads(self) -> int: ...
    @property
    def samplers(self) -> tuple[str, ...]: ...
    @property
    def about(self) -> str:
        """How long it takes to explain."""
        ...

    @property
    def patience(self) -> float:
        """How many times as long as usual its samples may take: what sets up for long does so for each capture."""
        ...

    @property
    def notes(self) -> tuple[str, ...]: ...
    def counting(self) -> tuple[Counting, ...]: ...
    def targets(self, builds: tuple[Build, Build], *, scratch: Path) -> tuple[tuple[Target, Target], dict[str, str]]:
        """The same work on both builds, and what their files are to be called. Raises DualmemError."""
        ...

    def trimmed(self, profile: Profile, *, library: str) -> Profile:
        """Of a profile what belongs to the work; `library` is what the builds are called."""
        ...

    def alone(self, builds: tuple[Build, Build]) -> Estimate | None:
        """The change with one thread, where it can be measured and more are asked for. Raises DualmemError."""
        ...


@dataclass(frozen=True, slots=True)
class RegressedCase:
    """A case of a kernel."""

    scenario: Scenario
    run: CaseRun
    finding: CompareFinding
    samplers: tuple[str, ...] = PREFERRED
    about: str = "about 15 s"
    patience: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def shares(self) -> CompareFinding:
        return self.finding

    @property
    def title(self) -> str:
        return f"{self.scenario.name} {self.run.case.label}"

    @property
    def threads(self) -> int:
        return int(threads_of(self.run.case))

    def counting(self) -> tuple[Counting, ...]:
        simulated = Counting(CallgrindEngine(timeout_s=_COUNTING_S), _TURN_S, _DIVIDED)
        return (simulated, Counting(CountersEngine(), _COUNTERS_S, _DIVIDED))

    def targets(self, builds: tuple[Build, Build], *, scratch: Path) -> tuple[tuple[Target, Target], dict[str, str]]:
        return targets_of(self.scenario, self.run.case, builds, scratch=scratch, seconds=_TURN_S)

    def trimmed(self, profile: Profile, *, library: str) -> Profile:
        return profile

    def alone(self, builds: tuple[Build, Build]) -> Estimate | None:
        return alone(self.scenario, self.run.case, builds)


@dataclass(frozen=True, slots=True)
class RegressedKind:
    """A kind of operation of a load. Players start no interpreter and may have threads: perf samples them."""

    run: LoadRun
    kind: str
    finding: CompareFinding
    wide: bool  # this machine has instructions that a simulated one has not
    samplers: tuple[str, ...] = ("perf",)
    about: str = "up to 2 min, as long as its store takes to be set up on a simulated processor"
    patience: float = 3.0

    @property
    def shares(self) -> CompareFinding:
        return self.finding if self.finding.case.endswith(f" {TIME}") else replace(self.finding, change=None)

    @property
    def title(self) -> str:
        return f"{self.run.scenario.name} {self.run.variant}/{self.kind}"

    @property
    def threads(self) -> int:
        return self.run.scenario.measure.threads

    @property
    def notes(self) -> tuple[str, ...]:
        found = [f"Looked at: the trace's operations of kind {self.kind} alone."]
        if self.threads > 1:
            found.append(f"{self.threads} threads were sampled, one was counted.")
        if self.wide:
            found.append("A simulated processor has no AVX-512: counted is the code that the builds choose without it.")
        if self.finding.change and not self.shares.change:
            found.append(
                f"What regressed is {self.finding.case.rpartition(' ')[2]}; samples and counts are of all these operations."
            )
        return tuple(found)

    def counting(self) -> tuple[Counting, ...]:
        return (Counting(CallgrindEngine(timeout_s=_COUNTING_LOAD_S), _TURN_S, 1),)

    def targets(self, builds: tuple[Build, Build], *, scratch: Path) -> tuple[tuple[Target, Target], dict[str, str]]:
        each_ns = max(1.0, self.finding.baseline_ns or 1.0)
        return targets_of_kind(self.run, self.kind, builds, each_ns=each_ns, scratch=scratch, seconds=_TURN_S)

    def trimmed(self, profile: Profile, *, library: str) -> Profile:
        return within(profile, library=library, program=PLAYER)

    def alone(self, builds: tuple[Build, Build]) -> Estimate | None:
        return None


def worst(record: Record) -> tuple[Regressed, ...]:
    """What became slower, the worst first; of a kind of operation once, by its mean time if that is among what regressed. A case that only
    forgot more, or grew, is not explained by where time goes."""
    slower = [f for f in record.compare if f.verdict is Verdict.REGRESSED and f.change is not None and f.change.value > 0]
    found: dict[str, tuple[float, Regressed]] = {}
    for finding in sorted(slower, key=lambda f: (not f.case.endswith(f" {TIME}"), -f.change.value if f.change else 0.0)):
        regressed = _regressed(record, finding)
        if regressed is not None and finding.change is not None:
            found.setdefault(regressed.title, (finding.change.value, regressed))
    ordered = sorted(found.values(), key=lambda entry: -entry[0])
    return tuple(regressed for _, regressed in ordered[:MOST])


def _regressed(record: Record, finding: CompareFinding) -> Regressed | None:
    run, load = record.case_run(finding.case), record.load_run(finding.case)
    if run is not None:
        return RegressedCase(record.scenario_of(run.case), run, finding)
    if load is None:
        return None
    kind = finding.case.removeprefix(f"{load.id}/").partition(" ")[0]
    return RegressedKind(load, kind, finding, wide=any(name.startswith("avx512") for name in record.machine.isa))

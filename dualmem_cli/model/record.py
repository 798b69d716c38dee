"""The record: facts, plan and raw samples of one run. Everything a report shows is in here or follows from it."""

from dataclasses import dataclass
from typing import Literal

from dualmem_cli.model.caution import Caution
from dualmem_cli.model.explanation import Explanation
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.load import LoadRun
from dualmem_cli.model.machine import Machine
from dualmem_cli.model.plan import Arm, Case
from dualmem_cli.model.samples import Failure, WorkerRun
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.model.verdict import (
    BenchFinding,
    CompareFinding,
    ControlFinding,
    FrontierFinding,
    Quantity,
    RooflineFinding,
    ScalingFinding,
)
from dualmem_cli.model.workload import LoadScenario

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class DataFacts:
    """A data set as it was really used, verified after it was made or read."""

    digest: str
    source: str
    rows: int
    queries: int
    dim: int
    promised_similarity: float | None
    measured_similarity: float | None


@dataclass(frozen=True, slots=True)
class CaseRun:
    """All workers of one case. `recall` is recall@k per arm against the exact float64 answer (None where it has no meaning).
    `failure` is there when the case could not be measured at all. `controls` (compare) are workers whose arms are the baseline, a byte
    copy of it, and the baseline with more work."""

    case: Case
    arms: tuple[Arm, ...]
    workers: tuple[WorkerRun, ...]
    recall: tuple[float | None, ...]
    failure: Failure | None
    controls: tuple[WorkerRun, ...] = ()


@dataclass(frozen=True, slots=True)
class Absent:
    """A case that exists on one side only, or a variant this machine cannot run: listed, never silently dropped."""

    case: str
    reason: str


@dataclass(frozen=True, slots=True)
class Since:
    """What a compare knows of its baseline besides the build: when it was made (ISO 8601, "" if not known), from which source revision, on
    which machine (None: its build was made here). `stored_only` is "" or says why only its stored numbers could be used."""

    created: str
    revision: str
    machine: Machine | None
    stored_only: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One run of bench or compare.

    `builds`: bench has one, compare has the baseline's first, then the candidate's; a compare with stored numbers has the candidate's
    only. `findings` follow from `cases` by the judge of the
    tool version that wrote the record, and can be computed again.
    """

    schema: Literal[1]
    kind: Literal["bench", "compare"]
    tool: str
    created: str  # ISO 8601, UTC
    seconds: float
    interrupted: bool
    revision: str  # of the source tree the run was started in; "" outside of one
    machine: Machine
    baseline: str  # name of the baseline compared against; "" for bench
    builds: tuple[Build, ...]
    scenarios: tuple[Scenario, ...]
    data: tuple[DataFacts, ...]
    cases: tuple[CaseRun, ...]
    absent: tuple[Absent, ...]
    bench: tuple[BenchFinding, ...]
    compare: tuple[CompareFinding, ...]
    cautions: tuple[Caution, ...]
    controls: tuple[ControlFinding, ...] = ()  # compare only
    seed: int = 0  # of draws and schedules
    continues: str = ""  # compare: when the record was begun whose workers are taken over here; "" for none
    overhead: Quantity | None = None  # bench only: of all cases with a single-type twin together
    scaling: tuple[ScalingFinding, ...] = ()  # bench only
    gate: str = ""  # digest of what sampled and decided (measure/provenance.py); "" in records from before it was kept
    frontier: tuple[FrontierFinding, ...] = ()  # bench only: recall against time
    roofline: RooflineFinding | None = None  # bench only: where ceilings were measured and a case has its place under them
    since: Since | None = None  # compare only; None where the baseline is a library that was named
    explanations: tuple[Explanation, ...] = ()  # compare only: of the worst regressed cases, added after the verdict
    loads: tuple[LoadRun, ...] = ()  # of load scenarios; their findings are among those of the cases

    @property
    def asked(self) -> tuple[Scenario | LoadScenario, ...]:
        """Every scenario that the run was asked for, of kernels and of loads."""
        loads = {run.scenario.name: run.scenario for run in self.loads}
        return (*self.scenarios, *loads.values())

    def scenario_of(self, case: Case) -> Scenario:
        return next(s for s in self.scenarios if s.name == case.scenario)

    def scenario_named(self, name: str) -> Scenario | LoadScenario | None:
        """The scenario of that name, of a kernel or of a load."""
        loads = {load.scenario.name: load.scenario for load in self.loads}
        return next((s for s in self.scenarios if s.name == name), None) or loads.get(name)

    def load_run(self, case_id: str) -> LoadRun | None:
        """The load that a finding is of: a bench has one finding for it, a compare one per kind and quantity."""
        return next((run for run in self.loads if case_id == run.id or case_id.startswith(f"{run.id}/")), None)

    def case_run(self, case_id: str) -> CaseRun | None:
        return next((c for c in self.cases if c.case.id == case_id), None)

"""What a run works with: the runner, the folders, the clock, the progress display; and the record while it grows."""

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import dualmem_cli
from dualmem_cli.errors import BuildError, DualmemError, RecordError
from dualmem_cli.judge.bench import overall_overhead
from dualmem_cli.judge.controls import control_findings, without_controls
from dualmem_cli.judge.frontier import frontier_findings
from dualmem_cli.judge.limits import with_limits
from dualmem_cli.judge.roofline import roofline_finding
from dualmem_cli.judge.scaling import scaling_findings
from dualmem_cli.measure.case import Bench, CaseSession
from dualmem_cli.measure.data import Dataset, materialise
from dualmem_cli.measure.player import Players
from dualmem_cli.measure.runner import Runner
from dualmem_cli.model.caution import Caution, CautionKind
from dualmem_cli.model.kernel import CEILINGS, Build, Kernel
from dualmem_cli.model.load import LoadRun, Part, Played
from dualmem_cli.model.machine import Machine
from dualmem_cli.model.plan import Arm, Case
from dualmem_cli.model.record import Absent, CaseRun, Record, Since
from dualmem_cli.model.samples import WorkerRun
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.model.verdict import DECIDED, BenchFinding, CompareFinding
from dualmem_cli.model.workload import LoadScenario
from dualmem_cli.plan.needs import lacking, offer_of, required
from dualmem_cli.store import records

T = TypeVar("T")


class Progress(Protocol):
    """Tells a person how far a run is. It draws between cases only, never while something is measured."""

    def track(self, items: Iterable[T], *, label: Callable[[T], str]) -> Iterator[T]: ...


class Silent:
    """No display: for tests, pipes and -q."""

    def track(self, items: Iterable[T], *, label: Callable[[T], str]) -> Iterator[T]:
        yield from items


class Watch(Protocol):
    """Is told of every section of a load when it is over; what it takes until it returns, nothing is measured."""

    def __call__(self, run: LoadRun, part: Part, played: Played, /) -> None: ...


def unwatched(_run: LoadRun, _part: Part, _played: Played) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One case with everything that measuring and judging it needs."""

    scenario: Scenario
    case: Case
    kernel: Kernel
    arms: tuple[Arm, ...]

    @property
    def label(self) -> str:
        return f"{self.scenario.name} {self.case.label}"


class Opened:
    """A run that has begun: its growing record, and the files it works on."""

    def __init__(
        self,
        record: Record,
        *,
        datasets: dict[str, Dataset],
        links: tuple[tuple[str, ...], ...],
        copies: tuple[str, ...],
        scratch: Path,
    ) -> None:
        self.record = record
        self.datasets = datasets
        self.links = links
        self.copies = copies  # byte copies of the first build's links
        self.scratch = scratch
        self.unsaved = ""  # why the record could not be saved

    def digest(self, scenario: Scenario | LoadScenario) -> str:
        """The digest of a scenario's data set, "" without one."""
        dataset = self.datasets.get(scenario.name)
        return dataset.facts.digest if dataset else ""

    def add_absent(self, absent: tuple[Absent, ...]) -> None:
        self.record = replace(self.record, absent=self.record.absent + absent)

    def add_unsupported(self, case: str, reason: str) -> None:
        self.add_absent((Absent(case, reason),))

    def add_cautions(self, cautions: tuple[Caution, ...]) -> None:
        self.record = replace(self.record, cautions=self.record.cautions + cautions)

    def add_bench(self, run: CaseRun, finding: BenchFinding) -> None:
        self.record = replace(self.record, cases=(*self.record.cases, run), bench=(*self.record.bench, finding))

    def standing(self, run: LoadRun) -> tuple[CompareFinding, ...]:
        """The verdicts of a load that the record has reached and that stand: more players could only undo them."""
        return tuple(f for f in self.record.compare if f.verdict in DECIDED and f.case.startswith(f"{run.id}/"))

    def put_load(self, run: LoadRun) -> None:
        """Add a load, or replace what was known of it. It is judged when it is over."""
        loads = {known.id: known for known in self.record.loads} | {run.id: run}
        self.record = replace(self.record, loads=tuple(loads.values()))

    def add_finding_of_load(self, finding: BenchFinding) -> None:
        self.record = replace(self.record, bench=(*self.record.bench, finding))

    def judge_together(self) -> None:
        """What the cases of a bench say together: the overhead of a second node type, how costs grow with what is swept, how
        recall and time trade, and how far each is from the ceilings of the machine."""
        valid = {finding.case for finding in self.record.bench if not finding.problem}
        overhead = overall_overhead([run for run in self.record.cases if run.case.id in valid])
        scaling = scaling_findings([run for run in self.record.cases if run.case.kernel not in CEILINGS], self.record.bench)
        frontier = frontier_findings(self.record.cases, self.record.bench, self.record.builds)
        bench = with_limits(self.record.cases, self.record.bench)
        roofline = roofline_finding(self.record.cases, bench, self.record.machine.caches)
        self.record = replace(self.record, bench=bench, overhead=overhead, scaling=scaling, frontier=frontier, roofline=roofline)

    def put_compare(self, run: CaseRun, finding: CompareFinding) -> None:
        """Add a case, or replace what was known of it with what is known now."""
        cases = {known.case.id: known for known in self.record.cases} | {run.case.id: run}
        findings = {known.case: known for known in self.record.compare} | {finding.case: finding}
        self.record = replace(self.record, cases=tuple(cases.values()), compare=tuple(findings.values()))

    def take_over(self, earlier: Record) -> None:
        """Begin with everything that an earlier record of the same builds knows."""
        loads = {run.id: run for run in self.record.loads} | {run.id: run for run in earlier.loads}
        self.record = replace(
            self.record, cases=earlier.cases, loads=tuple(loads.values()), compare=earlier.compare, seed=earlier.seed,
            continues=earlier.created,
        )  # fmt: skip

    def is_decided(self, case: Case) -> bool:
        """Whether the record has reached a verdict about a case that stands: more workers could only undo it."""
        known = next((finding for finding in self.record.compare if finding.case == case.id), None)
        return known is not None and known.verdict in DECIDED

    def add_control(self, case: Case, worker: WorkerRun) -> None:
        runs = (replace(run, controls=(*run.controls, worker)) if run.case == case else run for run in self.record.cases)
        self.record = replace(self.record, cases=tuple(runs))

    def controls_settled(self) -> bool:
        """Whether more control workers would change nothing: both hold, or one of them failed to run."""
        failed = any(worker.failure for run in self.record.cases for worker in run.controls)
        return failed or all(control.held for control in control_findings(self.record.cases, self.record.scenarios))

    def judge_controls(self) -> None:
        """Pool the controls; where one did not hold, no verdict of a kernel that was reached stands. Loads have none."""
        controls = control_findings(self.record.cases, self.record.scenarios)
        findings = tuple(
            finding if self.record.load_run(finding.case) else without_controls(finding, controls)
            for finding in self.record.compare
        )
        self.record = replace(self.record, controls=controls, compare=findings)

    def put_finding(self, finding: CompareFinding) -> None:
        """Add a verdict, or replace what was known."""
        findings = {known.case: known for known in self.record.compare} | {finding.case: finding}
        self.record = replace(self.record, compare=tuple(findings.values()))


@dataclass(frozen=True, slots=True)
class Laboratory:
    """Everything a run touches, handed in, so that a test can hand in something else."""

    runner: Runner
    copy_link: Callable[[Path, Path], None]
    machine: Machine
    cpus: tuple[int, ...]
    cache: Path
    record_path: Path
    progress: Progress
    seconds: Callable[[], float]  # a monotonic clock
    now: Callable[[], str]  # ISO 8601, UTC
    seed: int
    revision: str
    gate: str = ""  # digest of what samples and decides
    since: Since | None = None  # of the baseline, in a compare
    players: Players | None = None  # of loads
    replay_gate: str = ""  # digest of what samples and decides in a compare of loads
    watch: Watch = unwatched
    turn: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext  # held while something is measured

    @contextlib.contextmanager
    def opened(
        self,
        kind: Literal["bench", "compare"],
        scenarios: tuple[Scenario, ...],
        builds: tuple[Build, ...],
        *,
        baseline: str,
        loads: tuple[LoadScenario, ...] = (),
    ) -> Iterator[Opened]:
        """A run from its first save to its last. Ctrl-C ends the measuring, not the run: what was measured is judged, saved and shown.

        The first save is of an empty record: a full disk is better met now than after an hour. Raises RecordError then.
        """
        with tempfile.TemporaryDirectory(prefix="dualmem-", ignore_cleanup_errors=True) as scratch:
            record = self._empty_record(kind, scenarios, builds, baseline)
            records.save(replace(record, interrupted=True), self.record_path)
            links = self._copies((*builds, builds[0]), Path(scratch))
            opened = Opened(record, datasets={}, links=links[:-1], copies=links[-1], scratch=Path(scratch))
            began, begun = self.seconds(), False
            try:
                opened.datasets = self._datasets((*scenarios, *loads))
                opened.record = replace(record, data=tuple({d.facts.digest: d.facts for d in opened.datasets.values()}.values()))
                with self.turn():
                    began, begun = self.seconds(), True
                    yield opened
            except KeyboardInterrupt:
                if not begun:  # it waited for its turn, or for its data: there is no run to show
                    self.record_path.unlink(missing_ok=True)
                    raise
                opened.record = replace(opened.record, interrupted=True)
                opened.add_cautions((INTERRUPTED,))
            except DualmemError:
                # A scenario or its data cannot be used: nothing was measured, nothing is left behind.
                if not opened.record.cases and not any(run.players for run in opened.record.loads):
                    self.record_path.unlink(missing_ok=True)
                raise
            opened.record = replace(opened.record, seconds=self.seconds() - began)
            self.save(opened, finished=True)

    def players_or_error(self) -> Players:
        """Whoever starts players. Raises BuildError when the player was never built."""
        if self.players is None:
            raise BuildError("there is no player", hint="In a checkout run `make build`.")
        return self.players

    def save(self, opened: Opened, *, finished: bool = False) -> None:
        """Save the record as it is; until the run has finished, as an interrupted one, which it will be if it is killed. A failure is
        remembered and said at the end: it must not cost the measurements still to come."""
        try:
            records.save(opened.record if finished else replace(opened.record, interrupted=True), self.record_path)
            opened.unsaved = ""
        except RecordError as error:
            opened.unsaved = str(error)

    def fitting(self, opened: Opened, scenario: Scenario, cases: tuple[Case, ...]) -> tuple[Case, ...]:
        """The cases, unless the machine lacks what their scenario states that it needs: then they are listed, with what that is."""
        missing = lacking(offer_of(self.machine, cores=len(self.cpus)), required(scenario.needs))
        if not missing:
            return cases
        opened.add_absent(tuple(Absent(case.id, f"[needs] not met here: {missing}") for case in cases))
        return ()

    def session(self, opened: Opened, plan: Planned) -> CaseSession:
        """A case, ready to be measured."""
        return self._session(opened, plan, plan.arms)

    def peer_session(self, opened: Opened, plan: Planned, arm: Arm) -> CaseSession:
        """The same case for one of its arms alone: a worker clocks the operations of its first arm only."""
        return self._session(opened, plan, (arm,))

    def _session(self, opened: Opened, plan: Planned, arms: tuple[Arm, ...]) -> CaseSession:
        builds = opened.record.builds
        kernels = [builds[arm.build].library.kernel(arm.kernel, arm.variant) for arm in arms]
        bench = Bench(
            runner=self.runner,
            links=opened.links,
            copies=opened.copies,
            digests=tuple(build.digest for build in builds),
            cpus=self.cpus,
            scratch=opened.scratch,
            prepared=self.cache / "prepared",
        )
        return CaseSession(
            bench,
            plan.case,
            arms=arms,
            kernel=plan.kernel,
            measure=plan.scenario.measure,
            dataset=opened.datasets.get(plan.scenario.name),
            prepares=tuple(known is not None and known.prepare for known in kernels),
            seed=opened.record.seed,
        )

    def _datasets(self, scenarios: tuple[Scenario | LoadScenario, ...]) -> dict[str, Dataset]:
        return {
            scenario.name: materialise(scenario.data, directory=Path(scenario.path).parent, cache=self.cache)
            for scenario in scenarios
            if scenario.data is not None
        }

    def _copies(self, builds: tuple[Build, ...], scratch: Path) -> tuple[tuple[str, ...], ...]:
        """Every link as a file of its own: the loader maps one inode once, and a build compared with itself would be one mapping."""
        for side, build in enumerate(builds):
            for index, link in enumerate(build.links):
                self.copy_link(Path(link.path), scratch / f"{side}.{index}.so")
        return tuple(
            tuple(str(scratch / f"{side}.{index}.so") for index in range(len(build.links))) for side, build in enumerate(builds)
        )

    def _empty_record(
        self, kind: Literal["bench", "compare"], scenarios: tuple[Scenario, ...], builds: tuple[Build, ...], baseline: str
    ) -> Record:
        return Record(
            schema=1,
            kind=kind,
            tool=dualmem_cli.__version__,
            created=self.now(),
            seconds=0.0,
            interrupted=False,
            revision=self.revision,
            machine=self.machine,
            baseline=baseline,
            builds=builds,
            scenarios=scenarios,
            data=(),
            cases=(),
            absent=(),
            bench=(),
            compare=(),
            cautions=(),
            seed=self.seed,
            gate=self.gate,
            since=self.since,
        )


INTERRUPTED = Caution(
    kind=CautionKind.INTERRUPTED,
    what="the run was interrupted; only what was finished until then is here",
    remedy="Run it again for the rest.",
)

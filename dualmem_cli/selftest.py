"""The gate measured on this machine: trials whose answer is known, judged exactly as `compare` judges its cases.

The story: for every block of the plan a load is started; for every visit a pair of builds is taken whose difference was compiled in;
a trial is one Contest from calibration to verdict; its workers, its verdict and what other tools' rules say of the same samples
stand in the record.
"""

import contextlib
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import dualmem_cli
from dualmem_cli.contest import Contest
from dualmem_cli.errors import RecordError
from dualmem_cli.judge.compare import rule_for, workers_of
from dualmem_cli.judge.fingerprint import place_of
from dualmem_cli.judge.rivals import rivals as rival_verdicts
from dualmem_cli.judge.sequential import decide
from dualmem_cli.laboratory import Laboratory, Planned
from dualmem_cli.measure.case import Bench, CaseSession
from dualmem_cli.model.kernel import Build, Link
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.selftest import Load, Pair, Pooled, SelftestRecord, Trial, pooled
from dualmem_cli.model.verdict import CompareFinding
from dualmem_cli.plan.cases import compare_arms, default_scenarios
from dualmem_cli.plan.pairing import pair
from dualmem_cli.plan.trials import SUITE, Block, Visit
from dualmem_cli.store import raw_samples
from dualmem_cli.store.selftests import save

BUDGET_S = 20.0  # per decision, the default of `compare`


@dataclass(frozen=True, slots=True)
class Subjects:
    """The builds of a self-test: `planted` by per cent of work added (0 is the baseline); `inert` compiles another one that only looks
    different, from a seed, into a folder."""

    planted: Mapping[int, Build]
    inert: Callable[[int, Path], tuple[Path, ...]]


Loaded = Callable[[Load, tuple[int, ...]], contextlib.AbstractContextManager[tuple[int, ...]]]
"""Starts a load beside what is measured on some of the given processors; gives the processors to measure on."""


class Selftest:
    """A self-test while it runs: its growing record. `gate` is the digest of what measures and decides; `earlier` is a record of the same
    gate and builds, whose trials are taken over."""

    def __init__(
        self,
        lab: Laboratory,
        subjects: Subjects,
        *,
        loaded: Loaded,
        load_average: Callable[[], float],
        quick: bool,
        gate: str,
        earlier: SelftestRecord | None,
    ) -> None:
        self._lab = lab
        self._subjects = subjects
        self._loaded = loaded
        self._load_average = load_average
        baseline = subjects.planted[0]
        scenarios = {scenario.kernel: scenario for scenario in default_scenarios((baseline.library,))}
        self._plans = {
            name: Planned(scenario, case, kernel, compare_arms(case))
            for name, scenario in scenarios.items()
            for case, kernel in pair(scenario, baseline.library, baseline.library, data="").cases
        }
        self._raw = raw_samples.RawSamples(lab.record_path.with_suffix(".samples.npz"))
        self._copied: dict[int, tuple[str, ...]] = {}
        self._before: tuple[Visit, Pooled] | None = None  # the trial before this one, for the rules that compare in turn
        self._machine = 0  # of the record's machines: this one
        self.unsaved = ""
        self.record = SelftestRecord(
            schema=1,
            kind="selftest",
            tool=dualmem_cli.__version__,
            created=lab.now(),
            seconds=0.0,
            interrupted=True,
            quick=quick,
            revision=lab.revision,
            machine=lab.machine,
            builds=tuple(_portable(build) for build in subjects.planted.values()),
            threshold=next(iter(scenarios.values())).gate.time,
            cases=SUITE,
            seed=lab.seed,
            raw=self._raw.path.name,
            trials=(),
            gate=gate,
        )
        if earlier is not None:
            self._machine = place_of(lab.machine, earlier.machines)
            self.record = replace(
                self.record,
                seconds=earlier.seconds,
                seed=earlier.seed,
                raw=", ".join(filter(None, (earlier.raw, self.record.raw))),
                trials=earlier.trials,
                machine=earlier.machine,
                elsewhere=(*earlier.elsewhere, *((lab.machine,) if self._machine == len(earlier.machines) else ())),
            )

    def run(self, blocks: tuple[Block, ...]) -> SelftestRecord:
        """Make all trials. Ctrl-C ends them, and what was measured is kept. Raises RecordError when nothing can be saved at all."""
        began = self._lab.seconds() - self.record.seconds  # with what an earlier run took
        save(self.record, self._lab.record_path)
        with tempfile.TemporaryDirectory(prefix="dualmem-", ignore_cleanup_errors=True) as scratch:
            try:
                for block in self._lab.progress.track(blocks, label=_label):
                    self._block(block, Path(scratch))
                    self._keep(seconds=self._lab.seconds() - began, interrupted=True)
                interrupted = False
            except KeyboardInterrupt:
                interrupted = True
        self._keep(seconds=self._lab.seconds() - began, interrupted=interrupted)
        return self.record

    def _keep(self, *, seconds: float, interrupted: bool) -> None:
        """Save what there is. A failure is remembered and said at the end: it must not cost the trials still to come."""
        self.record = replace(self.record, seconds=seconds, interrupted=interrupted)
        try:
            self._raw.flush()
            save(self.record, self._lab.record_path)
            self.unsaved = ""
        except RecordError as error:
            self.unsaved = str(error)

    def _block(self, block: Block, scratch: Path) -> None:
        with contextlib.ExitStack() as stack:
            # Before the load begins: it is the gate that is tested under load, not the compiler.
            inert = self._inert_builds(stack, block)
            cpus = stack.enter_context(self._loaded(block.load, self._lab.cpus))
            for position, visit in enumerate(block.visits):
                self._before = None
                for number in range(visit.trials):
                    links = inert.get((position, number)) or self._links(visit, scratch)
                    self._trial(visit, block.load, links=links, cpus=cpus, scratch=scratch)

    def _inert_builds(self, stack: contextlib.ExitStack, block: Block) -> dict[tuple[int, int], tuple[str, ...]]:
        """The links of every inert build of a block, by the visit's position in it and the trial's number."""
        places = [
            (position, number)
            for position, visit in enumerate(block.visits)
            if visit.pair is Pair.INERT
            for number in range(visit.trials)
        ]
        begun = len(self.record.trials)
        pool = ThreadPoolExecutor(max(1, len(self._lab.cpus)))
        try:
            made = pool.map(lambda place: self._compiled(stack, f"{begun}/{place[0]}/{place[1]}"), places)
            return dict(zip(places, made, strict=True))
        finally:
            pool.shutdown(cancel_futures=True)  # after Ctrl-C or an error: what has not begun need not

    def _compiled(self, stack: contextlib.ExitStack, place: str) -> tuple[str, ...]:
        """The links of an inert build of its own: equal for equal seeds of the run and places in it."""
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dualmem-inert-")))
        seed = crc32(f"{self.record.seed}/inert/{place}".encode())
        return tuple(map(str, self._subjects.inert(seed, folder)))

    def _links(self, visit: Visit, scratch: Path) -> tuple[str, ...]:
        """The candidate's links as files of their own: the loader maps one inode once."""
        return self._copies(visit.percent, scratch, "candidate")

    def _copies(self, percent: int, scratch: Path, side: str) -> tuple[str, ...]:
        key = percent if side == "candidate" else -1
        if key not in self._copied:
            paths = []
            for number, link in enumerate(self._subjects.planted[percent].links):
                path = scratch / f"{side}.{percent}.{number}.so"
                self._lab.copy_link(Path(link.path), path)
                paths.append(str(path))
            self._copied[key] = tuple(paths)
        return self._copied[key]

    def _trial(self, visit: Visit, load: Load, *, links: tuple[str, ...], cpus: tuple[int, ...], scratch: Path) -> None:
        """One decision, from calibration to verdict."""
        number = len(self.record.trials)
        baseline = self._subjects.planted[0]
        candidate = replace(baseline, links=tuple(Link(layout=str(n), path=path, sha256="") for n, path in enumerate(links)))
        plan = self._plans[visit.kind]
        bench = Bench(
            runner=self._lab.runner,
            links=(self._copies(0, scratch, "baseline"), links),
            copies=(),
            digests=(baseline.digest, baseline.digest),  # what is prepared does not depend on the work planted
            cpus=cpus,
            scratch=scratch,
            prepared=self._lab.cache / "prepared",
        )
        session = CaseSession(
            bench,
            plan.case,
            arms=plan.arms,
            kernel=plan.kernel,
            measure=plan.scenario.measure,
            dataset=None,
            prepares=(plan.kernel.prepare,) * 2,
            seed=crc32(f"{self.record.seed}/{number}".encode()),
        )
        load_average = self._load_average()
        began = self._lab.seconds()
        contest = Contest(
            plan,
            session,
            builds=(baseline, candidate),
            cases=SUITE,
            budget_s=BUDGET_S,
            seconds=self._lab.seconds,
            earlier=None,
        )
        while contest.open:
            contest.advance()
        finding = contest.finding()
        seconds = self._lab.seconds() - began
        trial = _trial_of(visit, load, contest, finding, seconds=seconds, load_average=load_average)
        trial = replace(trial, machine=self._machine)
        self._add(visit, contest.run, trial)

    def _add(self, visit: Visit, run: CaseRun, trial: Trial) -> None:
        """Put a trial into the record, with what the other rules say; its samples into the raw file."""
        taken = tuple(worker.samples for worker in run.workers if worker.samples is not None)
        for samples in taken:
            self._raw.add(len(self.record.trials), samples)
        if taken:
            trial = self._replayed(visit, trial, pooled(taken))
        self.record = replace(self.record, trials=(*self.record.trials, trial))

    def _replayed(self, visit: Visit, trial: Trial, now: Pooled) -> Trial:
        """The trial with what the rules of other tools say of the same samples, and of this candidate against the baseline of the trial
        before, which was taken a moment earlier."""
        threshold = self.record.threshold
        before, self._before = self._before, (visit, now)
        in_turn: tuple[tuple[str, bool], ...] = ()
        if before is not None and before[0] == visit:
            in_turn = rival_verdicts(Pooled(before[1].baseline, now.candidate), threshold=threshold)
        return replace(trial, rivals=rival_verdicts(now, threshold=threshold), in_turn=in_turn)


def _trial_of(
    visit: Visit, load: Load, contest: Contest, finding: CompareFinding, *, seconds: float, load_average: float
) -> Trial:
    workers = workers_of(contest.run)
    decision = decide(workers, rule_for(contest.plan.scenario, cases=SUITE), final=True)
    change = finding.change
    return Trial(
        kind=visit.kind,
        pair=visit.pair,
        planted=visit.percent / 100,
        load=load,
        verdict=finding.verdict,
        by_estimate=decision is not None and decision.by_estimate,
        change=change.value if change else 0.0,
        low=change.low if change else 0.0,
        high=change.high if change else 0.0,
        workers=tuple(round(worker.log, 7) for worker in workers),
        firsts=tuple(worker.first for worker in workers),
        seconds=round(seconds, 4),
        load_average=load_average,
        problem="" if change else finding.reason,
    )


def _portable(build: Build) -> Build:
    """The build without the folder in which its links lie here: a self-test's record is made to be published."""
    return replace(build, links=tuple(replace(link, path=Path(link.path).name) for link in build.links))


def _label(block: Block) -> str:
    return f"{block.load}: {sum(visit.trials for visit in block.visits)} decisions"

"""The story of a load: set-up, population proved, warm-up, steady sections with the single-type twin beside them, the search for the
highest rate. One player after the other; whatever ends one, what it played is kept and judged.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

from dualmem_cli.errors import BuildError
from dualmem_cli.judge.load import load_cautions, load_finding, load_problem
from dualmem_cli.judge.population import population_problem
from dualmem_cli.judge.saturation import Trial, next_rate, operations_for, trial_of
from dualmem_cli.judge.steadiness import soak_cautions
from dualmem_cli.laboratory import Laboratory, Opened
from dualmem_cli.measure.player import Players
from dualmem_cli.measure.playing import Playing
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.load import LoadRun, Part, Played, PlayerArm, PlayerRun, PlayerSetup, PlayMode
from dualmem_cli.model.plan import Arm, Role
from dualmem_cli.model.workload import ArrivalKind, LoadScenario, TraceFacts, Workload, WorkloadLibrary
from dualmem_cli.plan.draw import draw_worker
from dualmem_cli.plan.load_check import check_operations, parameters_of, populations, workloads_of
from dualmem_cli.plan.schedule import mirrored
from dualmem_cli.plan.sections import Sections, Stretch, sections
from dualmem_cli.plan.trace import make_trace
from dualmem_cli.stats.sections import MOST_SECTIONS, thinned
from dualmem_cli.store.traces import load_trace, save_trace
from dualmem_cli.trace import Trace

_SAVED_EVERY_S = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """One variant of a load scenario with everything that playing it needs."""

    scenario: LoadScenario
    workloads: tuple[Workload, ...]  # the subject, and its twin where there is one
    trace: Trace
    facts: TraceFacts
    path: Path  # of the trace

    @property
    def speed(self) -> float:
        """At which the trace is played: its own, unless the scenario states a rate for a trace from a file."""
        rate = self.scenario.measure.arrivals.rate
        return rate / self.trace.rate if self.scenario.trace and rate else 1.0

    @property
    def mode(self) -> PlayMode:
        return PlayMode.CLOSED if self.scenario.measure.arrivals.kind is ArrivalKind.CLOSED else PlayMode.OPEN


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a load is played. `soak_s`: the steady phase is repeated for that long, without twin and search; 0: once, with both. `times`:
    the times of every operation are kept in a file beside the record."""

    soak_s: float = 0.0
    times: bool = False


ONCE = Extent()


def bench_loads(lab: Laboratory, opened: Opened, scenarios: tuple[LoadScenario, ...], build: Build, extent: Extent) -> None:
    """Play every load on one build."""
    if not scenarios:
        return
    loads = [load for scenario in scenarios for load in planned(lab, opened, scenario, build)]
    for load in lab.progress.track(loads, label=lambda load: f"{load.scenario.name} {load.workloads[0].variant}"):
        _Bench(lab, opened, load, extent).run()


def described(players: Players | None, build: Build) -> WorkloadLibrary:
    """The workloads of a build. Raises BuildError when it has none."""
    found = players.describe(build.links[0].path) if players else None
    if found is None:
        raise BuildError(f"{build.library.name} has no workloads", hint="A load scenario needs a library that exports some.")
    return found


def planned(lab: Laboratory, opened: Opened, scenario: LoadScenario, build: Build) -> Iterator[Load]:
    """Every variant that runs here, with its trace; one that does not is listed."""
    *subjects, last = workloads_of(scenario, described(lab.players, build))
    twins = (last,) if scenario.control else ()
    for subject in subjects if scenario.control else (*subjects, last):
        lacking = next((workload for workload in (subject, *twins) if not workload.supported), None)
        if lacking is not None:
            opened.add_unsupported(f"{scenario.name}/{subject.variant}", lacking.reason)
            continue
        trace, facts, path = _trace_of(opened, scenario, subject)
        yield Load(scenario, (subject, *twins), trace, facts, path)


def _trace_of(opened: Opened, scenario: LoadScenario, workload: Workload) -> tuple[Trace, TraceFacts, Path]:
    if scenario.trace:
        path = Path(scenario.path).parent / scenario.trace
        trace, facts = load_trace(path)
        check_operations(scenario, workload, (name for name, count in facts.kinds if count))
        return trace, facts, path.absolute()
    dataset = opened.datasets.get(scenario.name)
    rows, queries = (dataset.facts.rows, dataset.facts.queries) if dataset else (0, 0)
    made = make_trace(scenario, workload, populations(scenario, workload, rows=rows, queries=queries))
    path = opened.scratch / f"{len(opened.record.loads)}.{crc32(f'{scenario.name}/{workload.variant}'.encode()):08x}.dmtrace"
    return made, save_trace(made, path), path


def setup_of(
    opened: Opened, load: Load, arms: tuple[Arm, ...], *, index: int, cpus: tuple[int, ...], times: str = ""
) -> tuple[PlayerSetup, tuple[int, ...]]:
    """What player number `index` sets up, and which links it was dealt."""
    seed = crc32(f"{opened.record.seed}/{load.scenario.name}".encode())
    links = tuple(len(paths) for paths in opened.links)
    draw = draw_worker(index=index, seed=seed, arms=len(arms), cpus=cpus, links=links)
    dataset = opened.datasets.get(load.scenario.name)
    known = parameters_of(load.scenario, load.workloads[0])
    setup = PlayerSetup(
        libraries=tuple(paths[link] for paths, link in zip(opened.links, draw.links, strict=True)),
        arms=tuple(PlayerArm(arm.build, arm.kernel, arm.variant) for arm in arms),
        trace=str(load.path),
        threads=load.scenario.measure.threads,
        parameters=tuple((name, float(known[name])) for name, _ in load.scenario.parameters),
        data=str(dataset.data) if dataset else "",
        queries=str(dataset.queries) if dataset else "",
        placement=draw.placement,
        order=draw.order,
        cpus=cpus,
        times=times,
    )
    return setup, draw.links


class _Bench:
    """One load on its way to a finding."""

    def __init__(self, lab: Laboratory, opened: Opened, load: Load, extent: Extent) -> None:
        self._lab = lab
        self._opened = opened
        self._load = load
        self._soak_s = extent.soak_s
        self._saved_s = lab.seconds()
        roles = ((Role.SUBJECT,) if extent.soak_s else (Role.SUBJECT, Role.CONTROL))[: len(load.workloads)]
        arms = tuple(Arm(role, 0, w.name, w.variant) for role, w in zip(roles, load.workloads, strict=False))
        file = lab.record_path.with_suffix(f".{load.scenario.name}-{load.workloads[0].variant}.times") if extent.times else None
        self._times = str(file.absolute()) if file else ""
        self._known = LoadRun(
            scenario=load.scenario, variant=load.workloads[0].variant, arms=arms, workloads=load.workloads[: len(arms)],
            trace=load.facts, players=(), failure=None, times=file.name if file else "", soak_s=extent.soak_s,
        )  # fmt: skip

    def run(self) -> None:
        """Play, judge, save; Ctrl-C judges what there is."""
        cut = sections(self._load.scenario, self._load.trace, speed=self._load.speed)
        self._opened.put_load(self._known)
        before: tuple[PlayerRun, ...] = ()
        try:
            for index in range(1 if self._soak_s else self._load.scenario.measure.workers):
                self._player(index, cut, before)
                before = self._known.players
                if load_problem(self._known):
                    break
        finally:
            finding = load_finding(self._known)
            self._opened.add_finding_of_load(finding)
            self._opened.add_cautions(load_cautions(self._known, finding))
            if self._soak_s and not finding.problem:
                self._opened.add_cautions(soak_cautions(self._known, {q.name: q.estimate for q in finding.quantities}))
            self._lab.save(self._opened)

    def _player(self, index: int, cut: Sections, before: tuple[PlayerRun, ...]) -> None:
        load, measure = self._load, self._load.scenario.measure
        setup, links = setup_of(self._opened, load, self._known.arms, index=index, cpus=(), times=self._times)
        empty = PlayerRun(order=setup.order, links=links, clock=None, before=(), plays=(), began_s=(), after=(), failure=None)

        def heard(run: PlayerRun, part: Part, played: Played) -> None:
            self._know((*before, run))
            self._lab.watch(self._known, part, played)

        playing = Playing(empty, threads=measure.threads, seconds=self._lab.seconds, heard=heard)
        try:
            with playing.started(self._lab.players_or_error(), setup, timeout_s=measure.timeout_s):
                self._know((*before, playing.run))
                if not population_problem(self._known):
                    self._play(playing, cut, last=index + 1 == measure.workers)
        finally:
            self._know((*before, playing.run))

    def _know(self, players: tuple[PlayerRun, ...]) -> None:
        self._known = replace(self._known, players=players)
        self._opened.put_load(self._known)
        if self._lab.seconds() - self._saved_s > _SAVED_EVERY_S:
            self._lab.save(self._opened)
            self._saved_s = self._lab.seconds()

    def _play(self, playing: Playing, cut: Sections, *, last: bool) -> None:
        """Warm-up and steady sections; every arm plays every section, side by side in a seeded order."""
        arms, mode, speed = len(self._known.arms), self._load.mode, self._load.speed
        for arm in range(arms) if cut.warmup.count else ():
            playing.play(Part.WARMUP, arm, cut.warmup, mode=mode, speed=speed)
        began = self._lab.seconds()
        while True:
            played = [0] * arms
            schedule = mirrored(arms=arms, samples=len(cut.steady), seed=self._opened.record.seed)
            for arm in map(int, schedule):
                if played[arm] < len(cut.steady):
                    playing.play(Part.STEADY, arm, cut.steady[played[arm]], mode=mode, speed=speed)
                    played[arm] += 1
                if self._soak_s and self._lab.seconds() - began >= self._soak_s:
                    return
            if len(playing.run.plays) > MOST_SECTIONS:
                playing.run = thinned(playing.run)
            if not self._soak_s:
                break
        if last and self._load.scenario.saturation:
            self._search(playing, cut.all_steady)

    def _search(self, playing: Playing, steady: Stretch) -> None:
        """Try one rate after the other, as the answers so far suggest."""
        trials: list[Trial] = []
        while (speed := next_rate(trials, start=self._load.speed)) is not None:
            count = min(steady.count, operations_for(speed * self._load.trace.rate))
            stretch = Stretch(steady.first, count, steady.scheduled_s * self._load.speed / speed * count / steady.count)
            played = playing.play(Part.SEARCH, 0, stretch, mode=PlayMode.OPEN, speed=speed)
            trials.append(trial_of(played, self._load.scenario.saturation))

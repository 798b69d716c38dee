"""The story of a load: set-up, population proved, warm-up, steady sections with the single-type twin beside them, the search for the
highest rate. One player after the other; whatever ends one, what it played is kept and judged.
"""

from dataclasses import dataclass, replace

from dualmem_cli.judge.load import cut_caution, load_cautions, load_finding, load_problem
from dualmem_cli.judge.population import population_problem
from dualmem_cli.judge.saturation import Trial, next_rate, operations_for, trial_of
from dualmem_cli.judge.steadiness import soak_cautions
from dualmem_cli.laboratory import Laboratory, Opened
from dualmem_cli.loads import Load, planned, setup_of
from dualmem_cli.measure.interrupts import held_interrupts
from dualmem_cli.measure.playing import Playing
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.load import LoadRun, Part, Played, PlayerRun, PlayMode
from dualmem_cli.model.plan import Arm, Role
from dualmem_cli.model.workload import LoadScenario
from dualmem_cli.plan.schedule import mirrored
from dualmem_cli.plan.sections import Sections, Stretch, sections
from dualmem_cli.stats.sections import MOST_SECTIONS, thinned

_SAVED_EVERY_S = 30.0


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
            data=opened.digest(load.scenario),
        )  # fmt: skip

    def run(self) -> None:
        """Play, judge, save; Ctrl-C judges what there is."""
        cut = sections(self._load.scenario, self._load.trace, speed=self._load.speed)
        self._opened.put_load(self._known)
        before: tuple[PlayerRun, ...] = ()
        players = 1 if self._soak_s else self._load.scenario.measure.workers
        whole = False
        try:
            for index in range(players):
                self._player(index, cut, before)
                before = self._known.players
                if load_problem(self._known):
                    break
            whole = True
        finally:
            with held_interrupts():  # whoever presses Ctrl-C twice wants an end, and what was measured all the same
                self._judge(whole=whole, sections=players * len(cut.steady))

    def _judge(self, *, whole: bool, sections: int) -> None:
        finding = load_finding(self._known, whole=whole)
        self._opened.add_finding_of_load(finding)
        self._opened.add_cautions(load_cautions(self._known, finding))
        if self._soak_s and not finding.problem:
            self._opened.add_cautions(soak_cautions(self._known, {q.name: q.estimate for q in finding.quantities}))
        if not whole and not finding.problem:
            self._opened.add_cautions((cut_caution(self._known, sections=sections),))
        self._lab.save(self._opened)

    def _player(self, index: int, cut: Sections, before: tuple[PlayerRun, ...]) -> None:
        load, measure = self._load, self._load.scenario.measure
        setup, links = setup_of(self._opened, load, self._known.arms, index=index, cpus=(), times=self._times)
        empty = PlayerRun(order=setup.order, links=links, clock=None, before=(), plays=(), began_s=(), after=(), failure=None)

        def heard(run: PlayerRun, part: Part, played: Played) -> None:
            self._know((*before, run))
            self._lab.watch(self._known, part, played)

        playing = Playing(empty, threads=measure.threads, seconds=self._lab.seconds, heard=heard)

        def ready() -> None:
            self._know((*before, playing.run))
            if not population_problem(self._known):
                self._play(playing, cut, last=index + 1 == measure.workers)

        try:
            playing.started(self._lab.players_or_error(), setup, timeout_s=measure.timeout_s, then=ready)
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

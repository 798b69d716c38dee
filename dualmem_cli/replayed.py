"""The story of a compare of loads: both builds in one player, the same stretches of one trace on either, until every kind of operation has
its verdict. Closed-loop: what an operation takes is compared, not how long it waited for others.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from dualmem_cli.errors import BuildError, ScenarioError
from dualmem_cli.judge.continuation import check_same_load
from dualmem_cli.judge.population import population_problem
from dualmem_cli.judge.replay import gated, players_missing, replay_findings, replay_problem
from dualmem_cli.laboratory import Laboratory, Opened
from dualmem_cli.loads import Load, described, planned, setup_of
from dualmem_cli.measure.interrupts import held_interrupts
from dualmem_cli.measure.playing import Playing
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.load import LoadRun, Part, Played, PlayerRun, PlayMode
from dualmem_cli.model.plan import Arm, Role
from dualmem_cli.model.record import Record
from dualmem_cli.model.workload import LoadScenario
from dualmem_cli.plan.load_check import workloads_of
from dualmem_cli.plan.schedule import mirrored
from dualmem_cli.plan.sections import Stretch, sections

_CHECKED = 400  # operations whose results must be equal
_SECTION_S = 0.02  # of one arm: neighbours on a shared machine are alike
_PROCESS_S = 1.0  # of one arm
_FEWEST = 16  # operations in a section


@dataclass(frozen=True, slots=True)
class Replay:
    """One variant of a load on both builds; `load` is the candidate's."""

    load: Load
    run: LoadRun


def replays_of(
    lab: Laboratory, opened: Opened, scenarios: tuple[LoadScenario, ...], builds: tuple[Build, Build], *, earlier: Record | None
) -> tuple[Replay, ...]:
    """Everything that is to be replayed, told to the record before anything is measured: who goes on with it has to know what was asked.
    What `earlier` played of it is taken over. Raises RecordError where it played something else."""
    replays = tuple(replay for scenario in scenarios for replay in _replays(lab, opened, scenario, builds))
    known = {run.id: run for run in earlier.loads} if earlier else {}
    for replay in replays:
        if replay.run.id in known:
            check_same_load(known[replay.run.id], replay.run, record=f"the record of {earlier.created}" if earlier else "")
    for replay in replays:
        opened.put_load(replay.run)
    return tuple(replace(replay, run=known.get(replay.run.id, replay.run)) for replay in replays)


def compare_loads(lab: Laboratory, opened: Opened, replays: tuple[Replay, ...], *, budget_s: float) -> None:
    """Judge every kind of operation of every load; `budget_s` for each of these at most, once the first look is had."""
    suite = sum(len(gated(replay.run)) for replay in replays)
    contests = [_Contest(lab, opened, replay, suite=suite, budget_s=budget_s) for replay in replays]
    open_ = [contest for contest in contests if contest.open]
    for contest in lab.progress.track(open_, label=lambda contest: contest.label):
        contest.decide()


def _replays(lab: Laboratory, opened: Opened, scenario: LoadScenario, builds: tuple[Build, Build]) -> Iterator[Replay]:
    """Variants of the scenario that both builds have."""
    single = replace(scenario, control=None)
    try:
        old = {workload.variant: workload for workload in workloads_of(single, described(lab.players, builds[0]))}
    except (BuildError, ScenarioError) as error:
        opened.add_unsupported(scenario.name, f"the baseline cannot play it: {error}")
        return
    for load in planned(lab, opened, single, builds[1]):
        workload = load.workloads[0]
        arms = tuple(
            Arm(role, side, workload.name, workload.variant) for side, role in enumerate((Role.BASELINE, Role.CANDIDATE))
        )
        run = LoadRun(
            scenario=scenario, variant=workload.variant, arms=arms, workloads=(old[workload.variant], workload), trace=load.facts,
            players=(), failure=None, data=opened.digest(scenario), gate=lab.replay_gate,
        )  # fmt: skip
        yield Replay(load, run)


class _Contest:
    """Adds processes to a replay until every verdict is found, or its time is up."""

    def __init__(self, lab: Laboratory, opened: Opened, replay: Replay, *, suite: int, budget_s: float) -> None:
        settled = {finding.case for finding in opened.standing(replay.run)}
        self._wanted = tuple(wanted for wanted in gated(replay.run) if wanted.case_of(replay.run) not in settled)
        self._lab = lab
        self._opened = opened
        self._load = replay.load
        self._known = replay.run
        self._suite = suite
        self._budget_s = budget_s * len(self._wanted)

    @property
    def open(self) -> bool:
        """Whether a verdict is wanted."""
        return bool(self._wanted)

    @property
    def label(self) -> str:
        return self._known.id.replace("/", " ")

    def decide(self) -> None:
        """Measure look by look; Ctrl-C judges what there is."""
        began, before = self._lab.seconds(), len(self._known.players)
        try:
            while missing := players_missing(self._known, self._wanted, suite=self._suite):
                if len(self._known.players) > before and self._lab.seconds() - began >= self._budget_s:
                    break
                for _ in range(missing):
                    self._player(self._known.players)
                    if replay_problem(self._known):
                        return
                self._opened.put_load(self._known)
        finally:
            with held_interrupts():  # whoever presses Ctrl-C twice wants an end, and what was measured all the same
                self._opened.put_load(self._known)
                for finding in replay_findings(self._known, self._wanted, suite=self._suite):
                    self._opened.put_finding(finding)
                self._lab.save(self._opened)

    def _player(self, before: tuple[PlayerRun, ...]) -> None:
        """One fresh process. One that an interrupt ends in the middle is not counted: it has no part of its own."""
        measure = self._load.scenario.measure
        index = len(before)
        pinned = (self._lab.cpus[index // 2 % len(self._lab.cpus)],) if measure.threads == 1 and self._lab.cpus else ()
        setup, links = setup_of(self._opened, self._load, self._known.arms, index=index, cpus=pinned)
        empty = PlayerRun(order=setup.order, links=links, clock=None, before=(), plays=(), began_s=(), after=(), failure=None)

        def heard(_run: PlayerRun, part: Part, played: Played) -> None:
            self._lab.watch(self._known, part, played)

        playing = Playing(empty, threads=measure.threads, seconds=self._lab.seconds, heard=heard)

        def ready() -> None:
            if not population_problem(replace(self._known, players=(*before, playing.run))):
                self._play(playing, index)

        playing.started(self._lab.players_or_error(), setup, timeout_s=measure.timeout_s, then=ready)
        self._known = replace(self._known, players=(*before, playing.run))

    def _play(self, playing: Playing, index: int) -> None:
        """Check, warm up, then the same stretches on both arms in a mirrored order."""
        cut = sections(self._load.scenario, self._load.trace, speed=1.0)
        whole = cut.all_steady
        checked = min(_CHECKED, len(self._load.trace))
        for arm in playing.run.order:
            playing.play(Part.CHECK, arm, Stretch(0, checked, 0.0), mode=PlayMode.CLOSED, threads=1)
        if any(_results(playing.run, 0)[name] != result for name, result in _results(playing.run, 1).items()):
            return
        warm = [
            playing.play(Part.WARMUP, arm, Stretch(whole.first, min(whole.count, checked), 0.0), mode=PlayMode.CLOSED)
            for arm in playing.run.order
        ]
        each_s = sum(played.elapsed_ns for played in warm) / 1e9 / max(1, sum(played.operations for played in warm))
        count = min(whole.count, max(_FEWEST, round(_SECTION_S / each_s)))
        wanted = min(max(2, round(_PROCESS_S / (count * each_s))), max(2, whole.count // count))
        taken = [0, 0]
        for arm in map(int, mirrored(arms=2, samples=wanted, seed=self._opened.record.seed * 1_000_003 + index)):
            first = whole.first + taken[arm] * count % max(1, whole.count - count + 1)
            playing.play(Part.STEADY, arm, Stretch(first, count, 0.0), mode=PlayMode.CLOSED)
            taken[arm] += 1


def _results(run: PlayerRun, arm: int) -> dict[str, str]:
    return {kind.name: kind.result for played in run.of(Part.CHECK, arm) for kind in played.kinds}

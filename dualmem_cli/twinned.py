"""The story of the twin: fresh processes that play a load's trace on the store and on its single-type twin, side by side.

Closed-loop: what an operation takes is compared, not how long it waited for others, nor what waiting did to the caches.
"""

from collections.abc import Callable
from dataclasses import replace

from dualmem_cli.judge.population import population_problem
from dualmem_cli.laboratory import Laboratory, Opened
from dualmem_cli.loads import Load, play_side_by_side, setup_of
from dualmem_cli.measure.playing import Playing
from dualmem_cli.model.load import LoadRun, Part, Played, PlayerRun
from dualmem_cli.plan.sections import sections
from dualmem_cli.stats.sections import pooled


def play_twins(lab: Laboratory, opened: Opened, load: Load, known: LoadRun, know: Callable[[LoadRun], None]) -> None:
    """As many processes as [control] wants; `know` is told of the run after each. One that an interrupt ends in the middle is not
    counted; after one that failed there are no more."""
    control, measure = load.scenario.control, load.scenario.measure
    whole = sections(load.scenario, load.trace, speed=load.speed).all_steady
    if control is None:
        return
    for index in range(control.workers):
        setup, links = setup_of(opened, load, known.arms, index=index, cpus=())
        empty = PlayerRun(order=setup.order, links=links, clock=None, before=(), plays=(), began_s=(), after=(), failure=None)

        def heard(_run: PlayerRun, part: Part, played: Played, known: LoadRun = known) -> None:
            lab.watch(known, part, played)

        playing = Playing(empty, threads=measure.threads, seconds=lab.seconds, heard=heard)

        def ready(playing: Playing = playing, index: int = index, known: LoadRun = known) -> None:
            if not population_problem(replace(known, players=(playing.run,))):
                play_side_by_side(playing, whole, seed=opened.record.seed * 1_000_003 + index, passes=control.passes)

        playing.started(lab.players_or_error(), setup, timeout_s=measure.timeout_s, then=ready)
        known = replace(known, twins=(*known.twins, pooled(playing.run)))
        know(known)
        if playing.run.failure or population_problem(replace(known, players=(playing.run,))):
            return

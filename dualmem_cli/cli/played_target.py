"""A regressed kind of operation as something to sample and to count: a player that plays that kind's own part of the replayed trace,
closed-loop, on either build."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

from dualmem_cli.cli import setting
from dualmem_cli.errors import DualmemError
from dualmem_cli.loads import trace_of
from dualmem_cli.measure import builds as binaries
from dualmem_cli.measure.data import Dataset, cache_directory, materialise
from dualmem_cli.measure.player_protocol import END, encode_play, encode_setup
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.load import LoadRun, Play, PlayerArm, PlayerSetup, PlayMode
from dualmem_cli.model.workload import KeySpace
from dualmem_cli.plan.apart import Apart, kind_apart
from dualmem_cli.plan.load_check import parameters_of
from dualmem_cli.profile.target import Target, Work
from dualmem_cli.store.traces import facts_of, save_trace
from dualmem_cli.trace import Trace, encode

_LOOP = "dmp_perform"  # the player's timed loop: everything below it is operations
_LONGEST = 1_000_000  # operations of a play: a trace of 16 MB. Many short plays would mostly wait for each other
_COUNTED_NS = 500_000  # of a sample that is counted: a simulated processor takes 20 to 300 times as long
_SAMPLES = 2  # that are counted, the first for warm caches


def targets_of_kind(
    run: LoadRun, kind: str, builds: tuple[Build, Build], *, each_ns: float, scratch: Path, seconds: float
) -> tuple[tuple[Target, Target], dict[str, str]]:
    """The same operations of one kind on both builds, which take about `each_ns` each, and what the builds' files are to be called in the
    frames. Traces, and copies that lead to debug information, go to `scratch`. Raises DualmemError."""
    data = run.scenario.data
    dataset = materialise(data, directory=Path(run.scenario.path).parent, cache=cache_directory()) if data else None
    whole = trace_of(run.scenario, run.workloads[0], dataset.facts if dataset else None)
    if facts_of(whole, encode(whole)).digest != run.trace.digest:
        raise DualmemError(f"the trace of {run.id} is not the one that was replayed", hint="Compare again, then it is explained.")
    links = [binaries.with_debug(Path(build.links[0].path), folder=scratch) for build in builds]
    parts = _parts(run, whole, kind, each_ns=each_ns, seconds=seconds)
    first, second = (_target(run, kind, _setup(run, link, dataset), parts, scratch=scratch, seconds=seconds) for link in links)
    label = f"lib{builds[1].library.name.removeprefix('lib')}.so"
    return (first, second), {link.name: label for link in links}


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is played to be sampled, `repeats` times, and what is played to be counted."""

    sampled: Apart
    repeats: int
    counted: Apart


def _parts(run: LoadRun, whole: Trace, kind: str, *, each_ns: float, seconds: float) -> _Parts:
    """A kind that inserts is played once: a store has room for what the trace inserts, not for more."""
    inserting = frozenset(known.name for known in run.workloads[0].operations if known.inserts is not KeySpace.NONE)
    once = kind in inserting
    wanted = max(1, math.ceil(seconds * 1e9 * run.scenario.measure.threads / each_ns))
    sampled = kind_apart(whole, kind, most=wanted, inserting=inserting)
    if not once:
        times = math.ceil(min(wanted, _LONGEST) / sampled.count)
        sampled = kind_apart(whole, kind, most=wanted, inserting=inserting, times=times)
    counted = kind_apart(whole, kind, most=_SAMPLES * max(1, round(_COUNTED_NS / each_ns)), inserting=inserting)
    return _Parts(sampled, 1 if once else math.ceil(wanted / sampled.count), counted)


def _setup(run: LoadRun, link: Path, dataset: Dataset | None) -> PlayerSetup:
    """As in the compare, but with one arm."""
    known = parameters_of(run.scenario, run.workloads[0])
    arm = run.arms[1]
    return PlayerSetup(
        libraries=(str(link),),
        arms=(PlayerArm(0, arm.kernel, arm.variant),),
        trace="",
        threads=run.scenario.measure.threads,
        parameters=tuple((name, float(known[name])) for name, _ in run.scenario.parameters),
        data=str(dataset.data) if dataset else "",
        queries=str(dataset.queries) if dataset else "",
        order=(0,),
    )


def _target(run: LoadRun, kind: str, setup: PlayerSetup, parts: _Parts, *, scratch: Path, seconds: float) -> Target:
    sampled, counted = parts.sampled, parts.counted
    each = max(1, counted.count // _SAMPLES)
    simulated = replace(setup, threads=1, trace=_saved(counted, scratch / "counted.dmtrace"))

    def request(operations: int, samples: int) -> str:
        starts = [counted.before + min(number * operations, counted.count - operations) for number in range(samples)]
        return _played(simulated, counted, [(start, operations) for start in starts])

    return Target(
        title=f"{run.scenario.name} {run.variant}/{kind}",
        case_id=f"{run.id}/{kind}",
        python_argv=(),
        native_argv=(str(setting.players().executable),),
        native_stdin=_played(
            replace(setup, trace=_saved(sampled, scratch / "sampled.dmtrace")),
            sampled,
            [(sampled.before, sampled.count)] * parts.repeats,
        ),
        environment=(),
        seconds=seconds,
        focus=(_LOOP,),
        work=Work(
            request=request,
            sampled=_LOOP,
            operations=each,
            sources=tuple(dict.fromkeys((binaries.source_tree(Path.cwd()) or Path.cwd(), Path.cwd()))),
            calls_before=1 if counted.before else 0,
            clocked=False,
        ),
    )


def _saved(part: Apart, file: Path) -> str:
    save_trace(part.trace, file)
    return str(file)


def _played(setup: PlayerSetup, part: Apart, stretches: list[tuple[int, int]]) -> str:
    """What a player reads: what others inserted is played first, by one thread, so that it is there."""
    plays = [Play(0, 0, part.before, PlayMode.CLOSED, 1.0, 1)] if part.before else []
    plays += [Play(0, first, count, PlayMode.CLOSED, 1.0, setup.threads) for first, count in stretches]
    return "".join([encode_setup(setup), *map(encode_play, plays), END])

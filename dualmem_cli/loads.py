"""Loads ready to be played: the variants of a scenario that run here, each with its trace, and what a player sets up for one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from dualmem_cli.errors import BuildError
from dualmem_cli.laboratory import Laboratory, Opened
from dualmem_cli.measure.player import Players
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.load import PlayerArm, PlayerSetup, PlayMode
from dualmem_cli.model.plan import Arm
from dualmem_cli.model.record import DataFacts
from dualmem_cli.model.workload import ArrivalKind, LoadScenario, TraceFacts, Workload, WorkloadLibrary
from dualmem_cli.plan.draw import draw_worker
from dualmem_cli.plan.load_check import check_operations, parameters_of, populations, workloads_of
from dualmem_cli.plan.trace import make_trace
from dualmem_cli.store.traces import load_trace, save_trace
from dualmem_cli.trace import Trace


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


def trace_of(scenario: LoadScenario, workload: Workload, data: DataFacts | None) -> Trace:
    """The scenario's trace: from its file, or made from its mix. Raises TraceError."""
    if scenario.trace:
        return load_trace(Path(scenario.path).parent / scenario.trace)[0]
    rows, queries = (data.rows, data.queries) if data else (0, 0)
    return make_trace(scenario, workload, populations(scenario, workload, rows=rows, queries=queries))


def _trace_of(opened: Opened, scenario: LoadScenario, workload: Workload) -> tuple[Trace, TraceFacts, Path]:
    if scenario.trace:
        path = Path(scenario.path).parent / scenario.trace
        trace, facts = load_trace(path)
        check_operations(scenario, workload, (name for name, count in facts.kinds if count))
        return trace, facts, path.absolute()
    dataset = opened.datasets.get(scenario.name)
    made = trace_of(scenario, workload, dataset.facts if dataset else None)
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

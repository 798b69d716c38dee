"""Fabricated nouns for tests: kernels, libraries, scenarios, samples, runs and a laboratory without a machine."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from dualmem_cli.laboratory import Laboratory, Silent
from dualmem_cli.measure.runner import Runner
from dualmem_cli.model.kernel import Build, Kernel, Library, Link, Output, Parameter
from dualmem_cli.model.machine import Machine
from dualmem_cli.model.metric import Better, Metric, Scope
from dualmem_cli.model.plan import Arm, Case, Draw, Role
from dualmem_cli.model.record import CaseRun, Record
from dualmem_cli.model.samples import Check, Clock, Failure, Resources, Samples, WorkerRun
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.plan.scenario import parse_scenario

PARAMETER = Parameter(name="work", default=1000.0, minimum=1.0, maximum=1e9, integer=True, meaning="steps per operation")
POPULATION = Metric(name="population", unit="count", better=Better.NEITHER, scope=Scope.CASE, meaning="nodes stored")
MEMORY = Metric(name="memory_bytes", unit="B", better=Better.LOWER, scope=Scope.CASE, meaning="bytes held")

KERNEL = Kernel(
    name="spin",
    variant="plain",
    summary="a chain of steps",
    tolerance=0.0,
    output=Output.NONE,
    needs_data=False,
    prepare=False,
    run_each=False,
    supported=True,
    reason="",
    parameters=(PARAMETER,),
    metrics=(POPULATION, MEMORY),
)
MACHINE = Machine(
    architecture="x86_64", cpu="a CPU", cores=2, isa=("avx2",), caches=(("L1d", 32768),), memory_bytes=1 << 33, microcode="",
    governor="", hypervisor="", kernel="6.1", libc="glibc 2.36", python="3.11", clock_source="tsc", huge_pages="madvise",
)  # fmt: skip
DRAW = Draw(cpu=0, stack=0, environment=0, placement=0, order=(0, 1), links=(0, 0))
CLOCK = Clock(name="monotonic", source="fabricated", resolution_ns=1.0, cost_ns=25.0)
RESOURCES = Resources(
    max_rss_bytes=8 << 20, minor_faults=1, major_faults=0, steal_ticks=0, voluntary_switches=0, involuntary_switches=0
)
CASE = Case(scenario="s", kernel="spin", variant="plain", parameters=(("work", 1000.0),), stated=(), data="")
COMPARE_ARMS = (
    Arm(role=Role.BASELINE, build=0, kernel="spin", variant="plain"),
    Arm(role=Role.CANDIDATE, build=1, kernel="spin", variant="plain"),
)
BENCH_ARMS = (Arm(role=Role.SUBJECT, build=0, kernel="spin", variant="plain"),)


def library(*kernels: Kernel, name: str = "fabricated") -> Library:
    """A library of these kernels (one plain `spin` unless given)."""
    return Library(
        path="", abi=(1, 0), name=name, version="1", compiler="gcc", flags="", revision="", kernels=kernels or (KERNEL,)
    )


def build(described: Library, *, links: int = 1, digest: str = "d" * 64) -> Build:
    """A build whose links are files that nobody opens."""
    made = tuple(Link(layout=str(index), path=f"/links/{digest[0]}{index}.so", sha256=f"{index:064x}") for index in range(links))
    return Build(digest=digest, origin="fabricated", library=described, links=made)


def scenario(text: str = "", *, name: str = "s", kernel: str = "spin", variants: str = '["plain"]', path: str = "") -> Scenario:
    """A scenario from the tables in `text`."""
    head = f'question = "how long?"\nkernel = "{kernel}"\nvariants = {variants}\n'
    return parse_scenario(head + text, path=path or f"{name}.toml", name=name)


def samples(
    schedule: str,
    wall_ns: Sequence[int],
    *,
    cpu_ns: Sequence[int] | None = None,
    switches: Sequence[int] | None = None,
    iterations: tuple[int, ...] = (100, 100),
    checksums: tuple[str, ...] = ("aa", "aa"),
) -> Samples:
    """Timed samples; undisturbed unless told otherwise."""
    return Samples(
        schedule=schedule,
        iterations=iterations,
        wall_ns=tuple(wall_ns),
        cpu_ns=tuple(wall_ns if cpu_ns is None else cpu_ns),
        switches=tuple(switches or (0,) * len(wall_ns)),
        checksums=checksums,
    )


def worker(timed: Samples | None, *, arms: int = 2, failure: Failure | None = None, **changes: Any) -> WorkerRun:
    """A worker that did everything right, but for `changes`."""
    run = WorkerRun(
        draw=DRAW,
        clock=CLOCK,
        check=Check(checksums=("aa",) * arms, outputs=(0,) * arms, differences=(None,) * arms),
        samples=timed,
        latency=(),
        metrics=((1000.0, 64.0),) * arms,
        resources=RESOURCES,
        failure=failure,
    )
    return replace(run, **changes)


def paired(ratio: float, *, base_ns: int = 200_000, pairs: int = 10) -> WorkerRun:
    """A worker whose candidate takes `ratio` times as long, with a little unevenness so that nothing is flat."""
    schedule = "0110" * ((pairs + 1) // 2)
    wall = [round(base_ns * (ratio if digit == "1" else 1.0)) + 7 * (index // 4) for index, digit in enumerate(schedule)]
    return worker(samples(schedule, wall))


def case_run(*workers: WorkerRun, arms: tuple[Arm, ...] = COMPARE_ARMS, **changes: Any) -> CaseRun:
    """All workers of one case."""
    return replace(CaseRun(case=CASE, arms=arms, workers=workers, recall=(None,) * len(arms), failure=None), **changes)


def record(**changes: Any) -> Record:
    """An empty record of a bench on one build."""
    empty = Record(
        schema=1, kind="bench", tool="0", created="2026-01-02T03:04:05+00:00", seconds=1.0, interrupted=False, revision="",
        machine=MACHINE, baseline="", builds=(build(library()),), scenarios=(scenario(),), data=(), cases=(), absent=(), bench=(),
        compare=(), cautions=(),
    )  # fmt: skip
    return replace(empty, **changes)


def no_copy(_source: Path, target: Path) -> None:
    """Copy a link that is not there."""
    target.touch()


def ticking(step_s: float) -> Callable[[], float]:
    """A clock that moves on by `step_s` whenever it is read."""
    ticks: Iterator[int] = count()
    return lambda: step_s * next(ticks)


def laboratory(runner: Runner, folder: Path, *, seed: int = 1, seconds: Callable[[], float] | None = None) -> Laboratory:
    """A laboratory that touches `folder` only; its clock stands still unless one is given."""
    return Laboratory(
        runner=runner,
        copy_link=no_copy,
        machine=MACHINE,
        cpus=(0, 1),
        cache=folder / "cache",
        record_path=folder / "reports" / "record.json",
        progress=Silent(),
        seconds=seconds or (lambda: 0.0),
        now=lambda: "2026-01-02T03:04:05+00:00",
        seed=seed,
        revision="",
    )

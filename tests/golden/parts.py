"""What the hand-made records are put together from: a machine, builds, scenarios, workers with seeded samples."""

import math
from random import Random

from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.kernel import Build, Kernel, Library, Link, Output, Parameter
from dualmem_cli.model.machine import Machine
from dualmem_cli.model.metric import Metric
from dualmem_cli.model.plan import Arm, Case, Draw
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.samples import (
    Check,
    Clock,
    Failure,
    FailureKind,
    Histogram,
    Latency,
    Resources,
    Samples,
    WorkerRun,
)
from dualmem_cli.model.scenario import (
    Budget,
    Data,
    Gate,
    Measure,
    Mode,
    Reference,
    Scenario,
)
from dualmem_cli.model.units import Unit
from dualmem_cli.model.verdict import (
    Quantity,
)
from dualmem_cli.stats.histogram import bucket_of

LAYOUTS = ("pad0", "pad16", "pad32", "pad48")
CLOCK = Clock(name="tsc", source="rdtscp, calibrated against CLOCK_MONOTONIC_RAW", resolution_ns=0.5, cost_ns=23.4)
MACHINE = Machine(
    architecture="x86_64",
    cpu="AMD EPYC 7R13",
    cores=2,
    isa=("avx", "avx2", "fma"),
    caches=(("L1d", 32 << 10), ("L2", 512 << 10), ("L3", 32 << 20)),
    memory_bytes=8 << 30,
    microcode="0xa0011d1",
    governor="",
    hypervisor="kvm",
    kernel="Linux 6.1.0",
    libc="glibc 2.36",
    python="3.11.2",
    clock_source="tsc",
    huge_pages="madvise",
)


def library(*, kernels: tuple[Kernel, ...], revision: str, compiler: str = "gcc 12.2.0") -> Library:
    return Library(
        path="libdualmem.so",
        abi=(1, 0),
        name="dualmem",
        version="0.1.0",
        compiler=compiler,
        flags="-O3 -falign-functions=64 -falign-loops=64 -ffile-prefix-map=.=.",
        revision=revision,
        kernels=kernels,
    )


def build(*, digest: str, origin: str, kernels: tuple[Kernel, ...], revision: str, layouts: tuple[str, ...] = LAYOUTS) -> Build:
    links = tuple(
        Link(layout=name, path=f"libdualmem-{name}.so", sha256=f"{digest[:8]}{index:02d}".ljust(64, "e"))
        for index, name in enumerate(layouts)
    )
    return Build(digest=digest.ljust(64, "0"), origin=origin, library=library(kernels=kernels, revision=revision), links=links)


def kernel(name: str, variant: str, summary: str, *, metrics: tuple[Metric, ...] = ()) -> Kernel:
    return Kernel(
        name=name,
        variant=variant,
        summary=summary,
        tolerance=1e-6,
        output=Output.VALUES,
        needs_data=False,
        prepare=False,
        run_each=False,
        supported=True,
        reason="",
        parameters=(Parameter("count", 16, 1, 1e9, True, "how many"),),
        metrics=metrics,
    )


def scenario(
    name: str,
    question: str,
    *,
    mode: Mode = Mode.BLOCK,
    parameters: tuple[tuple[str, tuple[float, ...]], ...] = (),
    variants: tuple[str, ...] = ("avx2",),
    budgets: tuple[Budget, ...] = (),
    data: Data | None = None,
    control: Reference | None = None,
    beside: Reference | None = None,
    source: str = "",
) -> Scenario:
    text = source or f'question = "{question}"\nkernel = "{name}"\n\n[params]\n' + "".join(
        f"{k} = {list(v)}\n" for k, v in parameters
    )
    return Scenario(
        name=name,
        question=question,
        kernel=name,
        variants=variants,
        data=data,
        parameters=parameters,
        measure=Measure(
            mode=mode,
            workers=8,
            samples=60,
            sample_ns=100_000.0,
            warmup_ns=5_000_000.0,
            operations=5_000 if mode is Mode.LATENCY else 0,
            passes=3 if mode is Mode.LATENCY else 0,
            empty="",
            timeout_s=30.0,
        ),
        budgets=budgets,
        gate=Gate(time=0.05, recall_floor=0.0),
        control=control,
        beside=beside,
        path=f"scenarios/{name}.toml",
        digest=f"{sum(map(ord, name)):08x}".ljust(64, "a"),
        source=text,
    )


def case_of(scenario: Scenario, *, variant: str = "avx2", **parameters: float) -> Case:
    pairs = tuple(parameters.items())
    return Case(
        scenario=scenario.name,
        kernel=scenario.kernel,
        variant=variant,
        parameters=(*pairs, ("seed", 1.0)),
        stated=tuple(parameters),
        data="",
    )


def schedule(random: Random, *, arms: int, blocks: int) -> str:
    order = [str(arm) for arm in range(arms)]
    text = ""
    for _ in range(blocks):
        random.shuffle(order)
        text += "".join(order) + "".join(reversed(order))
    return text


def draw(random: Random, *, index: int, arms: int, builds: int) -> Draw:
    order = list(range(arms))
    random.shuffle(order)
    return Draw(
        cpu=index % 2,
        stack=random.randrange(0, 4096, 16),
        environment=random.randrange(0, 4096, 16),
        placement=64 * random.randrange(0, 64),
        order=tuple(order),
        links=tuple((index // (4**b)) % 4 for b in range(builds)),
    )


def resources(random: Random) -> Resources:
    return Resources(
        max_rss_bytes=9_400_000 + random.randrange(0, 9) * 4096,
        minor_faults=611,
        major_faults=0,
        steal_ticks=random.choice((0, 0, 0, 1)),
        voluntary_switches=1,
        involuntary_switches=random.choice((0, 0, 2)),
    )


def block_worker(
    seed: int, *, per_op: tuple[float, ...], index: int, builds: int, blocks: int = 30, noise: float = 0.004, bursts: float = 0.03
) -> WorkerRun:
    """One worker whose arms take `per_op` nanoseconds, give or take: a drift shared by neighbours, jitter of each, bursts."""
    random = Random(seed * 1000 + index)
    plan = schedule(random, arms=len(per_op), blocks=blocks)
    shift = [1 + random.gauss(0, 0.003) for _ in per_op]
    iterations = max(1, round(100_000 / per_op[0]))
    wall, cpu, switches, drift = [], [], [], 1.0
    for digit in plan:
        arm = int(digit)
        drift += 0.1 * (1 - drift) + random.gauss(0, 0.01)
        time = per_op[arm] * iterations * shift[arm] * drift * math.exp(random.gauss(0, noise))
        lost = random.random() < bursts
        cpu.append(round(time))
        wall.append(round(time + (random.expovariate(1 / 30_000) + 10_000 if lost else 120)))
        switches.append(int(lost))
    return WorkerRun(
        draw=draw(random, index=index, arms=len(per_op), builds=builds),
        clock=CLOCK,
        check=Check(checksums=("00c0ffee00c0ffee",) * len(per_op), outputs=(16,) * len(per_op), differences=(0.0,) * len(per_op)),
        samples=Samples(
            schedule=plan,
            iterations=(iterations,) * len(per_op),
            wall_ns=tuple(wall),
            cpu_ns=tuple(cpu),
            switches=tuple(switches),
            checksums=("00c0ffee00c0ffee",) * len(per_op),
        ),
        latency=(),
        metrics=((),) * len(per_op),
        resources=resources(random),
        failure=None,
    )


def histogram(values: list[int]) -> Histogram:
    counts: dict[int, int] = {}
    for value in values:
        counts[bucket_of(value)] = counts.get(bucket_of(value), 0) + 1
    return Histogram(count=len(values), sum_ns=sum(values), max_ns=max(values), buckets=tuple(sorted(counts.items())))


def latency_worker(seed: int, *, median_ns: tuple[float, ...], index: int, operations: int, passes: int) -> WorkerRun:
    random = Random(seed * 1000 + index)
    latencies = []
    for arm, median in enumerate(median_ns):
        every: list[int] = []
        fastest: list[int] = []
        for _ in range(operations):
            item = median * math.exp(random.gauss(0, 0.18))
            values = [round(item * math.exp(abs(random.gauss(0, 0.05))) + _interruption(random)) for _ in range(passes)]
            every += values
            fastest.append(min(values))
        latencies.append(Latency(arm=arm, operations=operations, every=histogram(every), fastest=histogram(fastest)))
    return WorkerRun(
        draw=draw(random, index=index, arms=len(median_ns), builds=1),
        clock=CLOCK,
        check=Check(checksums=("00c0ffee00c0ffee",), outputs=(10,), differences=(0.0,)),
        samples=None,
        latency=tuple(latencies),
        metrics=((),) * len(median_ns),
        resources=resources(random),
        failure=None,
    )


def _interruption(random: Random) -> float:
    return random.expovariate(1 / 50_000) + 30_000 if random.random() < 0.004 else 0.0


def failed_worker(kind: FailureKind, phase: str, message: str, *, index: int = 0) -> WorkerRun:
    random = Random(index)
    return WorkerRun(
        draw=draw(random, index=index, arms=2, builds=1),
        clock=CLOCK,
        check=None,
        samples=None,
        latency=(),
        metrics=(),
        resources=None,
        failure=Failure(kind=kind, phase=phase, arm=1, message=message),
    )


def run_of(case: Case, arms: tuple[Arm, ...], workers: tuple[WorkerRun, ...], *, recall: float | None = None) -> CaseRun:
    return CaseRun(case=case, arms=arms, workers=workers, recall=(recall,) * len(arms), failure=None)


def estimate(
    value: float, half: float, unit: Unit | str = Unit.NANOSECOND, *, count: int = 8, confidence: float = 0.95
) -> Estimate:
    """An estimate with a symmetric interval; a half width of 0 is a number that was counted."""
    method = "mean of worker medians, Student t" if half else "counted"
    return Estimate(value, value - half, value + half, confidence if half else 1.0, unit, count, method)


def time(value: float, relative: float, *, limit: float | None = None) -> Quantity:
    met = None if limit is None else value <= limit
    return Quantity("time", estimate(value, value * relative), limit=limit, met=met)

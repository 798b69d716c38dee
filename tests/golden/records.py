"""Records made by hand, with seeded samples: what every renderer is shown. No number in here was measured."""

import math
from dataclasses import replace
from random import Random

from dualmem_cli.model.caution import Caution, CautionKind
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.kernel import Build, Kernel, Library, Link, Output, Parameter
from dualmem_cli.model.machine import Machine
from dualmem_cli.model.metric import Better, Metric, Scope
from dualmem_cli.model.plan import Arm, Case, Draw, Role
from dualmem_cli.model.record import Absent, CaseRun, DataFacts, Record
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
    ClusteredData,
    Data,
    FileData,
    Gate,
    GaussianData,
    Measure,
    Mode,
    Reference,
    Scenario,
)
from dualmem_cli.model.units import Unit
from dualmem_cli.model.verdict import (
    BenchFinding,
    CompareFinding,
    ControlFinding,
    LayoutCell,
    MetricChange,
    Quantity,
    Verdict,
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
    text = source or f'question = "{question}"\nkernel = "{name}"\n\n[params]\n' + "".join(f"{k} = {list(v)}\n" for k, v in parameters)
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


def estimate(value: float, half: float, unit: Unit | str = Unit.NANOSECOND, *, count: int = 8, confidence: float = 0.95) -> Estimate:
    """An estimate with a symmetric interval; a half width of 0 is a number that was counted."""
    method = "mean of worker medians, Student t" if half else "counted"
    return Estimate(value, value - half, value + half, confidence if half else 1.0, unit, count, method)


def time(value: float, relative: float, *, limit: float | None = None) -> Quantity:
    met = None if limit is None else value <= limit
    return Quantity("time", estimate(value, value * relative), limit=limit, met=met)


def bench_record() -> Record:
    """Block, latency, control and beside, a missed budget, an invalid case, an absent variant, cautions."""
    similarity = scenario(
        "similarity",
        "How fast is one query against 16 centroids?",
        parameters=(("count", (16.0, 1000.0)), ("dim", (768.0,))),
        budgets=(Budget("time", 50_000.0, minimum=False), Budget("speedup", 2.0, minimum=True)),
        beside=Reference("similarity", "scalar", 2.0),
    )
    lookup = scenario(
        "concept_lookup",
        "How long does one lookup take on real vectors, and how many of the ten nearest does it find?",
        mode=Mode.LATENCY,
        parameters=(("rows", (10_000.0,)),),
        variants=("graph", "scan"),
        budgets=(Budget("p99", 100_000.0, minimum=False), Budget("recall", 0.95, minimum=True)),
        data=FileData("file", "data/wordnet.npy", "", 10_000, 1_000, True),
    )
    discrimination = scenario(
        "type_discrimination",
        "What does the type tag cost?",
        variants=("auto",),
        budgets=(Budget("time", 5.0, minimum=False), Budget("overhead", 0.05, minimum=False)),
        control=Reference("type_discrimination_single", "auto", 0.05),
    )
    update = scenario(
        "binding_update",
        "How long does one strength update take?",
        parameters=(("concepts", (1000.0, 100_000.0)),),
        variants=("by_handle",),
        budgets=(Budget("time", 10.0, minimum=False),),
    )
    decay = scenario("decay", "How fast does everything fade?", parameters=(("bindings", (1e7,)),), data=GaussianData("gaussian", 10, 0, 8, 1))
    cache = scenario("mixed", "How often does the cache answer?", variants=("auto",), budgets=(Budget("hit_rate", 0.9, minimum=True),))
    kernels = (
        kernel("similarity", "avx2", "cosine of one query with every centroid"),
        kernel("similarity", "scalar", "the same, without SIMD"),
        kernel("concept_lookup", "graph", "ten nearest concepts through the graph"),
        kernel(
            "mixed", "auto", "the mixed workload", metrics=(Metric("hit_rate", "1", Better.HIGHER, Scope.CASE, "answered by the cache"),)
        ),
    )
    subject, beside = Arm(Role.SUBJECT, 0, "similarity", "avx2"), Arm(Role.BESIDE, 0, "similarity", "scalar")
    cases = (
        run_of(
            case_of(similarity, count=16, dim=768),
            (subject, beside),
            tuple(block_worker(1, per_op=(412.0, 9930.0), index=i, builds=1) for i in range(8)),
        ),
        run_of(
            case_of(similarity, count=1000, dim=768),
            (subject, beside),
            tuple(block_worker(2, per_op=(48_700.0, 621_000.0), index=i, builds=1, blocks=12) for i in range(8)),
        ),
        run_of(
            case_of(lookup, variant="graph", rows=10_000),
            (Arm(Role.SUBJECT, 0, "concept_lookup", "graph"),),
            tuple(latency_worker(3, median_ns=(61_000.0,), index=i, operations=700, passes=3) for i in range(2)),
            recall=0.972,
        ),
        run_of(
            case_of(lookup, variant="scan", rows=10_000),
            (Arm(Role.SUBJECT, 0, "concept_lookup", "scan"),),
            tuple(latency_worker(4, median_ns=(262_000.0,), index=i, operations=200, passes=3) for i in range(2)),
            recall=1.0,
        ),
        run_of(
            case_of(discrimination, variant="auto"),
            (
                Arm(Role.SUBJECT, 0, "type_discrimination", "auto"),
                Arm(Role.EMPTY, 0, "empty", "auto"),
                Arm(Role.CONTROL, 0, "type_discrimination_single", "auto"),
            ),
            tuple(block_worker(5, per_op=(1.215, 0.31, 1.21), index=i, builds=1) for i in range(8)),
        ),
        run_of(
            case_of(update, variant="by_handle", concepts=1000),
            (Arm(Role.SUBJECT, 0, "binding_update", "by_handle"),),
            tuple(block_worker(6, per_op=(3.1,), index=i, builds=1) for i in range(8)),
        ),
        run_of(
            case_of(update, variant="by_handle", concepts=100_000),
            (Arm(Role.SUBJECT, 0, "binding_update", "by_handle"),),
            tuple(block_worker(7, per_op=(14.2,), index=i, builds=1, noise=0.03) for i in range(8)),
        ),
        replace(
            run_of(
                case_of(decay, bindings=1e7),
                (Arm(Role.SUBJECT, 0, "decay", "avx2"), Arm(Role.BESIDE, 0, "decay", "scalar")),
                (failed_worker(FailureKind.CRASHED, "run", "SIGSEGV in decay/avx2"),),
            ),
            failure=Failure(FailureKind.CRASHED, "run", 0, "SIGSEGV in decay/avx2"),
        ),
        run_of(
            case_of(cache, variant="auto"),
            (Arm(Role.SUBJECT, 0, "mixed", "auto"),),
            tuple(block_worker(8, per_op=(88.0,), index=i, builds=1) for i in range(8)),
        ),
    )
    ids = [run.case.id for run in cases]
    ratio = Unit.RATIO
    bench = (
        BenchFinding(
            ids[0],
            (time(412.3, 0.0031, limit=50_000.0), Quantity("speedup", estimate(24.08, 0.1, ratio), limit=2.0, minimum=True, met=True)),
            "",
        ),
        BenchFinding(
            ids[1],
            (time(48_712.0, 0.0042, limit=50_000.0), Quantity("speedup", estimate(12.75, 0.09, ratio), limit=2.0, minimum=True, met=True)),
            "",
        ),
        BenchFinding(ids[2], _percentiles((61_900.0, 80_200.0, 94_100.0, 210_000.0), (58_000.0, 71_300.0), recall=0.972), ""),
        BenchFinding(ids[3], _percentiles((262_000.0, 281_000.0, 352_400.0, 401_000.0), (255_000.0, 271_000.0), recall=1.0), ""),
        BenchFinding(
            ids[4],
            (time(1.21, 0.008, limit=5.0), Quantity("overhead", estimate(0.0041, 0.0019, ratio), limit=0.05, minimum=False, met=True)),
            "",
        ),
        BenchFinding(ids[5], (time(3.104, 0.0021, limit=10.0),), ""),
        BenchFinding(ids[6], (time(14.23, 0.021, limit=10.0),), ""),
        BenchFinding(ids[7], (), "crashed in run: SIGSEGV in decay/avx2; the other cases were measured"),
        BenchFinding(
            ids[8],
            (
                time(88.02, 0.004),
                Quantity("hit_rate", estimate(0.934, 0.0, ratio, count=8), limit=0.9, minimum=True, met=True),
                Quantity("bytes", estimate(41_943_040.0, 0.0, Unit.BYTE, count=8)),
            ),
            "",
        ),
    )
    return Record(
        schema=1,
        kind="bench",
        tool="0.1.0",
        created="2026-11-22T10:14:03Z",
        seconds=41.2,
        interrupted=False,
        revision="3f2a91c0d5",
        machine=MACHINE,
        baseline="",
        builds=(build(digest="3f2a91c8", origin="working tree", kernels=kernels, revision="3f2a91c0d5"),),
        scenarios=(similarity, lookup, discrimination, update, decay, cache),
        data=(DataFacts("9b1de77f".ljust(64, "1"), "data/wordnet.npy", 10_000, 1_000, 768, None, 0.412),),
        cases=cases,
        absent=(
            Absent("similarity/avx512/count=16,dim=768", "this processor has no avx512f"),
            Absent("similarity/avx512/count=1000,dim=768", "this processor has no avx512f"),
        ),
        bench=bench,
        compare=(),
        cautions=(
            Caution(
                CautionKind.NOISY_MACHINE,
                "3.1 % of the samples lost the processor",
                "close other work, or raise [measure] workers",
                ids[6],
            ),
            Caution(CautionKind.FEW_SAMPLES, "P99.9 needs 10,000 operations and has 1,200", "raise [measure] operations", ids[3]),
            Caution(CautionKind.DIRTY_TREE, "the working tree has changes that no revision names", "commit before a baseline is saved"),
        ),
    )


def _percentiles(every: tuple[float, ...], fastest: tuple[float, ...], *, recall: float) -> tuple[Quantity, ...]:
    names = ("p50", "p95", "p99", "p99.9")
    quantities = []
    for name, value in zip(names, every, strict=True):
        limit = 100_000.0 if name == "p99" else None
        quantities.append(
            Quantity(name, estimate(value, 0.02 * value, count=2), limit=limit, met=None if limit is None else value <= limit)
        )
    for name, value in zip(("fastest_p50", "fastest_p99"), fastest, strict=True):
        quantities.append(Quantity(name, estimate(value, 0.01 * value, count=2)))
    quantities.append(Quantity("recall", estimate(recall, 0.0, Unit.RATIO, count=2), limit=0.95, minimum=True, met=recall >= 0.95))
    return tuple(quantities)


def _compare_run(case: Case, seed: int, *, baseline: float, change: float, workers: int, noise: float = 0.004, layout: float = 0.0) -> CaseRun:
    arms = (Arm(Role.BASELINE, 0, case.kernel, case.variant), Arm(Role.CANDIDATE, 1, case.kernel, case.variant))
    runs = []
    for index in range(workers):
        extra = layout * ((index // 4) % 4 - 1.5)
        runs.append(block_worker(seed, per_op=(baseline, baseline * (1 + change + extra)), index=index, builds=2, noise=noise))
    return run_of(case, arms, tuple(runs))


def change(value: float, low: float, high: float, *, count: int) -> Estimate:
    return Estimate(value, low, high, 0.999, Unit.RATIO, count, "mean of worker medians over layouts")


def layout_cells(mean: float, slope: float) -> tuple[LayoutCell, ...]:
    return tuple(
        LayoutCell(old, new, mean + slope * (column - 1.5) + 0.0004 * (row - 1.5), 2 + (row + column) % 2)
        for row, old in enumerate(LAYOUTS)
        for column, new in enumerate(LAYOUTS)
    )


def compare_record() -> Record:
    """All seven verdicts, layout tables, changed metrics, controls."""
    similarity = scenario(
        "similarity", "How fast is one query against 16 centroids?", parameters=(("count", (16.0, 1000.0)), ("dim", (768.0,)))
    )
    decay = scenario("decay", "How fast does everything fade?", parameters=(("bindings", (1e3, 1e7)),))
    lookup = scenario(
        "concept_lookup",
        "How long does one lookup take?",
        parameters=(("rows", (10_000.0,)),),
        variants=("graph",),
        data=ClusteredData("clustered", 10_000, 1_000, 768, 64, 32, 0.6, 7),
    )
    fan = scenario("fan", "What does a fan query cost?", parameters=(("concepts", (1000.0,)),), variants=("by_handle", "by_id"))
    sigmoid = scenario("sigmoid", "How fast is the mapper?", parameters=(("count", (4096.0,)),))
    update = scenario("binding_update", "How long does one strength update take?", parameters=(("concepts", (1000.0,)),), variants=("by_id",))
    cases = (
        _compare_run(case_of(similarity, count=16, dim=768), 11, baseline=412.0, change=0.079, workers=24),
        _compare_run(case_of(similarity, count=1000, dim=768), 12, baseline=48_700.0, change=0.002, workers=6),
        _compare_run(case_of(decay, bindings=1e3), 13, baseline=81.0, change=0.0004, workers=5),
        _compare_run(case_of(decay, bindings=1e7), 14, baseline=3_900_000.0, change=0.011, workers=10, noise=0.12),
        run_of(
            case_of(lookup, variant="graph", rows=10_000),
            (Arm(Role.BASELINE, 0, "concept_lookup", "graph"), Arm(Role.CANDIDATE, 1, "concept_lookup", "graph")),
            (failed_worker(FailureKind.REFUSED, "check", "outputs differ by 0.3, allowed is 1e-06"),),
            recall=0.91,
        ),
        _compare_run(case_of(fan, variant="by_handle", concepts=1000), 15, baseline=0.74, change=-0.124, workers=8, layout=0.02),
        _compare_run(case_of(fan, variant="by_id", concepts=1000), 16, baseline=3.4, change=-0.003, workers=5),
        _compare_run(case_of(sigmoid, count=4096), 17, baseline=2210.0, change=0.001, workers=5),
    )
    ids = [run.case.id for run in cases]
    proved = "less than 5 % slower (99.9 %)"
    compare = (
        CompareFinding(
            ids[0],
            Verdict.REGRESSED,
            0.05,
            change(0.0788, 0.0741, 0.0834, count=24),
            412.0,
            444.5,
            "24 workers agree in all layouts that it is more than 5 % slower",
            layout_cells(0.0788, 0.0011),
            (
                MetricChange("instructions", "count", 1_018_032.0, 1_099_475.0, 0.02, True),
                MetricChange("recall", "1", 1.0, 1.0, 0.0, False),
            ),
        ),
        CompareFinding(ids[1], Verdict.UNCHANGED, 0.05, change(0.0021, -0.0043, 0.0085, count=6), 48_700.0, 48_810.0, proved, (), ()),
        CompareFinding(
            ids[2],
            Verdict.UNCHANGED,
            0.05,
            change(0.0003, -0.002, 0.0026, count=5),
            81.0,
            81.02,
            proved,
            layout_cells(0.0003, 0.0002),
            (MetricChange("bytes", "B", 24_000.0, 24_064.0, 0.01, False),),
        ),
        CompareFinding(
            ids[3],
            Verdict.INCONCLUSIVE,
            0.05,
            change(0.011, -0.0294, 0.0531, count=10),
            3_900_000.0,
            3_940_000.0,
            "the interval holds the threshold: memory bandwidth is busy; about 9 s more would decide: --budget 10s",
        ),
        CompareFinding(
            ids[4],
            Verdict.INVALID,
            0.05,
            None,
            None,
            None,
            "outputs differ by 0.3 where 1e-06 is allowed: the two builds do not compute the same thing",
            (),
            (MetricChange("recall", "1", 0.972, 0.91, 0.0, True),),
        ),
        CompareFinding(
            ids[5],
            Verdict.IMPROVED,
            0.05,
            change(-0.1242, -0.1361, -0.1118, count=8),
            0.74,
            0.648,
            "at least 11 % faster (99.9 %)",
            layout_cells(-0.1242, 0.02),
        ),
        CompareFinding(ids[6], Verdict.UNCHANGED, 0.05, change(-0.0031, -0.0081, 0.0022, count=5), 3.4, 3.39, proved),
        CompareFinding(
            ids[7],
            Verdict.INCOMPARABLE,
            0.05,
            None,
            None,
            None,
            "the baseline was measured with count 2048 and this build refuses it",
        ),
        CompareFinding("binding_update/by_id/concepts=1000", Verdict.MISSING, 0.05, None, None, None, "the baseline has no such kernel"),
    )
    kernels = (kernel("similarity", "avx2", "cosine of one query with every centroid"),)
    return Record(
        schema=1,
        kind="compare",
        tool="0.1.0",
        created="2026-11-22T11:02:51Z",
        seconds=7.34,
        interrupted=False,
        revision="9bd01e2f44",
        machine=MACHINE,
        baseline="main",
        builds=(
            build(digest="3f2a91c8", origin="baselines/main", kernels=kernels, revision="3f2a91c0d5"),
            build(digest="9bd01e27", origin="working tree", kernels=kernels, revision="9bd01e2f44"),
        ),
        scenarios=(similarity, decay, lookup, fan, sigmoid, update),
        data=(DataFacts("77aa01".ljust(64, "2"), "clustered, seed 7", 10_000, 1_000, 768, 0.6, 0.603),),
        cases=cases,
        absent=(Absent("similarity/avx512/count=16,dim=768", "this processor has no avx512f"),),
        bench=(),
        compare=compare,
        cautions=(
            Caution(CautionKind.NOISY_MACHINE, "6.2 % of the samples lost the processor", "close other work", ids[3]),
            Caution(CautionKind.NOISY_MACHINE, "6.2 % of the samples lost the processor", "close other work", ids[0]),
            Caution(CautionKind.LAYOUT_SENSITIVE, "the change is 3 % in one layout and 6 % in another", "read the mean", ids[5]),
        ),
        controls=(
            ControlFinding("baseline against itself", True, 6, 6, change(0.0002, -0.0011, 0.0015, count=58)),
            ControlFinding("baseline against itself with 8 % more work", True, 6, 6, change(0.0797, 0.078, 0.0813, count=58)),
        ),
    )


def interrupted_record() -> Record:
    """A bench that was stopped after its second case."""
    whole = bench_record()
    return replace(
        whole,
        interrupted=True,
        seconds=4.2,
        cases=whole.cases[:2],
        bench=whole.bench[:2],
        scenarios=whole.scenarios[:1],
        data=(),
        absent=tuple(Absent(finding.case, "interrupted before it was measured") for finding in whole.bench[2:]),
        cautions=(Caution(CautionKind.INTERRUPTED, "stopped by Ctrl-C after 2 of 9 cases", "run the rest by name"),),
    )


HOSTILE = (
    "</script><script>alert(1)</script>",
    "a|b `c` **d** <details> | --- |",
    "\x1b[31mred\x1b[0m\x07",
    "\u202eevil\u202c\u200b",
    "[bold red]rich[/bold red]",
    '"quoted" & \'single\' <b title="x">',
    "line one\nline two\r\ttab",
    "\udcff lone",
)


def hostile_record() -> Record:
    """Every string that a library, a scenario or a path can supply tries to be markup in some dialect."""
    text = " ".join(HOSTILE)
    nasty = scenario(HOSTILE[0], text, parameters=((HOSTILE[1], (1.0,)),), variants=(HOSTILE[2],), source="\n".join(HOSTILE))
    nasty = replace(nasty, path=HOSTILE[3])
    case = Case(nasty.name, HOSTILE[4], HOSTILE[2], ((HOSTILE[1], 1.0),), (HOSTILE[1],), HOSTILE[5])
    arms = (Arm(Role.SUBJECT, 0, HOSTILE[4], HOSTILE[2]),)
    run = run_of(case, arms, tuple(block_worker(31, per_op=(10.0,), index=i, builds=1, blocks=4) for i in range(2)))
    broken = replace(case, scenario=nasty.name, variant=HOSTILE[3])
    kernels = (kernel(HOSTILE[4], HOSTILE[2], text),)
    made = build(digest="deadbeef", origin=HOSTILE[5], kernels=kernels, revision=HOSTILE[1], layouts=(HOSTILE[6],))
    made = replace(made, library=replace(made.library, name=HOSTILE[0], compiler=HOSTILE[5], flags=text))
    return replace(
        bench_record(),
        machine=replace(MACHINE, cpu=HOSTILE[5], isa=(HOSTILE[2],)),
        tool=f"0.1.0 {HOSTILE[4]}",
        builds=(made,),
        scenarios=(nasty,),
        data=(DataFacts(HOSTILE[1], HOSTILE[0], 1, 1, 1, None, None),),
        cases=(run, replace(run, case=broken, workers=(failed_worker(FailureKind.REFUSED, "setup", text),))),
        absent=(Absent(HOSTILE[0], text),),
        bench=(
            BenchFinding(case.id, (time(10.0, 0.01, limit=9.0), Quantity(HOSTILE[1], estimate(1.0, 0.0, HOSTILE[5]))), ""),
            BenchFinding(broken.id, (), text),
        ),
        cautions=(Caution(CautionKind.UNSUPPORTED, text, text, case.id),),
    )


RECORDS = {"bench": bench_record, "compare": compare_record, "interrupted": interrupted_record, "hostile": hostile_record}

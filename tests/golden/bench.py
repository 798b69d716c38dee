"""A bench of ten cases that were never run."""

from collections.abc import Sequence
from dataclasses import replace

from golden.parts import (
    MACHINE,
    block_worker,
    build,
    case_of,
    estimate,
    failed_worker,
    kernel,
    latency_worker,
    run_of,
    scenario,
    time,
)

from dualmem_cli.judge.bench import overall_overhead
from dualmem_cli.judge.scaling import scaling_findings
from dualmem_cli.model.caution import Caution, CautionKind
from dualmem_cli.model.metric import Better, Metric, Scope
from dualmem_cli.model.plan import Arm, Role
from dualmem_cli.model.record import Absent, DataFacts, Record
from dualmem_cli.model.samples import (
    Failure,
    FailureKind,
)
from dualmem_cli.model.scenario import (
    Budget,
    FileData,
    GaussianData,
    Mode,
    Reference,
)
from dualmem_cli.model.units import Unit
from dualmem_cli.model.verdict import (
    BenchFinding,
    FrontierFinding,
    FrontierPoint,
    Quantity,
    Roof,
    RooflineFinding,
    RooflinePoint,
)


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
        control=Reference("concept_lookup_single", "", 0.05),
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
        parameters=(("concepts", (1000.0, 10_000.0, 100_000.0)),),
        variants=("by_handle",),
        budgets=(Budget("time", 10.0, minimum=False),),
    )
    decay = scenario(
        "decay", "How fast does everything fade?", parameters=(("bindings", (1e7,)),), data=GaussianData("gaussian", 10, 0, 8, 1)
    )
    cache = scenario(
        "mixed", "How often does the cache answer?", variants=("auto",), budgets=(Budget("hit_rate", 0.9, minimum=True),)
    )
    kernels = (
        kernel("similarity", "avx2", "cosine of one query with every centroid"),
        kernel("similarity", "scalar", "the same, without SIMD"),
        kernel("concept_lookup", "graph", "ten nearest concepts through the graph"),
        kernel(
            "mixed",
            "auto",
            "the mixed workload",
            metrics=(Metric("hit_rate", "1", Better.HIGHER, Scope.CASE, "answered by the cache"),),
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
            tuple(block_worker(2, per_op=(48_700.0, 94_000.0), index=i, builds=1, blocks=12) for i in range(8)),
        ),
        run_of(
            case_of(lookup, variant="graph", rows=10_000),
            (Arm(Role.SUBJECT, 0, "concept_lookup", "graph"), Arm(Role.CONTROL, 0, "concept_lookup_single", "graph")),
            (
                *(latency_worker(3, median_ns=(61_000.0, 60_500.0), index=i, operations=700, passes=3) for i in range(2)),
                *(block_worker(33, per_op=(62_300.0, 61_900.0), index=i, builds=1, blocks=8) for i in range(2)),
            ),
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
            case_of(update, variant="by_handle", concepts=10_000),
            (Arm(Role.SUBJECT, 0, "binding_update", "by_handle"),),
            tuple(block_worker(66, per_op=(4.4,), index=i, builds=1) for i in range(8)),
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
            (
                time(412.3, 0.0031, limit=50_000.0),
                Quantity("speedup", estimate(24.08, 0.1, ratio), limit=2.0, minimum=True, met=True),
            ),
            "",
        ),
        BenchFinding(
            ids[1],
            (
                time(48_712.0, 0.0042, limit=50_000.0),
                Quantity("speedup", estimate(1.93, 0.02, ratio), limit=2.0, minimum=True, met=False),
            ),
            "",
        ),
        BenchFinding(
            ids[2],
            (
                time(62_300.0, 0.004),
                *_percentiles((61_900.0, 80_200.0, 94_100.0, 210_000.0), (58_000.0, 71_300.0), recall=0.972),
                Quantity("overhead", estimate(0.0061, 0.0044, ratio), limit=0.05, minimum=False, met=True),
            ),
            "",
        ),
        BenchFinding(ids[3], _percentiles((262_000.0, 281_000.0, 352_400.0, 401_000.0), (255_000.0, 271_000.0), recall=1.0), ""),
        BenchFinding(
            ids[4],
            (
                time(1.21, 0.008, limit=5.0),
                Quantity("overhead", estimate(0.0041, 0.0019, ratio), limit=0.05, minimum=False, met=True),
            ),
            "",
        ),
        BenchFinding(ids[5], (time(3.104, 0.0021, limit=10.0),), ""),
        BenchFinding(ids[6], (time(4.41, 0.002, limit=10.0),), ""),
        BenchFinding(ids[7], (time(14.23, 0.021, limit=10.0),), ""),
        BenchFinding(ids[8], (), "crashed in run: SIGSEGV in decay/avx2; the other cases were measured"),
        BenchFinding(
            ids[9],
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
        overhead=overall_overhead(cases),
        scaling=scaling_findings(cases, bench),
        frontier=_frontier(ids[2]),
        roofline=_roofline(ids),
        compare=(),
        cautions=(
            Caution(
                CautionKind.NOISY_MACHINE,
                "3.1 % of the samples lost the processor",
                "close other work, or raise [measure] workers",
                ids[7],
            ),
            Caution(CautionKind.FEW_SAMPLES, "P99.9 needs 10,000 operations and has 1,200", "raise [measure] operations", ids[3]),
            Caution(
                CautionKind.DIRTY_TREE, "the working tree has changes that no revision names", "commit before a baseline is saved"
            ),
        ),
    )


def _frontier(case: str) -> tuple[FrontierFinding, ...]:
    """Ours, clocked; a peer, of which only blocks were timed and nothing is declared."""
    metrics = (("build_seconds", 0.99), ("index_bytes_per_concept", 923.4), ("effort", 46.0))
    ours = tuple(
        FrontierPoint(
            case, f"recall {asked}", found, 1e9 / p50, p50, 1.9 * p50, 3.3 * p50, 0.95 * p50, 1.3 * p50, 15_000, metrics
        )
        for asked, found, p50 in ((0.9, 0.921, 17_800.0), (0.95, 0.957, 22_500.0), (0.99, 0.993, 53_100.0))
    )
    peer = tuple(
        FrontierPoint(case, f"recall {asked}", found, rate, None, None, None, None, None, 0, ())
        for asked, found, rate in ((0.9, 0.904, 9_120.0), (0.99, 0.9904, 3_300.0))
    )
    return (
        FrontierFinding("concept_lookup", "rows 10000", "graph", 0, ours),
        FrontierFinding("concept_lookup", "rows 10000", "other", 1, peer),
    )


def _roofline(ids: Sequence[str]) -> RooflineFinding:
    """Roofs of one thread and two; a case that computes, and one that only moves."""
    reads = ((1, "L1", 16_384.0, 187.0), (1, "memory", 134_217_728.0, 30.9), (2, "memory", 134_217_728.0, 36.8))
    roofs = tuple(
        Roof(
            f"ceiling_read/auto/bytes={size:.0f},threads={threads}",
            level,
            threads,
            size,
            estimate(rate, 0.02 * rate, "GB/s", count=5),
        )
        for threads, level, size, rate in reads
    )
    peaks = tuple(
        Roof(f"ceiling_fma/auto/threads={threads}", "peak", threads, None, estimate(rate, 0.01 * rate, "GFLOP/s", count=5))
        for threads, rate in ((1, 71.0), (2, 68.3))
    )
    points = (
        RooflinePoint(ids[0], "similarity", "avx2", 1, 0.47, 59.5, 126.6, "L1", 0.68),
        RooflinePoint(ids[7], "decay", "avx2", 1, None, None, 25.1, "memory", 0.81),
    )
    return RooflineFinding((*roofs, *peaks), points)


def _percentiles(every: tuple[float, ...], fastest: tuple[float, ...], *, recall: float) -> tuple[Quantity, ...]:
    names = ("p50", "p95", "p99", "p99.9")
    quantities = []
    for name, value in zip(names, every, strict=True):
        limit = 100_000.0 if name == "p99" else None
        quantities.append(
            Quantity(name, estimate(value, 0.02 * value, count=2), limit=limit, met=None if limit is None else value <= limit)
        )
    for name, value in zip(("p50_fastest", "p99_fastest"), fastest, strict=True):
        quantities.append(Quantity(name, estimate(value, 0.01 * value, count=2)))
    quantities.append(Quantity("max", estimate(2.1 * every[-1], 0.0, count=2)))
    quantities.append(
        Quantity("recall", estimate(recall, 0.0, Unit.RATIO, count=2), limit=0.95, minimum=True, met=recall >= 0.95)
    )
    return tuple(quantities)

"""A compare of nine cases that were never run: every verdict once."""

from golden.parts import (
    LAYOUTS,
    MACHINE,
    block_worker,
    build,
    case_of,
    failed_worker,
    kernel,
    run_of,
    scenario,
)

from dualmem_cli.model.caution import Caution, CautionKind
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.plan import Arm, Case, Role
from dualmem_cli.model.record import Absent, CaseRun, DataFacts, Record
from dualmem_cli.model.samples import (
    FailureKind,
)
from dualmem_cli.model.scenario import (
    ClusteredData,
)
from dualmem_cli.model.units import Unit
from dualmem_cli.model.verdict import (
    CompareFinding,
    ControlFinding,
    LayoutCell,
    MetricChange,
    Verdict,
)


def _compare_run(
    case: Case, seed: int, *, baseline: float, change: float, workers: int, noise: float = 0.004, layout: float = 0.0
) -> CaseRun:
    arms = (Arm(Role.BASELINE, 0, case.kernel, case.variant), Arm(Role.CANDIDATE, 1, case.kernel, case.variant))
    runs = []
    for index in range(workers):
        extra = layout * ((index // 4) % 4 - 1.5)
        runs.append(block_worker(seed, per_op=(baseline, baseline * (1 + change + extra)), index=index, builds=2, noise=noise))
    return run_of(case, arms, tuple(runs))


def change(value: float, low: float, high: float, *, count: int) -> Estimate:
    method = "mean over workers of the median paired ratio, both orders of set-up weighing the same"
    return Estimate(value, low, high, 0.99885, Unit.RATIO, count, method)


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
    update = scenario(
        "binding_update", "How long does one strength update take?", parameters=(("concepts", (1000.0,)),), variants=("by_id",)
    )
    cases = (
        _compare_run(case_of(similarity, count=16, dim=768), 11, baseline=412.0, change=0.079, workers=24),
        _compare_run(case_of(similarity, count=1000, dim=768), 12, baseline=48_700.0, change=0.002, workers=6),
        _compare_run(case_of(decay, bindings=1e3), 13, baseline=81.0, change=0.0004, workers=6),
        _compare_run(case_of(decay, bindings=1e7), 14, baseline=3_900_000.0, change=0.011, workers=10, noise=0.12),
        run_of(
            case_of(lookup, variant="graph", rows=10_000),
            (Arm(Role.BASELINE, 0, "concept_lookup", "graph"), Arm(Role.CANDIDATE, 1, "concept_lookup", "graph")),
            (failed_worker(FailureKind.REFUSED, "check", "outputs differ by 0.3, allowed is 1e-06"),),
            recall=0.91,
        ),
        _compare_run(case_of(fan, variant="by_handle", concepts=1000), 15, baseline=0.74, change=-0.124, workers=8, layout=0.02),
        _compare_run(case_of(fan, variant="by_id", concepts=1000), 16, baseline=3.4, change=-0.003, workers=6),
    )
    ids = [run.case.id for run in cases]
    proved = "less than 5 % slower (99.9 %); 6 workers"
    compare = (
        CompareFinding(
            ids[0],
            Verdict.REGRESSED,
            0.05,
            change(0.0788, 0.0741, 0.0834, count=24),
            412.0,
            444.5,
            "more than 5 % slower (99.985 %); 24 workers",
            layout_cells(0.0788, 0.0011),
            (
                MetricChange("instructions", "count", 1_018_032.0, 1_099_475.0, 0.02, True),
                MetricChange("recall", "1", 1.0, 1.0, 0.0, False),
            ),
        ),
        CompareFinding(
            ids[1], Verdict.UNCHANGED, 0.05, change(0.0021, -0.0043, 0.0085, count=6), 48_700.0, 48_810.0, proved, (), ()
        ),
        CompareFinding(
            ids[2],
            Verdict.UNCHANGED,
            0.05,
            change(0.0003, -0.002, 0.0026, count=6),
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
            "the interval straddles 5 % after 10 workers; about 9.2 s more would decide: --budget 11",
        ),
        CompareFinding(
            ids[4],
            Verdict.INVALID,
            0.05,
            None,
            None,
            None,
            "outputs differ: candidate concept_lookup/graph from baseline concept_lookup/graph by 0.3 relative, tolerance 1e-06",
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
            "faster by about 12.4 % (99.9 % that it is faster); 8 workers",
            layout_cells(-0.1242, 0.02),
        ),
        CompareFinding(ids[6], Verdict.UNCHANGED, 0.05, change(-0.0031, -0.0081, 0.0022, count=6), 3.4, 3.39, proved),
        CompareFinding("sigmoid/avx2", Verdict.INCOMPARABLE, 0.0, None, None, None, "its parameters differ between the builds"),
        CompareFinding("binding_update/by_id", Verdict.MISSING, 0.0, None, None, None, "new: the baseline does not have it"),
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

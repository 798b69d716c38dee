"""Recall against time: what each library finds, and what it takes for it, over the cases of a scenario that trade one for the other.

An arm's points belong to one line: the cases differ in how hard is searched (`recall`, `ef` or `visits`) and in nothing else. The lookups
of different arms of a case were asked in turn, in the same workers; their latencies were clocked in workers of their own, one after
the other. Percentiles are of all latencies pooled, never averaged (stats/histogram.py).
"""

from collections.abc import Sequence
from statistics import fmean, median

from dualmem_cli.model.kernel import Build, Kernel
from dualmem_cli.model.plan import Arm, Case, Role
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.units import significant
from dualmem_cli.model.verdict import BenchFinding, FrontierFinding, FrontierPoint
from dualmem_cli.stats.histogram import LATENCIES_FOR_P999, merge, percentile
from dualmem_cli.stats.pairs import per_operation

EFFORT = frozenset({"recall", "ef", "visits"})  # parameters that trade time for recall
_SEARCHING = (Role.SUBJECT, Role.PEER)
_FEWEST_POINTS = 3


def frontier_findings(
    runs: Sequence[CaseRun], findings: Sequence[BenchFinding], builds: Sequence[Build]
) -> tuple[FrontierFinding, ...]:
    """One finding per scenario, combination of the other parameters, and arm, the subject's arms first; none for a scenario with fewer than
    three points, or whose arms all find everything. A peer that was measured beside several variants counts once for each effort, where
    it came first."""
    valid = {finding.case for finding in findings if not finding.problem}
    lines: dict[tuple[str, str], dict[tuple[int, str], dict[str, FrontierPoint]]] = {}
    for run in runs:
        if run.case.id not in valid:
            continue
        of_scenario = lines.setdefault((run.case.scenario, _others(run.case)), {})
        for index, arm in enumerate(run.arms):
            point = _point(run, index, _kernel(arm, builds)) if arm.role in _SEARCHING else None
            if point is not None:
                of_scenario.setdefault((arm.build, arm.variant), {}).setdefault(_effort(run.case), point)
    found = []
    for (scenario, series), arms in lines.items():
        points = [point for line in arms.values() for point in line.values()]
        if len(points) >= _FEWEST_POINTS and any(point.recall < 1 for point in points):
            found += [
                FrontierFinding(scenario, series, variant, build, tuple(sorted(line.values(), key=_order)))
                for (build, variant), line in sorted(arms.items(), key=lambda arm: arm[0][0])
            ]
    return tuple(found)


def _order(point: FrontierPoint) -> tuple[float, float]:
    return point.recall, -(point.per_second or 0.0)


def _kernel(arm: Arm, builds: Sequence[Build]) -> Kernel | None:
    return builds[arm.build].library.kernel(arm.kernel, arm.variant) if arm.build < len(builds) else None


def _stated(case: Case, *, effort: bool) -> str:
    return ", ".join(
        f"{name} {significant(value, 12)}"
        for name, value in case.parameters
        if name in case.stated and (name in EFFORT) is effort
    )


def _others(case: Case) -> str:
    return _stated(case, effort=False)


def _effort(case: Case) -> str:
    return _stated(case, effort=True)


def _point(run: CaseRun, index: int, kernel: Kernel | None) -> FrontierPoint | None:
    recall = run.recall[index] if index < len(run.recall) else None
    if recall is None:
        return None
    times = [median(per_operation(worker.samples, arm=index)) for worker in run.workers if worker.samples is not None]
    latencies = [latency for worker in run.workers for latency in worker.latency if latency.arm == index]
    every, fastest = merge(latency.every for latency in latencies), merge(latency.fastest for latency in latencies)
    if not times and not every.count:
        return None
    clocked = every.count > 0
    return FrontierPoint(
        case=run.case.id,
        effort=_effort(run.case),
        recall=recall,
        per_second=1e9 / fmean(times) if times else None,
        p50_ns=percentile(every, 0.5) if clocked else None,
        p99_ns=percentile(every, 0.99) if clocked else None,
        p999_ns=percentile(every, 0.999) if every.count >= LATENCIES_FOR_P999 else None,
        p50_fastest_ns=percentile(fastest, 0.5) if clocked else None,
        p99_fastest_ns=percentile(fastest, 0.99) if clocked else None,
        latencies=every.count,
        metrics=_metrics(run, index, kernel),
    )


def _metrics(run: CaseRun, index: int, kernel: Kernel | None) -> tuple[tuple[str, float], ...]:
    """What the arm's own kernel declares: its effort, its bytes, how long it took to build. The mean over workers."""
    if kernel is None:
        return ()
    taken = [worker.metrics[index] for worker in run.workers if index < len(worker.metrics)]
    found = []
    for place, metric in enumerate(kernel.metrics):
        known = [value for values in taken if place < len(values) and (value := values[place]) is not None]
        if known:
            found.append((metric.name, fmean(known)))
    return tuple(found)

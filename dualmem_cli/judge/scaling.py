"""How the cost of an operation grows with a size: one line through the cases of a scenario that sweeps a parameter over a wide range.

The exponent b of cost ~ size^b is the slope of log cost over log size: 0 for an operation that does not care, 1 for one that looks at
everything. A cache that overflows on the way is a step, not a power; the interval says how well a line describes the points.
"""

import math
from collections.abc import Sequence

from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.plan import Case
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.units import Unit, significant
from dualmem_cli.model.verdict import BenchFinding, ScalingFinding
from dualmem_cli.stats.student import quantile

CONFIDENCE = 0.95
_FEWEST_SIZES = 3
_LEAST_RANGE = 10.0  # largest / smallest size


def scaling_findings(runs: Sequence[CaseRun], findings: Sequence[BenchFinding]) -> tuple[ScalingFinding, ...]:
    """One finding per scenario, swept parameter and combination of everything else that has at least three sizes over a factor of ten. The
    cost is the time per operation, or P50 where only latencies were taken."""
    costs = {finding.case: _cost(finding) for finding in findings}
    measured = [(run.case, cost) for run in runs if (cost := costs.get(run.case.id)) is not None]
    series: dict[tuple[str, str, str], list[tuple[float, float, str]]] = {}
    for case, cost in measured:
        for name, value in case.parameters:
            if name in case.stated and value > 0:
                series.setdefault((case.scenario, name, _others(case, name)), []).append((value, cost, case.id))
    return tuple(
        _finding(scenario, parameter, others, sorted(points))
        for (scenario, parameter, others), points in series.items()
        if len({size for size, _, _ in points}) >= _FEWEST_SIZES and max(points)[0] >= _LEAST_RANGE * min(points)[0]
    )


def _cost(finding: BenchFinding) -> float | None:
    quantity = finding.quantity("time") or finding.quantity("p50")
    return quantity.estimate.value if quantity is not None and quantity.estimate.value > 0 else None


def _others(case: Case, swept: str) -> str:
    """What tells a series from its neighbours: 'threads 2, avx2'."""
    stated = [f"{name} {significant(value, 12)}" for name, value in case.parameters if name in case.stated and name != swept]
    return ", ".join([*stated, case.variant])


def _finding(scenario: str, parameter: str, others: str, points: list[tuple[float, float, str]]) -> ScalingFinding:
    return ScalingFinding(
        scenario=scenario,
        series=others,
        parameter=parameter,
        cases=tuple(case for _, _, case in points),
        sizes=tuple(size for size, _, _ in points),
        costs_ns=tuple(cost for _, cost, _ in points),
        exponent=power_law([size for size, _, _ in points], [cost for _, cost, _ in points]),
    )


def power_law(sizes: Sequence[float], costs: Sequence[float]) -> Estimate:
    """The exponent by least squares on the logarithms, with Student's interval from the residuals: n - 2 degrees of freedom."""
    xs, ys = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    count = len(xs)
    centre_x, centre_y = math.fsum(xs) / count, math.fsum(ys) / count
    spread = math.fsum((x - centre_x) ** 2 for x in xs)
    slope = math.fsum((x - centre_x) * (y - centre_y) for x, y in zip(xs, ys, strict=True)) / spread
    residual = math.fsum((y - centre_y - slope * (x - centre_x)) ** 2 for x, y in zip(xs, ys, strict=True))
    half = quantile((1 - CONFIDENCE) / 2, count - 2) * math.sqrt(residual / (count - 2) / spread)
    return Estimate(
        value=slope,
        low=slope - half,
        high=slope + half,
        confidence=CONFIDENCE,
        unit=Unit.RATIO,
        count=count,
        method="least squares of log cost over log size",
    )

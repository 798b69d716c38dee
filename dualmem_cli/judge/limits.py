"""How far each case is from what the machine gives at most: its analytic bytes and floating-point operations under the ceilings that
the same run measured (the roofline model: Williams, Waterman & Patterson, CACM 52(4), 2009).

limit = max(bytes per operation / read bandwidth of the working set, flops per operation / peak). A kernel that writes, or whose
arithmetic is on whole numbers, may be at its own limit and still stand above this one: it is a lower bound of the time.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.kernel import CEILING_FLOPS, CEILING_READ
from dualmem_cli.model.plan import Case
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.units import Unit, human
from dualmem_cli.model.verdict import BenchFinding, Quantity

MEMORY_LIMIT = "memory_limit"  # the least time that an operation can take
ARITHMETIC_LIMIT = "arithmetic_limit"
DISTANCE = "distance"  # time / the larger of the two
RATE = "rate"  # of a ceiling: GB/s, GFLOP/s

_OURS = frozenset({MEMORY_LIMIT, ARITHMETIC_LIMIT, DISTANCE, RATE})
_BYTES, _SET, _FLOPS = "bytes_per_operation", "working_set_bytes", "flops_per_operation"
CEILING_METRICS = {CEILING_READ: (_BYTES, "GB/s"), CEILING_FLOPS: (_FLOPS, "GFLOP/s")}


def with_limits(runs: Sequence[CaseRun], findings: Sequence[BenchFinding]) -> tuple[BenchFinding, ...]:
    """The findings, each with its limits and its distance where the case declares what it moves or computes and the run measured the
    ceiling of that with as many threads; a ceiling with its rate."""
    cases = {run.case.id: run.case for run in runs}
    bare = [replace(finding, quantities=tuple(q for q in finding.quantities if q.name not in _OURS)) for finding in findings]
    reads: dict[float, list[tuple[float, Estimate]]] = {}
    peaks: dict[float, list[Estimate]] = {}
    for finding in bare:
        case = cases.get(finding.case)
        cost = _cost_per(finding, CEILING_METRICS[case.kernel][0]) if case and case.kernel in CEILING_METRICS else None
        if case is None or cost is None:
            continue
        if case.kernel == CEILING_FLOPS:
            peaks.setdefault(threads_of(case), []).append(cost)
        elif (size := _value(finding, _SET)) is not None:
            reads.setdefault(threads_of(case), []).append((size, cost))
    judged = []
    for finding in bare:
        case = cases.get(finding.case)
        if case is not None and case.kernel in CEILING_METRICS:
            judged.append(_with_rate(finding, *CEILING_METRICS[case.kernel]))
            continue
        threads = threads_of(case) if case is not None else 1.0
        read = sorted(reads.get(threads, ()), key=lambda read: read[0])
        peak = min(peaks.get(threads, ()), key=lambda cost: cost.value, default=None)
        judged.append(_with_limits(finding, read, peak))
    return tuple(judged)


def threads_of(case: Case) -> float:
    """The threads that share one call, by the parameter of that name: a call of several is under the ceilings of as many."""
    return dict(case.parameters).get("threads", 1.0)


def _with_rate(finding: BenchFinding, metric: str, unit: str) -> BenchFinding:
    cost = _cost_per(finding, metric)
    if cost is None:
        return finding
    rate = replace(cost, value=1 / cost.value, low=1 / cost.high, high=1 / cost.low if cost.low > 0 else math.inf, unit=unit)
    return replace(finding, quantities=(*finding.quantities, Quantity(RATE, rate)))


def _with_limits(finding: BenchFinding, reads: Sequence[tuple[float, Estimate]], peak: Estimate | None) -> BenchFinding:
    limits = {MEMORY_LIMIT: _memory_limit(finding, reads), ARITHMETIC_LIMIT: _arithmetic_limit(finding, peak)}
    found = [Quantity(name, limit) for name, limit in limits.items() if limit is not None]
    time = _time(finding)
    if not found or time is None:
        return finding
    distance = _ratio(time, max((quantity.estimate for quantity in found), key=lambda limit: limit.value))
    return replace(finding, quantities=(*finding.quantities, *found, Quantity(DISTANCE, distance)))


def _memory_limit(finding: BenchFinding, reads: Sequence[tuple[float, Estimate]]) -> Estimate | None:
    moved, size = _value(finding, _BYTES), _value(finding, _SET)
    if not moved or not size or not reads:
        return None
    per_byte = _between(reads, size)
    method = f"{human(moved, Unit.BYTE)} from a working set of {human(size, Unit.BYTE)} at {1 / per_byte.value:.3g} GB/s"
    return _scaled(per_byte, moved, method)


def _arithmetic_limit(finding: BenchFinding, peak: Estimate | None) -> Estimate | None:
    flops = _value(finding, _FLOPS)
    if not flops or peak is None:
        return None
    return _scaled(peak, flops, f"{human(flops, Unit.COUNT)} floating-point operations at {1 / peak.value:.3g} GFLOP/s")


def _between(reads: Sequence[tuple[float, Estimate]], size: float) -> Estimate:
    """The cost of a byte at a size between two that were measured: a straight line in log-log axes; the ends hold beyond them."""
    above = next((i for i, (measured, _) in enumerate(reads) if measured >= size), len(reads) - 1)
    if above == 0 or reads[above][0] <= size:
        return reads[above][1]
    (smaller, low), (larger, high) = reads[above - 1], reads[above]
    share = math.log(size / smaller) / math.log(larger / smaller)

    def mixed(one: float, other: float) -> float:
        return one ** (1 - share) * other**share if one > 0 and other > 0 else min(one, other)

    return replace(
        low, value=mixed(low.value, high.value), low=mixed(low.low, high.low), high=mixed(low.high, high.high),
        count=min(low.count, high.count),
    )  # fmt: skip


def _time(finding: BenchFinding) -> Estimate | None:
    """The time per operation, or P50 where only latencies were taken."""
    quantity = finding.quantity("time") or finding.quantity("p50")
    return quantity.estimate if quantity is not None and quantity.estimate.value > 0 else None


def _value(finding: BenchFinding, name: str) -> float | None:
    quantity = finding.quantity(name)
    return quantity.estimate.value if quantity is not None else None


def _cost_per(finding: BenchFinding, metric: str) -> Estimate | None:
    """Nanoseconds for each unit of a metric: a byte, a floating-point operation."""
    time, amount = _time(finding), _value(finding, metric)
    return _scaled(time, 1 / amount, time.method) if time is not None and amount else None


def _scaled(estimate: Estimate, factor: float, method: str) -> Estimate:
    return replace(estimate, value=estimate.value * factor, low=estimate.low * factor, high=estimate.high * factor, method=method)


def _ratio(time: Estimate, limit: Estimate) -> Estimate:
    """Both were measured apart from each other: their relative errors add in quadrature."""
    value = time.value / limit.value
    half = value * math.hypot(*((e.high - e.low) / (2 * e.value) for e in (time, limit)))
    return Estimate(
        value=value, low=max(value - half, 0.0), high=value + half, confidence=min(time.confidence, limit.confidence),
        unit=Unit.RATIO, count=min(time.count, limit.count), method=limit.method,
    )  # fmt: skip

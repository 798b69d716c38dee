"""The roofline of a bench (Williams, Waterman & Patterson, CACM 52(4), 2009): the roofs that the run measured, and each case's place under
them, from the bytes and floating-point operations that it declares and the time that it took."""

from collections.abc import Sequence

from dualmem_cli.judge.limits import ARITHMETIC_LIMIT, DISTANCE, MEMORY_LIMIT, RATE, threads_of
from dualmem_cli.model.kernel import CEILING_FLOPS, CEILINGS
from dualmem_cli.model.plan import Case
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.units import Unit, human
from dualmem_cli.model.verdict import BenchFinding, Roof, RooflineFinding, RooflinePoint

MEMORY, PEAK = "memory", "peak"


def roofline_finding(
    runs: Sequence[CaseRun], findings: Sequence[BenchFinding], caches: Sequence[tuple[str, int]]
) -> RooflineFinding | None:
    """Of findings that have their limits already (judge/limits.py); None where there is no roof or nothing under one. `caches`: names and
    bytes of the machine's, which give a working set its level."""
    found = {finding.case: finding for finding in findings}
    roofs, points = [], []
    for run in runs:
        finding = found.get(run.case.id)
        if finding is None:
            continue
        if run.case.kernel in CEILINGS:
            roofs += _roof(run.case, finding, caches)
        else:
            points += _point(run.case, finding, caches)
    if not roofs or not points:
        return None
    return RooflineFinding(tuple(sorted(roofs, key=_order)), tuple(points))


def level_of(size: float, caches: Sequence[tuple[str, int]]) -> str:
    """The smallest cache that holds `size` bytes, or memory. Caches of instructions hold no data; without any known cache, the size."""
    known = sorted((capacity, name) for name, capacity in caches if not name.lower().endswith("i"))
    if not known:
        return human(size, Unit.BYTE)
    return next((name for capacity, name in known if size <= capacity), MEMORY)


def _order(roof: Roof) -> tuple[int, bool, float]:
    return roof.threads, roof.bytes_each is None, roof.bytes_each or 0.0


def _roof(case: Case, finding: BenchFinding, caches: Sequence[tuple[str, int]]) -> list[Roof]:
    rate = finding.quantity(RATE)
    size = None if case.kernel == CEILING_FLOPS else _value(finding, "working_set_bytes")
    if rate is None:
        return []
    level = PEAK if size is None else level_of(size, caches)
    return [Roof(case.id, level, int(threads_of(case)), size, rate.estimate)]


def _point(case: Case, finding: BenchFinding, caches: Sequence[tuple[str, int]]) -> list[RooflinePoint]:
    distance = finding.quantity(DISTANCE)
    time = finding.quantity("time") or finding.quantity("p50")
    if distance is None or time is None:
        return []
    memory, arithmetic = _value(finding, MEMORY_LIMIT), _value(finding, ARITHMETIC_LIMIT)
    moved, computed, size = (
        _value(finding, name) for name in ("bytes_per_operation", "flops_per_operation", "working_set_bytes")
    )
    by_memory = memory is not None and memory >= (arithmetic or 0.0)
    return [
        RooflinePoint(
            case=case.id,
            kernel=case.kernel,
            variant=case.variant,
            threads=int(threads_of(case)),
            intensity=computed / moved if computed and moved else None,
            gflops=computed / time.estimate.value if computed else None,
            gigabytes=moved / time.estimate.value if moved else None,
            level=level_of(size, caches) if by_memory and size else PEAK,
            share=1 / distance.estimate.value,
        )
    ]


def _value(finding: BenchFinding, name: str) -> float | None:
    quantity = finding.quantity(name)
    return quantity.estimate.value if quantity is not None else None

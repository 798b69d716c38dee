"""Every published number of a record as a flat list, for formats that chart one value per name."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

from dualmem_cli.judge.direction import better_of_load, declared
from dualmem_cli.model.metric import Better
from dualmem_cli.model.plan import Role
from dualmem_cli.model.record import Record
from dualmem_cli.model.units import Unit
from dualmem_cli.model.verdict import BenchFinding, CompareFinding
from dualmem_cli.report.layout import visible
from dualmem_cli.report.phrases import OVER_PEER, OVERHEAD, RECALL, SPEEDUP, TIME, percentile_name
from dualmem_cli.report.repetitions import MEASURED

CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Reading:
    """One number. `side` is SUBJECT in a bench, BASELINE or CANDIDATE in a compare (a change belongs to the candidate). `low` and
    `high` are None where no finite interval is known; nanoseconds, fractions and bytes as in the record."""

    case: str
    quantity: str
    side: Role
    value: float
    low: float | None
    high: float | None
    unit: str
    better: Better


def readings(record: Record) -> tuple[Reading, ...]:
    """Every number of every valid case, in the order of the record. An invalid case has none."""
    found = _bench if record.kind == "bench" else _compare
    return tuple(reading for reading in found(record) if math.isfinite(reading.value))


def shown_name(name: str, *, most: int | None = None) -> str:
    """A name as other tools can hold it: what acts unseen is written as an escape. One longer than `most` characters keeps its beginning
    and ends in a digest of the whole, so that two long names stay two."""
    text = visible(name)
    if most is None or len(text) <= most:
        return text
    return f"{text[: most - 9]}~{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _bench(record: Record) -> Iterator[Reading]:
    for finding in record.bench:
        if finding.problem:
            continue
        for quantity in finding.quantities:
            estimate = quantity.estimate
            exact = estimate.low == estimate.high
            yield Reading(
                finding.case,
                quantity.name,
                Role.SUBJECT,
                estimate.value,
                None if exact else _finite(estimate.low),
                None if exact else _finite(estimate.high),
                str(estimate.unit),
                _better(record, finding, quantity.name),
            )


def _compare(record: Record) -> Iterator[Reading]:
    for finding in record.compare:
        if finding.verdict not in MEASURED:
            continue
        for side, time in ((Role.BASELINE, finding.baseline_ns), (Role.CANDIDATE, finding.candidate_ns)):
            if time is not None:
                yield Reading(finding.case, TIME, side, time, None, None, Unit.NANOSECOND, Better.LOWER)
        change = finding.change
        if change is not None:
            low, high = _finite(change.low), _finite(change.high)
            yield Reading(finding.case, CHANGE, Role.CANDIDATE, change.value, low, high, Unit.RATIO, Better.LOWER)
        for metric in finding.metrics:
            better = _better(record, finding, metric.name)
            for side, value in ((Role.BASELINE, metric.baseline), (Role.CANDIDATE, metric.candidate)):
                yield Reading(finding.case, metric.name, side, value, None, None, str(metric.unit), better)


def _better(record: Record, finding: BenchFinding | CompareFinding, quantity: str) -> Better:
    """Derived quantities have a direction of their own; a declared metric has the one that its kernel says."""
    load = record.load_run(finding.case)
    if load:
        return better_of_load(load, quantity)
    if quantity in (TIME, OVERHEAD) or percentile_name(quantity):
        return Better.LOWER
    if quantity in (RECALL, SPEEDUP) or quantity.startswith(OVER_PEER):
        return Better.HIGHER
    run = record.case_run(finding.case)
    library = record.builds[-1 if record.kind == "compare" else 0].library if record.builds else None
    metric = declared(library, run.case, quantity) if run else None
    return metric.better if metric else Better.NEITHER


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

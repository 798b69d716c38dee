"""OpenMetrics text (github.com/prometheus/OpenMetrics), for a scraper's text file or a push gateway: gauges in base units.

No sample carries a time stamp; the run's own stands in dualmem_run_timestamp_seconds. A case that is not valid has
dualmem_case_valid 0 and no number.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from dualmem_cli.model.plan import Role
from dualmem_cli.model.record import Record
from dualmem_cli.model.units import Unit
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.report.compose_facts import case_title
from dualmem_cli.report.context import ReportContext
from dualmem_cli.report.exposition import Family, Labels, exposition
from dualmem_cli.report.readings import CHANGE, Reading, readings
from dualmem_cli.report.repetitions import findings, valid_cases

# The record's unit -> unit of the family, how many of it are one of that. Every other unit is a label of the family without one.
_BASE_UNITS = {Unit.NANOSECOND: ("seconds", 1e9), Unit.RATIO: ("ratio", 1.0), Unit.BYTE: ("bytes", 1.0)}


def render(record: Record, context: ReportContext) -> str:
    """The exposition, ending in # EOF."""
    families = (*_run(record, context), *_cases(record), *_quantities(record), *_verdicts(record))
    return exposition(families)


def _run(record: Record, context: ReportContext) -> tuple[Family, ...]:
    machine = record.machine
    info = {
        "kind": record.kind,
        "tool": record.tool,
        "revision": record.revision,
        "baseline": record.baseline,
        "cpu": machine.cpu,
        "architecture": machine.architecture,
    }
    info |= {f"build_{index}": build.short for index, build in enumerate(record.builds)}
    created = datetime.fromisoformat(record.created).timestamp()
    return (
        Family("dualmem_run", "info", "", "What ran, and where.", ((info, 1),)),
        Family("dualmem_run_timestamp_seconds", "gauge", "seconds", "When the run began, Unix time.", (({}, created),)),
        Family("dualmem_run_duration_seconds", "gauge", "seconds", "How long the run took.", (({}, record.seconds),)),
        Family("dualmem_exit_status", "gauge", "", "Exit status of the run, 0 for ok.", (({}, context.exit_status.value),)),
    )


def _cases(record: Record) -> tuple[Family, ...]:
    valid = valid_cases(record)
    judged = [
        ({**_case(record, finding.case), "quantity": quantity.name}, float(quantity.met))
        for finding in record.bench
        for quantity in finding.quantities
        if quantity.met is not None
    ]
    return (
        Family(
            "dualmem_case_valid",
            "gauge",
            "",
            "Whether the case could be measured and its outputs were right.",
            tuple((_case(record, finding.case), float(finding.case in valid)) for finding in findings(record)),
        ),
        Family("dualmem_budget_met", "gauge", "", "Whether a quantity is within its budget.", tuple(judged)),
    )


def _quantities(record: Record) -> tuple[Family, ...]:
    """Per unit a family of values, and two of their intervals' ends."""
    shown = [reading for reading in readings(record) if reading.quantity != CHANGE]
    changes = [reading for reading in readings(record) if reading.quantity == CHANGE]
    families: list[Family] = []
    for unit in ("seconds", "ratio", "bytes", ""):
        chosen = [reading for reading in shown if _base_unit(reading)[0] == unit]
        families += _with_ends(record, "dualmem_quantity", unit, "A measured quantity of a case", chosen)
    return (*families, *_with_ends(record, "dualmem_change", "ratio", "Time of the candidate / baseline - 1", changes))


def _with_ends(record: Record, name: str, unit: str, meaning: str, shown: Sequence[Reading]) -> tuple[Family, ...]:
    def family(part: str, told: str, values: Iterable[tuple[Reading, float | None]]) -> Family:
        samples = tuple(
            (_labels(record, reading), value / _base_unit(reading)[1]) for reading, value in values if value is not None
        )
        whole = "_".join(filter(None, (name, part, unit)))
        return Family(whole, "gauge", unit, f"{meaning}{told}.", samples)

    return (
        family("", "", ((reading, reading.value) for reading in shown)),
        family("low", ", lower end of its interval", ((reading, reading.low) for reading in shown)),
        family("high", ", upper end of its interval", ((reading, reading.high) for reading in shown)),
    )


def _verdicts(record: Record) -> tuple[Family, ...]:
    states = [
        ({**_case(record, finding.case), "dualmem_verdict": verdict.value}, float(finding.verdict is verdict))
        for finding in record.compare
        for verdict in Verdict
    ]
    thresholds = [(_case(record, f.case), f.threshold) for f in record.compare if f.change is not None]
    controls = [({"control": control.name}, float(control.held)) for control in record.controls]
    return (
        Family("dualmem_verdict", "stateset", "", "The verdict of the gate on a case.", tuple(states)),
        Family("dualmem_threshold_ratio", "gauge", "ratio", "The change that is a regression.", tuple(thresholds)),
        Family("dualmem_control_held", "gauge", "", "Whether a control of the compare did as it should.", tuple(controls)),
    )


def _base_unit(reading: Reading) -> tuple[str, float]:
    return next(((name, divisor) for unit, (name, divisor) in _BASE_UNITS.items() if reading.unit == unit), ("", 1.0))


def _labels(record: Record, reading: Reading) -> Labels:
    labels = _case(record, reading.case)
    if reading.quantity != CHANGE:
        labels["quantity"] = reading.quantity
        if reading.side is not Role.SUBJECT:
            labels["side"] = reading.side.value
    if not _base_unit(reading)[0]:
        labels["unit"] = reading.unit
    return labels


def _case(record: Record, case_id: str) -> Labels:
    return {"scenario": case_title(record, case_id)[0], "case": case_id}

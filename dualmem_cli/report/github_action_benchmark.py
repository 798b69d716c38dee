"""JSON for benchmark-action/github-action-benchmark with `tool: customSmallerIsBetter`.

The action takes less for better in every entry, and alerts on the quotient of two of them. So only quantities that fit are in it: times,
percentiles, and declared metrics whose kernel says that less is better; not an overhead, a change, a drift or a share of errors. Of a
compare the new build's. A case that is not valid has no number, and is left out.
"""

import json

from dualmem_cli.model.metric import Better
from dualmem_cli.model.plan import Role
from dualmem_cli.model.record import Record
from dualmem_cli.model.units import Unit, significant
from dualmem_cli.report.context import ReportContext
from dualmem_cli.report.phrases import AT_RATE, DRIFT, ERRORS, OVERHEAD, WORK_DRIFT, kind_of
from dualmem_cli.report.readings import CHANGE, Reading, readings, shown_name

# About 0, all of them: a quotient of two says nothing.
_NO_QUOTIENT = (OVERHEAD, AT_RATE, CHANGE, DRIFT, WORK_DRIFT, ERRORS, "rss_growth")


def render(record: Record, _context: ReportContext) -> str:
    """A JSON array of name, unit, value, range where an interval is known, and extra."""
    reasons = {finding.case: f"{finding.verdict}: {finding.reason}" for finding in record.compare}
    return json.dumps([_entry(r, reasons) for r in readings(record) if _fits(r)], indent=1, allow_nan=False) + "\n"


def _fits(reading: Reading) -> bool:
    return (
        reading.better is Better.LOWER and reading.side is not Role.BASELINE and kind_of(reading.quantity)[1] not in _NO_QUOTIENT
    )


def _entry(reading: Reading, reasons: dict[str, str]) -> dict[str, str | float]:
    unit = "ratio" if reading.unit == Unit.RATIO else shown_name(reading.unit)
    entry: dict[str, str | float] = {
        "name": f"{shown_name(reading.case)} {shown_name(reading.quantity)}",
        "unit": unit,
        "value": reading.value,
    }
    if reading.low is not None and reading.high is not None:
        entry["range"] = f"\N{PLUS-MINUS SIGN} {significant((reading.high - reading.low) / 2)}"
        entry["extra"] = f"interval {significant(reading.low, 6)} to {significant(reading.high, 6)} {unit}"
    if reading.case in reasons:
        entry["extra"] = shown_name(reasons[reading.case])
    return entry

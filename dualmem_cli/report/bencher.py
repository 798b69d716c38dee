"""Bencher Metric Format JSON (bencher.dev/docs/reference/bencher-metric-format): benchmark -> measure -> value with its bounds.

Of a compare the new build's numbers, and the change against the baseline, which is what a threshold should look at: it does not depend
on the machine. A case that is not valid has no number, and is left out.
"""

import json

from dualmem_cli.model.plan import Role
from dualmem_cli.model.record import Record
from dualmem_cli.report.context import ReportContext
from dualmem_cli.report.phrases import TIME
from dualmem_cli.report.readings import readings, shown_name

# Bencher's own limits on the names of benchmarks and measures, and its name for a time in nanoseconds.
_LONGEST_BENCHMARK = 1024
_LONGEST_MEASURE = 64
_LATENCY = "latency"


def render(record: Record, _context: ReportContext) -> str:
    """One JSON object, ASCII only. Times in nanoseconds under Bencher's built-in measure "latency"."""
    document: dict[str, dict[str, dict[str, float]]] = {}
    for reading in readings(record):
        if reading.side is Role.BASELINE:
            continue
        measures = document.setdefault(shown_name(reading.case, most=_LONGEST_BENCHMARK), {})
        name = _LATENCY if reading.quantity == TIME else shown_name(reading.quantity, most=_LONGEST_MEASURE - 1)
        while name in measures:  # a kernel may declare a metric of that name
            name += "_"
        metric = {"value": reading.value}
        if reading.low is not None and reading.high is not None:
            metric |= {"lower_value": reading.low, "upper_value": reading.high}
        measures[name] = metric
    return json.dumps(document, indent=1, allow_nan=False) + "\n"

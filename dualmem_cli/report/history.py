"""A history in every dialect. What became of the series comes from the judge; nothing is computed here."""

import json
import math
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.history import Change, Chronicle, Course, Kept, Told, Trend
from dualmem_cli.report.compose_history import HistoryContext, compose_history

HISTORY_VERSION = 1

Renderer = Callable[[Chronicle, HistoryContext], str]


def json_schema() -> dict[str, Any]:
    """The published schema of the JSON document."""
    text = files("dualmem_cli.report").joinpath(f"history-{HISTORY_VERSION}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _html(chronicle: Chronicle, context: HistoryContext) -> str:
    from dualmem_cli.report.html import write
    from dualmem_cli.report.plots_history import history_svg

    return write(compose_history(chronicle, context), draw=lambda figure: history_svg(chronicle, figure))


def _json(chronicle: Chronicle, context: HistoryContext) -> str:
    """Times in nanoseconds, changes as fractions (or, not `relative`, in the unit of the quantity), a number that is not finite is null."""
    numbers = {record.digest: number for number, record in enumerate(chronicle.records)}
    document = {
        "schema": HISTORY_VERSION,
        "kind": "history",
        "database": context.database,
        "last": context.last,
        "machines": [
            {
                "name": name,
                "cpu": machine.cpu,
                "architecture": machine.architecture,
                "cores": machine.cores,
                "kernel": machine.kernel,
            }
            for name, machine in chronicle.machines
        ],
        "records": [_record(record) for record in chronicle.records],
        "series": [_course(course, numbers) for course in chronicle.courses],
        "verdicts": [_told(told, numbers) for told in chronicle.verdicts],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


HISTORY_RENDERERS: dict[str, Renderer] = {"json": _json, "html": _html}
"""Format name -> renderer. The terminal is cli/showing.py's business."""


def _record(record: Kept) -> dict[str, Any]:
    return {
        "digest": record.digest,
        "command": record.command,
        "created": f"{record.created.isoformat()}Z",
        "revision": record.revision or None,
        "dirty": record.dirty,
        "machine": record.machine,
        "build": record.build or None,
        "interrupted": record.interrupted,
    }


def _course(course: Course, numbers: dict[str, int]) -> dict[str, Any]:
    measured = course.series.measured
    return {
        "command": measured.command,
        "case": measured.case,
        "scenario": measured.scenario,
        "kernel": measured.kernel,
        "variant": measured.variant,
        "parameters": measured.parameters,
        "quantity": measured.quantity,
        "unit": measured.unit,
        "better": measured.better.value,
        "machine": course.series.machine or None,
        "points": [
            {
                "record": numbers[point.record.digest],
                "value": _finite(point.value),
                "low": _finite(point.low),
                "high": _finite(point.high),
            }
            for point in course.series.points
        ],
        "changes": [_change(change, course, numbers) for change in course.changes],
        "trend": _trend(course.trend),
        "outliers": [numbers[course.series.points[at].record.digest] for at in course.outliers],
    }


def _change(change: Change, course: Course, numbers: dict[str, int]) -> dict[str, Any]:
    """`before` and `after` are records; the change may as well lie between `earliest` and `latest`."""
    places = {"before": change.at - 1, "after": change.at, "earliest": change.earliest - 1, "latest": change.latest}
    named = {name: numbers[course.series.points[at].record.digest] for name, at in places.items()}
    return {**named, "size": _estimate(change.size), "relative": change.relative, "worse": change.worse}


def _trend(trend: Trend | None) -> dict[str, Any] | None:
    if trend is None:
        return None
    size = {**_estimate(trend.size), "count": trend.size.count}
    return {"size": size, "relative": trend.relative, "worse": trend.worse, "drift": trend.drift}


def _told(told: Told, numbers: dict[str, int]) -> dict[str, Any]:
    judged = told.judged
    return {
        "record": numbers[told.record.digest],
        "case": judged.case,
        "verdict": judged.verdict.value,
        "change": _finite(judged.change),
        "low": _finite(judged.low),
        "high": _finite(judged.high),
        "threshold": judged.threshold,
        "reason": judged.reason,
    }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {"value": _finite(estimate.value), "low": _finite(estimate.low), "high": _finite(estimate.high)}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

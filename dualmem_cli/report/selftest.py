"""Reports of a self-test, in the dialects of every report. The curve comes from the judge; nothing is computed here."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from dualmem_cli.model.curve import OperatingCurve
from dualmem_cli.model.selftest import SelftestRecord
from dualmem_cli.report.compose_selftest import compose_selftest
from dualmem_cli.report.context import ReportContext

SUMMARY_VERSION = 1


def json_schema() -> dict[str, Any]:
    """The published schema of the JSON document."""
    text = files("dualmem_cli.report").joinpath(f"selftest-summary-{SUMMARY_VERSION}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


Renderer = Callable[[SelftestRecord, OperatingCurve, ReportContext], str]


def _text(record: SelftestRecord, curve: OperatingCurve, context: ReportContext) -> str:
    from dualmem_cli.report.terminal import write

    return write(compose_selftest(record, curve, context))


def _json(record: SelftestRecord, curve: OperatingCurve, context: ReportContext) -> str:
    """The curve without the trials: times in seconds, rates and slowdowns as fractions, a number that is not finite is null."""
    document = {
        "schema": SUMMARY_VERSION,
        "kind": record.kind,
        "tool": record.tool,
        "created": record.created,
        "seconds": record.seconds,
        "interrupted": record.interrupted,
        "quick": record.quick,
        "revision": record.revision,
        "exit": {"status": context.exit_status.value, "name": context.exit_status.name.lower().replace("_", " ")},
        "record": context.record_path or None,
        "page": context.page_path or None,
        "raw": record.raw or None,
        "machine": {"cpu": record.machine.cpu, "architecture": record.machine.architecture, "cores": record.machine.cores},
        "elsewhere": [{"cpu": known.cpu, "architecture": known.architecture, "cores": known.cores} for known in record.elsewhere],
        "trials": len(record.trials),
        "curve": _plain(asdict(curve)),
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _markdown(record: SelftestRecord, curve: OperatingCurve, context: ReportContext) -> str:
    from dualmem_cli.report.markdown import write

    return write(compose_selftest(record, curve, context))


def _html(record: SelftestRecord, curve: OperatingCurve, context: ReportContext) -> str:
    from dualmem_cli.report.html import write
    from dualmem_cli.report.plots_selftest import selftest_svg

    return write(compose_selftest(record, curve, context), draw=lambda figure: selftest_svg(curve, figure))


SELFTEST_RENDERERS: dict[str, Renderer] = {"text": _text, "json": _json, "markdown": _markdown, "html": _html}
"""Format name -> renderer, as RENDERERS for records of bench and compare."""


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case tuple() | list():
            return [_plain(inner) for inner in value]
        case float():
            return value if math.isfinite(value) else None
        case _:
            return value

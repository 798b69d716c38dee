"""Reports: a record as text. Renderers compute no statistic, read no clock and no file, and run nothing."""

from collections.abc import Callable

from dualmem_cli.model.record import Record
from dualmem_cli.report.context import ReportContext
from dualmem_cli.report.layout import Level

__all__ = ["RENDERERS", "Level", "ReportContext"]


def _text(record: Record, context: ReportContext) -> str:
    from dualmem_cli.report.terminal import render

    return render(record, context)


def _json(record: Record, context: ReportContext) -> str:
    from dualmem_cli.report.summary import render

    return render(record, context)


def _markdown(record: Record, context: ReportContext) -> str:
    from dualmem_cli.report.markdown import render

    return render(record, context)


def _html(record: Record, context: ReportContext) -> str:
    from dualmem_cli.report.html import render

    return render(record, context)


RENDERERS: dict[str, Callable[[Record, ReportContext], str]] = {
    "text": _text,
    "json": _json,
    "markdown": _markdown,
    "html": _html,
}
"""Format name -> renderer. A renderer is imported when it is first called: `dualmem --help` must not pay for matplotlib."""

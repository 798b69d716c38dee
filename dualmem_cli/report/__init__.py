"""Reports: a record as text. Renderers compute no statistic, read no clock and no file, and run nothing."""

from collections.abc import Callable
from importlib import import_module

from dualmem_cli.model.record import Record
from dualmem_cli.report.context import ReportContext
from dualmem_cli.report.layout import Level

__all__ = ["COMPARE_ONLY", "RENDERERS", "Level", "ReportContext"]

Renderer = Callable[[Record, ReportContext], str]


def _from(module: str, function: str = "render") -> Renderer:
    """A renderer that is imported when it is first called: `dualmem --help` must not pay for matplotlib."""

    def render(record: Record, context: ReportContext) -> str:
        text: str = getattr(import_module(f"dualmem_cli.report.{module}"), function)(record, context)
        return text

    return render


RENDERERS: dict[str, Renderer] = {
    "text": _from("terminal"),
    "json": _from("summary"),
    "markdown": _from("markdown"),
    "html": _from("html"),
    "job-summary": _from("job_summary"),
    "junit": _from("junit"),
    "github": _from("github"),
    "openmetrics": _from("openmetrics"),
    "pyperf": _from("pyperf_json"),
    "pyperf-baseline": _from("pyperf_json", "render_baseline"),
    "google-benchmark": _from("google_benchmark"),
    "google-benchmark-baseline": _from("google_benchmark", "render_baseline"),
    "bencher": _from("bencher"),
    "github-action-benchmark": _from("github_action_benchmark"),
    "benchstat": _from("benchstat"),
}
"""Format name -> renderer."""

COMPARE_ONLY = frozenset({"pyperf-baseline", "google-benchmark-baseline"})
"""The formats that show a side which a bench does not have."""

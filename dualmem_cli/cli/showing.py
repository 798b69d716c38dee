"""Shows a finished run: the table or the JSON on stdout, the page beside the record, warnings on stderr."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dualmem_cli.cli.exports import Export, write_exports
from dualmem_cli.cli.history import remember
from dualmem_cli.cli.streams import printed
from dualmem_cli.errors import ExitStatus, RecordError
from dualmem_cli.model.curve import OperatingCurve
from dualmem_cli.model.explanation import CountedChange, Explanation, FunctionShift
from dualmem_cli.model.history import Chronicle
from dualmem_cli.model.record import Record
from dualmem_cli.model.selftest import SelftestRecord
from dualmem_cli.report import RENDERERS, Level, ReportContext
from dualmem_cli.report.context import FlameGraphs

if TYPE_CHECKING:
    from rich.console import Console

    from dualmem_cli.report.compose_history import HistoryContext

_PIPE_WIDTH = 120


def show(
    record: Record,
    *,
    record_path: Path,
    status: ExitStatus,
    next_command: str,
    json: bool,
    level: Level,
    unsaved: str,
    unwritten: str = "",
    exports: Sequence[Export] = (),
    history: Path | None = None,
    explain: Callable[[], tuple[Explanation, ...]] | None = None,
) -> int:
    """Print the run, then write the exports, add it to the history and write its page, which takes longest. Returns the exit status: what
    could not be saved is a failure. `explain` is asked once the verdicts are on the screen; what it finds goes below them, into the
    record, exports and page. A JSON document is printed when it is whole."""
    page = record_path.with_suffix(".html")
    context = ReportContext(record_path=str(record_path), page_path=str(page), exit_status=status, next_command=next_command)
    if not json:
        printed(lambda: print_table(record, context, level=level))
    if explain is not None:
        record = replace(record, explanations=explain())
        context = replace(context, flame_graphs=flame_graphs_of(record))
        unsaved = unsaved or _save_again(record, record_path)
        if not json:
            printed(lambda: print_explanations(record.explanations, level=level))
    if json:
        printed(lambda: print(RENDERERS["json"](record, context)))
    lost = [unsaved, unwritten, *write_exports(record, context, exports)]
    if not unsaved:
        lost += [remember(record_path, history), write_page(record, context)]
    return saved(status, lost)


def write_page(record: Record, context: ReportContext) -> str:
    """Write the page of a record. Returns why it could not be written, "" when it was."""
    try:
        Path(context.page_path).write_text(RENDERERS["html"](record, context), encoding="utf-8")
    except OSError as error:
        return f"{context.page_path}: {error.strerror}"
    return ""


def flame_graphs_of(record: Record) -> FlameGraphs | None:
    """The flame graphs of a record's explanations; None where it has none."""
    if not record.explanations:
        return None
    from dualmem_cli.cli.explaining import flame_graphs

    return flame_graphs(record)


def _save_again(record: Record, path: Path) -> str:
    """The record with what was found since it was saved; why it could not be, "" where it could."""
    from dualmem_cli.store import records

    try:
        records.save(record, path)
    except RecordError as error:
        return str(error)
    return ""


def show_selftest(record: SelftestRecord, *, record_path: Path, json: bool, level: Level, unsaved: str) -> int:
    """Print a self-test's operating curve, then write its page and, of two sizes or more, its picture. Returns the exit status, as
    `show`."""
    from dualmem_cli.judge.curve import operating_curve
    from dualmem_cli.judge.outcome import selftest_status
    from dualmem_cli.report.layout import FigureKind
    from dualmem_cli.report.plots_selftest import save_selftest_png
    from dualmem_cli.report.selftest import SELFTEST_RENDERERS

    curve = operating_curve(record)
    page = record_path.with_suffix(".html")
    status = selftest_status(curve, interrupted=record.interrupted)
    context = ReportContext(record_path=str(record_path), page_path=str(page), exit_status=status, next_command="")
    if json:
        printed(lambda: print(SELFTEST_RENDERERS["json"](record, curve, context)))
    else:
        printed(lambda: print_selftest(record, curve, context, level=level))
    lost = [unsaved]
    try:
        page.write_text(SELFTEST_RENDERERS["html"](record, curve, context), encoding="utf-8")
        if curve.drawable:
            save_selftest_png(curve, FigureKind.DETECTION, path=record_path.with_suffix(".png"), dots_per_inch=150)
    except OSError as error:
        lost.append("" if unsaved else f"{error.filename or page}: {error.strerror}")
    return saved(status, lost)


def saved(status: ExitStatus, lost: Sequence[str]) -> int:
    """The exit status, once it was said on stderr what could not be saved: that is a failure, unless there is worse news."""
    told = [problem for problem in lost if problem]
    if told:
        print(f"dualmem: not everything could be saved: {'; '.join(told)}", file=sys.stderr)
        return status or ExitStatus.MEASUREMENT_FAILED
    return status


def level_of(*, quiet: bool, verbose: bool) -> Level:
    """How much of a table is shown."""
    if verbose:
        return Level.VERBOSE
    return Level.QUIET if quiet else Level.NORMAL


def print_table(record: Record, context: ReportContext, *, level: Level) -> None:
    """The record as a table on stdout, as wide as the terminal; without colour where that is not wanted."""
    from dualmem_cli.report.terminal import print_record

    print_record(record, context, console=_console(), level=level)


def print_explanations(explanations: Sequence[Explanation], *, level: Level) -> None:
    """What was found about regressed cases, below the table of them."""
    from dualmem_cli.report.explanation import explanation_sections
    from dualmem_cli.report.terminal import print_sections

    if explanations and level > Level.QUIET:
        print()
    print_sections(explanation_sections(explanations), console=_console(), level=level)


def print_shifts(shifts: Sequence[FunctionShift], *, level: Level) -> None:
    """The functions whose shares changed, as a table on stdout."""
    from dualmem_cli.report.explanation import shift_table
    from dualmem_cli.report.layout import Section
    from dualmem_cli.report.terminal import print_sections

    print_sections([Section("", Level.QUIET, (shift_table(shifts),))], console=_console(), level=level)


def print_counts(changes: Sequence[CountedChange], *, level: Level) -> None:
    """What was counted of two builds, as tables on stdout."""
    from dualmem_cli.report.explanation import counted_blocks
    from dualmem_cli.report.layout import Section
    from dualmem_cli.report.terminal import print_sections

    sections = [Section(change.engine, Level.QUIET, counted_blocks(change)) for change in changes]
    print_sections(sections, console=_console(), level=level)


def print_selftest(record: SelftestRecord, curve: OperatingCurve, context: ReportContext, *, level: Level) -> None:
    """A self-test on stdout, as `print_table`."""
    from dualmem_cli.report.compose_selftest import compose_selftest
    from dualmem_cli.report.terminal import print_layout

    print_layout(compose_selftest(record, curve, context), console=_console(), level=level)


def print_chronicle(chronicle: Chronicle, context: "HistoryContext", *, level: Level) -> None:
    """A history on stdout, as `print_table`."""
    from dualmem_cli.report.compose_history import compose_history
    from dualmem_cli.report.terminal import print_layout

    print_layout(compose_history(chronicle, context), console=_console(), level=level)


def _console() -> "Console":
    from rich.console import Console

    # A pipe has no width; 80 columns, which rich assumes, would break rows that a log can show whole.
    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)

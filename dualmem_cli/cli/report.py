"""dualmem report"""

from pathlib import Path
from typing import Annotated

import typer

from dualmem_cli.cli import options
from dualmem_cli.model.record import Record
from dualmem_cli.model.selftest import SelftestRecord


def report(
    record: Annotated[Path, typer.Argument(help="Record file, such as reports/*.json.")],
    format_: Annotated[str, typer.Option("--format", "-f", help="text, json, markdown or html.")] = "text",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead of stdout.")] = None,
    verbose: options.Verbose = False,
) -> int:
    """Render a saved record again. Measures nothing."""
    from dualmem_cli.store import selftests

    loaded = selftests.load_either(record)
    if isinstance(loaded, SelftestRecord):
        return show_selftest(loaded, path=record, format_=format_, output=output, verbose=verbose)
    return show_record(loaded, path=record, format_=format_, output=output, verbose=verbose)


def show_record(record: Record, *, path: Path, format_: str, output: Path | None, verbose: bool) -> int:
    """Render `record` to stdout or a file. Always 0: to show a regression is not to find one."""
    from dualmem_cli.errors import DualmemError
    from dualmem_cli.judge.outcome import bench_status, compare_status
    from dualmem_cli.plan.spelling import did_you_mean
    from dualmem_cli.report import RENDERERS, ReportContext

    if format_ not in RENDERERS:
        raise DualmemError(f'"{format_}" is not a format; {did_you_mean(format_, RENDERERS)}')
    bench = record.kind == "bench"
    status = bench_status(record, enforce_budgets=False) if bench else compare_status(record, allow_inconclusive=False)
    page = path.with_suffix(".html")
    context = ReportContext(
        record_path=str(path), page_path=str(page) if page.is_file() else "", exit_status=status, next_command=""
    )
    if format_ == "text" and output is None:
        from dualmem_cli.cli.showing import level_of, print_table

        print_table(record, context, level=level_of(quiet=False, verbose=verbose))
        return 0
    text = RENDERERS[format_](record, context)
    if output is None:
        print(text)
    else:
        output.write_text(text, encoding="utf-8")
    return 0


def show_selftest(record: SelftestRecord, *, path: Path, format_: str, output: Path | None, verbose: bool) -> int:
    """Render a self-test's record. Always 0, as `show_record`."""
    from dualmem_cli.errors import DualmemError
    from dualmem_cli.judge.curve import operating_curve
    from dualmem_cli.judge.outcome import selftest_status
    from dualmem_cli.plan.spelling import did_you_mean
    from dualmem_cli.report import ReportContext
    from dualmem_cli.report.selftest import SELFTEST_RENDERERS

    if format_ not in SELFTEST_RENDERERS:
        raise DualmemError(f'"{format_}" is not a format of a self-test; {did_you_mean(format_, SELFTEST_RENDERERS)}')
    curve = operating_curve(record)
    page = path.with_suffix(".html")
    context = ReportContext(
        record_path=str(path),
        page_path=str(page) if page.is_file() else "",
        exit_status=selftest_status(curve, interrupted=record.interrupted),
        next_command="",
    )
    if format_ == "text" and output is None:
        from dualmem_cli.cli.showing import level_of, print_selftest

        print_selftest(record, curve, context, level=level_of(quiet=False, verbose=verbose))
        return 0
    text = SELFTEST_RENDERERS[format_](record, curve, context)
    if output is None:
        print(text)
    else:
        output.write_text(text, encoding="utf-8")
    return 0

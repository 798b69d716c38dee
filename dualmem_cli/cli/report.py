"""dualmem report"""

from pathlib import Path
from typing import Annotated

import typer

from dualmem_cli.cli import options
from dualmem_cli.model.record import Record
from dualmem_cli.model.selftest import SelftestRecord
from dualmem_cli.report import RENDERERS


def report(
    record: Annotated[Path, typer.Argument(help="Record file, such as reports/*.json.")],
    format_: Annotated[str, typer.Option("--format", "-f", help=f"{', '.join(RENDERERS)}.")] = "text",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead of stdout.")] = None,
    export: options.Export = None,
    verbose: options.Verbose = False,
) -> int:
    """Render a saved record again. Measures nothing."""
    from dualmem_cli.store import selftests

    loaded = selftests.load_either(record)
    if isinstance(loaded, SelftestRecord):
        return show_selftest(loaded, path=record, format_=format_, output=output, verbose=verbose, export=export)
    return show_record(loaded, path=record, format_=format_, output=output, verbose=verbose, export=export)


def show_record(
    record: Record, *, path: Path, format_: str, output: Path | None, verbose: bool, export: list[str] | None = None
) -> int:
    """Render `record` to stdout or a file, then its exports. 0 unless one of these could not be written: to show a regression is not to
    find one."""
    from dualmem_cli.cli.exports import check_format, parse_exports, write_exports
    from dualmem_cli.cli.showing import flame_graphs_of, level_of, print_table, saved
    from dualmem_cli.errors import ExitStatus, naming
    from dualmem_cli.judge.outcome import bench_status, compare_status
    from dualmem_cli.report import ReportContext

    check_format(format_, kind=record.kind)
    exports = parse_exports(export, kind=record.kind)
    bench = record.kind == "bench"
    status = bench_status(record, enforce_budgets=False) if bench else compare_status(record, allow_inconclusive=False)
    page = path.with_suffix(".html")
    context = ReportContext(
        record_path=str(path),
        page_path=str(page) if page.is_file() else "",
        exit_status=status,
        next_command="",
        flame_graphs=flame_graphs_of(record),
    )
    if format_ == "text" and output is None:
        print_table(record, context, level=level_of(quiet=False, verbose=verbose))
    else:
        text = RENDERERS[format_](record, context)
        if output is None:
            print(text, end="" if text.endswith("\n") or not text else "\n")  # OpenMetrics: nothing may follow its # EOF
        else:
            with naming(output):
                output.write_text(text, encoding="utf-8")
    return saved(ExitStatus.OK, write_exports(record, context, exports))


def show_selftest(
    record: SelftestRecord, *, path: Path, format_: str, output: Path | None, verbose: bool, export: list[str] | None = None
) -> int:
    """Render a self-test's record. Always 0, as `show_record`."""
    from dualmem_cli.errors import DualmemError, naming
    from dualmem_cli.judge.curve import operating_curve
    from dualmem_cli.judge.outcome import selftest_status
    from dualmem_cli.plan.spelling import did_you_mean
    from dualmem_cli.report import ReportContext
    from dualmem_cli.report.selftest import SELFTEST_RENDERERS

    if format_ not in SELFTEST_RENDERERS:
        raise DualmemError(f'"{format_}" is not a format of a self-test; {did_you_mean(format_, SELFTEST_RENDERERS)}')
    if export:
        raise DualmemError("a self-test has no formats for other tools", hint=f"--format: {', '.join(SELFTEST_RENDERERS)}.")
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
        with naming(output):
            output.write_text(text, encoding="utf-8")
    return 0

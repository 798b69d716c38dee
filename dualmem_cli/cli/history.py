"""dualmem history [show]|add|records|remove|export"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from dualmem_cli.cli import options

if TYPE_CHECKING:
    from dualmem_cli.store.history import Outcome


class _ShowByDefault(TyperGroup):
    """`dualmem history spin` is `dualmem history show spin`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ShowByDefault,
    help="Keep what records found in one file and show how it went: the latest figure, the trend, where it changed. "
    "Without a command: show.",
    rich_markup_mode=None,
)


@app.command()
def show(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KERNEL", help="Kernels or scenarios, to be shown record by record. Default: all, in one line each."
        ),
    ] = None,
    database: options.Database = options.HISTORY,
    since: Annotated[
        str,
        typer.Option("--since", metavar="WHEN", help="Only records from then on: a day (2026-11-01), or how long ago (30d, 8w)."),
    ] = "",
    machine: Annotated[
        str,
        typer.Option("--machine", metavar="NAME", help='Only records of this machine (its first digits); "here" is this one.'),
    ] = "",
    last: Annotated[int, typer.Option("--last", min=5, help="How many records a trend is of, at most.")] = 20,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="FILE", help="Draw the courses too: .png or .svg.")] = None,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Write the page too: .html, for reading offline.")
    ] = None,
    json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only what changed or drifts.")] = False,
    verbose: options.Verbose = False,
) -> int:
    """The latest figure of every case, its trend and its last change; with KERNEL record by record."""
    from dualmem_cli.cli import chronicle
    from dualmem_cli.cli.showing import level_of, print_chronicle
    from dualmem_cli.cli.streams import printed
    from dualmem_cli.errors import naming
    from dualmem_cli.report.compose_history import HistoryContext
    from dualmem_cli.report.history import HISTORY_RENDERERS

    chronicle.check_targets(plot=plot, page=page)
    found = chronicle.read(database, names=names or [], since=chronicle.moment(since), machine=machine, last=last)
    context = HistoryContext(database=str(database), last=last, named=bool(names))
    if json:
        printed(lambda: print(HISTORY_RENDERERS["json"](found, context), end=""))
    else:
        printed(lambda: print_chronicle(found, context, level=level_of(quiet=quiet, verbose=verbose)))
    if plot is not None:
        chronicle.draw(found, plot)
    if page is not None:
        with naming(page):
            page.write_text(HISTORY_RENDERERS["html"](found, context), encoding="utf-8")
    return 0


@app.command()
def add(
    records: Annotated[list[Path] | None, typer.Argument(metavar="RECORD", help="Record files, such as reports/*.json.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every record of the reports folder.")] = False,
    database: options.Database = options.HISTORY,
    reports: options.Reports = options.REPORTS,
) -> int:
    """Add records. One that is there already is left alone."""
    from collections import Counter

    from dualmem_cli.errors import DualmemError, ExitStatus, HistoryError, RecordError
    from dualmem_cli.report.phrases import counted
    from dualmem_cli.store.history import History

    named = list(records or ())
    paths = [*named, *(sorted(reports.glob("*.json")) if all_ else ())]
    if not paths:
        where = f"{reports} holds no record" if all_ else "no record was named"
        raise HistoryError(where, hint="Run `dualmem bench` first." if all_ else "Name record files, or give --all.")
    counts: Counter[str] = Counter()
    failed = 0
    with History(database, write=True) as history:
        for path in paths:
            try:
                outcome = _added(history, path)
            except RecordError as error:
                failed += path in named
                print(f"dualmem: left out: {error.what}", file=sys.stderr)
                continue
            except DualmemError:
                print(_sum(counts), file=sys.stderr)
                raise
            counts[outcome or "left out: about the gate, not about a kernel"] += 1
        kept = len(history.records())
    print(f"{database}: {_sum(counts)}; {counted(kept, 'record')} in all")
    if kept:
        print("Next: dualmem history")
    return ExitStatus.USAGE if failed else ExitStatus.OK


@app.command("records")
def records_(database: options.Database = options.HISTORY) -> int:
    """List the records, the last first: digest, time, command, revision, machine."""
    from dualmem_cli.report.since import short_revision
    from dualmem_cli.store.history import History

    with History(database, write=False) as history:
        found = history.records()
    if not found:
        print(f"no records in {database}. Next: dualmem history add --all")
    for record in reversed(found):
        revision = short_revision(record.revision + ("+" if record.dirty else "")) or "-"
        more = "  interrupted" if record.interrupted else ""
        print(
            f"{record.digest[:12]}  {record.created:%Y-%m-%d %H:%M:%S}  {record.command:<7}  {revision:<11}  {record.machine}{more}"
        )
    return 0


@app.command()
def remove(
    records: Annotated[list[str], typer.Argument(metavar="RECORD", help="First digits of a record's digest, or its file.")],
    database: options.Database = options.HISTORY,
) -> int:
    """Remove records from the history. Their files stay."""
    from dualmem_cli.report.phrases import counted
    from dualmem_cli.store.history import History

    with History(database, write=True, create=False) as history:
        digests = {history.digest_of(_digest(Path(name)) if Path(name).is_file() else name) for name in records}
        history.remove(sorted(digests))
        kept = len(history.records())
    print(f"{database}: {counted(len(digests), 'record')} removed; {counted(kept, 'record')} in all")
    return 0


@app.command()
def export(
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write comma-separated values.")] = None,
    parquet: Annotated[Path | None, typer.Option("--parquet", metavar="FILE", help="Write a Parquet file.")] = None,
    table: Annotated[str, typer.Option("--table", help="amounts (one row per number), verdicts or records.")] = "amounts",
    database: options.Database = options.HISTORY,
) -> int:
    """Write a table of the history for other tools, each row with the facts of its record and machine."""
    from dualmem_cli.errors import DualmemError, HistoryError
    from dualmem_cli.plan.spelling import did_you_mean
    from dualmem_cli.report.phrases import counted
    from dualmem_cli.store.history import History
    from dualmem_cli.store.history_schema import TABLES

    if table not in TABLES:
        raise DualmemError(f'there is no table "{table}"; {did_you_mean(table, TABLES)}')
    targets = [(path, kind) for path, kind in ((csv, False), (parquet, True)) if path is not None]
    if not targets:
        raise HistoryError("no file was named", hint="Give --csv FILE or --parquet FILE.")
    with History(database, write=False) as history:
        for path, kind in targets:
            rows = history.export(table, path, parquet=kind)
            print(f"{path}: {counted(rows, 'row')} of {table}")
    return 0


def ready(database: Path | None) -> None:
    """Meet a history that cannot be written before anything is measured. Raises HistoryError."""
    from dualmem_cli.store.history import History

    if database is not None:
        with History(database, write=True):
            pass


def remember(record_path: Path, database: Path | None) -> str:
    """Add the record of a run that has ended. Returns "" or the line that says why it could not be."""
    from dualmem_cli.errors import DualmemError
    from dualmem_cli.store.history import History

    if database is None:
        return ""
    try:
        with History(database, write=True) as history:
            _added(history, record_path)
    except DualmemError as error:
        return f"{error.what}; add it later: dualmem history add {record_path}"
    return ""


def _added(history: Any, path: Path) -> "Outcome | None":
    """None for a self-test's record, which is about the gate and not about a kernel."""
    from dualmem_cli.judge.entry import entry_of
    from dualmem_cli.model.record import Record
    from dualmem_cli.store import selftests

    loaded = selftests.load_either(path)
    if not isinstance(loaded, Record):
        return None
    outcome: Outcome = history.add(entry_of(loaded, digest=_digest(path)))
    return outcome


def _digest(path: Path) -> str:
    import hashlib

    from dualmem_cli.store.documents import read

    return hashlib.sha256(read(path)).hexdigest()


def _sum(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items()) or "nothing added"

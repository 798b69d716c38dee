"""Counts for a person at a terminal: what an operation costs, and the functions and source lines that cost most."""

from collections.abc import Iterable, Sequence

from rich.console import Console

from dualmem_cli.model.units import count_text, count_title
from dualmem_cli.profile.counts import COSTS, Counts
from dualmem_cli.profile.counts_section import quantity
from dualmem_cli.profile.session import Counted
from dualmem_cli.report.layout import Column, Layout, Level, Notes, Row, Section, Table, cell, plain
from dualmem_cli.report.terminal import print_layout

_ROWS = 8


def print_counts(counted: Counted) -> None:
    """Print one engine's counts and where they are."""
    counts = counted.counts
    sections = [Section(counts.engine, Level.QUIET, (_figures(counts),))]
    if counts.functions:
        sections.append(Section("functions", Level.QUIET, (_functions(counts),)))
    if counts.lines:
        sections.append(Section("source lines", Level.QUIET, (_lines(counts),)))
    if counts.notes:
        sections.append(Section("Notes", Level.QUIET, (Notes(tuple(plain(note) for note in counts.notes)),)))
    layout = Layout(
        title=counts.engine,
        created="",
        header=(plain(counts.facts),),
        verdict=plain(f"counts {counted.file}"),
        sections=tuple(sections),
        details=(),
        facts=(),
        closing=(),
        next_command="",
    )
    console = Console(highlight=False)
    print_layout(layout, console=console if console.is_terminal else Console(highlight=False, width=140), level=Level.NORMAL)


def _figures(counts: Counts) -> Table:
    rows = []
    for figure in counts.figures:
        value, remark = quantity(figure)
        rows.append((count_title(figure.name), value, remark))
    columns = (Column("per operation", name=True), Column(counts.engine, numeric=True), Column("", remark=True))
    return Table("", columns, _rows(rows))


def _functions(counts: Counts) -> Table:
    columns = (
        Column(f"function ({len(counts.functions)} in all)", name=True),
        *(Column(count_title(name), numeric=True) for name in COSTS),
        Column("with callees", numeric=True),
        Column("calls", numeric=True),
    )
    rows = (
        (f"{f.name} ({f.place})" if f.place else f.name, *map(count_text, f.costs), count_text(f.inclusive), count_text(f.calls))
        for f in counts.functions[:_ROWS]
    )
    return Table("", columns, _rows(rows))


def _lines(counts: Counts) -> Table:
    columns = (
        Column(f"source line ({len(counts.lines)} in all)", name=True),
        *(Column(count_title(name), numeric=True) for name in COSTS),
        Column("source", remark=True),
    )
    rows = (
        (f"{each.where} in {each.function}", *map(count_text, each.costs), (each.source or "").strip())
        for each in counts.lines[:_ROWS]
    )
    return Table("", columns, _rows(rows))


def _rows(rows: Iterable[Sequence[str]]) -> tuple[Row, ...]:
    return tuple(Row(tuple(map(cell, row))) for row in rows)

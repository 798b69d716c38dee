"""Why a case regressed, as sections of the report: what the record holds of it, and the flame graphs that were drawn from it."""

from collections.abc import Sequence

from dualmem_cli.model.explanation import (
    CountedChange,
    Explanation,
    FigureChange,
    FunctionCounts,
    FunctionShift,
    LineCount,
    LineShift,
)
from dualmem_cli.model.units import Unit, count_text, count_title, human, signed_count
from dualmem_cli.report.context import FlameGraphs
from dualmem_cli.report.layout import (
    Block,
    Cell,
    Column,
    Embedded,
    Emphasis,
    Level,
    Notes,
    Row,
    Section,
    Span,
    Table,
    Tone,
    cell,
    plain,
    strong,
)

_SHOWN = 8
_WORTH_A_SHARE = 0.001  # per operation: a fault in a thousand operations more or less is chance


def explanation_sections(explanations: Sequence[Explanation], flame_graphs: FlameGraphs | None = None) -> tuple[Section, ...]:
    """One section for each case that was looked at."""
    return tuple(Section(f"Why {each.title} is slower", Level.NORMAL, _blocks(each, flame_graphs)) for each in explanations)


def _blocks(each: Explanation, flame_graphs: FlameGraphs | None) -> tuple[Block, ...]:
    told = [change.headline for change in each.counted if change.headline]
    found = (each.headline, *told)  # loud where nothing says what they are worth together
    first = (strong(each.reason), *map(plain, found)) if each.reason else tuple(map(strong, found))
    blocks: list[Block] = [Notes((*first, *map(plain, each.lines)))]
    if each.shifts:
        blocks.append(shift_table(each.shifts, each.more_titles))
    if each.hot:
        blocks.append(_hot_table(each.hot))
    for change in each.counted:
        blocks += counted_blocks(change)
    if flame_graphs is not None and each.case in flame_graphs.pages:
        blocks.append(Embedded(f"Differential flame graph of {each.title}", flame_graphs.pages[each.case], flame_graphs.script))
    return tuple(blocks)


def _hot_table(shifts: Sequence[LineShift]) -> Table:
    columns = (
        Column("line", name=True),
        Column("in", group=True),
        Column("baseline %", numeric=True),
        Column("candidate %", numeric=True),
        Column("adds to the time, %", numeric=True),
        Column("source", remark=True),
    )
    rows = tuple(
        Row(
            (
                cell(shift.where),
                cell(shift.function),
                cell(f"{100 * shift.shares[0]:.1f}"),
                cell(f"{100 * shift.shares[1]:.1f}"),
                cell(
                    f"{100 * shift.added:+.1f} ({100 * shift.low:+.1f} to {100 * shift.high:+.1f})",
                    Tone.WORSE if shift.low > 0 else Tone.NEUTRAL,
                ),
                cell(shift.source),
            )
        )
        for shift in shifts
    )
    return Table("Source lines that add most: samples lie on the line that is waited for, or on lines after it", columns, rows)


def counted_blocks(change: CountedChange) -> tuple[Block, ...]:
    """What one engine counted of both builds: in all, per function, and the lines of what grew."""
    known = [figure for figure in change.figures if figure.baseline is not None and figure.candidate is not None]
    blocks: list[Block] = []
    if known:
        caption = f"Counted by {change.tool}, per operation ({change.operations:,} of each build)"
        columns = (
            Column("count", name=True),
            *(Column(title, numeric=True) for title in ("baseline", "candidate", "difference", "")),
        )
        blocks.append(Table(caption, columns, tuple(map(_figure_row, known))))
    notes = [*_not_known(change), *change.notes]
    if notes:
        blocks.append(Notes(tuple(map(plain, notes))))
    if change.functions:
        blocks.append(_function_table(change))
    grown = [(function, line) for function in change.functions for line in function.lines]
    if grown:
        blocks.append(_line_table(change, grown))
    return tuple(blocks)


def _figure_row(figure: FigureChange) -> Row:
    old, new = figure.baseline or 0.0, figure.candidate or 0.0
    share = ""
    if new != old > 0 and new >= 0 and max(old, new) >= _WORTH_A_SHARE:
        share = f"{new / old:,.0f} times" if new >= 10 * old else f"{100 * (new / old - 1):+.1f} %"
    tone = Tone.WORSE if new > old and new >= _WORTH_A_SHARE else Tone.NEUTRAL
    if figure.unit == Unit.BYTE:
        values = (human(old, Unit.BYTE), human(new, Unit.BYTE), f"{'+' if new > old else ''}{human(new - old, Unit.BYTE)}")
    else:
        values = (count_text(old), count_text(new), signed_count(new - old))
    return Row((cell(count_title(figure.name)), *map(cell, values[:2]), cell(values[2], tone), cell(share)))


def _not_known(change: CountedChange) -> list[str]:
    """One line for each reason, with the counts that it keeps from being known."""
    by_reason: dict[str, list[str]] = {}
    for figure in change.figures:
        if figure.baseline is None or figure.candidate is None:
            by_reason.setdefault(figure.reason, []).append(count_title(figure.name))
    return [f"Not known by {change.tool}: {', '.join(names)}: {reason}." for reason, names in by_reason.items()]


def _function_table(change: CountedChange) -> Table:
    first, *others = map(count_title, change.costs)
    columns = (
        Column("function", name=True),
        *(Column(title, numeric=True) for title in ("baseline", "candidate", first, *others)),
    )
    return Table(
        f"Functions that differ: {first} of their own per operation, and what the candidate has more of each",
        columns,
        tuple(map(_counted_row, change.functions)),
    )


def _counted_row(function: FunctionCounts) -> Row:
    more = [new - old for old, new in zip(function.baseline, function.candidate, strict=True)]
    return Row(
        (
            _named(function.name, function.place),
            cell(count_text(function.baseline[0])),
            cell(count_text(function.candidate[0])),
            *(cell(signed_count(value), Tone.WORSE if value > 0 else Tone.NEUTRAL) for value in more),
        )
    )


def _line_table(change: CountedChange, grown: Sequence[tuple[FunctionCounts, LineCount]]) -> Table:
    columns = (
        Column("line", name=True),
        Column("in", group=True),
        *(Column(count_title(name), numeric=True) for name in change.costs[:2]),
        Column("in what it calls", numeric=True),
        Column("source", remark=True),
    )
    rows = tuple(
        Row(
            (
                cell(f"{line.file.rpartition('/')[2]}:{line.line}"),
                cell(function.name),
                *(cell(count_text(cost)) for cost in line.costs[:2]),
                cell(count_text(line.called)),
                cell(line.source),
            )
        )
        for function, line in grown
    )
    return Table("Source lines of the candidate that the baseline has not, or executes otherwise", columns, rows)


def shift_table(shifts: Sequence[FunctionShift], more_titles: Sequence[str] = ()) -> Table:
    """The functions that changed most, in the order given."""
    columns = (
        Column("function", name=True),
        Column("baseline %", numeric=True),
        Column("candidate %", numeric=True),
        Column("points", numeric=True),
        Column("95 % interval", numeric=True),
        *(Column(title, numeric=True) for title in more_titles),
        Column("", level=Level.VERBOSE),
    )
    return Table("", columns, tuple(_row(shift, len(more_titles)) for shift in shifts[:_SHOWN]))


def _row(shift: FunctionShift, more: int) -> Row:
    tone = Tone.WORSE if shift.direction > 0 else Tone.NEUTRAL  # a share that shrank beside one that grew is no faster function
    loud = Emphasis.STRONG if shift.direction else Emphasis.FAINT
    word = ("no significant difference", "grew", "shrank")[shift.direction]
    return Row(
        (
            _named(shift.name, shift.place, loud),
            cell(f"{100 * shift.shares[0]:.1f}"),
            cell(f"{100 * shift.shares[1]:.1f}"),
            cell(f"{100 * shift.change:+.1f}", tone, loud),
            cell(f"{100 * shift.low:+.1f} to {100 * shift.high:+.1f}"),
            *(cell(text) for text in (*shift.more, *[""] * more)[:more]),
            cell(word, emphasis=Emphasis.FAINT),
        )
    )


def _named(name: str, place: str, emphasis: Emphasis = Emphasis.STRONG) -> Cell:
    return Cell(((Span(name, Tone.NEUTRAL, emphasis), Span(f" {place}" if place else "", emphasis=Emphasis.FAINT)),))

"""Why a case regressed, as far as profiles of both builds tell: plain data that a command hands to the renderers, because no record
holds it. It was found after the verdict and changes nothing of it."""

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class FunctionShift:
    """One function's own share of both profiles, as fractions, with the difference and its 95 % interval. `direction` is 1 grew, -1
    shrank, 0 not significantly either. `more` holds one text per title of the table's `more_titles`."""

    name: str
    place: str
    samples: tuple[int, int]
    shares: tuple[float, float]
    change: float
    low: float
    high: float
    direction: int
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found out about one case. `headline` says it in words; without shifts it says why there is nothing. `document` is a page
    of its own to embed ("" for none), `script` what its policy calls its script."""

    title: str
    headline: str
    lines: tuple[str, ...]
    shifts: tuple[FunctionShift, ...] = ()
    more_titles: tuple[str, ...] = ()
    document: str = ""
    script: str = ""


def explanation_sections(explanations: Sequence[Explanation]) -> tuple[Section, ...]:
    """One section for each case that was looked at."""
    return tuple(Section(f"Why {each.title} is slower", Level.NORMAL, _blocks(each)) for each in explanations)


def _blocks(each: Explanation) -> tuple[Block, ...]:
    blocks: list[Block] = [Notes((strong(each.headline), *map(plain, each.lines)))]
    if each.shifts:
        blocks.append(shift_table(each.shifts, each.more_titles))
    if each.document:
        blocks.append(Embedded(f"Differential flame graph of {each.title}", each.document, each.script))
    return tuple(blocks)


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
            Cell(
                ((Span(shift.name, Tone.NEUTRAL, loud), Span(f" {shift.place}" if shift.place else "", emphasis=Emphasis.FAINT)),)
            ),
            cell(f"{100 * shift.shares[0]:.1f}"),
            cell(f"{100 * shift.shares[1]:.1f}"),
            cell(f"{100 * shift.change:+.1f}", tone, loud),
            cell(f"{100 * shift.low:+.1f} to {100 * shift.high:+.1f}"),
            *(cell(text) for text in (*shift.more, *[""] * more)[:more]),
            cell(word, emphasis=Emphasis.FAINT),
        )
    )

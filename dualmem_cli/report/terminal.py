"""The terminal dialect. rich colours and measures; the tables are laid out here, because a remark that does not fit beside its row
has to move below it, which no grid of equal columns can do.
"""

import io
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.text import Text

from dualmem_cli.model.record import Record
from dualmem_cli.report.compose import compose
from dualmem_cli.report.context import ReportContext
from dualmem_cli.report.layout import (
    Block,
    Cell,
    Column,
    Embedded,
    Emphasis,
    Facts,
    Figure,
    Layout,
    Level,
    Notes,
    Row,
    Section,
    Source,
    Span,
    Table,
    Tone,
    visible,
)

_GAP = 2
_SPLIT_WIDTH = 12  # a word longer than this may be broken when nothing else helps
_INDENT = 2
# A remark narrower than this is harder to read than one below its row.
_REMARK_WIDTH = 34
_BELOW_WIDTH = 50
_TEXT_WIDTH = 100  # of the plain rendering
_TONES = {Tone.NEUTRAL: Style(), Tone.BETTER: Style(color="green"), Tone.WORSE: Style(color="red")}
_EMPHASES = {
    Emphasis.PLAIN: Style(),
    Emphasis.STRONG: Style(bold=True),
    Emphasis.FAINT: Style(dim=True),
    Emphasis.CODE: Style(),
}


def print_record(record: Record, context: ReportContext, *, console: Console, level: Level) -> None:
    """Print a record for a person. Width, colour and NO_COLOR are the console's business."""
    print_layout(compose(record, context), console=console, level=level)


def print_layout(layout: Layout, *, console: Console, level: Level) -> None:
    """Print a layout for a person."""
    for line in _lines(layout, level, console.width):
        line.rstrip()
        console.print(line, soft_wrap=True)


def print_sections(sections: Sequence[Section], *, console: Console, level: Level) -> None:
    """Print some sections alone, after what they belong to was printed."""
    for section in sections:
        if section.level <= level:
            for line in _section(section, level, console.width):
                line.rstrip()
                console.print(line, soft_wrap=True)


def render(record: Record, context: ReportContext) -> str:
    """The plain text of a record, without colour, 100 columns wide."""
    return write(compose(record, context))


def write(layout: Layout) -> str:
    """The plain text of a layout, without colour, 100 columns wide."""
    stream = io.StringIO()
    console = Console(file=stream, width=_TEXT_WIDTH, color_system=None, force_terminal=False, legacy_windows=False)
    print_layout(layout, console=console, level=Level.NORMAL)
    return stream.getvalue()


def _lines(layout: Layout, level: Level, width: int) -> Iterator[Text]:
    if level > Level.QUIET:
        for line in layout.header:
            yield from _wrapped(_text(line), width, indent=_INDENT)
        yield Text()
    for section in layout.sections:
        if section.level <= level:
            yield from _section(section, level, width)
    for detail in layout.details:
        blocks = detail.shown(level)
        if blocks:
            yield from _wrapped(_text(detail.title), width, indent=_INDENT)
            yield from _blocks(blocks, level, width, indent=_INDENT)
            yield Text()
    for section in layout.facts:
        if section.level <= level:
            yield from _section(section, level, width)
    ending = layout.verdict if not layout.closing else (*layout.verdict, Span("; "), *layout.closing[0])
    for line in (ending, *layout.closing[1:]):
        yield from _wrapped(_text(line), width, indent=_INDENT)
    if layout.next_command and level > Level.QUIET:
        yield Text.assemble("Next: ", (visible(layout.next_command), Style(bold=True)))


def _section(section: Section, level: Level, width: int) -> Iterator[Text]:
    """A section whose only block is a table needs no title: its columns speak."""
    lone = len(section.blocks) == 1 and isinstance(section.blocks[0], Table)
    lines = list(_blocks(section.blocks, level, width, indent=0 if lone else _INDENT))
    if not lines:
        return
    if not lone:
        yield Text(section.title, Style(bold=True))
    yield from lines
    yield Text()


def _blocks(blocks: Sequence[Block], level: Level, width: int, *, indent: int) -> Iterator[Text]:
    for block in blocks:
        match block:
            case Table():
                yield from _table(block, level, width, indent)
            case Facts():
                yield from _facts(block, width, indent)
            case Notes():
                for line in block.lines:
                    yield from _wrapped(_padded(_text(line), indent), width, indent=indent + _INDENT)
            case Figure() | Source() | Embedded():
                continue  # a page draws the first, quotes the second and holds the third


def _facts(facts: Facts, width: int, indent: int) -> Iterator[Text]:
    if facts.caption:
        yield _padded(Text(visible(facts.caption), Style(bold=True)), indent)
    names = max((cell_len(visible(name)) for name, _ in facts.pairs), default=0)
    for name, value in facts.pairs:
        line = Text(" " * indent)
        line.append(visible(name), Style(dim=True))
        line.append(" " * (indent + names + _GAP - cell_len(line.plain)))
        line.append_text(_text(value))
        yield from _wrapped(line, width, indent=indent + names + _GAP)


def _table(table: Table, level: Level, width: int, indent: int) -> Iterator[Text]:
    rows = table.shown(level)
    kept = [index for index, column in enumerate(table.columns) if column.level <= level and not column.drawing]
    kept = [i for i in kept if any(row.cells[i].text for row in rows)]
    if not rows or not kept:
        return
    remark = next((index for index in kept if table.columns[index].remark), None)
    columns, grid, widths = _grid(table, rows, [index for index in kept if index != remark], width - indent)
    used = indent + sum(widths) + _GAP * len(widths)
    beside = remark is not None and width - used >= _REMARK_WIDTH
    if table.caption:
        yield from _wrapped(_padded(Text(visible(table.caption), Style(dim=True)), indent), width, indent=indent)
    titles: list[list[Text]] = [[Text(column.title, Style(dim=True))] for column in columns]
    remarks = [Text(table.columns[remark].title, Style(dim=True))] if remark is not None and beside else []
    yield from _printed(columns, widths, titles, remarks, indent)
    below = _below(widths, width, indent)
    for row, cells in zip(rows, grid, strict=True):
        note = _cell_lines(row.cells[remark], width - (used if beside else below)) if remark is not None else []
        folded = [[piece for line in lines for piece in _folded(line, space)] for lines, space in zip(cells, widths, strict=True)]
        yield from _printed(columns, widths, folded, note if beside else [], indent)
        if not beside:
            yield from (_padded(line, below) for line in note)


def _grid(
    table: Table, rows: Sequence[Row], kept: Sequence[int], room: int
) -> tuple[list[Column], list[list[list[Text]]], list[int]]:
    """The columns that fit with their cells and widths; where not all do, those that are not always shown stay out."""
    for chosen in (kept, [index for index in kept if table.columns[index].level <= Level.NORMAL]):
        columns = [table.columns[index] for index in chosen]
        grid = _grouped(rows, chosen, columns)
        widths = _fitted(columns, grid, room)
        if sum(widths) + _GAP * (len(widths) - 1) <= room:
            break
    return columns, grid, widths


def _below(widths: Sequence[int], width: int, indent: int) -> int:
    """Where a remark below its row begins: under the second column, or nearer to the edge where that leaves too little room."""
    second = indent + widths[0] + _GAP
    return second if width - second >= _BELOW_WIDTH else indent + 2 * _INDENT


def _printed(
    columns: Sequence[Column], widths: Sequence[int], cells: Sequence[Sequence[Text]], remark: Sequence[Text], indent: int
) -> Iterator[Text]:
    """One row, as many lines high as its highest cell."""
    for number in range(max([len(remark), *(len(lines) for lines in cells)])):
        line = Text(" " * indent)
        for column, space, lines in zip(columns, widths, cells, strict=True):
            piece = lines[number] if number < len(lines) else Text()
            padding = " " * (space - cell_len(piece.plain))
            line.append_text(Text(padding) + piece if column.numeric else piece + Text(padding))
            line.append(" " * _GAP)
        if number < len(remark):
            line.append_text(remark[number])
        yield line


def _grouped(rows: Sequence[Row], kept: Sequence[int], columns: Sequence[Column]) -> list[list[list[Text]]]:
    """The cells as lines of text, with equal neighbours of a group column left blank."""
    grid: list[list[list[Text]]] = []
    before: Row | None = None
    for row in rows:
        cells: list[list[Text]] = []
        for index, column in zip(kept, columns, strict=True):
            same = column.group and before is not None and before.cells[index].text == row.cells[index].text
            cells.append([Text()] if same else [_text(line) for line in row.cells[index].lines])
        grid.append(cells)
        before = row
    return grid


def _fitted(columns: Sequence[Column], grid: Sequence[Sequence[Sequence[Text]]], room: int) -> list[int]:
    """Natural widths, then the widest text column gives way, a column at a time, until the row fits: first down to its longest word,
    then through its words, unless that does not help either. Numbers are never folded."""
    widths = [
        max(len(column.title), *(cell_len(line.plain) for cells in grid for line in cells[index]), 0)
        for index, column in enumerate(columns)
    ]
    words = [_longest_word(column.title, (line.plain for cells in grid for line in cells[i])) for i, column in enumerate(columns)]
    whole: list[int] = []
    for least in (words, [min(longest, _SPLIT_WIDTH) for longest in words]):
        while sum(widths) + _GAP * (len(widths) - 1) > room:
            flexible = [i for i, column in enumerate(columns) if not column.numeric and widths[i] > least[i]]
            if not flexible:
                break
            widths[max(flexible, key=lambda index: widths[index])] -= 1
        else:
            return widths
        whole = whole or list(widths)
    return whole


def _longest_word(title: str, texts: Iterator[str]) -> int:
    return max(cell_len(word) for text in (title, *texts) for word in (text.split() or [""]))


def _cell_lines(cell: Cell, width: int) -> list[Text]:
    """A remark stands back, but for the words that have a tone."""
    lines = [piece for line in cell.lines for piece in _folded(_text(line), max(width, 12)) if piece.plain]
    for line in lines:
        line.stylize_before(Style(dim=True))
    return lines


def _folded(text: Text, width: int) -> list[Text]:
    """The text in lines of at most `width` cells, broken between words where possible."""
    if cell_len(text.plain) <= width:
        return [text]
    lines = list(text.wrap(_MEASURE, width, tab_size=1))
    for line in lines:
        line.rstrip()
    return lines


def _wrapped(text: Text, width: int, *, indent: int) -> Iterator[Text]:
    """The text in lines of `width`, all but the first indented."""
    first, *_ = _folded(text, width)
    yield first
    rest = text[len(first.plain) :]
    rest = rest[len(rest.plain) - len(rest.plain.lstrip()) :]
    if rest.plain:
        yield from (_padded(line, indent) for line in _folded(rest, max(width - indent, 12)))


def _padded(text: Text, indent: int) -> Text:
    return Text(" " * indent) + text


def _text(spans: Sequence[Span]) -> Text:
    text = Text()
    for span in spans:
        text.append(visible(span.text), _TONES[span.tone] + _EMPHASES[span.emphasis])
    return text


# Text.wrap asks a console for nothing but its measure of cells.
_MEASURE = Console(file=io.StringIO(), width=_TEXT_WIDTH, color_system=None)

"""GitHub-flavoured Markdown, for job summaries and issues: the tables and cautions, details folded, no drawing."""

import re
from collections.abc import Iterator, Sequence

from dualmem_cli.model.record import Record
from dualmem_cli.report.compose import compose
from dualmem_cli.report.context import ReportContext
from dualmem_cli.report.layout import (
    Block,
    Cell,
    Embedded,
    Emphasis,
    Facts,
    Figure,
    Layout,
    Level,
    Notes,
    Row,
    Source,
    Span,
    Table,
    Tone,
    visible,
)

# Every ASCII sign that can begin or end markup, HTML or a table cell. A backslash before it is dropped by the renderer.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~$@])")
_SIGNS = {Tone.WORSE: "\N{CROSS MARK} ", Tone.BETTER: "", Tone.NEUTRAL: ""}


def render(record: Record, context: ReportContext) -> str:
    """The Markdown of a record. What did not change is one line; what changed has its tables."""
    return write(compose(record, context))


def write(layout: Layout) -> str:
    """The Markdown of a layout."""
    return "\n".join(_lines(layout)).rstrip("\n") + "\n"


def _lines(layout: Layout) -> Iterator[str]:
    yield f"## {_text(layout.title)}: {_spans(layout.verdict, signs=False)}"
    yield ""
    for line in layout.header:
        yield f"{_spans(line)}  "
    yield ""
    for section in layout.sections:
        if section.level <= Level.NORMAL:
            yield f"### {_text(section.title)}"
            yield ""
            yield from _blocks(section.blocks)
    for detail in layout.details:
        blocks = detail.shown(Level.NORMAL)
        if blocks:
            yield f"<details><summary>{_html(detail.title)}</summary>"
            yield ""
            yield from _blocks(blocks)
            yield "</details>"
            yield ""
    for line in layout.closing:
        yield f"{_spans(line)}  "
    if layout.next_command:
        yield f"Next: {_code(layout.next_command)}"


def _blocks(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Table():
                yield from _table(block)
            case Facts():
                yield from (f"- {_text(name)}: {_spans(value)}" for name, value in block.pairs)
                yield ""
            case Notes():
                yield from (f"- {_spans(line)}" for line in block.lines)
                yield ""
            case Figure() | Source() | Embedded():
                continue


def _table(table: Table) -> Iterator[str]:
    rows = table.shown(Level.NORMAL)
    kept = [index for index, column in enumerate(table.columns) if not column.drawing and column.level <= Level.NORMAL]
    kept = [index for index in kept if any(row.cells[index].text for row in rows)]
    if not kept:
        return
    if table.caption:
        yield f"{_text(table.caption)}"
        yield ""
    yield f"| {' | '.join(_text(table.columns[index].title) for index in kept)} |"
    yield f"| {' | '.join('---:' if table.columns[index].numeric else '---' for index in kept)} |"
    for row in rows:
        yield _row(row, kept)
    yield ""


def _row(row: Row, kept: Sequence[int]) -> str:
    return f"| {' | '.join(_cell(row.cells[index]) for index in kept)} |"


def _cell(cell: Cell) -> str:
    return "<br>".join(_spans(line) for line in cell.lines)


def _spans(spans: Sequence[Span], *, signs: bool = True) -> str:
    return "".join(_span(span, signs=signs) for span in spans)


def _span(span: Span, *, signs: bool) -> str:
    """A worse text gets a sign, because Markdown has no colour; only where it is strong, which is once per fact."""
    if span.emphasis is Emphasis.CODE:
        return _code(span.text)
    text = _text(span.text)
    if span.emphasis is not Emphasis.STRONG:
        return text
    return f"{_SIGNS[span.tone] if signs else ''}**{text}**"


def _code(text: str) -> str:
    """An element, not a code span: a span can hold neither a pipe (inside a table) nor its own number of backticks."""
    return f"<code>{_text(text)}</code>"


def _text(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", visible(text)).replace("&", "&amp;")


def _html(spans: Sequence[Span]) -> str:
    """The text of a summary element, where Markdown is not read."""
    from html import escape

    parts = []
    for span in spans:
        text = escape(visible(span.text))
        parts.append(f"<b>{text}</b>" if span.emphasis is Emphasis.STRONG else text)
    return "".join(parts)

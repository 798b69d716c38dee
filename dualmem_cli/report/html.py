"""The page: one file without any script or outside resource, for a browser, a printer and a screen reader."""

import re
from collections.abc import Callable, Sequence
from html import escape
from itertools import groupby

from dualmem_cli.model.record import Record
from dualmem_cli.report.compose import compose
from dualmem_cli.report.context import ReportContext
from dualmem_cli.report.layout import (
    Block,
    Cell,
    Column,
    Detail,
    Embedded,
    Emphasis,
    Facts,
    Figure,
    Interval,
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
from dualmem_cli.report.plane import PALETTE
from dualmem_cli.report.plots import svg
from dualmem_cli.report.stylesheet import STYLE
from dualmem_cli.report.svg import page_svg

# A page that embeds no document runs no script. default-src 'none': even a string that escaped its escaping could load and run nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_TYPOGRAPHY = (
    (re.compile(r"\+- (?=\d|below )"), "±\N{NO-BREAK SPACE}"),
    (re.compile(r"<= (?=[\d-])"), "≤\N{NO-BREAK SPACE}"),
    (re.compile(r">= (?=[\d-])"), "≥\N{NO-BREAK SPACE}"),
    (re.compile(r"(?<=\d )us\b"), "µs"),
    (re.compile(r"(?<=\d )x\b"), "\N{MULTIPLICATION SIGN}"),
    (re.compile(r"(?<![\w.\-/])-(?=\d)"), "\N{MINUS SIGN}"),
    (re.compile("(?<=\\d) (?=(?:%|ns|µs|ms|s|\N{MULTIPLICATION SIGN}|B|KiB|MiB|GiB)(?:\\W|$))"), "\N{NO-BREAK SPACE}"),
)
Drawing = Callable[[Figure], str]
_LONG_WORD = 24  # characters; a longer one may be broken anywhere, or it would push the table out of the page
_RANGE_WIDTH, _RANGE_HEIGHT = 160, 24


def render(record: Record, context: ReportContext) -> str:
    """The page of a record, as one HTML document."""
    return write(compose(record, context), draw=lambda figure: svg(record, figure))


def write(layout: Layout, *, draw: Drawing) -> str:
    """The page of a layout; `draw` makes matplotlib's SVG of each of its figures."""
    anchors = {detail.target: f"case-{number}" for number, detail in enumerate(layout.details, 1)}
    body = [
        f"<header><h1>{_text(layout.title)} <span class=faint>{_text(layout.created)}</span></h1>",
        f'<p class="verdict">{_spans(layout.verdict)}</p>',
        *(f'<p class="about">{_spans(line)}</p>' for line in layout.header),
        "</header>",
        *(_section(section, draw, anchors) for section in layout.sections),
    ]
    if layout.details:
        body.append("<section><h2>Case by case</h2>")
        body += [_detail(detail, draw, anchors) for detail in layout.details]
        body.append("</section>")
    if layout.facts:
        body.append("<section><h2>The facts behind</h2>")
        body += [_folded_section(section, draw, anchors) for section in layout.facts]
        body.append("</section>")
    body.append(_footer(layout))
    return _document(layout, "\n".join(body))


def _document(layout: Layout, body: str) -> str:
    verdict = "".join(span.text for span in layout.verdict)
    # A document inside of this page obeys both policies, its own and this one.
    scripts = {block.script for section in layout.sections for block in section.blocks if isinstance(block, Embedded)}
    policy = f"{_POLICY}; script-src {' '.join(sorted(scripts))}" if scripts else _POLICY
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(layout.title)}: {_text(verdict)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _footer(layout: Layout) -> str:
    lines = [f"<p>{_spans(line)}</p>" for line in layout.closing]
    if layout.next_command:
        lines.append(f"<p>Next: <code>{_text(layout.next_command)}</code></p>")
    return f"<footer>{''.join(lines)}</footer>"


def _section(section: Section, draw: Drawing, anchors: dict[str, str]) -> str:
    return f"<section><h2>{_text(section.title)}</h2>{_blocks(section.blocks, draw, anchors)}</section>"


def _folded_section(section: Section, draw: Drawing, anchors: dict[str, str]) -> str:
    inside = _blocks(section.blocks, draw, anchors)
    return f'<details><summary>{_text(section.title)}</summary><div class="inside">{inside}</div></details>'


def _detail(detail: Detail, draw: Drawing, anchors: dict[str, str]) -> str:
    # The anchor is inside, because a browser opens a closed <details> only for a target within it.
    inside = _blocks([block for _, block in detail.blocks], draw, anchors)
    opened = " open" if detail.opened else ""
    title = _spans(detail.title).replace("  ", '<span class="gap"></span>')
    return (
        f'<details{opened}><summary>{title}</summary><div class="inside" id="{anchors[detail.target]}">{inside}</div></details>'
    )


def _blocks(blocks: Sequence[Block], draw: Drawing, anchors: dict[str, str]) -> str:
    """Neighbouring figures share one grid."""
    parts = []
    for drawn, group in groupby(blocks, key=lambda block: isinstance(block, Figure)):
        texts = [_block(block, draw, anchors) for block in group]
        parts.append(f'<div class="figures">{"".join(texts)}</div>' if drawn else "".join(texts))
    return "".join(parts)


def _block(block: Block, draw: Drawing, anchors: dict[str, str]) -> str:
    match block:
        case Table():
            return _table(block, anchors)
        case Facts():
            caption = f"<h3>{_text(block.caption)}</h3>" if block.caption else ""
            pairs = "".join(f"<dt>{_text(name)}</dt><dd>{_spans(value)}</dd>" for name, value in block.pairs)
            return f'{caption}<dl class="facts">{pairs}</dl>'
        case Notes():
            return f'<ul class="notes">{"".join(f"<li>{_spans(line)}</li>" for line in block.lines)}</ul>'
        case Source():
            return f"<h3>{_text(block.caption)}</h3><pre>{escape(visible(block.text, keep=chr(10) + chr(9)))}</pre>"
        case Embedded():
            return f'<iframe title="{_text(block.title)}" srcdoc="{escape(block.document)}"></iframe>'
        case Figure():
            drawing = page_svg(draw(block), palette=PALETTE, label=_text(block.description))
            return f"<figure>{drawing}<figcaption>{_text(block.caption)}</figcaption></figure>"


def _table(table: Table, anchors: dict[str, str]) -> str:
    main = any(column.remark for column in table.columns)
    kept = [index for index, column in enumerate(table.columns) if any(_filled(row.cells[index]) for row in table.rows)]
    head = "".join(f'<th scope="col"{_class(table.columns[i])}>{_text(table.columns[i].title)}</th>' for i in kept)
    scale = _scale(table.rows)
    named = next((index for index in kept if table.columns[index].name), min(kept, default=0))
    body = []
    before: Row | None = None
    for row in table.rows:
        cells = "".join(_cell(table, row, before, index, named=named, scale=scale, anchors=anchors) for index in kept)
        body.append(f"<tr>{cells}</tr>")
        before = row
    caption = f"<caption>{_text(table.caption)}</caption>" if table.caption and not table.long else ""
    inside = f"{caption}<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody>"
    if main:
        return f'<table class="main">{inside}</table>'
    label = f' role="region" aria-label="{_text(table.caption)}"' if table.caption else ""
    scrolled = f'<div class="scroll" tabindex="0"{label}><table>{inside}</table></div>'
    return f'<details class="long"><summary>{_text(table.caption)}</summary>{scrolled}</details>' if table.long else scrolled


def _cell(table: Table, row: Row, before: Row | None, index: int, *, named: int, scale: float, anchors: dict[str, str]) -> str:
    column, cell = table.columns[index], row.cells[index]
    inside = "<br>".join(_spans(line) for line in cell.lines)
    if cell.drawing is not None:
        inside = _range(cell.drawing, scale)
    elif index == named and row.target in anchors:
        inside = f'<a href="#{anchors[row.target]}">{inside}</a>'
    again = column.group and before is not None and before.cells[index].text == cell.text
    long = any(len(word) > _LONG_WORD for word in cell.text.split())
    state = "again" if again else "" if _filled(cell) else "blank"
    classes = _class(column, state, "long" if long else "")
    value = f'<div class="value">{inside}</div>'
    label = f' data-label="{_text(column.title)}"'
    return f'<th scope="row"{classes}{label}>{value}</th>' if index == named else f"<td{classes}{label}>{value}</td>"


def _class(column: Column, *more: str) -> str:
    number = "number" if column.numeric else ""
    kind = (
        "drawing"
        if column.drawing
        else "remark"
        if column.remark
        else "name"
        if column.name
        else "extra"
        if column.level > Level.NORMAL
        else ""
    )
    names = " ".join(name for name in (number, kind, *more) if name)
    return f' class="{names}"' if names else ""


def _filled(cell: Cell) -> bool:
    return bool(cell.text) or cell.drawing is not None


def _scale(rows: Sequence[Row]) -> float:
    """The change at the edge of every range of a table: twice the widest threshold, or more where the changes are larger, up to 25 %."""
    intervals = [cell.drawing for row in rows for cell in row.cells if cell.drawing is not None]
    ends = [abs(end) for interval in intervals for end in (interval.low, interval.high)]
    widest = max((interval.threshold for interval in intervals), default=0.05)
    return max(2 * widest, min(max(ends, default=0.0), 0.25))


def _range(interval: Interval, scale: float) -> str:
    """The interval on an axis from -scale to +scale; hidden from screen readers, because the numbers stand beside it."""
    middle, half = _RANGE_HEIGHT / 2, _RANGE_WIDTH / 2 - 6

    def at(change: float) -> str:
        return f"{_RANGE_WIDTH / 2 + half * max(-1.0, min(1.0, change / scale)):.1f}"

    tone = "worse" if interval.low > interval.threshold else "better" if interval.high < -interval.threshold else "faint"
    edges = "".join(
        f'<line class="edge" x1="{at(edge)}" x2="{at(edge)}" y1="3" y2="{_RANGE_HEIGHT - 3}"/>'
        for edge in (-interval.threshold, interval.threshold)
    )
    return (
        f'<svg class="range {tone}" viewBox="0 0 {_RANGE_WIDTH} {_RANGE_HEIGHT}" aria-hidden="true">'
        f'<line class="zero" x1="{at(0)}" x2="{at(0)}" y1="0" y2="{_RANGE_HEIGHT}"/>{edges}'
        f'<line class="span" x1="{at(interval.low)}" x2="{at(interval.high)}" y1="{middle}" y2="{middle}"/>'
        f'<circle class="mid" cx="{at(interval.value)}" cy="{middle}" r="3.2"/></svg>'
    )


def _spans(spans: Sequence[Span]) -> str:
    return "".join(map(_span, spans))


def _span(span: Span) -> str:
    if span.emphasis is Emphasis.CODE:
        return f"<code>{escape(visible(span.text))}</code>"
    text = _text(span.text)
    if span.emphasis is Emphasis.STRONG:
        text = f"<b>{text}</b>"
    names = [
        name for name, on in ((span.tone.value, span.tone is not Tone.NEUTRAL), ("faint", span.emphasis is Emphasis.FAINT)) if on
    ]
    return f'<span class="{" ".join(names)}">{text}</span>' if names else text


def _text(text: str) -> str:
    """Escaped, with proper signs in place of the ASCII ones; quotes are escaped too, so it may stand in an attribute."""
    shown = visible(text)
    for pattern, sign in _TYPOGRAPHY:
        shown = pattern.sub(sign, shown)
    return escape(shown)

"""Markdown for a job summary: the verdict and the tables, without the details that `markdown` folds away.

GitHub takes 1 MiB of summary per step and refuses the whole of a longer one, so a table longer than a screen or two is cut, and in
the end so is the text.
"""

from dataclasses import replace

from dualmem_cli.model.record import Record
from dualmem_cli.report import markdown
from dualmem_cli.report.compose import compose
from dualmem_cli.report.context import ReportContext
from dualmem_cli.report.layout import Block, Level, Notes, Section, Table, plain

MOST_BYTES = 1 << 19  # half of the limit: other commands write to the same summary
_MOST_ROWS = 100


def render(record: Record, context: ReportContext) -> str:
    """The Markdown, at most MOST_BYTES in UTF-8."""
    layout = compose(record, context)
    sections = tuple(replace(section, blocks=_shortened(section)) for section in layout.sections)
    return _cut(markdown.write(replace(layout, sections=sections, details=())))


def _shortened(section: Section) -> tuple[Block, ...]:
    blocks: list[Block] = []
    for block in section.blocks:
        rows = block.shown(Level.NORMAL) if isinstance(block, Table) else ()
        if isinstance(block, Table) and len(rows) > _MOST_ROWS:
            blocks.append(replace(block, rows=rows[:_MOST_ROWS], folded=()))
            blocks.append(Notes((plain(f"{len(rows) - _MOST_ROWS} more rows stand in the record"),)))
        else:
            blocks.append(block)
    return tuple(blocks)


def _cut(text: str) -> str:
    """Whole lines only: half a line would be half a table row."""
    if len(text.encode()) <= MOST_BYTES:
        return text
    note = "\nThe rest is too long for a job summary; it stands in the record.\n"
    kept, left = [], MOST_BYTES - len(note)
    for line in text.splitlines(keepends=True):
        left -= len(line.encode())
        if left < 0:
            break
        kept.append(line)
    return "".join(kept) + note

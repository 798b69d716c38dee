"""One layout, many dialects: a report as plain data, before any terminal, Markdown or HTML is known.

compose.py makes a Layout from a record; each dialect walks over it. A colour (Tone) means better or worse, never
significant or not, and never stands alone: the words say the same.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum

from dualmem_cli.model.history import Measured


class Tone(StrEnum):
    """Which way a text points."""

    NEUTRAL = "neutral"
    BETTER = "better"
    WORSE = "worse"


class Level(IntEnum):
    """How much is shown. A part with a level is shown when at least that much is asked for (-q, nothing, -v; a page has all)."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2
    EVERYTHING = 3


class Emphasis(Enum):
    """How loud a text is, apart from its tone."""

    PLAIN = "plain"
    STRONG = "strong"
    FAINT = "faint"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text. Nothing in it is markup in any dialect."""

    text: str
    tone: Tone = Tone.NEUTRAL
    emphasis: Emphasis = Emphasis.PLAIN


@dataclass(frozen=True, slots=True)
class Interval:
    """A change drawn on one axis with its threshold, all as fractions. Dialects that cannot draw leave it out."""

    value: float
    low: float
    high: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; its lines are shown one below the other where the dialect can."""

    lines: tuple[tuple[Span, ...], ...]
    drawing: Interval | None = None

    @property
    def text(self) -> str:
        return " ".join("".join(span.text for span in line) for line in self.lines)


@dataclass(frozen=True, slots=True)
class Column:
    """`numeric` cells are right-aligned; in a `group` column equal neighbours are shown once; `drawing` columns exist only where
    the dialect can draw; a `remark` column may move below its row where there is no room; a `name` column says what the row is
    about; `level` is as for a part."""

    title: str
    name: bool = False
    numeric: bool = False
    group: bool = False
    drawing: bool = False
    remark: bool = False
    level: Level = Level.QUIET


@dataclass(frozen=True, slots=True)
class Row:
    """As many cells as the table has columns. `target` names the detail that the row summarises ("" for none)."""

    cells: tuple[Cell, ...]
    level: Level = Level.NORMAL
    target: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption ("" for none). `folded` rows stand for the rows that the reader's level hides; a `long` table need not
    be open at first."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    folded: tuple[Row, ...] = ()
    long: bool = False

    def shown(self, level: Level) -> tuple[Row, ...]:
        """The rows to show at a level; the folded ones only when something is hidden."""
        rows = tuple(row for row in self.rows if row.level <= level)
        if len(rows) == len(self.rows):
            return rows
        return rows + tuple(row for row in self.folded if row.level <= level)


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with their values."""

    caption: str
    pairs: tuple[tuple[str, tuple[Span, ...]], ...]


@dataclass(frozen=True, slots=True)
class Notes:
    """Lines of text, in order."""

    lines: tuple[tuple[Span, ...], ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Text to be shown exactly as it is."""

    caption: str
    text: str


class FigureKind(StrEnum):
    """What a figure shows (plots.py draws it)."""

    RATIOS = "ratios"  # compare: paired ratios over time
    SIDES = "sides"  # compare: time per operation of both builds
    WORKERS = "workers"  # compare: one change per worker, and the interval
    SPREAD = "spread"  # bench: time per operation of every arm
    PERCENTILES = "percentiles"  # latency by percentile
    SCALING = "scaling"  # bench: cost against size, of all series of a scenario
    RECALL_RATE = "recall-rate"  # bench: lookups a second against recall, of all arms of a scenario
    RECALL_LATENCY = "recall-latency"  # bench: latency against recall, of all arms of a scenario
    ROOFLINE = "roofline"  # bench: the machine's roofs and the cases under them
    LOAD_PERCENTILES = "load-percentiles"  # bench of a load: latency by percentile, a line per kind of operation
    LOAD_TIME = "load-time"  # bench of a load: latency of every section, over time
    DETECTION = "detection"  # selftest: share of decisions REGRESSED by planted slowdown, per load
    SECONDS = "seconds"  # selftest: time to the verdict by planted slowdown, per load
    RIVALS = "rivals"  # selftest: other tools' rules on the same samples
    HISTORY = "history"  # history: one quantity, record by record
    RIVALS_IN_TURN = "rivals-in-turn"  # selftest: the same rules on samples taken one side after the other


@dataclass(frozen=True, slots=True)
class Figure:
    """A place for a drawing of a case ("": of all together; for SCALING, `scaling_name`; for RECALL_RATE and RECALL_LATENCY,
    `frontier_name`; for HISTORY, `course_name`), for dialects that can draw. `description` is what a person who cannot see it reads."""

    case: str
    kind: FigureKind
    caption: str
    description: str


def scaling_name(scenario: str, parameter: str) -> str:
    """What a figure of kind SCALING is of."""
    return f"{scenario} by {parameter}"


def course_name(measured: Measured, machine: str) -> str:
    """What a figure of kind HISTORY is of."""
    return "|".join((measured.command, measured.case, measured.parameters, measured.data, measured.quantity, machine))


def frontier_name(scenario: str, series: str) -> str:
    """What a figure of recall against time is of."""
    return f"{scenario}, {series}" if series else scenario


@dataclass(frozen=True, slots=True)
class Embedded:
    """A whole document, scripts and all, for dialects that can hold one; `script` is what its policy calls its script
    ("'sha256-...'"), which the page around it has to allow as well. `title` is what a person who cannot see it reads."""

    title: str
    document: str
    script: str


Block = Table | Facts | Notes | Source | Figure | Embedded


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part, shown from `level` on."""

    title: str
    level: Level
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Detail:
    """Everything about one case, each block with the level from which on it is shown. `opened` where a reader should see it without
    asking."""

    target: str
    title: tuple[Span, ...]
    opened: bool
    blocks: tuple[tuple[Level, Block], ...]

    def shown(self, level: Level) -> tuple[Block, ...]:
        """The blocks to show at a level."""
        return tuple(block for least, block in self.blocks if least <= level)


@dataclass(frozen=True, slots=True)
class Layout:
    """A whole report in reading order: what ran, the verdict, the sections, one detail per case, the facts behind, how it ended."""

    title: str
    created: str
    header: tuple[tuple[Span, ...], ...]
    verdict: tuple[Span, ...]
    sections: tuple[Section, ...]
    details: tuple[Detail, ...]
    facts: tuple[Section, ...]
    closing: tuple[tuple[Span, ...], ...]
    next_command: str


def plain(text: str, tone: Tone = Tone.NEUTRAL) -> tuple[Span, ...]:
    """One span of plain text."""
    return (Span(text, tone),)


def strong(text: str, tone: Tone = Tone.NEUTRAL) -> tuple[Span, ...]:
    """One span that stands out."""
    return (Span(text, tone, Emphasis.STRONG),)


def faint(text: str) -> tuple[Span, ...]:
    """One span that stands back."""
    return (Span(text, Tone.NEUTRAL, Emphasis.FAINT),)


def code(text: str) -> tuple[Span, ...]:
    """One span that is to be typed or looked up letter by letter."""
    return (Span(text, Tone.NEUTRAL, Emphasis.CODE),)


def cell(text: str, tone: Tone = Tone.NEUTRAL, emphasis: Emphasis = Emphasis.PLAIN) -> Cell:
    """A cell of one line of one span."""
    return Cell(((Span(text, tone, emphasis),),))


def joined(parts: Iterable[tuple[Span, ...]], separator: str = "; ") -> tuple[Span, ...]:
    """Several runs of spans in one line."""
    spans: list[Span] = []
    for part in parts:
        if spans:
            spans.append(Span(separator))
        spans.extend(part)
    return tuple(spans)


def visible(text: str, *, keep: str = "") -> str:
    """The text with every character that is not seen but acts written as an escape: controls (terminal sequences), direction marks,
    zero-width characters, lone surrogates. A library names its own kernels; it must not be able to redraw a terminal or turn a
    sentence round. Characters in `keep` stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or not _acts(c) else _escape(c) for c in text)


def _acts(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _escape(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"

"""How a history is worded: a change with where it lies, a trend, a line of blocks. No statistic is computed here."""

from collections.abc import Sequence

from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.history import Change, Course, Kept, Measured, Point, Trend
from dualmem_cli.model.machine import Machine
from dualmem_cli.model.verdict import Quantity
from dualmem_cli.report.layout import Span, Tone, faint, plain
from dualmem_cli.report.phrases import (
    amount,
    change_interval,
    change_text,
    counted,
    estimate_text,
    kind_of,
    percentile_name,
    quantity_name,
)
from dualmem_cli.report.since import short_revision

_BLOCKS = "▁▂▃▄▅▆▇█"
BLOCKS_SHOWN = 16
_LEAST_HEIGHT = 0.10  # of the level: less than this is not drawn to the full height, or noise would look like news


def what_text(measured: Measured) -> str:
    """The quantity, and the command where it is not a bench: 'time per operation', 'P99, in compares'."""
    return quantity_name(measured.quantity) + (", in compares" if measured.command == "compare" else "")


def short_what(measured: Measured) -> str:
    """As a table's cell: 'time', 'P99', 'overhead', 'time (compare)', of one kind of a load's operations 'lookup P99'."""
    kind, quantity = kind_of(measured.quantity)
    name = percentile_name(quantity) or quantity.replace("_", " ")
    return (f"{kind} {name}" if kind else name) + (" (compare)" if measured.command == "compare" else "")


def case_text(measured: Measured) -> str:
    """The case without its scenario: 'count=16, avx2'."""
    parts = measured.case.split("/")[1:]
    return ", ".join(reversed(parts)).replace(",", ", ").replace(",  ", ", ") or measured.variant


def point_text(point: Point, measured: Measured) -> str:
    """A number with its uncertainty, where it has one."""
    if point.low is None or point.high is None:
        return amount(point.value, measured.unit, measured.quantity)
    estimate = Estimate(point.value, point.low, point.high, 0.95, measured.unit, 1, "")
    return estimate_text(Quantity(measured.quantity, estimate))


def size_text(size: Estimate, measured: Measured, *, relative: bool) -> str:
    """'+7.9 % [+7.4, +8.3]'; an exact one has no interval; one that is no fraction is in its own unit."""
    exact = size.low == size.value == size.high
    if relative:
        change = change_text(size).replace("-0.0 %", "0.0 %").replace("+0.0 %", "0.0 %")
        return change if exact else f"{change} {change_interval(size)}"
    value = _signed(size.value, measured)
    return value if exact else f"{value} {_ends(size, measured)}"


def trend_spans(trend: Trend | None, measured: Measured) -> tuple[Span, ...]:
    """'+1.4 % [+0.2, +2.6] in 20'; a drift says so; of one that may as well be none, only the interval."""
    if trend is None:
        return ()
    size = trend.size
    if size.low <= 0 <= size.high:
        within = f"{change_interval(size)} %" if trend.relative else _ends(size, measured)
        return faint(f"{within} in {size.count}")
    text = f"{size_text(size, measured, relative=trend.relative)} in {size.count}"
    return plain(f"drifts {text}" if trend.drift else text, _tone(trend.worse))


def change_spans(change: Change, course: Course) -> tuple[Span, ...]:
    """'+7.9 % [+7.4, +8.3] between 3f2a91c of 11-03 14:20 and 9a1b2c3 of 11-04 09:12, 12 records ago; compiler gcc 12 -> gcc 13'."""
    points = course.series.points
    before, after = points[change.at - 1].record, points[change.at].record
    size = size_text(change.size, course.series.measured, relative=change.relative)
    ago = len(points) - change.at
    words = f" between {moment_text(before)} and {moment_text(after)}, {counted(ago, 'record')} ago"
    return (*plain(size, _tone(change.worse)), *plain("".join([words, *(f"; {note}" for note in _notes(change, points))])))


def moment_text(record: Kept) -> str:
    """A record by its revision and its time: '3f2a91c0d5 of 11-03 14:20'."""
    revision = short_revision(record.revision + ("+" if record.dirty else "")) or f"build {record.build[:7]}"
    return f"{revision} of {record.created:%m-%d %H:%M}"


def machine_text(name: str, machine: Machine | None) -> str:
    """'AMD EPYC, 2 cores, Linux 6.1 (843da226)'."""
    if machine is None:
        return name
    return f"{machine.cpu or machine.architecture}, {counted(machine.cores, 'core')}, Linux {machine.kernel} ({name})"


def blocks(values: Sequence[float]) -> str:
    """The last values as a line of blocks of eight heights."""
    shown = values[-BLOCKS_SHOWN:]
    low, high = min(shown), max(shown)
    height = max(high - low, _LEAST_HEIGHT * max(abs(low), abs(high))) or 1.0
    base = (low + high - height) / 2
    return "".join(_BLOCKS[min(len(_BLOCKS) - 1, int((value - base) / height * len(_BLOCKS)))] for value in shown)


def _notes(change: Change, points: Sequence[Point]) -> list[str]:
    """How sure the place is, and what else is another there."""
    before, after = points[change.at - 1].record, points[change.at].record
    notes = []
    if change.earliest != change.at or change.latest != change.at:
        first, last = points[change.earliest - 1].record, points[change.latest].record
        notes.append(f"perhaps anywhere between {moment_text(first)} and {moment_text(last)}")
    if before.build == after.build:
        notes.append("the same build on both sides")
    if before.compiler != after.compiler:
        notes.append(f"compiler {before.compiler} -> {after.compiler}")
    if before.gate != after.gate:
        notes.append("what measures changed as well")
    return notes


def _ends(size: Estimate, measured: Measured) -> str:
    return f"[{_signed(size.low, measured)}, {_signed(size.high, measured)}]"


def _signed(value: float, measured: Measured) -> str:
    text = amount(value, measured.unit, measured.quantity)
    return text if text.startswith(("+", "-")) or not value else f"+{text}"


def _tone(worse: bool | None) -> Tone:
    return Tone.NEUTRAL if worse is None else Tone.WORSE if worse else Tone.BETTER

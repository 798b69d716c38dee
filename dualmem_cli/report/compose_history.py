"""A history as a layout: per machine what is latest, where it goes and where it last changed; then series by series."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dualmem_cli.model.history import Chronicle, Course, Kept, Told
from dualmem_cli.model.machine import Machine
from dualmem_cli.model.units import percent
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.report.history_words import (
    blocks,
    case_text,
    change_spans,
    machine_text,
    moment_text,
    point_text,
    short_what,
    trend_spans,
    what_text,
)
from dualmem_cli.report.layout import (
    Block,
    Cell,
    Column,
    Detail,
    Emphasis,
    Figure,
    FigureKind,
    Layout,
    Level,
    Notes,
    Row,
    Section,
    Span,
    Table,
    Tone,
    cell,
    course_name,
    faint,
    joined,
    plain,
    strong,
)
from dualmem_cli.report.phrases import counted
from dualmem_cli.report.since import short_revision

_MAIN = ("time", "p50", "p99")
_VERDICTS_SHOWN = 12
_TONES = {Verdict.REGRESSED: Tone.WORSE, Verdict.INVALID: Tone.WORSE, Verdict.IMPROVED: Tone.BETTER}


@dataclass(frozen=True, slots=True)
class HistoryContext:
    """What no history knows of itself: where it is, how many points a trend has at most, and whether some kernels were asked for by
    name, so that every record of theirs is wanted."""

    database: str
    last: int
    named: bool


def compose_history(chronicle: Chronicle, context: HistoryContext) -> Layout:
    """The whole report as plain data."""
    machines = dict(chronicle.machines)
    names = [name for name, _ in chronicle.machines if any(course.series.machine == name for course in chronicle.courses)]
    sections = [_courses(chronicle, _caption(chronicle, name, machines), name, context) for name in names]
    shared = "the same on every machine: " + counted(len(chronicle.records), "record")
    sections.append(_courses(chronicle, shared, "", context))
    if chronicle.verdicts:
        sections.append(_verdicts(chronicle.verdicts))
    return Layout(
        title="dualmem history",
        created=_span_of_time(chronicle.records),
        header=(_about(chronicle),),
        verdict=_verdict(chronicle),
        sections=tuple(section for section in sections if section.blocks),
        details=tuple(_detail(course, machines, context) for course in chronicle.courses if context.named or is_told(course)),
        facts=(),
        closing=(plain(f"database {context.database}"),),
        next_command="" if context.named else "dualmem history KERNEL",
    )


def is_told(course: Course) -> bool:
    """Whether a course is told without being asked for: what an operation takes, and whatever changed."""
    return course.series.measured.quantity in _MAIN or bool(course.changes) or course.drifts


def _verdict(chronicle: Chronicle) -> tuple[Span, ...]:
    courses = chronicle.courses
    worse = sum(bool(course.changes) and course.changes[-1].worse is True for course in courses)
    better = sum(bool(course.changes) and course.changes[-1].worse is False for course in courses)
    drifting = sum(course.drifts for course in courses)
    parts = [plain(f"{counted(len(courses), 'series', 'series')}")]
    parts.append(strong(f"{worse} last changed for the worse", Tone.WORSE) if worse else plain("none last changed for the worse"))
    parts += [plain(f"{better} for the better", Tone.BETTER)] if better else []
    parts += [plain(f"{drifting} drifting")] if drifting else []
    return joined(parts, ", ")


def _about(chronicle: Chronicle) -> tuple[Span, ...]:
    kinds = Counter(record.command for record in chronicle.records)
    named = ", ".join(counted(count, kind, "benches" if kind == "bench" else "compares") for kind, count in sorted(kinds.items()))
    revisions = len({record.revision for record in chronicle.records if record.revision})
    return plain(f"{named or 'no record'}; {counted(revisions, 'revision')}, {counted(len(chronicle.machines), 'machine')}")


def _span_of_time(records: Sequence[Kept]) -> str:
    if not records:
        return ""
    first, last = (f"{record.created:%Y-%m-%d}" for record in (records[0], records[-1]))
    return first if first == last else f"{first} to {last}"


def _caption(chronicle: Chronicle, name: str, machines: dict[str, Machine]) -> str:
    records = [record for record in chronicle.records if record.machine == name]
    return f"{machine_text(name, machines.get(name))}: {counted(len(records), 'record')}, {_span_of_time(records)}"


def _courses(chronicle: Chronicle, caption: str, machine: str, context: HistoryContext) -> Section:
    """A table per machine. What did not change of the numbers that are the same everywhere is told only on request."""
    courses = [course for course in chronicle.courses if course.series.machine == machine]
    title = f"Machine {machine}" if machine else "Every machine"
    if not courses:
        return Section(title, Level.QUIET, ())
    columns = (
        Column("scenario", name=True, group=True),
        Column("case: quantity"),
        Column("latest", numeric=True),
        Column(f"trend, last {context.last}"),
        Column("n", numeric=True, level=Level.VERBOSE),
        Column("course", level=Level.NORMAL),
        Column("last change", remark=True),
    )
    rows = tuple(_row(course, context) for course in courses)
    hidden = sum(row.level > Level.NORMAL for row in rows)
    left = cell(f"{hidden} more: -v", emphasis=Emphasis.FAINT)
    folded = (Row((left, *(cell("") for _ in columns[1:])), Level.NORMAL),) if hidden else ()
    return Section(title, Level.QUIET, (Table(caption, columns, rows, folded),))


def _row(course: Course, context: HistoryContext) -> Row:
    series = course.series
    measured = series.measured
    told = is_told(course)
    changed = bool(course.changes) or course.drifts
    return Row(
        (
            cell(measured.scenario),
            cell(f"{case_text(measured)}: {short_what(measured)}"),
            cell(point_text(course.latest, measured)),
            Cell((trend_spans(course.trend, measured),)),
            cell(str(len(series.points))),
            cell(blocks([point.value for point in series.points])),
            _last_change(course),
        ),
        level=Level.QUIET if changed else Level.NORMAL if told or context.named else Level.VERBOSE,
        target=course_name(measured, series.machine) if told or context.named else "",
    )


def _last_change(course: Course) -> Cell:
    if not course.changes:
        return cell("")
    count = len(course.changes)
    return Cell(((*change_spans(course.changes[-1], course), *plain(f"; {count} changes in all" if count > 1 else "")),))


def _verdicts(verdicts: Sequence[Told]) -> Section:
    """How often which, and the last that were not "unchanged"."""
    counts = Counter(told.judged.verdict for told in verdicts)
    summary = ", ".join(f"{count:,} {verdict}" for verdict, count in counts.most_common())
    told = [one for one in verdicts if one.judged.verdict is not Verdict.UNCHANGED][:_VERDICTS_SHOWN]
    columns = (
        Column("compared"),
        Column("case", name=True),
        Column("verdict"),
        Column("change", numeric=True),
        Column("why", remark=True),
    )
    rows = tuple(
        Row(
            (
                cell(f"{one.record.created:%Y-%m-%d %H:%M}"),
                cell(one.judged.case),
                cell(one.judged.verdict, _TONES.get(one.judged.verdict, Tone.NEUTRAL)),
                cell(percent(one.judged.change) if one.judged.change is not None else ""),
                cell(one.judged.reason),
            )
        )
        for one in told
    )
    table: tuple[Block, ...] = (Table("", columns, rows),) if rows else ()
    return Section("Verdicts of compares", Level.NORMAL, (Notes((plain(summary),)), *table))


def _detail(course: Course, machines: dict[str, Machine], context: HistoryContext) -> Detail:
    measured = course.series.measured
    where = machine_text(course.series.machine, machines.get(course.series.machine)) if course.series.machine else "every machine"
    title = joined((strong(f"{measured.scenario} {case_text(measured)}"), plain(what_text(measured)), faint(where)), "  ")
    shown = Level.NORMAL if context.named and is_told(course) else Level.VERBOSE if context.named else Level.EVERYTHING
    parts: list[tuple[Level, Block]] = [(Level.EVERYTHING, _figure(course))] if len(course.series.points) > 1 else []
    changes = [*_changes(course)]
    parts += [(shown, Notes(tuple(changes)))] if changes else []
    parts.append((shown, _points(course, machines)))
    return Detail(
        target=course_name(measured, course.series.machine),
        title=title,
        opened=bool(course.changes) or course.drifts or context.named,
        blocks=tuple(parts),
    )


def _changes(course: Course) -> Iterator[tuple[Span, ...]]:
    yield from (change_spans(change, course) for change in course.changes)
    if course.trend is not None:
        since = " since the last change" if course.changes else ""
        yield (*plain("trend: "), *trend_spans(course.trend, course.series.measured), *plain(f" records{since}"))
    if course.outliers:
        yield faint(f"{counted(len(course.outliers), 'record')} stood far apart and was left out of account")


def _figure(course: Course) -> Figure:
    measured = course.series.measured
    changes = "; ".join("".join(span.text for span in change_spans(change, course)) for change in course.changes)
    named = f"{measured.scenario} {case_text(measured)}, {what_text(measured)}"
    first, last = course.series.points[0].record, course.latest.record
    return Figure(
        case=course_name(measured, course.series.machine),
        kind=FigureKind.HISTORY,
        caption=f"{what_text(measured)}, {counted(len(course.series.points), 'record')}; steps: levels between changes, bars: intervals",
        description=f"{named}: {counted(len(course.series.points), 'record')} from {moment_text(first)} to {moment_text(last)}; "
        f"{changes or 'no change'}",
    )


def _points(course: Course, machines: dict[str, Machine]) -> Table:
    """Record by record, the last first."""
    measured = course.series.measured
    several = not course.series.machine and len(machines) > 1
    columns = (
        Column("measured", name=True),
        Column("revision"),
        Column("build", level=Level.VERBOSE),
        Column(short_what(measured), numeric=True),
        Column("", level=Level.NORMAL),
        Column("machine", level=Level.NORMAL if several else Level.EVERYTHING),
        Column("record", level=Level.VERBOSE),
    )
    marks = {change.at: "changed here" for change in course.changes} | dict.fromkeys(course.outliers, "left out")
    rows = []
    for at, point in reversed(list(enumerate(course.series.points))):
        record = point.record
        texts = (
            f"{record.created:%Y-%m-%d %H:%M}",
            short_revision(record.revision + ("+" if record.dirty else "")),
            record.build[:7],
            point_text(point, measured),
            marks.get(at, ""),
            record.machine,
            record.digest[:7],
        )
        rows.append(Row(tuple(map(cell, texts))))
    return Table("record by record", columns, tuple(rows), long=True)

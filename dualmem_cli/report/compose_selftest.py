"""Self-test: the contract, the operating curve, unchanged code, other tools' rules."""

from collections import Counter

from dualmem_cli.model.curve import Cell, Clause, OperatingCurve, Rate, Standing
from dualmem_cli.model.selftest import Load, SelftestRecord
from dualmem_cli.model.units import percent, significant
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.report.compose_facts import build_facts, machine_facts, machine_line
from dualmem_cli.report.compose_rivals import rivals_section
from dualmem_cli.report.context import ReportContext
from dualmem_cli.report.layout import Cell as TableCell
from dualmem_cli.report.layout import (
    Column,
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
    joined,
    plain,
    strong,
)
from dualmem_cli.report.phrases import counted, duration, plain_percent, rate_interval, share_text, three_digits

_STANDINGS = (Standing.VIOLATED, Standing.NOT_SHOWN, Standing.MET)


def compose_selftest(record: SelftestRecord, curve: OperatingCurve, context: ReportContext) -> Layout:
    """The whole report as plain data. `curve` is the one of `record`."""
    verdict = _verdict(curve)
    if record.interrupted:
        verdict = joined((strong("interrupted"), verdict), ": ")
    sections = (
        _contract(curve),
        _curve(curve),
        _unchanged(curve),
        _kinds(curve),
        _machines(record, curve),
        rivals_section(curve),
        *_invalid(record),
        _cells(curve),
    )
    files = [f"{name} {path}" for name, path in (("Record", context.record_path), ("page", context.page_path)) if path]
    files += [f"samples {record.raw}"] if record.raw else []
    status = f"exit {context.exit_status.value} ({context.exit_status.name.lower().replace('_', ' ')})"
    return Layout(
        title="dualmem selftest",
        created=record.created.replace("T", " ").replace("Z", " UTC").replace("+00:00", " UTC"),
        header=(machine_line(record.tool, record.machine, clock=""), _about(record)),
        verdict=verdict,
        sections=tuple(section for section in sections if section.blocks),
        details=(),
        facts=_facts(record),
        closing=(plain(f"{duration(record.seconds)}, {status}"), *([plain(", ".join(files))] if files else [])),
        next_command=context.next_command,
    )


def _more_machines(record: SelftestRecord) -> str:
    return f"; on {counted(len(record.machines), 'machine')}, this is the first" if record.elsewhere else ""


def _machines(record: SelftestRecord, curve: OperatingCurve) -> Section:
    """The figures of each machine, where there are several."""
    if len(curve.machines) < 2:
        return Section("By machine", Level.NORMAL, ())
    columns = (
        Column("machine", name=True),
        Column("decisions", numeric=True),
        Column(f"REGRESSED at <= {plain_percent(curve.silent)}", numeric=True),
        Column(f"REGRESSED at >= {plain_percent(curve.caught)}", numeric=True),
        Column("inconclusive", numeric=True),
        Column("median time", numeric=True),
    )
    rows = tuple(
        Row(
            (
                cell(_machine_name(record, rates.machine)),
                cell(f"{rates.trials:,}"),
                cell(_of(rates.false_alarms)),
                cell(_of(rates.detection)),
                cell(_of(rates.inconclusive)),
                cell(duration(rates.seconds_median) if rates.seconds_median is not None else "-"),
            )
        )
        for rates in curve.machines
    )
    return Section("By machine", Level.NORMAL, (Table("Every other table is of all machines together", columns, rows),))


def _machine_name(record: SelftestRecord, number: int) -> str:
    if not 0 <= number < len(record.machines):
        return f"{number + 1}: unknown"
    machine = record.machines[number]
    return f"{number + 1}: {machine.cpu}, {counted(machine.cores, 'core')}, {machine.kernel}"


def _about(record: SelftestRecord) -> tuple[Span, ...]:
    run = "quick run" if record.quick else "full run"
    return plain(
        f"{run}: {counted(len(record.trials), 'decision')}, threshold {plain_percent(record.threshold)}, each given the error budget of "
        f"one case in a suite of {record.cases}; seed {record.seed}{_more_machines(record)}"
    )


def _verdict(curve: OperatingCurve) -> tuple[Span, ...]:
    """How many clauses stand how, the worst first; what is only aimed at is not counted."""
    counts = Counter(clause.standing for clause in curve.clauses if not clause.aim and clause.load is None)
    parts = [strong(f"{counts[standing]} {standing}", _tone(standing)) for standing in _STANDINGS if counts[standing]]
    split = sum(clause.standing is Standing.VIOLATED for clause in curve.clauses if clause.load is not None)
    if split:
        parts.append(strong(f"{counted(split, 'more violation')} under single loads", Tone.WORSE))
    return (*plain("the contract: "), *joined(parts, ", ")) if parts else strong("nothing was measured", Tone.WORSE)


def _tone(standing: Standing) -> Tone:
    return {Standing.VIOLATED: Tone.WORSE, Standing.MET: Tone.BETTER, Standing.NOT_SHOWN: Tone.NEUTRAL}[standing]


def _contract(curve: OperatingCurve) -> Section:
    columns = (
        Column("standing"),
        Column("clause", name=True),
        Column("load", group=True),
        Column("seen", numeric=True),
        Column("rate", numeric=True),
        Column("95 %", numeric=True, level=Level.VERBOSE),
        Column("what is shown, at 95 %", remark=True),
    )
    rows = tuple(_clause_row(clause) for clause in curve.clauses)
    return Section("The contract", Level.QUIET, (Table("", columns, rows),))


def _clause_row(clause: Clause) -> Row:
    word = clause.standing.upper() if clause.standing is Standing.VIOLATED and not clause.aim else clause.standing.value
    tone = Tone.NEUTRAL if clause.aim else _tone(clause.standing)
    violated = clause.standing is Standing.VIOLATED
    level = Level.QUIET if violated else Level.NORMAL if clause.load is None else Level.VERBOSE
    return Row(
        (
            cell(word, tone, Emphasis.STRONG if violated and not clause.aim else Emphasis.PLAIN),
            cell(clause.name),
            cell(clause.load or "all"),
            cell(_of(clause.rate)),
            cell(share_text(clause.rate)),
            cell(rate_interval(clause.rate)),
            cell(clause.shown),
        ),
        level=level,
    )


def _curve(curve: OperatingCurve) -> Section:
    loads = [load for load in Load if any(point.load is load for point in curve.points)]
    places = {(point.planted, point.load): point for point in curve.points}
    columns = (Column("planted", name=True, numeric=True), *(Column(load, numeric=True) for load in loads))
    rows = tuple(
        Row((cell(_size(size.planted)), *(_point(places.get((size.planted, load))) for load in loads))) for size in curve.sizes
    )
    if not rows:
        return Section("Operating curve", Level.NORMAL, ())
    table = Table("Share of decisions REGRESSED, with its 95 % interval, by the slowdown that was built in", columns, rows)
    zone = (
        f"Up to {plain_percent(curve.silent)} nothing may be called, from {plain_percent(curve.caught)} on all must; in between the "
        "estimate decides against the threshold, and the contract promises no rate."
    )
    return Section("Operating curve", Level.NORMAL, (*(_figures(curve) if curve.drawable else ()), table, Notes((plain(zone),))))


def _figures(curve: OperatingCurve) -> tuple[Figure, ...]:
    told = "; ".join(f"{_size(size.planted)}: {share_text(size.regressed)}" for size in curve.sizes)
    return (
        Figure(
            "",
            FigureKind.DETECTION,
            "Share of decisions REGRESSED, with 95 % intervals, one line per load (moved apart a little). A line must not enter the shaded "
            "areas, which are where the contract is broken.",
            f"Operating curve, all loads together: {told}",
        ),
        Figure(
            "",
            FigureKind.SECONDS,
            "Seconds to the verdict: the median as a line, the 95th percentile as a dot. Dashed: what the contract allows for unchanged "
            "code and for a regression.",
            "Time to the verdict by planted slowdown and load",
        ),
    )


def _point(point: Cell | None) -> TableCell:
    if point is None:
        return cell("-")
    rate = point.regressed
    return TableCell((plain(share_text(rate)), plain(rate_interval(rate)), plain(f"of {rate.total:,}")))


def _unchanged(curve: OperatingCurve) -> Section:
    if not curve.copies:
        return Section("Unchanged code", Level.NORMAL, ())
    columns = (Column("pair", name=True, group=True), Column("load"), *_CELL_COLUMNS)
    rows = tuple(
        Row((cell(entry.pair or ""), cell(entry.load or "all"), *_cell_cells(entry)), level=Level.NORMAL)
        for entry in curve.copies
    )
    return Section(
        "Unchanged code (A/A)",
        Level.NORMAL,
        (Table("copy: a byte copy; inert: recompiled, no work more or less; open: inconclusive", columns, rows),),
    )


_CELL_COLUMNS = (
    Column("trials", numeric=True),
    Column("regressed", numeric=True),
    Column("95 %", numeric=True),
    Column("improved", numeric=True, level=Level.VERBOSE),
    Column("open", numeric=True),
    Column("invalid", numeric=True, level=Level.VERBOSE),
    Column("mean error", numeric=True, level=Level.VERBOSE),
    Column("deviation", numeric=True, level=Level.VERBOSE),
    Column("median", numeric=True),
    Column("P95", numeric=True),
    Column("workers", numeric=True, level=Level.VERBOSE),
)


def _cell_cells(entry: Cell) -> tuple[TableCell, ...]:
    """One cell per column of _CELL_COLUMNS."""
    return (
        cell(f"{entry.trials:,}"),
        cell(f"{entry.regressed.count:,}"),
        cell(rate_interval(entry.regressed)),
        cell(f"{entry.rate(Verdict.IMPROVED).count:,}"),
        cell(f"{entry.rate(Verdict.INCONCLUSIVE).count:,}"),
        cell(f"{entry.invalid:,}"),
        cell("-" if entry.bias is None else percent(entry.bias.value, digits=2)),
        cell("-" if entry.deviation is None else percent(entry.deviation, signed=False, digits=2)),
        cell(_seconds(entry.seconds_median)),
        cell(_seconds(entry.seconds_p95)),
        cell("-" if entry.workers_median is None else f"{significant(entry.workers_median)} (at most {entry.workers_most})"),
    )


def _kinds(curve: OperatingCurve) -> Section:
    names = list(dict.fromkeys(entry.kind for entry in curve.kinds))
    places = {(entry.kind, entry.planted): entry for entry in curve.kinds}
    sizes = [size.planted for size in curve.sizes]
    columns = (Column("kernel", name=True), *(Column(_size(size), numeric=True) for size in sizes))
    rows = tuple(Row((cell(name), *(_short_point(places.get((name, size))) for size in sizes))) for name in names)
    caption = "Share of decisions REGRESSED by kernel and planted slowdown, all loads together (decisions)"
    return Section("By kernel", Level.NORMAL, (Table(caption, columns, rows),) if rows else ())


def _short_point(entry: Cell | None) -> TableCell:
    return cell("-") if entry is None else TableCell((plain(share_text(entry.regressed)), plain(f"({entry.regressed.total:,})")))


def _invalid(record: SelftestRecord) -> tuple[Section, ...]:
    problems = Counter((trial.kind, trial.load, trial.problem) for trial in record.trials if trial.problem)
    if not problems:
        return ()
    columns = (Column("kernel", name=True), Column("load"), Column("trials", numeric=True), Column("why", remark=True))
    rows = tuple(Row((cell(k), cell(load), cell(f"{n:,}"), cell(why, Tone.WORSE))) for (k, load, why), n in problems.items())
    return (Section("Not measured", Level.NORMAL, (Table("", columns, rows),)),)


def _cells(curve: OperatingCurve) -> Section:
    columns = (Column("planted", name=True, numeric=True), Column("load"), *_CELL_COLUMNS)
    rows = tuple(Row((cell(_size(point.planted)), cell(point.load or "all"), *_cell_cells(point))) for point in curve.points)
    caption = "Every size and load: answers (open: inconclusive), mean of estimate minus planted, seconds to the verdict"
    return Section("Every cell", Level.VERBOSE, (Table(caption, columns, rows, long=True),) if rows else ())


def _facts(record: SelftestRecord) -> tuple[Section, ...]:
    machine = Section("Machine", Level.VERBOSE, (machine_facts(record.machine, clock="", revision=record.revision),))
    if not record.builds:
        return (machine,)
    roles = ("baseline", *(f"candidate {number}" for number in range(1, len(record.builds))))
    facts = tuple(build_facts(build, role) for build, role in zip(record.builds, roles, strict=True))
    return (machine, Section("Builds", Level.EVERYTHING, facts))


def _size(planted: float | None) -> str:
    return "" if planted is None else "nothing" if planted == 0 else f"+{plain_percent(planted)}"


def _of(rate: Rate) -> str:
    return f"{rate.count:,} of {rate.total:,}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{three_digits(value)} s"

"""Compare: verdicts, the worst first."""

from collections import Counter

from dualmem_cli.model.plan import Role
from dualmem_cli.model.record import CaseRun, Record
from dualmem_cli.model.units import Unit, percent
from dualmem_cli.model.verdict import CompareFinding, ControlFinding, LayoutCell, MetricChange, Verdict
from dualmem_cli.report.compose_facts import build_text, case_cautions, case_title, workers_table
from dualmem_cli.report.layout import (
    Block,
    Cell,
    Column,
    Detail,
    Emphasis,
    Facts,
    Figure,
    FigureKind,
    Interval,
    Level,
    Notes,
    Row,
    Section,
    Span,
    Table,
    Tone,
    cell,
    code,
    joined,
    plain,
    strong,
)
from dualmem_cli.report.phrases import (
    amount,
    change_interval,
    change_text,
    confidence_text,
    counted,
    parameters_text,
    plain_percent,
)
from dualmem_cli.report.since import regressed_since, since_words

# The worst first: what fails the gate, what leaves a question open, then what is good news or none.
SEVERITY = (
    Verdict.REGRESSED,
    Verdict.INVALID,
    Verdict.INCONCLUSIVE,
    Verdict.INCOMPARABLE,
    Verdict.MISSING,
    Verdict.IMPROVED,
    Verdict.UNCHANGED,
)
_TONES = {Verdict.REGRESSED: Tone.WORSE, Verdict.INVALID: Tone.WORSE, Verdict.IMPROVED: Tone.BETTER}
_LEVELS = {Verdict.UNCHANGED: Level.VERBOSE, Verdict.IMPROVED: Level.NORMAL, Verdict.MISSING: Level.NORMAL}


def compare_header(record: Record) -> tuple[Span, ...]:
    """What is compared with what."""
    cases = counted(len(record.compare), "case")
    since = since_words(record)
    known = f" ({since})" if since else ""
    name = f" {record.baseline}{known}" if record.baseline else ""
    if record.since is not None and record.since.stored_only and record.builds:
        new = record.builds[0]
        return plain(f"baseline{name}, stored numbers only, against {new.origin} {build_text(new)}; {cases}")
    if len(record.builds) < 2:
        return plain(f"baseline{name}; {cases}")
    old, new = record.builds[0], record.builds[1]
    return plain(f"baseline{name} {build_text(old)} against {new.origin} {build_text(new)}; {cases}")


def compare_verdict(record: Record) -> tuple[Span, ...]:
    """The counts, the worst first: '1 regressed, 1 inconclusive, 20 unchanged'."""
    counts = Counter(finding.verdict for finding in record.compare)
    parts = [strong(f"{counts[verdict]} {verdict}", _tone(verdict)) for verdict in SEVERITY if counts[verdict]]
    return joined(parts, ", ") if parts else strong("nothing was compared", Tone.WORSE)


def compare_sections(record: Record) -> tuple[Section, ...]:
    """The verdict table and the controls."""
    sections = []
    findings = sorted(record.compare, key=lambda finding: SEVERITY.index(finding.verdict))
    if findings:
        columns = (
            Column("verdict"),
            Column("scenario"),
            Column("case", name=True),
            Column("change", numeric=True),
            Column("interval, %", numeric=True),
            Column("against the threshold", drawing=True),
            Column("baseline", numeric=True, level=Level.VERBOSE),
            Column("candidate", numeric=True, level=Level.VERBOSE),
            Column("why", remark=True),
        )
        rows = tuple(_row(record, finding) for finding in findings)
        sections.append(Section("Verdicts", Level.QUIET, (Table("", columns, rows, _folded(findings)),)))
    if record.controls:
        lines = tuple(_control(control) for control in record.controls)
        level = Level.NORMAL if all(control.held for control in record.controls) else Level.QUIET
        sections.append(Section("Controls", level, (Notes(lines),)))
    return tuple(sections)


def compare_details(record: Record) -> tuple[Detail, ...]:
    """Everything about each case, the worst first."""
    findings = sorted(record.compare, key=lambda finding: SEVERITY.index(finding.verdict))
    return tuple(_detail(record, finding) for finding in findings)


def verdict_word(verdict: Verdict) -> str:
    """The verdict as it stands in a list: what fails is in capitals, so that it stands out without any colour."""
    return verdict.upper() if _tone(verdict) is Tone.WORSE else verdict.value


def _tone(verdict: Verdict) -> Tone:
    return _TONES.get(verdict, Tone.NEUTRAL)


def _verdict_cell(verdict: Verdict) -> Cell:
    emphasis = Emphasis.PLAIN if verdict is Verdict.UNCHANGED else Emphasis.STRONG
    return cell(verdict_word(verdict), _tone(verdict), emphasis)


def _row(record: Record, finding: CompareFinding) -> Row:
    scenario, label = case_title(record, finding.case)
    change = finding.change
    drawing = None if change is None else Interval(change.value, change.low, change.high, finding.threshold)
    return Row(
        (
            _verdict_cell(finding.verdict),
            cell(scenario),
            cell(label),
            cell("" if change is None else change_text(change), _tone(finding.verdict)),
            cell("" if change is None else change_interval(change)),
            Cell((), drawing),
            cell(_time(finding.baseline_ns)),
            cell(_time(finding.candidate_ns)),
            cell(_why(record, finding)),
        ),
        _LEVELS.get(finding.verdict, Level.QUIET),
        finding.case,
    )


def _why(record: Record, finding: CompareFinding) -> str:
    """The finding's reason; a regression also says since when."""
    since = regressed_since(record) if finding.verdict is Verdict.REGRESSED else ""
    return f"{finding.reason}; {since}" if since else finding.reason


def _folded(findings: list[CompareFinding]) -> tuple[Row, ...]:
    """One row in place of all unchanged cases."""
    unchanged = [finding for finding in findings if finding.verdict is Verdict.UNCHANGED]
    if not unchanged:
        return ()
    thresholds = {finding.threshold for finding in unchanged}
    inside = f"less than {plain_percent(thresholds.pop())} slower" if len(thresholds) == 1 else "inside its own threshold"
    proved = f"each proved {inside}" if len(unchanged) > 1 else f"proved {inside}"
    blank = cell("")
    cells = (
        _verdict_cell(Verdict.UNCHANGED),
        cell(counted(len(unchanged), "case")),
        *(blank,) * 6,
        cell(proved),
    )
    return (Row(cells),)


def _control(control: ControlFinding) -> tuple[Span, ...]:
    word = Span("held") if control.held else Span("FAILED", Tone.WORSE, Emphasis.STRONG)
    change = "" if control.change is None else f" {percent(control.change.value, digits=2)}"
    return (Span(f"{control.name}{change}: "), word, Span(f" in {control.passed} of {counted(control.cases, 'case')}"))


def _detail(record: Record, finding: CompareFinding) -> Detail:
    scenario, label = case_title(record, finding.case)
    tone = _tone(finding.verdict)
    title = [strong(verdict_word(finding.verdict), tone), strong(scenario), plain(label)]
    if finding.change is not None:
        title.append(plain(f"{change_text(finding.change)}  {change_interval(finding.change)}", tone))
    run = record.case_run(finding.case)
    asked = _tone(finding.verdict) is Tone.WORSE or finding.verdict is Verdict.INCONCLUSIVE
    tables = Level.NORMAL if asked else Level.VERBOSE
    blocks: list[tuple[Level, Block]] = [(Level.VERBOSE, _about(record, finding, run))]
    if run is not None:
        blocks += [(Level.EVERYTHING, figure) for figure in _figures(finding, run)]
    if len(finding.layouts) > 1:
        blocks.append((tables, _layout_table(finding)))
    if finding.metrics:
        blocks.append((tables, _metrics_table(finding.metrics)))
    if run is not None:
        blocks.append((Level.EVERYTHING, workers_table(record, run)))
    blocks += [(Level.EVERYTHING, notes) for notes in case_cautions(record, finding.case)]
    opened = finding.verdict is not Verdict.UNCHANGED
    return Detail(target=finding.case, title=joined(title, "  "), opened=opened, blocks=tuple(blocks))


def _about(record: Record, finding: CompareFinding, run: CaseRun | None) -> Facts:
    pairs = [("why", plain(_why(record, finding)))]
    if finding.change is not None:
        change = finding.change
        interval = f"{change_text(change)}, {confidence_text(change.confidence)} interval {change_interval(change)}"
        pairs.append(("change", plain(f"{interval}, {counted(change.count, 'worker')}, {change.method}")))
        pairs.append(("threshold", plain(plain_percent(finding.threshold))))
    if finding.baseline_ns is not None and finding.candidate_ns is not None:
        times = f"baseline {_time(finding.baseline_ns)}, candidate {_time(finding.candidate_ns)}"
        pairs.append(("per operation", plain(f"{times} (for orientation, never judged)")))
    if run is not None:
        pairs.append(("question", plain(record.scenario_of(run.case).question)))
        pairs.append(("kernel", code(f"{run.case.kernel}/{run.case.variant}")))
        pairs.append(("parameters", plain(parameters_text(run.case))))
        if run.failure is not None:
            pairs.append(("failure", plain(f"{run.failure.kind} in {run.failure.phase}: {run.failure.message}")))
    return Facts("", tuple(pairs))


def _layout_table(finding: CompareFinding) -> Table:
    """Rows are the baseline's layouts, columns the candidate's."""
    olds = list(dict.fromkeys(entry.baseline for entry in finding.layouts))
    news = list(dict.fromkeys(entry.candidate for entry in finding.layouts))
    cells = {(entry.baseline, entry.candidate): entry for entry in finding.layouts}
    columns = (Column("baseline \\ candidate"), *(Column(new, numeric=True) for new in news))
    rows = tuple(Row((cell(old), *(_layout_cell(cells.get((old, new)), finding.threshold) for new in news))) for old in olds)
    return Table("Change by code layout (workers)", columns, rows)


def _layout_cell(entry: LayoutCell | None, threshold: float) -> Cell:
    if entry is None:
        return cell("-")
    tone = Tone.WORSE if entry.change > threshold else Tone.BETTER if entry.change < -threshold else Tone.NEUTRAL
    return cell(f"{percent(entry.change)} ({entry.workers})", tone)


def _metrics_table(metrics: tuple[MetricChange, ...]) -> Table:
    columns = (
        Column("metric"),
        Column("baseline", numeric=True),
        Column("candidate", numeric=True),
        Column("allowed to worsen by", numeric=True),
        Column(""),
    )
    rows = tuple(
        Row(
            (
                cell(metric.name.replace("_", " ")),
                cell(amount(metric.baseline, metric.unit, metric.name)),
                cell(amount(metric.candidate, metric.unit, metric.name)),
                cell(plain_percent(metric.allowance) if metric.allowance else "nothing"),
                cell("WORSENED", Tone.WORSE, Emphasis.STRONG) if metric.worsened else cell(_same(metric)),
            )
        )
        for metric in metrics
    )
    return Table("Metrics", columns, rows)


def _same(metric: MetricChange) -> str:
    return "same" if metric.baseline == metric.candidate else "allowed"


def _figures(finding: CompareFinding, run: CaseRun) -> tuple[Figure, ...]:
    roles = {arm.role for arm in run.arms}
    if not any(worker.samples for worker in run.workers) or not {Role.BASELINE, Role.CANDIDATE} <= roles:
        return ()
    case = finding.case
    return (
        Figure(
            case,
            FigureKind.RATIOS,
            "Candidate / baseline - 1 of every pair of neighbouring samples, in the order they ran. The shade changes with the worker; "
            "halfway through each, the two builds exchange their memory pages.",
            f"Paired changes over time in {case}",
        ),
        Figure(
            case,
            FigureKind.WORKERS,
            "One mark per worker: the interquartile mean of its pairs, sorted. The band is the interval of the verdict.",
            f"Change per worker in {case}" + (f": {change_text(finding.change)} overall" if finding.change else ""),
        ),
        Figure(
            case,
            FigureKind.SIDES,
            "Time per operation of both builds: the share of samples at or below a time.",
            f"Cumulative distribution of the time per operation of both builds in {case}",
        ),
    )


def _time(value: float | None) -> str:
    return "" if value is None else amount(value, Unit.NANOSECOND)

"""Bench: quantities beside their budgets."""

from dualmem_cli.model.plan import Role
from dualmem_cli.model.record import CaseRun, Record
from dualmem_cli.model.scenario import Mode, Scenario
from dualmem_cli.model.verdict import BenchFinding, BudgetStanding, Quantity
from dualmem_cli.report.compose_facts import case_cautions, case_title, workers_table
from dualmem_cli.report.compose_load import (
    is_kinds_overhead,
    load_about,
    load_figures,
    load_notes,
    load_sections,
    plays_table,
    unkept_kinds,
)
from dualmem_cli.report.compose_together import budget_spans, together_sections
from dualmem_cli.report.layout import (
    Block,
    Cell,
    Column,
    Detail,
    Emphasis,
    Facts,
    Figure,
    FigureKind,
    Level,
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
    ARITHMETIC_LIMIT,
    DISTANCE,
    MEMORY_LIMIT,
    OVER_PEER,
    OVERHEAD,
    RATE,
    SPEEDUP,
    TIME,
    amount,
    confidence_text,
    counted,
    estimate_text,
    interval_text,
    is_fastest,
    met_word,
    parameters_text,
    percentile_name,
    quantity_name,
)

_NOT_MEASURED = "-"
# What stands in the notes without a budget of its own.
_NOTED = frozenset({TIME, OVERHEAD, SPEEDUP, DISTANCE, RATE, "recall"})


def bench_verdict(record: Record) -> tuple[Span, ...]:
    """Budgets met and missed, and cases that are not valid."""
    budgets = [quantity for finding in record.bench for quantity in finding.quantities if quantity.met is not None]
    budgets += [record.overhead] if record.overhead else []
    unmet = sum(quantity.met is False for quantity in budgets)
    unknown = sum(quantity.standing is BudgetStanding.NOT_SHOWN for quantity in budgets)
    invalid = sum(bool(finding.problem) for finding in record.bench)
    parts = [plain(counted(len(record.bench), "case"))]
    if budgets and not unmet:
        parts.append(strong(f"all {len(budgets)} budgets met" if len(budgets) > 1 else "1 budget met", Tone.BETTER))
    elif budgets:
        parts.append(plain(f"{len(budgets) - unmet} of {counted(len(budgets), 'budget')} met"))
        parts += [
            strong(f"{number} {word}", Tone.WORSE)
            for number, word in ((unmet - unknown, "MISSED"), (unknown, "NOT SHOWN"))
            if number
        ]
    if invalid:
        parts.append(strong(f"{invalid} INVALID", Tone.WORSE))
    return joined(parts, ", ")


def bench_sections(record: Record) -> tuple[Section, ...]:
    """One table, one row per case."""
    columns = (
        Column("scenario", group=True),
        Column("case", name=True),
        Column("per operation", numeric=True),
        Column("budget"),
        Column("notes", remark=True),
    )
    rows = tuple(_row(record, finding) for finding in record.bench)
    cases = (Section("Cases", Level.QUIET, (Table("", columns, rows),)),) if rows else ()
    return (*cases, *load_sections(record), *together_sections(record))


def bench_details(record: Record) -> tuple[Detail, ...]:
    """Everything about each case."""
    return tuple(_detail(record, finding) for finding in record.bench)


def _row(record: Record, finding: BenchFinding) -> Row:
    scenario, label = case_title(record, finding.case)
    if finding.problem:
        cells = (cell("INVALID", Tone.WORSE, Emphasis.STRONG), cell(""), cell(finding.problem))
        return Row((cell(scenario), cell(label), *cells), Level.QUIET, finding.case)
    shown = _headline(finding)
    load = record.load_run(finding.case)
    judged = next((quantity for quantity in shown if quantity.met is not None), None)
    budgets = [q for q in finding.quantities if q is judged or (q.met is False and not is_kinds_overhead(q))]
    notes = joined(load_notes(load, finding) if load else _notes(record, finding, [*shown, *budgets]))
    return Row(
        (
            cell(scenario),
            cell(label),
            cell(_headline_text(shown)),
            Cell((*(budget_spans(quantity, named=quantity.name != TIME) for quantity in budgets), *unkept_kinds(finding))),
            Cell((notes,) if notes else ()),
        ),
        Level.QUIET if finding.missed else Level.NORMAL,
        finding.case,
    )


def _headline(finding: BenchFinding) -> list[Quantity]:
    """The quantities of the column "per operation": P50 and P99 where every operation was timed, else the time."""
    shown = [q for q in finding.quantities if percentile_name(q.name) in {"P50", "P99"} and not is_fastest(q.name)]
    time = finding.quantity(TIME)
    return shown or ([time] if time else [])


def _headline_text(shown: list[Quantity]) -> str:
    """'412 ns +- 0.3 %', 'P50 61.9, P99 94.1 us' (the unit once where it is the same)."""
    texts = [_short(quantity) for quantity in shown]
    unit = texts[-1].rpartition(" ")[2] if texts else ""
    if len(texts) > 1 and all(text.endswith(f" {unit}") for text in texts):
        texts = [*(text.removesuffix(f" {unit}") for text in texts[:-1]), texts[-1]]
    return ", ".join(texts) or _NOT_MEASURED


def _short(quantity: Quantity) -> str:
    share = percentile_name(quantity.name)
    return f"{share} {amount(quantity.estimate.value, quantity.estimate.unit)}" if share else estimate_text(quantity)


def _notes(record: Record, finding: BenchFinding, shown: list[Quantity]) -> list[tuple[Span, ...]]:
    """All that is not in the columns: the other percentiles, the fastest pass, what the speed-up and the overhead are against."""
    run = record.case_run(finding.case)
    scenario = record.scenario_of(run.case) if run else None
    notes: list[tuple[Span, ...]] = []
    percentiles = [q for q in finding.quantities if percentile_name(q.name)]
    others = [_short(q) for q in percentiles if q not in shown and not is_fastest(q.name)]
    if others:
        notes.append(plain(", ".join(others)))
    fastest = [_short(q) for q in percentiles if is_fastest(q.name)]
    if fastest and scenario:
        notes.append(plain(f"fastest of {counted(scenario.measure.passes, 'pass', 'passes')} {', '.join(fastest)}"))
    if run and scenario and scenario.measure.mode is Mode.LATENCY:
        notes.append(plain(f"{_operations(run):,} operations timed"))
    for quantity in finding.quantities:
        if quantity in percentiles or (quantity.name == TIME and quantity in shown):
            continue
        if quantity.met is None and quantity.name not in _NOTED and not quantity.name.startswith(OVER_PEER):
            continue  # a declared metric without a budget: in the details of the case
        text = _against(quantity, scenario, finding)
        if quantity.met is None or quantity in shown:
            notes.append(plain(text))
        else:
            notes.append((Span(f"{text}, "), *budget_spans(quantity, named=False)))
    return notes


def _against(quantity: Quantity, scenario: Scenario | None, finding: BenchFinding) -> str:
    if quantity.name == OVERHEAD:
        twin = scenario.control.kernel if scenario and scenario.control else "the single-type twin"
        return f"{estimate_text(quantity)} against {twin}"
    if quantity.name == SPEEDUP:
        beside = scenario.beside if scenario else None
        slower = (beside.variant or beside.kernel) if beside else "the slower way"
        return f"{estimate_text(quantity)} as fast as {slower}"
    if quantity.name.startswith(OVER_PEER):
        return f"{estimate_text(quantity)} as fast as {quantity.name.removeprefix(OVER_PEER)}"
    if quantity.name == TIME:
        return f"{estimate_text(quantity)} in blocks"
    if quantity.name == DISTANCE:
        memory, arithmetic = finding.quantity(MEMORY_LIMIT), finding.quantity(ARITHMETIC_LIMIT)
        by_memory = memory and not (arithmetic and arithmetic.estimate.value > memory.estimate.value)
        return f"{estimate_text(quantity)} the time that {'memory' if by_memory else 'arithmetic'} allows"
    if quantity.name == RATE:
        return estimate_text(quantity)
    return f"{quantity.name.replace('_', ' ')} {estimate_text(quantity)}"


def _operations(run: CaseRun) -> int:
    """How many operations of the subject were timed, over all workers and passes."""
    subjects = {index for index, arm in enumerate(run.arms) if arm.role is Role.SUBJECT}
    return sum(latency.every.count for worker in run.workers for latency in worker.latency if latency.arm in subjects)


def _detail(record: Record, finding: BenchFinding) -> Detail:
    scenario, label = case_title(record, finding.case)
    title = [strong(scenario), plain(label)]
    if finding.problem:
        title.append(strong("INVALID", Tone.WORSE))
    else:
        title.append(plain(_headline_text(_headline(finding))))
        missed = [quantity for quantity in finding.missed if not is_kinds_overhead(quantity)]
        title += [strong(f"{quantity_name(quantity.name)} {met_word(quantity)}", Tone.WORSE) for quantity in missed]
        title += unkept_kinds(finding)
    run = record.case_run(finding.case)
    blocks: list[tuple[Level, Block]] = []
    load = record.load_run(finding.case)
    if run is not None:
        blocks.append((Level.VERBOSE, _about(record, run)))
    if load is not None:
        blocks += load_about(load)
    if finding.problem:
        blocks.append((Level.VERBOSE, Facts("", (("problem", plain(finding.problem)),))))
    if load is not None:
        blocks += load_figures(load, finding)
    if finding.quantities:
        blocks.append((Level.VERBOSE, _quantities(finding, long=load is not None)))
    if load is not None:
        blocks += plays_table(load)
    if run is not None:
        blocks += [(Level.EVERYTHING, figure) for figure in _figures(finding, run)]
        blocks.append((Level.EVERYTHING, workers_table(record, run)))
    blocks += [(Level.EVERYTHING, notes) for notes in case_cautions(record, finding.case)]
    opened = bool(finding.problem or finding.missed)
    return Detail(target=finding.case, title=joined(title, "  "), opened=opened, blocks=tuple(blocks))


def _about(record: Record, run: CaseRun) -> Facts:
    case = run.case
    pairs = [("question", plain(record.scenario_of(case).question))]
    kernel = record.builds[0].library.kernel(case.kernel, case.variant) if record.builds else None
    summary = f": {kernel.summary}" if kernel and kernel.summary else ""
    pairs.append(("kernel", (*code(f"{case.kernel}/{case.variant}"), *plain(summary))))
    pairs.append(("parameters", plain(parameters_text(case))))
    return Facts("", tuple(pairs))


def _quantities(finding: BenchFinding, *, long: bool) -> Table:
    titles = ("value", "interval", "confidence", "units")
    columns = (
        Column("quantity"),
        *(Column(title, numeric=True) for title in titles),
        Column("budget"),
        Column("method", remark=not long),
    )
    rows = []
    for quantity in finding.quantities:
        estimate = quantity.estimate
        value = cell(amount(estimate.value, estimate.unit, quantity.name))
        exact = estimate.low == estimate.high or estimate.confidence == 1.0  # a bracket has no probability
        budget = Cell((budget_spans(quantity, named=False),)) if quantity.met is not None else cell("")
        rows.append(
            Row(
                (
                    cell(quantity_name(quantity.name)),
                    value,
                    cell(interval_text(quantity)),
                    cell("" if exact else confidence_text(estimate.confidence)),
                    cell(f"{estimate.count:,}"),
                    budget,
                    cell(estimate.method),
                )
            )
        )
    return Table("Quantities; units are the independent processes behind a number", columns, tuple(rows), long=long)


def _figures(finding: BenchFinding, run: CaseRun) -> tuple[Figure, ...]:
    figures: list[Figure] = []
    if any(worker.samples for worker in run.workers):
        figures.append(
            Figure(
                finding.case,
                FigureKind.SPREAD,
                "Time per operation of every arm: the share of samples at or below a time. All samples, loop included.",
                f"Cumulative distribution of the time per operation in {finding.case}",
            )
        )
    if any(worker.latency for worker in run.workers):
        figures.append(
            Figure(
                finding.case,
                FigureKind.PERCENTILES,
                "Latency by percentile, all workers pooled; every further step to the right is ten times rarer.",
                f"Latency by percentile in {finding.case}",
            )
        )
    return tuple(figures)

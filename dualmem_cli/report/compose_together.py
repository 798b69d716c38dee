"""What the cases of a bench say together: the overhead of a second node type, how costs grow with what was swept, what a higher recall
takes, and how near the machine's roofs they are."""

import math

from dualmem_cli.model.record import Record
from dualmem_cli.model.units import Unit, whole
from dualmem_cli.model.verdict import FrontierFinding, FrontierPoint, Quantity, ScalingFinding
from dualmem_cli.report.compose_roofline import roofline_sections
from dualmem_cli.report.layout import (
    Column,
    Emphasis,
    Figure,
    FigureKind,
    Level,
    Notes,
    Row,
    Section,
    Span,
    Table,
    Tone,
    cell,
    frontier_name,
    plain,
    scaling_name,
)
from dualmem_cli.report.phrases import (
    amount,
    confidence_text,
    estimate_text,
    growth_text,
    half_width,
    kind_of,
    limit_text,
    met_word,
    percentile_name,
)


def together_sections(record: Record) -> tuple[Section, ...]:
    """A section each, where there is something to say."""
    return (*_together(record), *_scaling(record), *_frontier(record), *roofline_sections(record))


def budget_spans(quantity: Quantity, *, named: bool) -> tuple[Span, ...]:
    """A limit and whether it was kept."""
    name = f"{_limited_name(quantity.name)} " if named else ""
    if quantity.met:
        return (Span(f"{name}{limit_text(quantity)} "), Span(met_word(quantity), Tone.BETTER))
    return (Span(f"{name}{limit_text(quantity)} "), Span(met_word(quantity), Tone.WORSE, Emphasis.STRONG))


def _limited_name(name: str) -> str:
    """Short: 'P99', 'lookup P99', 'memory bytes'."""
    kind, rest = kind_of(name)
    return f"{kind} {_limited_name(rest)}" if kind else percentile_name(name) or name.replace("_", " ")


def _together(record: Record) -> tuple[Section, ...]:
    """What a second node type costs over all paths."""
    if record.overhead is None:
        return ()
    mean = record.overhead
    limit = (Span(", "), *budget_spans(mean, named=False))
    line = plain(
        f"geometric mean of {mean.estimate.count} paths: {estimate_text(mean)} ({confidence_text(mean.estimate.confidence)})"
    )
    level = Level.QUIET if mean.met is False else Level.NORMAL
    return (Section("Dual against single", level, (Notes(((*line, *limit),)),)),)


def _scaling(record: Record) -> tuple[Section, ...]:
    """How costs grow with what was swept: a table, and for dialects that can draw one drawing per scenario and parameter."""
    if not record.scaling:
        return ()
    columns = (
        Column("scenario", group=True),
        Column("case", name=True),
        Column("from", numeric=True),
        Column("to", numeric=True),
        Column("exponent", numeric=True),
        Column("means", remark=True),
    )
    rows = tuple(_scaling_row(found) for found in record.scaling)
    swept = dict.fromkeys((found.scenario, found.parameter) for found in record.scaling)
    figures = tuple(
        Figure(
            scaling_name(scenario, parameter),
            FigureKind.SCALING,
            f"{scenario}: cost of one operation against {parameter}, both logarithmic.",
            f"Cost of one operation of {scenario} against {parameter}",
        )
        for scenario, parameter in swept
    )
    return (Section("Scaling", Level.NORMAL, (Table("", columns, rows), *figures)),)


def _scaling_row(found: ScalingFinding) -> Row:
    ends = [
        f"{size:,.15g}: {amount(cost, Unit.NANOSECOND)}"
        for size, cost in ((found.sizes[0], found.costs_ns[0]), (found.sizes[-1], found.costs_ns[-1]))
    ]
    exponent = found.exponent
    half = half_width(exponent)
    text = f"{exponent.value:.2f} +- {half:.2f}" if math.isfinite(half) else f"{exponent.value:.2f}"
    name = f"{found.series} over {found.parameter.replace('_', ' ')}"
    return Row(
        (cell(found.scenario), cell(name), *(cell(end) for end in ends), cell(text), cell(growth_text(exponent.value))),
        Level.NORMAL,
    )


def _frontier(record: Record) -> tuple[Section, ...]:
    """Recall against time: a row for every arm and effort, and for dialects that can draw two drawings per scenario."""
    if not record.frontier:
        return ()
    columns = (
        Column("scenario", group=True),
        Column("by", name=True, group=True),
        Column("asked"),
        Column("recall", numeric=True),
        *(Column(title, numeric=True) for title in ("a second", "P50", "P99", "P99.9")),
        *(
            Column(title, numeric=True, level=Level.VERBOSE)
            for title in ("fastest P50", "fastest P99", "build", "bytes", "effort")
        ),
    )
    rows = tuple(_frontier_row(found, point) for found in record.frontier for point in found.points)
    figures: list[Figure] = []
    for name in dict.fromkeys(frontier_name(found.scenario, found.series) for found in record.frontier):
        of_name = [found for found in record.frontier if frontier_name(found.scenario, found.series) == name]
        if any(point.per_second for found in of_name for point in found.points):
            caption = f"{name}: lookups a second by one thread against recall. Up and to the right is better."
            figures.append(Figure(name, FigureKind.RECALL_RATE, caption, f"Lookups a second against recall, {name}"))
        if any(point.p50_ns for found in of_name for point in found.points):
            caption = f"{name}: P50 and P99 of a lookup against recall. Down and to the right is better."
            figures.append(Figure(name, FigureKind.RECALL_LATENCY, caption, f"Latency against recall, {name}"))
    return (Section("Recall against time", Level.NORMAL, (Table("", columns, rows), *figures)),)


def _frontier_row(found: FrontierFinding, point: FrontierPoint) -> Row:
    latencies = (point.p50_ns, point.p99_ns, point.p999_ns, point.p50_fastest_ns, point.p99_fastest_ns)
    build, size, effort = (point.metric(name) for name in ("build_seconds", "index_bytes_per_concept", "effort"))
    return Row(
        (
            cell(frontier_name(found.scenario, found.series)),
            cell(found.variant),
            cell(point.effort),
            cell(f"{point.recall:.4f}"),
            cell("" if point.per_second is None else whole(point.per_second)),
            *(cell("" if value is None else amount(value, Unit.NANOSECOND)) for value in latencies),
            cell("" if build is None else amount(build * 1e9, Unit.NANOSECOND)),
            cell("" if size is None else whole(size)),
            cell("" if effort is None else f"{effort:.6g}"),
        ),
        Level.NORMAL,
    )

"""The drawings of a page, made by matplotlib. Colours are names of a palette: a PNG gets the light one, an SVG gets CSS variables and
follows the reader's scheme. Baseline and candidate are blue and amber: red and green are kept for worse and better.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.figure import Figure as Canvas

from dualmem_cli.model.plan import Role
from dualmem_cli.model.record import CaseRun, Record
from dualmem_cli.model.verdict import CompareFinding, Quantity
from dualmem_cli.report.canvas import as_png, as_svg, new_canvas
from dualmem_cli.report.layout import Figure, FigureKind, frontier_name, scaling_name, visible
from dualmem_cli.report.phrases import TIME, percentile_name, plain_percent
from dualmem_cli.report.plane import PALETTE, Plane, Scale
from dualmem_cli.report.plots_load import draw_load
from dualmem_cli.report.plots_roofline import draw_roofline
from dualmem_cli.report.series import bulk, pairs_by_worker, percentile_curves, quantiles, recall_lines, times_by_arm

MOST_PAIRS = 1_500  # drawn per case; a page of 22 cases stays below 3 MB
_MOST_POINTS = 240
# The share of the values that an axis covers. Real samples have long tails; what lies outside is counted beside the drawing.
_SHOWN_PAIRS = 0.92
_SHOWN_TIMES = 0.96
_LONGEST_NAME = 28
_ARMS = ("new", "old", "third", "fourth", "fifth", "sixth", "ink", "muted", "new-2", "seventh", "eighth")
_KEY = 112.0  # points for the names of the arms
_SERIES = ("new", "old", "third", "ink", "muted")
_ROLE_COLOURS = {
    Role.SUBJECT: PALETTE["new"],
    Role.EMPTY: PALETTE["muted"],
    Role.CONTROL: PALETTE["old"],
    Role.BESIDE: PALETTE["third"],
    Role.PEER: PALETTE["third"],
    Role.BASELINE: PALETTE["old"],
    Role.CANDIDATE: PALETTE["new"],
}


def svg(record: Record, figure: Figure) -> str:
    """The drawing as matplotlib's SVG, the same bytes for the same record. svg.py makes it fit for a page."""
    return as_svg(lambda: _drawn(record, figure), salt=f"{figure.case} {figure.kind}")


def save_png(record: Record, figure: Figure, *, path: Path, dots_per_inch: int) -> None:
    """The drawing as a PNG on white, for documents."""
    as_png(lambda: _drawn(record, figure), path=path, dots_per_inch=dots_per_inch)


def _drawn(record: Record, figure: Figure) -> Canvas:
    canvas = new_canvas()
    if figure.kind is FigureKind.SCALING:
        _scaling(record, figure.case, canvas)
        return canvas
    if figure.kind in (FigureKind.RECALL_RATE, FigureKind.RECALL_LATENCY):
        _recall(record, figure, canvas)
        return canvas
    if figure.kind in (FigureKind.LOAD_PERCENTILES, FigureKind.LOAD_TIME):
        draw_load(record, figure, canvas)
        return canvas
    if figure.kind is FigureKind.ROOFLINE:
        draw_roofline(record, canvas)
        return canvas
    run = record.case_run(figure.case)
    if run is None:
        raise ValueError(f"the record has no samples of {figure.case}")
    drawers: dict[FigureKind, Callable[[Record, CaseRun, Canvas], None]] = {
        FigureKind.RATIOS: _ratios,
        FigureKind.WORKERS: _workers,
        FigureKind.SIDES: _sides,
        FigureKind.SPREAD: _spread,
        FigureKind.PERCENTILES: _percentiles,
    }
    drawers[figure.kind](record, run, canvas)
    return canvas


def _ratios(record: Record, run: CaseRun, canvas: Canvas) -> None:
    finding = _compare_finding(record, run)
    series = pairs_by_worker(run)
    every = [(index, change * 100) for index, worker in enumerate(series) for change in worker.changes]
    step = -(-len(every) // MOST_PAIRS)
    drawn = [(position, *pair) for position, pair in enumerate(every, 1) if position % step == 0]
    scale = _change_scale([change for _, change in every], finding, share=_SHOWN_PAIRS)
    inside = [point for point in drawn if scale.low <= point[2] <= scale.high]
    plane = _change_plane(canvas, scale, count=len(every), title="pair")
    for remainder, shade in enumerate(("new", "new-2")):
        points = [(position, change) for position, worker, change in inside if worker % 2 == remainder]
        plane.dots(points, colour=PALETTE[shade], size=3.2)
    _threshold(plane, finding, count=len(every))
    shown = f"{len(every):,} pairs of {len(series)} workers" if step == 1 else f"{len(drawn):,} of {len(every):,} pairs drawn"
    plane.heading("change of each pair", f"{shown}{_outside(len(drawn) - len(inside))}")


def _workers(record: Record, run: CaseRun, canvas: Canvas) -> None:
    finding = _compare_finding(record, run)
    values = sorted(worker.value * 100 for worker in pairs_by_worker(run))
    scale = _change_scale(values, finding, share=1.0)
    plane = _change_plane(canvas, scale, count=len(values), title="workers, sorted")
    if finding.change is not None:
        if math.isfinite(finding.change.low) and math.isfinite(finding.change.high):
            plane.band(finding.change.low * 100, finding.change.high * 100, colour=PALETTE["band"])
        plane.across(finding.change.value * 100, colour=PALETTE["new"], width=1.4)
    plane.dots(list(enumerate(values, 1)), colour=PALETTE["ink"], size=5.5)
    _threshold(plane, finding, count=len(values))
    plane.heading("change of each worker", f"{len(values)} workers")


def _sides(_: Record, run: CaseRun, canvas: Canvas) -> None:
    _cumulative(run, canvas, roles=frozenset({Role.BASELINE, Role.CANDIDATE}), budget=None)


def _spread(record: Record, run: CaseRun, canvas: Canvas) -> None:
    finding = next(f for f in record.bench if f.case == run.case.id)
    roles = frozenset({Role.SUBJECT, Role.EMPTY, Role.CONTROL, Role.BESIDE, Role.PEER})
    _cumulative(run, canvas, roles=roles, budget=finding.quantity(TIME))


def _cumulative(run: CaseRun, canvas: Canvas, *, roles: frozenset[Role], budget: Quantity | None) -> None:
    series = times_by_arm(run, roles)
    ends = [end for arm in series for end in bulk(arm.sorted_ns, share=_SHOWN_TIMES)]
    low, high = min(ends), max(ends)
    limit = budget.limit if budget else None
    if limit is not None and high < limit < 3 * high:
        high = limit * 1.02  # a budget far away would push the data into a corner
    factor, unit = _time_unit(high)
    across, up = _time_scale(low / factor, high / factor), Scale(0, 102)
    plane = Plane(canvas, x=across, y=up)
    ticks = [(value, f"{value:.0f} %") for value in up.ticks(5)]
    plane.grid(x=_plain_ticks(across), y=ticks, title=f"{unit} per operation")
    for arm in series:
        values, shares = quantiles(arm.sorted_ns, most=_MOST_POINTS)
        colour = _ROLE_COLOURS[arm.role]
        plane.steps([value / factor for value in values], [share * 100 for share in shares], colour=colour, width=1.8)
    if limit is not None and low < limit <= high:
        plane.upright(limit / factor, colour=PALETTE["ink"], width=1.2, dashed=True)
        plane.label("budget", limit / factor, 94, shift=(-4, 0), right=True)
    names = [(_short(arm.name), _ROLE_COLOURS[arm.role], False) for arm in series]
    plane.legend(names, f"{len(series[0].sorted_ns):,} samples each")


def _percentiles(record: Record, run: CaseRun, canvas: Canvas) -> None:
    curves = percentile_curves(run)
    finding = next(f for f in record.bench if f.case == run.case.id)
    named = [(q.limit, percentile_name(q.name)) for q in finding.quantities]
    limits = [(limit, name) for limit, name in named if limit is not None and name.startswith("P")]
    every = [value for curve in curves for value in curve.latency_ns] + [limit for limit, _ in limits]
    factor, unit = _time_unit(min(every))
    rarest = min(curve.rarity[-1] for curve in curves)
    across = Scale(0.5, rarest * 0.9, logarithmic=True)
    up = _time_scale(min(every) / factor, max(every) / factor)
    plane = Plane(canvas, x=across, y=up)
    ticks = [rare for rare in (0.5, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6) if rare >= rarest * 0.9]
    names = [(rare, f"P{100 * (1 - rare):.10g}") for rare in ticks]
    plane.grid(x=names, y=_plain_ticks(up), title=f"{unit} by percentile")
    for curve in curves:
        scaled = [value / factor for value in curve.latency_ns]
        plane.line(curve.rarity, scaled, colour=_ROLE_COLOURS[curve.role], width=1.8, dashed=curve.fastest)
    for limit, name in limits:
        share = 1 - float(name[1:]) / 100
        plane.line((0.5, share), (limit / factor,) * 2, colour=PALETTE["ink"], width=1.2, dashed=True)
        plane.dots([(share, limit / factor)], colour=PALETTE["ink"], size=5)
        plane.label(f"{name} budget", 0.5, limit / factor, shift=(6, 9))
    arms = [(_short(curve.name), _ROLE_COLOURS[curve.role], False) for curve in curves if not curve.fastest]
    plane.legend(arms, "dashed: fastest pass" if any(curve.fastest for curve in curves) else "")


def _scaling(record: Record, name: str, canvas: Canvas) -> None:
    """Cost against size, one line per series, the points where something was measured."""
    found = [finding for finding in record.scaling if scaling_name(finding.scenario, finding.parameter) == name]
    sizes = [size for finding in found for size in finding.sizes]
    costs = [cost for finding in found for cost in finding.costs_ns]
    factor, unit = _time_unit(math.sqrt(min(costs) * max(costs)))
    across = Scale(min(sizes) / 1.3, max(sizes) * 1.3, logarithmic=True)
    up = Scale(min(costs) / factor / 1.3, max(costs) / factor * 1.3, logarithmic=True)
    plane = Plane(canvas, x=across, y=up)
    parameter = found[0].parameter.replace("_", " ")
    plane.grid(x=_plain_ticks(across), y=_plain_ticks(up), title=f"{parameter}; {unit} per operation upright")
    names = []
    for index, finding in enumerate(found):
        colour, dashed = PALETTE[_SERIES[index % len(_SERIES)]], index >= len(_SERIES)
        points = [(size, cost / factor) for size, cost in zip(finding.sizes, finding.costs_ns, strict=True)]
        plane.line([x for x, _ in points], [y for _, y in points], colour=colour, width=1.6, dashed=dashed)
        plane.dots(points, colour=colour, size=5.5)
        names.append((_short(f"{finding.series}: {finding.exponent.value:.2f}"), colour, dashed))
    plane.legend(names, "")


def _recall(record: Record, figure: Figure, canvas: Canvas) -> None:
    """Every arm as a line through its cases: up and to the right is better for a rate, down and to the right for a latency."""
    found = [finding for finding in record.frontier if frontier_name(finding.scenario, finding.series) == figure.case]
    lines = [(recall_lines(finding, rate=figure.kind is FigureKind.RECALL_RATE), finding.variant) for finding in found]
    every = [point for curves, _ in lines for curve in curves for point in curve]
    low = max(min(recall for recall, _ in every), 0.5)
    across = Scale(low - 0.06 * (1.001 - low), 1.0 + 0.03 * (1.001 - low))
    factor, unit = (1e3, "thousand lookups a second") if figure.kind is FigureKind.RECALL_RATE else (1e3, "us: P50, dashed P99")
    up = Scale(min(value for _, value in every) / factor / 1.3, max(value for _, value in every) / factor * 1.3, logarithmic=True)
    plane = Plane(canvas, x=across, y=up, aside=_KEY)
    recalls = [(value, f"{value:.6g}") for value in across.ticks(5) if value <= 1]
    plane.grid(x=recalls, y=_plain_ticks(up), title="recall")
    names = []
    for index, (curves, variant) in enumerate(lines):
        colour = PALETTE[_ARMS[index % len(_ARMS)]]
        for number, curve in enumerate(curves):
            inside = [(recall, value / factor) for recall, value in curve if recall >= across.low]
            if inside:
                plane.line([x for x, _ in inside], [y for _, y in inside], colour=colour, width=1.5, dashed=number > 0)
                plane.dots(inside, colour=colour, size=4.5)
        names.append((_short(variant), colour))
    plane.heading(unit, "")
    plane.key(names)


def _compare_finding(record: Record, run: CaseRun) -> CompareFinding:
    return next(finding for finding in record.compare if finding.case == run.case.id)


def _change_scale(changes: Sequence[float], finding: CompareFinding, *, share: float) -> Scale:
    """Per cent; covers most of the changes, the interval, nothing and the threshold."""
    ends = [*bulk(changes, share=share), 0.0, finding.threshold * 100]
    if finding.change is not None:
        ends += [end * 100 for end in (finding.change.low, finding.change.high) if math.isfinite(end)]
    low, high = min(ends), max(ends)
    margin = 0.06 * (high - low)
    return Scale(low - margin, high + margin)


def _change_plane(canvas: Canvas, scale: Scale, *, count: int, title: str) -> Plane:
    across = Scale(0, count + 1)
    plane = Plane(canvas, x=across, y=scale)
    changes = [(value, f"{value:+.3g} %".replace("-", "\N{MINUS SIGN}") if value else "0") for value in scale.ticks(6)]
    positions = [(value, f"{value:,.0f}") for value in across.ticks(6, whole=True)]
    plane.grid(x=positions, y=changes, title=title, upright=False)
    plane.across(0, colour=PALETTE["muted"], width=1)
    return plane


def _threshold(plane: Plane, finding: CompareFinding, *, count: int) -> None:
    limit = finding.threshold * 100
    plane.across(limit, colour=PALETTE["ink"], width=1.2, dashed=True)
    plane.label(f"threshold {plain_percent(finding.threshold)}", count + 1, limit, shift=(0, 8), right=True)


def _outside(count: int) -> str:
    return f", {count} outside" if count else ""


def _short(name: str) -> str:
    """A library names its own kernels; the drawing has room for so much."""
    return visible(name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…")


def _time_unit(value_ns: float) -> tuple[float, str]:
    for factor, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if value_ns >= factor:
            return factor, unit
    return 1.0, "ns"


def _time_scale(low: float, high: float) -> Scale:
    """Logarithmic where the values span more than a factor of five."""
    if high > 5 * low > 0:
        return Scale(low / 1.15, high * 1.15, logarithmic=True)
    margin = 0.05 * (high - low) or 0.05 * high or 1.0
    return Scale(low - margin, high + margin)


def _plain_ticks(scale: Scale) -> list[tuple[float, str]]:
    return [(value, f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}") for value in scale.ticks(6)]

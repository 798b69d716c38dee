"""The drawings of a page, made by matplotlib. Colours are names of a palette: a PNG gets the light one, an SVG gets CSS variables and
follows the reader's scheme. Baseline and candidate are blue and amber: red and green are kept for worse and better.
"""

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from matplotlib import rc_context
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from dualmem_cli.model.plan import Role
from dualmem_cli.model.record import CaseRun, Record
from dualmem_cli.model.verdict import CompareFinding, Quantity
from dualmem_cli.report.layout import Figure, FigureKind, visible
from dualmem_cli.report.phrases import TIME, percentile_name, plain_percent
from dualmem_cli.report.series import bulk, pairs_by_worker, percentile_curves, quantiles, times_by_arm

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALETTE = {
    "paper": "#ffffff",
    "ink": "#1c2024",
    "muted": "#5f6873",
    "line": "#dfe3e8",
    "old": "#3b6fb5",
    "new": "#c9770a",
    "new-2": "#e3a857",
    "third": "#7a5ea8",
    "band": "#f3e3c8",
}
MOST_PAIRS = 1_500  # drawn per case; a page of 22 cases stays below 3 MB
_MOST_POINTS = 240
_Line = Literal["solid", "dashed"]
# The share of the values that an axis covers. Real samples have long tails; what lies outside is counted beside the drawing.
_SHOWN_PAIRS = 0.92
_SHOWN_TIMES = 0.96
_SIZE = (5.2, 3.1)  # inches of 72 units
_BOX = (0.13, 0.155, 0.85, 0.70)
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 11,
    "path.simplify": False,
    "axes.edgecolor": PALETTE["line"],
    "axes.labelcolor": PALETTE["muted"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 1,
    "axes.axisbelow": True,
    "xtick.color": PALETTE["line"],
    "ytick.color": PALETTE["line"],
    "xtick.labelcolor": PALETTE["muted"],
    "ytick.labelcolor": PALETTE["muted"],
    "grid.color": PALETTE["line"],
    "grid.linewidth": 0.8,
    "text.color": PALETTE["ink"],
    "text.parse_math": False,
}
# Behind a label that may lie on the data.
_PLATE: dict[str, Any] = {"facecolor": PALETTE["paper"], "edgecolor": "none", "alpha": 0.8, "pad": 1}
_ROLE_COLOURS = {
    Role.SUBJECT: PALETTE["new"],
    Role.EMPTY: PALETTE["muted"],
    Role.CONTROL: PALETTE["old"],
    Role.BESIDE: PALETTE["third"],
    Role.BASELINE: PALETTE["old"],
    Role.CANDIDATE: PALETTE["new"],
}


def svg(record: Record, figure: Figure) -> str:
    """The drawing as matplotlib's SVG, the same bytes for the same record. svg.py makes it fit for a page."""
    stream = io.StringIO()
    with rc_context({**_STYLE, "svg.hashsalt": f"{figure.case} {figure.kind}"}):
        canvas = _drawn(record, figure)
        canvas.savefig(stream, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return stream.getvalue()


def save_png(record: Record, figure: Figure, *, path: Path, dots_per_inch: int) -> None:
    """The drawing as a PNG on white, for documents."""
    with rc_context(_STYLE):
        _drawn(record, figure).savefig(path, format="png", dpi=dots_per_inch, facecolor="white", metadata={"Software": None})


def _drawn(record: Record, figure: Figure) -> Canvas:
    run = record.case_run(figure.case)
    if run is None:
        raise ValueError(f"the record has no samples of {figure.case}")
    canvas = Canvas(figsize=_SIZE, dpi=72)
    axes = canvas.add_axes(_BOX)
    axes.tick_params(length=3, width=1)
    drawers: dict[FigureKind, Callable[[Record, CaseRun, Canvas, Axes], None]] = {
        FigureKind.RATIOS: _ratios,
        FigureKind.WORKERS: _workers,
        FigureKind.SIDES: _sides,
        FigureKind.SPREAD: _spread,
        FigureKind.PERCENTILES: _percentiles,
    }
    drawers[figure.kind](record, run, canvas, axes)
    return canvas


def _ratios(record: Record, run: CaseRun, canvas: Canvas, axes: "Axes") -> None:
    finding = _compare_finding(record, run)
    series = pairs_by_worker(run)
    every = [change for worker in series for change in worker.changes]
    low, high = _change_axis(every, finding, share=_SHOWN_PAIRS)
    step = -(-len(every) // MOST_PAIRS)
    drawn = outside = 0
    position = 0
    shades: dict[str, list[tuple[float, float]]] = {"new": [], "new-2": []}
    for index, worker in enumerate(series):
        points = shades["new" if index % 2 == 0 else "new-2"]
        for change in worker.changes:
            position += 1
            if position % step:
                continue
            drawn += 1
            if low <= change <= high:
                points.append((position, change * 100))
            else:
                outside += 1
    for name, points in shades.items():
        _dots(axes, points, colour=PALETTE[name], size=3.2)
    _change_lines(axes, finding, low=low, high=high)
    axes.set_xlim(0, len(every) + 1)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("pair")
    shown = f"{len(every):,} pairs of {len(series)} workers" if step == 1 else f"{drawn:,} of {len(every):,} pairs drawn"
    _heading(canvas, "change of each pair", f"{shown}{f', {outside} outside' if outside else ''}")


def _workers(record: Record, run: CaseRun, canvas: Canvas, axes: "Axes") -> None:
    finding = _compare_finding(record, run)
    medians = sorted(worker.median for worker in pairs_by_worker(run))
    low, high = _change_axis(medians, finding, share=1.0)
    if finding.change is not None:
        if math.isfinite(finding.change.low) and math.isfinite(finding.change.high):
            axes.axhspan(finding.change.low * 100, finding.change.high * 100, color=PALETTE["band"], linewidth=0)
        axes.axhline(finding.change.value * 100, color=PALETTE["new"], linewidth=1.4)
    inside = [(index, median * 100) for index, median in enumerate(medians, 1) if low <= median <= high]
    _dots(axes, inside, colour=PALETTE["ink"], size=5.5)
    _change_lines(axes, finding, low=low, high=high)
    axes.set_xlim(0, len(medians) + 1)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("workers, sorted")
    outside = len(medians) - len(inside)
    _heading(canvas, "change of each worker", f"{len(medians)} workers{f', {outside} outside' if outside else ''}")


def _sides(_: Record, run: CaseRun, canvas: Canvas, axes: "Axes") -> None:
    _cumulative(run, canvas, axes, roles=frozenset({Role.BASELINE, Role.CANDIDATE}), budget=None)


def _spread(record: Record, run: CaseRun, canvas: Canvas, axes: "Axes") -> None:
    finding = next(f for f in record.bench if f.case == run.case.id)
    roles = frozenset({Role.SUBJECT, Role.EMPTY, Role.CONTROL, Role.BESIDE})
    _cumulative(run, canvas, axes, roles=roles, budget=finding.quantity(TIME))


def _cumulative(run: CaseRun, canvas: Canvas, axes: "Axes", *, roles: frozenset[Role], budget: Quantity | None) -> None:
    series = times_by_arm(run, roles)
    ends = [end for arm in series for end in bulk(arm.sorted_ns, share=_SHOWN_TIMES)]
    low, high = min(ends), max(ends)
    limit = budget.limit if budget else None
    if limit is not None and high < limit < 3 * high:
        high = limit * 1.02
    factor, unit = _time_unit(high)
    for arm in series:
        values, shares = quantiles(arm.sorted_ns, most=_MOST_POINTS)
        scaled = [value / factor for value in values]
        axes.step(scaled, [share * 100 for share in shares], where="post", color=_ROLE_COLOURS[arm.role], linewidth=1.8)
    if limit is not None and low < limit <= high:
        _vertical(axes, limit / factor, "budget")
    _time_axis(axes.xaxis, axes.set_xscale, axes.set_xlim, low=low / factor, high=high / factor)
    axes.set_xlabel(f"{unit} per operation")
    axes.set_ylim(0, 102)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} %"))
    axes.grid(visible=True)
    _legend(
        canvas, [(arm.name, _ROLE_COLOURS[arm.role], "solid") for arm in series], f"{len(series[0].sorted_ns):,} samples each"
    )


def _percentiles(record: Record, run: CaseRun, canvas: Canvas, axes: "Axes") -> None:
    curves = percentile_curves(run)
    finding = next(f for f in record.bench if f.case == run.case.id)
    named = [(q.limit, percentile_name(q.name)) for q in finding.quantities]
    limits = [(limit, name) for limit, name in named if limit is not None and name.startswith("P")]
    every = [value for curve in curves for value in curve.latency_ns]
    low, high = min([*every, *(limit for limit, _ in limits)]), max([*every, *(limit for limit, _ in limits)])
    factor, unit = _time_unit(low)
    for curve in curves:
        scaled = [value / factor for value in curve.latency_ns]
        style = "dashed" if curve.fastest else "solid"
        axes.plot(curve.rarity, scaled, color=_ROLE_COLOURS[curve.role], linewidth=1.8, linestyle=style)
    rarest = min(curve.rarity[-1] for curve in curves)
    for limit, name in limits:
        share = 1 - float(name[1:]) / 100
        axes.plot([0.5, share], [limit / factor] * 2, color=PALETTE["ink"], linewidth=1.2, linestyle=(0, (4, 3)))
        axes.plot([share], [limit / factor], color=PALETTE["ink"], marker="|", markersize=9)
        axes.annotate(f"{name} budget", (0.5, limit / factor), (6, 5), textcoords="offset points", fontsize=10)
    axes.set_xscale("log")
    axes.set_xlim(0.5, rarest * 0.9)
    ticks = [rare for rare in (0.5, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6) if rare >= rarest * 0.9]
    axes.set_xticks(ticks, [f"P{100 * (1 - rare):.10g}" for rare in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    _time_axis(axes.yaxis, axes.set_yscale, axes.set_ylim, low=low / factor, high=high / factor)
    axes.set_xlabel(f"{unit} by percentile")
    axes.grid(visible=True)
    lines: list[tuple[str, str, _Line]] = [
        (curve.name, _ROLE_COLOURS[curve.role], "dashed" if curve.fastest else "solid") for curve in curves
    ]
    _legend(canvas, lines, "")


def _compare_finding(record: Record, run: CaseRun) -> CompareFinding:
    return next(finding for finding in record.compare if finding.case == run.case.id)


def _change_axis(changes: list[float], finding: CompareFinding, *, share: float) -> tuple[float, float]:
    """Covers most of the changes, the interval, nothing and the threshold."""
    low, high = bulk(changes, share=share)
    ends = [low, high, 0.0, finding.threshold]
    if finding.change is not None:
        ends += [end for end in (finding.change.low, finding.change.high) if math.isfinite(end)]
    low, high = min(ends), max(ends)
    margin = 0.06 * (high - low)
    return low - margin, high + margin


def _change_lines(axes: "Axes", finding: CompareFinding, *, low: float, high: float) -> None:
    axes.set_ylim(low * 100, high * 100)
    axes.axhline(0, color=PALETTE["muted"], linewidth=1)
    axes.axhline(finding.threshold * 100, color=PALETTE["ink"], linewidth=1.2, linestyle=(0, (4, 3)))
    axes.annotate(
        f"threshold {plain_percent(finding.threshold)}",
        (1, finding.threshold * 100),
        (0, 4),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        fontsize=10,
        bbox=_PLATE,
    )
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:+.3g} %".replace("-", "\N{MINUS SIGN}") if value else "0")
    )
    axes.grid(visible=True, axis="y")


def _dots(axes: "Axes", points: Sequence[tuple[float, float]], *, colour: str, size: float) -> None:
    """Round dots as strokes of almost no length (Agg draws nothing for none): a tenth of the bytes that markers take."""
    if not points:
        return
    vertices = [(x + shift, y) for x, y in points for shift in (0.0, 1e-3)]
    codes = [Outline.MOVETO, Outline.LINETO] * len(points)
    patch = PathPatch(Outline(vertices, codes), facecolor="none", edgecolor=colour, linewidth=size, capstyle="round")
    axes.add_artist(patch)  # add_patch would also fit the axes to every dot: 15 ms


def _time_unit(value_ns: float) -> tuple[float, str]:
    for factor, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if value_ns >= factor:
            return factor, unit
    return 1.0, "ns"


def _time_axis(
    axis: object, set_scale: Callable[[str], None], set_limits: Callable[[float, float], object], *, low: float, high: float
) -> None:
    """Logarithmic where the values span more than a factor of five; labels in plain digits."""
    from matplotlib.axis import Axis

    assert isinstance(axis, Axis)
    plain = FuncFormatter(lambda value, _: f"{value:.4g}")
    if high > 5 * low > 0:
        set_scale("log")
        set_limits(low / 1.15, high * 1.15)
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 100 * low else (1.0,)))
        axis.set_minor_formatter(NullFormatter())
        axis.set_minor_locator(NullLocator())
    else:
        margin = 0.05 * (high - low) or 0.05 * high
        set_limits(low - margin, high + margin)
        axis.set_major_locator(MaxNLocator(6))
    axis.set_major_formatter(plain)


def _vertical(axes: "Axes", value: float, name: str) -> None:
    axes.axvline(value, color=PALETTE["ink"], linewidth=1.2, linestyle=(0, (4, 3)))
    axes.annotate(
        name,
        (value, 0.93),
        (-4, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=10,
        bbox=_PLATE,
    )


def _heading(canvas: Canvas, left: str, right: str) -> None:
    canvas.text(0.012, 0.935, left, fontsize=11, va="center")
    canvas.text(_BOX[0] + _BOX[2], 0.935, right, fontsize=10, va="center", ha="right", color=PALETTE["muted"])


def _legend(canvas: Canvas, lines: Sequence[tuple[str, str, _Line]], right: str) -> None:
    """Names beside a piece of their line, above the drawing."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=colour, linewidth=2.2, linestyle=style) for _, colour, style in lines]
    names = [visible(name) if len(name) <= 28 else f"{visible(name[:27])}…" for name, _, _ in lines]
    canvas.legend(
        handles,
        names,
        loc="center left",
        bbox_to_anchor=(0.0, 0.935),
        ncols=len(lines),
        frameon=False,
        fontsize=10.5,
        handlelength=1.2,
        handletextpad=0.5,
        columnspacing=1.2,
        borderpad=0.2,
    )
    if right and sum(map(len, names)) + 4 * len(names) < 44:
        canvas.text(_BOX[0] + _BOX[2], 0.935, right, fontsize=10, va="center", ha="right", color=PALETTE["muted"])

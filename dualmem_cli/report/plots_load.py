"""The drawings of a load: latency by percentile, and over time."""

from matplotlib.figure import Figure as Canvas

from dualmem_cli.model.record import Record
from dualmem_cli.report.layout import Figure, FigureKind, visible
from dualmem_cli.report.phrases import percentile_name
from dualmem_cli.report.plane import PALETTE, Plane, Scale
from dualmem_cli.report.series import LoadCurve, load_curves, load_over_time

_COLOURS = ("new", "old", "third", "fourth", "fifth", "sixth", "new-2", "seventh", "eighth", "muted")
_KEY = 100.0  # points for the names of the kinds
_LONGEST = 16
_MOST_KINDS = 12


def draw_load(record: Record, figure: Figure, canvas: Canvas) -> None:
    """Either of the two."""
    if figure.kind is FigureKind.LOAD_PERCENTILES:
        _percentiles(record, figure, canvas)
    else:
        _over_time(record, figure, canvas)


def _percentiles(record: Record, figure: Figure, canvas: Canvas) -> None:
    run = next(run for run in record.loads if run.id == figure.case)
    curves = load_curves(run)
    rarest = min(curve.rarity[-1] for curve in curves if not curve.kind)
    every = [value for curve in curves for value in curve.latency_ns]
    factor, unit = _unit(max(every) / 100)
    up = Scale(max(min(every), 1.0) / factor / 1.15, max(every) / factor * 1.15, logarithmic=True)
    plane = Plane(canvas, x=Scale(0.5, rarest * 0.9, logarithmic=True), y=up, aside=_KEY)
    ticks = [rare for rare in (0.5, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6) if rare >= rarest * 0.9]
    plane.grid(x=[(rare, f"{100 * (1 - rare):.10g}") for rare in ticks], y=_ticks(up), title="percentile")
    names = []
    for index, curve in enumerate(curve for curve in curves if curve.kind):
        colour = PALETTE[_COLOURS[index % len(_COLOURS)]]
        _line(plane, curve, factor, colour=colour, width=1.3)
        names.append((_short(curve.kind), colour))
    for curve in (curve for curve in curves if not curve.kind):
        _line(plane, curve, factor, colour=PALETTE["ink"], width=2.4 if not curve.service else 1.2, dashed=curve.service)
    plane.key([("all", PALETTE["ink"]), *names[:_MOST_KINDS]])
    finding = next((found for found in record.bench if found.case == run.id), None)
    limits = [(q.limit, percentile_name(q.name)) for q in finding.quantities if q.limit is not None] if finding else []
    for limit, name in ((limit, name) for limit, name in limits if name.startswith("P")):
        share = 1 - float(name[1:]) / 100
        if up.low <= limit / factor <= up.high and share >= rarest * 0.9:
            plane.dots([(share, limit / factor)], colour=PALETTE["ink"], size=6)
            plane.label(f"{name} budget", share, limit / factor, shift=(6, 9))
    plane.heading(unit, "thick: all; dashed: from the begin" if run.open else "thick: all")


def _over_time(record: Record, figure: Figure, canvas: Canvas) -> None:
    run = next(run for run in record.loads if run.id == figure.case)
    points = load_over_time(run)
    lowest, highest = min(point.p50_ns for point in points), max(point.max_ns for point in points)
    factor, unit = _unit(highest / 100)
    up = Scale(max(lowest, 1.0) / factor / 1.3, highest / factor * 1.3, logarithmic=True)
    last = max(point.at_s for point in points)
    hours = last > 7200
    across = Scale(0.0, (last or 1.0) * 1.03 / (3600 if hours else 1))
    plane = Plane(canvas, x=across, y=up)
    title = f"{'hours' if hours else 'seconds'} since the first process began"
    plane.grid(x=[(value, f"{value:,.4g}") for value in across.ticks(6)], y=_ticks(up), title=title)
    for process in sorted({point.process for point in points}):
        own = [point for point in points if point.process == process]
        xs = [point.at_s / (3600 if hours else 1) for point in own]
        plane.line(xs, [point.p50_ns / factor for point in own], colour=PALETTE["old"], width=1.6)
        plane.line(xs, [point.p99_ns / factor for point in own], colour=PALETTE["new"], width=1.6)
        plane.dots([(x, point.max_ns / factor) for x, point in zip(xs, own, strict=True)], colour=PALETTE["muted"], size=3.5)
        if len(own) < 40:
            for name, colour in (("p50_ns", "old"), ("p99_ns", "new")):
                plane.dots(
                    [(x, getattr(point, name) / factor) for x, point in zip(xs, own, strict=True)], colour=PALETTE[colour], size=4
                )
    names = [("P50", PALETTE["old"], False), ("P99", PALETTE["new"], False), ("largest", PALETTE["muted"], False)]
    plane.legend(names, f"{unit}; {len(points)} sections")


def _line(plane: Plane, curve: LoadCurve, factor: float, *, colour: str, width: float, dashed: bool = False) -> None:
    plane.line(curve.rarity, [max(v, 1.0) / factor for v in curve.latency_ns], colour=colour, width=width, dashed=dashed)


def _unit(value_ns: float) -> tuple[float, str]:
    return next(((f, unit) for f, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")) if value_ns >= f), (1.0, "ns"))


def _ticks(scale: Scale) -> list[tuple[float, str]]:
    return [(value, f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}") for value in scale.ticks(6)]


def _short(name: str) -> str:
    return visible(name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…")

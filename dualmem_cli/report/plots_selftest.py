"""The drawings of a self-test. Loads and rules have colours of their own; none of them is the red or green of worse and better."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from matplotlib.figure import Figure as Canvas

from dualmem_cli.model.curve import Cell, OperatingCurve, Rate
from dualmem_cli.model.selftest import Load
from dualmem_cli.report.canvas import as_png, as_svg, new_canvas
from dualmem_cli.report.layout import Figure, FigureKind
from dualmem_cli.report.plane import PALETTE, Plane, Scale

_LOADS = {
    Load.IDLE: PALETTE["ink"],
    Load.OTHER_CORE: PALETTE["old"],
    Load.SAME_CORE: PALETTE["new"],
    Load.BURSTS: PALETTE["third"],
    Load.BANDWIDTH: PALETTE["muted"],
}
_RULES = (("old", False), ("new", False), ("third", False), ("old", True), ("new", True), ("third", True))
_OURS = "dualmem"
_APART = 0.07  # per cent between the lines of two loads, so that their intervals do not hide each other
_ALLOWED = {False: 0.2, True: 1.0}  # seconds, for unchanged code and for a regression
_Points = Sequence[tuple[float, Rate]]


def selftest_svg(curve: OperatingCurve, figure: Figure) -> str:
    """The drawing as matplotlib's SVG, the same bytes for the same curve."""
    return as_svg(lambda: _drawn(curve, figure.kind), salt=figure.kind)


def save_selftest_png(curve: OperatingCurve, kind: FigureKind, *, path: Path, dots_per_inch: int) -> None:
    """The drawing as a PNG on white, for documents."""
    as_png(lambda: _drawn(curve, kind), path=path, dots_per_inch=dots_per_inch)


def _drawn(curve: OperatingCurve, kind: FigureKind) -> Canvas:
    canvas = new_canvas()
    drawers: dict[FigureKind, Callable[[OperatingCurve, Canvas], None]] = {
        FigureKind.DETECTION: _detection,
        FigureKind.SECONDS: _seconds,
        FigureKind.RIVALS: lambda curve, canvas: _rules(curve, canvas, in_turn=False),
        FigureKind.RIVALS_IN_TURN: lambda curve, canvas: _rules(curve, canvas, in_turn=True),
    }
    drawers[kind](curve, canvas)
    return canvas


def _detection(curve: OperatingCurve, canvas: Canvas) -> None:
    plane = _shares(curve, canvas)
    loads = list(_by_load(curve))
    for place, (load, cells) in enumerate(loads):
        shift = _APART * (place - (len(loads) - 1) / 2)
        _line(plane, [(_percent(cell) + shift, cell.regressed) for cell in cells], colour=_LOADS[load], width=1.5, bars=True)
    plane.legend([(load, _LOADS[load], False) for load, _ in loads], "")


def _rules(curve: OperatingCurve, canvas: Canvas, *, in_turn: bool) -> None:
    plane = _shares(curve, canvas)
    names = list(dict.fromkeys(rival.name for cell in curve.sizes for rival in cell.rivals))
    legend = [(_OURS, PALETTE["ink"], False)]
    for place, name in enumerate(names):
        colour, dashed = _RULES[place % len(_RULES)]
        rates = [
            (_percent(cell), rival.in_turn if in_turn else rival.interleaved)
            for cell in curve.sizes
            for rival in cell.rivals
            if rival.name == name
        ]
        _line(plane, rates, colour=PALETTE[colour], width=1.1, dashed=dashed)
        legend.append((name, PALETTE[colour], dashed))
    _line(plane, [(_percent(cell), cell.regressed) for cell in curve.sizes], colour=PALETTE["ink"], width=2.0)
    plane.legend(legend, "")


def _seconds(curve: OperatingCurve, canvas: Canvas) -> None:
    loads = list(_by_load(curve))
    ends = [end for cell in curve.points for end in (cell.seconds_median, cell.seconds_p95) if end is not None and end > 0] + [
        *_ALLOWED.values()
    ]
    across = _across(curve)
    up = Scale(min(ends) / 1.3, max(ends) * 1.3, logarithmic=True)
    plane = Plane(canvas, x=across, y=up)
    plane.grid(x=_sizes(curve), y=[(value, f"{value:.4g} s") for value in up.ticks(6)], title="planted slowdown", upright=False)
    for caught, allowed in _ALLOWED.items():
        ends_x = (curve.caught * 100, across.high) if caught else (across.low, curve.silent * 100)
        plane.line(ends_x, (allowed, allowed), colour=PALETTE["ink"], width=1.2, dashed=True)
    for load, cells in loads:
        timed = [(_percent(cell), cell.seconds_median, cell.seconds_p95) for cell in cells]
        middle = [(x, median) for x, median, _ in timed if median]
        if middle:
            plane.line([x for x, _ in middle], [y for _, y in middle], colour=_LOADS[load], width=1.5)
        plane.dots([(x, slow) for x, _, slow in timed if slow], colour=_LOADS[load], size=4.5)
    plane.legend([(load, _LOADS[load], False) for load, _ in loads], "")


def _shares(curve: OperatingCurve, canvas: Canvas) -> Plane:
    """A plane of shares, with what the contract forbids shaded: anything but silence on the left, less than all on the right."""
    across, up = _across(curve), Scale(-3, 103)
    plane = Plane(canvas, x=across, y=up)
    plane.box(x=(across.low, curve.silent * 100), y=(0.1, 103), colour=PALETTE["band"])
    plane.box(x=(curve.caught * 100, across.high), y=(-3, 99), colour=PALETTE["band"])
    ticks = [(float(value), f"{value} %") for value in (0, 25, 50, 75, 100)]
    plane.grid(x=_sizes(curve), y=ticks, title="planted slowdown", upright=False)
    plane.upright(curve.threshold * 100, colour=PALETTE["muted"], width=1, dashed=True)
    return plane


def _line(plane: Plane, rates: _Points, *, colour: str, width: float, dashed: bool = False, bars: bool = False) -> None:
    known = [(x, rate.share * 100, rate) for x, rate in rates if rate.share is not None]
    if not known:
        return
    plane.line([x for x, _, _ in known], [y for _, y, _ in known], colour=colour, width=width, dashed=dashed)
    if bars:
        for x, _, rate in known:
            plane.line((x, x), (rate.low * 100, rate.high * 100), colour=colour, width=1)
        plane.dots([(x, y) for x, y, _ in known], colour=colour, size=4)


def _by_load(curve: OperatingCurve) -> Iterator[tuple[Load, list[Cell]]]:
    for load in Load:
        cells = [cell for cell in curve.points if cell.load is load and cell.planted is not None]
        if cells:
            yield load, cells


def _across(curve: OperatingCurve) -> Scale:
    most = max([_percent(cell) for cell in curve.sizes] + [curve.caught * 100])
    return Scale(-0.4, most + 0.4)


def _sizes(curve: OperatingCurve) -> list[tuple[float, str]]:
    return [(_percent(cell), f"{_percent(cell):.3g} %" if cell.planted else "0") for cell in curve.sizes]


def _percent(cell: Cell) -> float:
    return (cell.planted or 0.0) * 100

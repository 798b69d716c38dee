"""The drawing of a roofline: roofs of one thread as lines, of all cores together dashed, a dot for each case with an intensity."""

from matplotlib.figure import Figure as Canvas

from dualmem_cli.model.record import Record
from dualmem_cli.model.verdict import Roof, RooflineFinding
from dualmem_cli.report.layout import visible
from dualmem_cli.report.plane import PALETTE, Plane, Scale

_KEY = 118.0  # points for the names of the kernels
_LONGEST_NAME = 22
_COLOURS = ("new", "old", "third", "fourth", "fifth", "sixth", "ink", "new-2", "seventh", "eighth")
_APART = 1.3  # of two peaks whose names can stand above both
_MARGIN = 3.0  # factor of the axes round what is drawn


def draw_roofline(record: Record, canvas: Canvas) -> None:
    """GFLOP/s over floating-point operations per byte."""
    found = record.roofline
    if found is None:
        raise ValueError("the record has no roofline")
    placed = [(point.intensity, point.gflops, point) for point in found.points if point.intensity and point.gflops]
    peaks = {roof.threads: roof.rate.value for roof in found.roofs if roof.bytes_each is None}
    slopes = _slopes(found)
    knees = [peaks[1] / roof.rate.value for roof in slopes if roof.threads == 1]
    across = Scale(min(x for x, _, _ in placed) / _MARGIN, max(*(x for x, _, _ in placed), *knees) * _MARGIN, logarithmic=True)
    lowest = min(*(y for _, y, _ in placed), across.low * min(roof.rate.value for roof in slopes))
    up = Scale(lowest / 1.3, max(peaks.values()) * 1.8, logarithmic=True)
    plane = Plane(canvas, x=across, y=up, aside=_KEY)
    plane.grid(x=_ticks(across), y=_ticks(up), title="floating-point operations per byte")
    for threads, peak in sorted(peaks.items()):
        plane.line((across.low, across.high), (peak, peak), colour=PALETTE["ink"], width=1.3, dashed=threads > 1)
        above = threads == 1 or peak > _APART * peaks.get(1, 0.0)
        plane.label(
            f"peak, {threads} thread{'s' if threads > 1 else ''}", across.high, peak, shift=(-4, 7 if above else -8), right=True
        )
    for number, roof in enumerate(slopes):
        top = min(peaks.get(roof.threads, max(peaks.values())), across.high * roof.rate.value)
        left, right = max(across.low, up.low / roof.rate.value), top / roof.rate.value
        dashed = roof.threads > 1
        plane.line((left, right), (left * roof.rate.value, top), colour=PALETTE["muted"], width=1.3, dashed=dashed)
        if not dashed:  # each name further along its line than the one before: lines of neighbouring levels lie close together
            place = left * (right / left) ** (0.12 + 0.16 * number)
            plane.label(roof.level, place, place * roof.rate.value, shift=(3, -3))
    names = list(dict.fromkeys(point.kernel for _, _, point in placed))
    colours = {name: PALETTE[_COLOURS[index % len(_COLOURS)]] for index, name in enumerate(names)}
    for x, y, point in placed:
        plane.dots([(x, y)], colour=colours[point.kernel], size=5.5)
    plane.heading("GFLOP/s", "")
    plane.key([(_short(name), colours[name]) for name in names])


def _slopes(found: RooflineFinding) -> list[Roof]:
    """One roof for each level and number of threads: the fastest read of it (the level's other sizes are nearer to the next one)."""
    best: dict[tuple[int, str], Roof] = {}
    for roof in found.roofs:
        if roof.bytes_each is None:
            continue
        known = best.get((roof.threads, roof.level))
        if known is None or roof.rate.value > known.rate.value:
            best[roof.threads, roof.level] = roof
    return list(best.values())


def _ticks(scale: Scale) -> list[tuple[float, str]]:
    return [(value, f"{value:,.4g}") for value in scale.ticks(6)]


def _short(name: str) -> str:
    return visible(name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…")

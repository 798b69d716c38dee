"""The drawing of one course: a dot per record with its interval, a staircase of levels, an upright where the level changed."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure as Canvas
from matplotlib.figure import SubFigure

from dualmem_cli.model.history import Chronicle, Course
from dualmem_cli.report.canvas import as_png, as_svg, new_canvas
from dualmem_cli.report.history_words import case_text, short_what, size_text
from dualmem_cli.report.layout import Figure, course_name
from dualmem_cli.report.phrases import amount
from dualmem_cli.report.plane import HEIGHT, PALETTE, WIDTH, Plane, Scale

_ACROSS = 3  # drawings beside each other in a file
_TITLE_LETTERS = 56
_LEAST_HEIGHT = 0.10  # of the level, from top to bottom
_ASIDE = 12.0  # points, for the right half of the last day's name
_BAR, _RULE = 0.004, 0.011  # thickness, as shares of the plane
_FAR = 3.0  # times the height of all values: an interval that reaches farther is cut off


def history_svg(chronicle: Chronicle, figure: Figure) -> str:
    """The drawing as matplotlib's SVG, the same bytes for the same history."""
    found = next(one for one in chronicle.courses if course_name(one.series.measured, one.series.machine) == figure.case)

    def draw() -> Canvas:
        canvas = new_canvas()
        _draw(found, canvas, titled=False)
        return canvas

    return as_svg(draw, salt=figure.case)


def save_history(courses: Sequence[Course], path: Path, *, dots_per_inch: int) -> None:
    """All courses in one picture, PNG or SVG by the file's name."""
    across = min(_ACROSS, len(courses))
    down = -(-len(courses) // across)

    def draw() -> Canvas:
        canvas = Canvas(figsize=(across * WIDTH / 72, down * HEIGHT / 72), dpi=72)
        places = canvas.subfigures(down, across, squeeze=False, wspace=0, hspace=0)
        for course, place in zip(courses, places.ravel(), strict=False):
            _draw(course, place, titled=True)
        return canvas

    if path.suffix == ".svg":
        path.write_text(as_svg(draw, salt="history"), encoding="utf-8")
    else:
        as_png(draw, path=path, dots_per_inch=dots_per_inch)


def _draw(course: Course, canvas: Canvas | SubFigure, *, titled: bool) -> None:
    points = course.series.points
    measured = course.series.measured
    across, up = Scale(-0.5, len(points) - 0.5), _up(course)
    plane = Plane(canvas, x=across, y=up, aside=_ASIDE)
    first, last = points[0].record.created, points[-1].record.created
    when = "%H:%M" if first.date() == last.date() else "%m-%d" if first.year == last.year else "%Y-%m"
    days = [(float(at), f"{points[at].record.created:{when}}") for at in _ticks(len(points))]
    plane.grid(
        x=days,
        y=[(value, amount(value, measured.unit, measured.quantity)) for value in up.ticks(5)],
        title="records in the order of time",
        upright=False,
    )
    for at, point in enumerate(points):
        if point.low is not None and point.high is not None and point.low < point.high:
            ends = (max(point.low, up.low), min(point.high, up.high))
            plane.box(x=_round(at, _BAR * len(points)), y=ends, colour=PALETTE["seventh"])
    for change in course.changes:
        plane.upright(change.at - 0.5, colour=PALETTE["muted"], width=1, dashed=True)
    for begin, end, level in course.levels if not course.drifts else ():
        plane.box(x=(begin - 0.5, end - 0.5), y=_round(level, _RULE * (up.high - up.low)), colour=PALETTE["new"])
    kept = [(at, point.value) for at, point in enumerate(points) if at not in course.outliers]
    plane.dots(kept, colour=PALETTE["old"], size=4)
    plane.dots([(at, points[at].value) for at in course.outliers], colour=PALETTE["muted"], size=4)
    latest = course.changes[-1] if course.changes else None
    note = size_text(latest.size, measured, relative=latest.relative) if latest else "drifting" if course.drifts else "no change"
    title = f"{measured.scenario} {case_text(measured)}, {short_what(measured)}" if titled else short_what(measured)
    room = _TITLE_LETTERS - len(note)
    plane.heading(title if len(title) <= room else title[: room - 3] + "...", note)


def _round(middle: float, width: float) -> tuple[float, float]:
    """A stretch round a value. Bars and levels are drawn as boxes: lines lie above dots, boxes below what comes later."""
    return middle - width / 2, middle + width / 2


def _up(course: Course) -> Scale:
    """What all values need, and their intervals, but for those that reach very far."""
    values = [point.value for point in course.series.points]
    low, high = min(values), max(values)
    least = _LEAST_HEIGHT * max(abs(low), abs(high)) or 1.0
    height = max(high - low, least)
    middle = (low + high) / 2
    ends = [end for point in course.series.points for end in (point.low, point.high) if end is not None]
    near = [end for end in ends if abs(end - middle) <= _FAR / 2 * height]
    low, high = min([middle - height / 2, *near]), max([middle + height / 2, *near])
    return Scale(low - 0.05 * (high - low), high + 0.05 * (high - low))


def _ticks(count: int) -> list[int]:
    """At most five records to name the day of."""
    steps = min(5, count)
    return sorted({round(at * (count - 1) / max(1, steps - 1)) for at in range(steps)})

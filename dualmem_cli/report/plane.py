"""A coordinate plane drawn straight onto a matplotlib figure, without its Axes.

Axes, Axis and Tick objects cost about 80 ms of a drawing's 105 ms, and a compare of 22 cases has 66 drawings. What they do
for these plots (a grid, a few labels, one linear or logarithmic scale each way) fits here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.ticker import LogLocator, MaxNLocator
from matplotlib.transforms import Bbox, TransformedBbox

PALETTE = {
    "paper": "#ffffff",
    "ink": "#1c2024",
    "muted": "#5f6873",
    "line": "#dfe3e8",
    "old": "#3b6fb5",
    "new": "#c9770a",
    "new-2": "#e3a857",
    "third": "#7a5ea8",
    "fourth": "#1f7f86",
    "fifth": "#a8446f",
    "sixth": "#77721f",
    "seventh": "#8fb0da",
    "eighth": "#c3aee0",
    "band": "#f3e3c8",
}
_STEPS = (1, 2, 5, 10)  # of ticks: 1.075 between 1.05 and 1.10 would be written as 1.07
# In points: the whole drawing, and the margins round its plane.
WIDTH, HEIGHT = 374.0, 223.0
_LEFT, _RIGHT, _BOTTOM, _TOP = 49.0, 8.0, 35.0, 33.0
_HEADING = HEIGHT - 14.0
_TEXT, _SMALL, _SMALLEST = 11.0, 10.0, 8.5
_SECOND_ROW, _RAISED = 13.0, 5.0  # of a legend, below its first, which is then higher
_LINE = 14.0  # from one name of a key to the next
_LETTER = 0.57  # mean width of a letter, in its size; only places the names of a legend
_DASHES = (0, (4, 3))


@dataclass(frozen=True, slots=True)
class Scale:
    """One direction of a plane. `high` may be below `low`: the scale then runs backwards."""

    low: float
    high: float
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """Where a value lies between low (0) and high (1)."""
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int, *, whole: bool = False) -> tuple[float, ...]:
        """Round values inside the scale."""
        low, high = min(self.low, self.high), max(self.low, self.high)
        if self.logarithmic:
            subdivisions = (1.0, 2.0, 5.0) if high < 100 * low else (1.0,)
            found = LogLocator(subs=subdivisions).tick_values(low, high)
        else:
            found = MaxNLocator(most, integer=whole, steps=_STEPS).tick_values(low, high)
        slack = 1e-9 * (high - low)
        return tuple(float(value) for value in found if low - slack <= value <= high + slack)


class Plane:
    """Draws in data coordinates. What was drawn first lies below. `aside`: points to the right of the plane, for a `key`."""

    def __init__(self, figure: Figure | SubFigure, *, x: Scale, y: Scale, aside: float = 0.0) -> None:
        self._figure = figure
        self._x = x
        self._y = y
        self._right = _RIGHT + aside
        box = Bbox.from_extents(_LEFT / WIDTH, _BOTTOM / HEIGHT, 1 - self._right / WIDTH, 1 - _TOP / HEIGHT)
        self._clip = TransformedBbox(box, figure.transSubfigure)

    def grid(self, *, x: Sequence[tuple[float, str]], y: Sequence[tuple[float, str]], title: str, upright: bool = True) -> None:
        """Labelled lines of the grid; `title` names the horizontal scale. Without `upright` only its labels are there."""
        for value, label in y:
            self.across(value, colour=PALETTE["line"], width=0.8)
            self._text(label, self._left, self._at(self._x.low, value)[1], shift=(-6, 0), right=True, colour=PALETTE["muted"])
        for value, label in x:
            if upright:
                self.upright(value, colour=PALETTE["line"], width=0.8)
            place = self._at(value, self._y.low)[0]
            self._text(label, place, _BOTTOM / HEIGHT, shift=(0, -10), middle=True, colour=PALETTE["muted"])
        centre = (_LEFT + WIDTH - self._right) / 2 / WIDTH
        self._text(title, centre, 8 / HEIGHT, shift=(0, 0), middle=True, colour=PALETTE["muted"])

    def line(self, xs: Sequence[float], ys: Sequence[float], *, colour: str, width: float, dashed: bool = False) -> None:
        """A polygon line through the points."""
        points = [self._at(x, y) for x, y in zip(xs, ys, strict=True)]
        self._add(Line2D(*zip(*points, strict=True), color=colour, linewidth=width, linestyle=_DASHES if dashed else "solid"))

    def steps(self, xs: Sequence[float], ys: Sequence[float], *, colour: str, width: float) -> None:
        """A staircase: each y holds from its x to the next one."""
        across = [x for x in xs for _ in range(2)][1:]
        up = [y for y in ys for _ in range(2)][:-1]
        self.line(across, up, colour=colour, width=width)

    def across(self, y: float, *, colour: str, width: float, dashed: bool = False) -> None:
        self.line((self._x.low, self._x.high), (y, y), colour=colour, width=width, dashed=dashed)

    def upright(self, x: float, *, colour: str, width: float, dashed: bool = False) -> None:
        self.line((x, x), (self._y.low, self._y.high), colour=colour, width=width, dashed=dashed)

    def band(self, low: float, high: float, *, colour: str) -> None:
        """Everything between two heights."""
        left, bottom = self._at(self._x.low, low)
        right, top = self._at(self._x.high, high)
        self._add(Rectangle((left, bottom), right - left, top - bottom, facecolor=colour, linewidth=0))

    def box(self, *, x: tuple[float, float], y: tuple[float, float], colour: str) -> None:
        """A filled rectangle."""
        left, bottom = self._at(x[0], y[0])
        right, top = self._at(x[1], y[1])
        self._add(Rectangle((left, bottom), right - left, top - bottom, facecolor=colour, linewidth=0))

    def dots(self, points: Sequence[tuple[float, float]], *, colour: str, size: float) -> None:
        """Round dots as strokes of almost no length (Agg draws nothing for none, so nothing may snap to whole pixels): a tenth of
        the bytes that markers take."""
        if not points:
            return
        placed = [self._at(x, y) for x, y in points]
        vertices = [(x + shift, y) for x, y in placed for shift in (0.0, 1e-6)]
        path = Path(vertices, [Path.MOVETO, Path.LINETO] * len(placed))
        self._add(PathPatch(path, facecolor="none", edgecolor=colour, linewidth=size, capstyle="round", snap=False))

    def label(self, text: str, x: float, y: float, *, shift: tuple[float, float], right: bool = False) -> None:
        """A text at a point, moved by `shift` points, on a plate of paper because it may lie on the data."""
        place = self._at(x, y)
        self._text(text, *place, shift=shift, right=right, size=_SMALL, plate=True)

    def heading(self, left: str, right: str) -> None:
        """One line above the plane."""
        self._text(left, 4 / WIDTH, _HEADING / HEIGHT, shift=(0, 0))
        self._note(right)

    def legend(self, lines: Sequence[tuple[str, str, bool]], right: str) -> None:
        """Names, each beside a piece of its line (name, colour, dashed), above the plane; `right` where there is room."""
        lengths = [19 + len(name) * _TEXT * _LETTER for name, _, _ in lines]
        two = 4.0 + sum(lengths) + 12 * (len(lines) - 1) > WIDTH
        place, y = 4.0, (_HEADING + (_RAISED if two else 0.0)) / HEIGHT
        for (name, colour, dashed), length in zip(lines, lengths, strict=True):
            if place > 4.0 and place + length > WIDTH:
                place, y, right = 4.0, (_HEADING + _RAISED - _SECOND_ROW) / HEIGHT, ""
            ends = (place / WIDTH, (place + 14) / WIDTH)
            self._add(Line2D(ends, (y, y), color=colour, linewidth=2.2, linestyle=_DASHES if dashed else "solid"), clip=False)
            self._text(name, (place + 19) / WIDTH, y, shift=(0, 0))
            place += length + 12
        if place + len(right) * _SMALL * _LETTER < WIDTH - _RIGHT:
            self._note(right)

    def key(self, lines: Sequence[tuple[str, str]]) -> None:
        """Names, each beside a piece of its line (name, colour), one below the other beside the plane."""
        place = WIDTH - self._right + 10
        for number, (name, colour) in enumerate(lines):
            y = (HEIGHT - _TOP - 6 - number * _LINE) / HEIGHT
            self._add(Line2D((place / WIDTH, (place + 12) / WIDTH), (y, y), color=colour, linewidth=2.2), clip=False)
            self._text(name, (place + 16) / WIDTH, y, shift=(0, 0), size=_SMALLEST)

    @property
    def _left(self) -> float:
        return _LEFT / WIDTH

    def _note(self, text: str) -> None:
        place = 1 - _RIGHT / WIDTH
        self._text(text, place, _HEADING / HEIGHT, shift=(0, 0), right=True, size=_SMALL, colour=PALETTE["muted"])

    def _at(self, x: float, y: float) -> tuple[float, float]:
        """Data as a share of the whole drawing."""
        across = _LEFT + self._x.share(x) * (WIDTH - _LEFT - self._right)
        up = _BOTTOM + self._y.share(y) * (HEIGHT - _BOTTOM - _TOP)
        return across / WIDTH, up / HEIGHT

    def _add(self, artist: Any, *, clip: bool = True) -> None:
        self._figure.add_artist(artist)
        if clip:
            artist.set_clip_box(self._clip)

    def _text(
        self,
        text: str,
        x: float,
        y: float,
        *,
        shift: tuple[float, float],
        right: bool = False,
        middle: bool = False,
        size: float = _TEXT,
        colour: str = PALETTE["ink"],
        plate: bool = False,
    ) -> None:
        self._figure.text(
            x + shift[0] / WIDTH,
            y + shift[1] / HEIGHT,
            text,
            ha="right" if right else "center" if middle else "left",
            va="center",
            fontsize=size,
            color=colour,
            bbox={"facecolor": PALETTE["paper"], "edgecolor": "none", "alpha": 0.8, "pad": 1} if plate else None,
        )

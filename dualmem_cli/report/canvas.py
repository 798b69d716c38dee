"""A drawing as a file's bytes: the same SVG for the same data, whatever the reader's matplotlib is set to, or a PNG on white."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure as Canvas

from dualmem_cli.report.plane import HEIGHT, WIDTH

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "path.simplify": False,
    "text.parse_math": False,
}


def new_canvas() -> Canvas:
    """An empty canvas of the size that every drawing has."""
    return Canvas(figsize=(WIDTH / 72, HEIGHT / 72), dpi=72)


def as_svg(draw: Callable[[], Canvas], *, salt: str) -> str:
    """matplotlib's SVG; `salt` keeps the ids inside it the same from run to run."""
    stream = io.StringIO()
    with rc_context({**_STYLE, "svg.hashsalt": salt}):
        draw().savefig(stream, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return stream.getvalue()


def as_png(draw: Callable[[], Canvas], *, path: Path, dots_per_inch: int) -> None:
    """A PNG for documents."""
    with rc_context(_STYLE):
        draw().savefig(path, format="png", dpi=dots_per_inch, facecolor="white", metadata={"Software": None})

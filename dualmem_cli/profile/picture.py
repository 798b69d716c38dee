"""A flame graph as a picture, for documents that cannot hold the interactive page."""

from pathlib import Path
from typing import Any

from dualmem_cli.profile.folded import Profile, half_width
from dualmem_cli.profile.frames import Kind, kind_of, split_place
from dualmem_cli.profile.tree import CallTree, call_tree

_COLOURS = {
    Kind.NATIVE: "#f5a665",
    Kind.PYTHON: "#9cc5e9",
    Kind.RUNTIME: "#d4d7dc",
    Kind.KERNEL: "#cfbde6",
    Kind.UNKNOWN: "#e9e8e6",
}
_ROW_INCHES = 0.24
_INK = "#1c1e21"
_SOFT = "#5d636b"
_LETTER_INCHES = 0.072  # width of one letter of the monospaced label font at 8 points


def write_png(profile: Profile, path: Path, *, width_inches: float, dots_per_inch: int) -> None:
    """Draw the flame graph of a profile, root at the bottom, as a PNG. Boxes thinner than a dot are left out, as on any screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    tree = call_tree(profile)
    starts, depths = _places(tree)
    rows = max(depths) + 1
    height = rows * _ROW_INCHES + 0.75
    figure = Figure(figsize=(width_inches, height), dpi=dots_per_inch, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.01, 0.02, 0.98, rows * _ROW_INCHES / height))
    axes.set(xlim=(0, max(profile.samples, 1)), ylim=(0, rows))
    axes.axis("off")
    samples_per_inch = max(profile.samples, 1) / (width_inches * 0.98)
    _draw_boxes(axes, tree, starts, depths, smallest=samples_per_inch / dots_per_inch, samples_per_inch=samples_per_inch)
    figure.text(
        0.01,
        1 - 0.20 / height,
        profile.title,
        ha="left",
        va="center",
        fontsize=11,
        fontweight="bold",
        color=_INK,
        parse_math=False,
    )
    widest = half_width(0.5, profile.samples) * 100
    figure.text(
        0.01,
        1 - 0.42 / height,
        f"{profile.line()}; shares within ±{widest:.1f} %",
        ha="left",
        va="center",
        fontsize=7.5,
        color=_SOFT,
        parse_math=False,
    )
    figure.savefig(path, format="png", metadata={"Software": "dualmem"})


def _draw_boxes(
    axes: Any, tree: CallTree, starts: list[int], depths: list[int], *, smallest: float, samples_per_inch: float
) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    boxes, colours = [], []
    for node, name in enumerate(tree.names):
        width = tree.samples[node]
        if width < smallest:
            continue
        boxes.append(Rectangle((starts[node], depths[node]), width, 0.94))
        colours.append(_COLOURS[kind_of(name) if node else Kind.RUNTIME])
        label = _label(name, int((width / samples_per_inch - 0.08) / _LETTER_INCHES))
        if label:
            axes.text(
                starts[node] + 0.04 * samples_per_inch, depths[node] + 0.45, label,
                ha="left", va="center", fontsize=8, family="monospace", color=_INK, parse_math=False, clip_on=True,
            )  # fmt: skip
    axes.add_collection(PatchCollection(boxes, facecolors=colours, edgecolors="white", linewidths=0.5))


def _places(tree: CallTree) -> tuple[list[int], list[int]]:
    """Left edge in samples and depth of each node."""
    starts, depths, following = [0] * len(tree.names), [0] * len(tree.names), [0] * len(tree.names)
    for node in range(1, len(tree.names)):
        parent = tree.parents[node]
        starts[node] = following[node] = following[parent]
        following[parent] += tree.samples[node]
        depths[node] = depths[parent] + 1
    return starts, depths


def _label(frame: str, letters: int) -> str:
    """As much of a frame's name as fits: with its place, without, shortened, nothing."""
    name = split_place(frame)[0]
    if len(frame) <= letters:
        return frame
    if len(name) <= letters:
        return name
    return f"{name[: letters - 1]}…" if letters > 2 else ""

"""A flame graph as a picture, for documents that cannot hold the interactive page."""

from pathlib import Path
from typing import Any

from dualmem_cli.profile.difference import Difference, side_tree, step_of
from dualmem_cli.profile.folded import Profile, half_width
from dualmem_cli.profile.frames import Kind, kind_of, split_place
from dualmem_cli.profile.sentences import headline, printable, sampled
from dualmem_cli.profile.tree import CallTree, call_tree

_COLOURS = {
    Kind.NATIVE: "#f5a665",
    Kind.PYTHON: "#9cc5e9",
    Kind.RUNTIME: "#d4d7dc",
    Kind.KERNEL: "#cfbde6",
    Kind.UNKNOWN: "#e9e8e6",
}
_STEPS = {
    0: "#e1e3e7",
    **dict(zip((1, 2, 3, 4), ("#fcd3b6", "#f9ae89", "#f4875f", "#eb6348"), strict=True)),
    **dict(zip((-1, -2, -3, -4), ("#c7dcf3", "#a2c6ee", "#7daae7", "#6796e0"), strict=True)),
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
    colours = [_COLOURS[kind_of(name) if node else Kind.RUNTIME] for node, name in enumerate(tree.names)]
    _draw_boxes(axes, tree, starts, depths, colours, smallest=samples_per_inch / dots_per_inch, samples_per_inch=samples_per_inch)
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


def write_difference_png(difference: Difference, path: Path, *, title: str, width_inches: float, dots_per_inch: int) -> None:
    """Draw the candidate's graph, coloured by what changed, and below it the stacks that vanished, where there are any."""
    from textwrap import wrap

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    parts = [("Candidate: width is its share of samples; red grew, blue shrank, grey does not differ significantly", False, 1)]
    if difference.only(0)[0]:
        share = 100 * difference.only(0)[1] / difference.baseline.samples
        parts.append(
            (f"Vanished: stacks of the baseline only, {share:.1f} % of its samples; width is the share among them", True, 0)
        )
    trees = [side_tree(difference, side, gone_only=gone) for _, gone, side in parts]
    words = wrap(headline(difference), int(width_inches * 14)) + wrap(sampled(difference), int(width_inches * 14))
    heights = [(max(_places(tree)[1]) + 1) * _ROW_INCHES for tree, _ in trees]
    height = 0.45 + 0.17 * len(words) + sum(heights) + 0.45 * len(parts)
    figure = Figure(figsize=(width_inches, height), dpi=dots_per_inch, facecolor="white")
    FigureCanvasAgg(figure)

    def say(text: str, top: float, **style: Any) -> None:
        figure.text(0.01, 1 - top / height, text, ha="left", va="center", parse_math=False, **style)

    say(title, 0.22, fontsize=11, fontweight="bold", color=_INK)
    for number, line in enumerate(words):
        say(line, 0.45 + 0.17 * number, fontsize=8, color=_INK)
    top = 0.45 + 0.17 * len(words)
    for (caption, _, _), (tree, changes), rows in zip(parts, trees, heights, strict=True):
        say(caption, top + 0.2, fontsize=8, color=_SOFT)
        top += 0.34
        axes = figure.add_axes((0.01, 1 - (top + rows) / height, 0.98, rows / height))
        axes.set(xlim=(0, max(tree.samples[0], 1)), ylim=(0, round(rows / _ROW_INCHES)))
        axes.axis("off")
        per_inch = max(tree.samples[0], 1) / (width_inches * 0.98)
        starts, depths = _places(tree)
        colours = [_STEPS[step_of(change)] for change in changes]
        _draw_boxes(axes, tree, starts, depths, colours, smallest=per_inch / dots_per_inch, samples_per_inch=per_inch)
        top += rows + 0.08
    figure.savefig(path, format="png", metadata={"Software": "dualmem"})


def _draw_boxes(
    axes: Any, tree: CallTree, starts: list[int], depths: list[int], fills: list[str], *, smallest: float, samples_per_inch: float
) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    boxes, colours = [], []
    for node, name in enumerate(tree.names):
        width = tree.samples[node]
        if width < smallest:
            continue
        boxes.append(Rectangle((starts[node], depths[node]), width, 0.94))
        colours.append(fills[node])
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
    frame = printable(frame)
    name = split_place(frame)[0]
    if len(frame) <= letters:
        return frame
    if len(name) <= letters:
        return name
    return f"{name[: letters - 1]}…" if letters > 2 else ""

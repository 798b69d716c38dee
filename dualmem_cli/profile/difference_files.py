"""The files of a difference: both sides' folded stacks, the two-column text, the page, the picture."""

from dataclasses import dataclass
from pathlib import Path

from dualmem_cli.errors import naming
from dualmem_cli.profile.difference import Difference
from dualmem_cli.profile.difference_page import render_difference, write_difference
from dualmem_cli.profile.folded import write_folded
from dualmem_cli.profile.picture import write_difference_png


@dataclass(frozen=True, slots=True)
class DifferenceFiles:
    """Where everything is."""

    page: Path
    folded: Path
    picture: Path
    sides: tuple[Path, ...]


def keep_difference(
    difference: Difference, *, directory: Path, stem: str, title: str, subtitle: str, sides: bool
) -> DifferenceFiles:
    """Write `<stem>.html`, `<stem>.diff.folded` and `<stem>.png`, and with `sides` `<stem>.baseline.folded` and
    `<stem>.candidate.folded`."""
    directory.mkdir(parents=True, exist_ok=True)
    page, folded, picture = (directory / f"{stem}.{kind}" for kind in ("html", "diff.folded", "png"))
    with naming(directory):
        page.write_text(render_difference(difference, title=title, subtitle=subtitle), encoding="utf-8")
        folded.write_text(write_difference(difference), encoding="utf-8")
        write_difference_png(difference, picture, title=title, width_inches=12, dots_per_inch=110)
        return DifferenceFiles(page, folded, picture, keep_sides(difference, directory=directory, stem=stem) if sides else ())


def keep_sides(difference: Difference, *, directory: Path, stem: str) -> tuple[Path, Path]:
    """Write the folded stacks of both sides, so that `dualmem profile --diff` can compare them again."""
    paths = directory / f"{stem}.baseline.folded", directory / f"{stem}.candidate.folded"
    for path, profile in zip(paths, (difference.baseline, difference.candidate), strict=True):
        path.write_text(write_folded(profile), encoding="utf-8")
    return paths

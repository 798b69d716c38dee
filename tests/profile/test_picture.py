"""The picture for documents."""

from dataclasses import replace
from pathlib import Path

import pytest

from dualmem_cli.profile.folded import Profile
from dualmem_cli.profile.picture import write_png


def test_picture_has_the_boxes_where_the_samples_are(profile: Profile, tmp_path: Path) -> None:
    image = pytest.importorskip("matplotlib.image")
    path = tmp_path / "graph.png"
    write_png(profile, path, width_inches=8.0, dots_per_inch=100)
    pixels = image.imread(path)
    height, width = pixels.shape[:2]
    assert width == 800

    def colour(row: int, share: float) -> str:
        """Near the box's top, where no label is."""
        y = height * (1 - 0.02) - (row + 0.90) * 24
        red, green, blue = (pixels[round(y), round(width * (0.01 + 0.98 * share)), :3] * 255).round().astype(int)
        return f"#{red:02x}{green:02x}{blue:02x}"

    assert colour(1, 0.5) == "#9cc5e9"  # main, Python
    assert colour(3, 0.3) == "#f5a665"  # the kernel of interest, C, 60 % from the left
    assert colour(3, 0.7) == "#9cc5e9"  # fold in fold
    assert colour(3, 0.85) == "#cfbde6"  # kernel time
    assert colour(3, 0.95) == "#ffffff"  # main's own samples carry nothing


def test_names_are_text_not_mathematics(profile: Profile, tmp_path: Path) -> None:
    odd = replace(profile, title="$\\frac{", stacks=((("$x_{ (a.so)",), 100),))
    write_png(odd, tmp_path / "odd.png", width_inches=6.0, dots_per_inch=80)
    assert (tmp_path / "odd.png").read_bytes().startswith(b"\x89PNG")

"""The page and the texts of a difference: word for word, self-contained, inert whatever the names are."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from profile_pairs import HOSTILE, STEM, hostile_pair, known_pair, of

from dualmem_cli.profile.difference import Difference, difference
from dualmem_cli.profile.difference_files import keep_difference
from dualmem_cli.profile.difference_page import render_difference, write_difference
from dualmem_cli.profile.flamegraph import script_source
from dualmem_cli.profile.folded import Profile, read_folded
from dualmem_cli.profile.picture import write_difference_png
from dualmem_cli.profile.sentences import headline, sampled, signed

GOLDEN = Path(__file__).with_name("golden")


def page_of(found: Difference) -> str:
    return render_difference(found, title="similarity count 16, avx2", subtitle="candidate 642b334 against baseline 74662ed")


def data_of(text: str) -> list[dict[str, Any]]:
    graphs: list[dict[str, Any]] = json.loads(text.partition('id="profile-data">')[2].partition("<")[0])["graphs"]
    return graphs


@pytest.fixture
def found(profile: Profile) -> Difference:
    return difference(*known_pair(profile))


def test_the_page_word_for_word(found: Difference) -> None:
    text = re.sub(r"<(style|script)>.*?</\1>", r"<\1></\1>", page_of(found), flags=re.DOTALL)
    text = re.sub(r"sha256-[\w+/=]+", "sha256", text)
    assert text == (GOLDEN / "difference.html").read_text(encoding="utf-8"), "read the difference, then write it there"


def test_the_text_word_for_word(found: Difference) -> None:
    assert write_difference(found) == (GOLDEN / "difference.diff.folded").read_text(encoding="utf-8")


def test_two_columns_as_difffolded_writes_them(found: Difference) -> None:
    lines = write_difference(found).splitlines()
    assert lines[0].startswith("# dualmem difference {")
    assert lines[0].endswith("}"), "flamegraph.pl looks for a number there, and passes over the line"
    assert json.loads(lines[0].partition("{")[1] + lines[0].partition("{")[2])["candidate"]["samples"] == 847
    stem = ";".join(STEM)
    assert f"{stem};dm_prefetch (libdualmem.so) 100 0" in lines
    assert f"{stem};copy_row (libdualmem.so);memcpy (libc.so.6) 0 120" in lines


def test_in_words(found: Difference) -> None:
    assert headline(found) == (
        "Grew: memcpy called by copy_row +14.2 points (+11.7 to +17.0). Shrank: dm_prefetch -12.5 points (-15.2 to -10.1)."
    )
    assert sampled(found) == (
        "Baseline 803 samples, candidate 847 (design effect 1.25: worth 642 and 678 independent ones); 9 differences tested. "
        "Vanished: 1 stack, 12.5 % of the baseline. New: 2 stacks, 14.6 % of the candidate."
    )
    assert [signed(share) for share in (0.0, -0.0001, 0.0001, 0.123, -0.123)] == ["0.0", "0.0", "0.0", "+12.3", "-12.3"]


def test_one_difference_is_one(found: Difference) -> None:
    assert "; 1 difference tested. " in sampled(replace(found, tested=1))


def test_the_same_twice_says_so_and_colours_nothing(profile: Profile) -> None:
    first, _ = known_pair(profile)
    found = difference(first, first)
    text = page_of(found)
    assert "The two profiles are the same, stack for stack: there is no difference to show." in text
    assert {step for graph in data_of(text) for step in graph["step"]} == {0}
    assert len(data_of(text)) == 2, "nothing vanished, so no part for it"
    assert "▲ +" not in text


def test_what_the_compiler_inlined_is_no_news(profile: Profile) -> None:
    first = of(profile, {("run (a.so)", "dm_scan (a.so)"): 40, ("run (a.so)", "dm_scan (a.so)", "dot_four (a.so)"): 900})
    second = of(profile, {("run (a.so)", "dm_scan (a.so)"): 940})
    assert headline(difference(first, second)) == (
        "Grew: dm_scan +95.7 points (+94.2 to +96.9). Shrank: dot_four -95.7 points (-96.9 to -94.2). "
        "dot_four vanished and its caller dm_scan grew by as much: the compiler may have inlined it; together they moved 0.0 points."
    )
    partly = of(profile, {("run (a.so)", "dm_scan (a.so)"): 540, ("run (a.so)", "dm_scan (a.so)", "dot_four (a.so)"): 400})
    assert difference(first, partly).merged == (), "it is still there"
    assert difference(second, first).merged == (), "a new function may be work that was added"


def test_equal_shares_are_no_explanation(profile: Profile) -> None:
    first = of(profile, {("run (a.so)", "dm_slow (a.so)"): 950, ("run (a.so)",): 50})
    second = of(profile, {("run (a.so)", "dm_slow (a.so)"): 956, ("run (a.so)",): 44})
    assert headline(difference(first, second)) == (
        "No difference of these two profiles is significant: nothing in them explains a change of speed. "
        "dm_slow has 95.0 % of the baseline's and 95.6 % of the candidate's samples: what became slower inside of it moves no share."
    )


def test_the_graphs_are_the_profiles(found: Difference) -> None:
    candidate, baseline, vanished = data_of(page_of(found))
    assert (candidate["samples"], baseline["samples"], vanished["samples"]) == (847, 803, 100)
    for graph in (candidate, baseline, vanished):
        assert graph["of"] == [803, 847]
        assert sum(graph["self"]) == graph["samples"]
    steps = {candidate["names"][name]: step for name, step in zip(candidate["name"], candidate["step"], strict=True)}
    assert steps == {"all": 0, "spin": 0, "run": 0, "dm_dot": 0, "dm_add": 0, "dm_rare": 0, "copy_row": 4, "memcpy": 4}
    assert dict(zip((vanished["names"][n] for n in vanished["name"]), vanished["step"], strict=True))["dm_prefetch"] == -4
    assert vanished["both"][-1][:2] == [100, 0]


def test_a_name_cannot_redraw_a_terminal(profile: Profile) -> None:
    words = headline(difference(*hostile_pair(profile)))
    assert "a\\x1b[31m;\\u2028" in words or "@@DATA@@" in words
    assert words.isprintable()


def test_hostile_names_are_only_text(profile: Profile) -> None:
    text = render_difference(
        difference(*hostile_pair(profile)),
        title=HOSTILE[0],
        subtitle=HOSTILE[1],
        extra={"x": (HOSTILE[0],)},
        extra_titles=(HOSTILE[1],),
    )
    assert text.count("<script") == 2
    assert "<img" not in text
    assert len(data_of(text)) == 3
    assert "\x1b" not in write_difference(difference(*hostile_pair(profile)))
    policy = text.partition('Content-Security-Policy" content="')[2].partition('"')[0]
    assert f"script-src {script_source()}" in policy
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", text)


def test_columns_of_another_engine(found: Difference) -> None:
    text = render_difference(
        found, title="t", subtitle="s", extra={"memcpy (libc.so.6)": ("0", "3,072")}, extra_titles=("old", "new")
    )
    assert '<th scope="col" class="more">old</th><th scope="col" class="more">new</th>' in text
    assert '<td class="more" data-label="old">0</td><td class="more" data-label="new">3,072</td>' in text


def test_files(found: Difference, tmp_path: Path) -> None:
    files = keep_difference(found, directory=tmp_path / "new", stem="s", title="t", subtitle="u", sides=True)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        "s.html",
        "s.diff.folded",
        "s.png",
        "s.baseline.folded",
        "s.candidate.folded",
    }
    assert read_folded(files.sides[1].read_text(), source="x") == found.candidate
    assert files.picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("pair", [known_pair, hostile_pair])
def test_the_picture(profile: Profile, tmp_path: Path, pair: object) -> None:
    assert callable(pair)
    write_difference_png(difference(*pair(profile)), tmp_path / "p.png", title="$x_", width_inches=8, dots_per_inch=80)
    from matplotlib.image import imread

    pixels = imread(tmp_path / "p.png")[..., :3]
    assert pixels.shape[1] == 640
    if pair is known_pair:
        red, blue = pixels[..., 0] - pixels[..., 2], pixels[..., 2] - pixels[..., 0]
        assert (red > 0.5).sum() > 1000
        assert (blue > 0.4).sum() > 1000

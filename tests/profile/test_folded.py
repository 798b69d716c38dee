"""The intermediate form: what goes in comes out, and the shares are those of the definition."""

import random
from dataclasses import replace

import pytest

from dualmem_cli.errors import DataError
from dualmem_cli.profile.folded import Profile, fold, half_width, merge, read_folded, write_folded

NASTY = ["%", ";", "\n", "\r", "\t", "\u2028", "\x85", "\u00e9", "\u6f22", "%3B", "%0a", "a;b", "\ud800"]
NASTY += [" lead", "trail ", "in side", "ends in 12", "</script>", "#x"]


def test_the_line_has_every_fact(profile: Profile) -> None:
    assert profile.line() == (
        "py-spy 0.4.3: event wall clock of running threads, 100 samples/s asked, 99 achieved, 100 samples (and 7 of start-up left out), "
        "1 error, 0.0 % unknown frames"
    )


def test_text_round_trip(profile: Profile) -> None:
    assert read_folded(write_folded(profile), source="x") == profile


def test_random_nasty_names_survive_the_text(profile: Profile) -> None:
    chance = random.Random(7)
    for _ in range(200):
        stacks = {
            tuple("".join(chance.choices(NASTY, k=3)) for _ in range(chance.randint(1, 5))): chance.randint(1, 9)
            for _ in range(5)
        }
        nasty = replace(profile, stacks=tuple(sorted(stacks.items())), samples=sum(stacks.values()))
        text = write_folded(nasty)
        text.encode()  # a file can hold it
        assert read_folded(text, source="x") == nasty
        for line, (stack, count) in zip(
            text.splitlines()[1:], nasty.stacks, strict=True
        ):  # splitlines: also by Unicode's line ends
            assert line.count(";") == len(stack) - 1
            assert line.rpartition(" ")[2] == str(count)


def test_spaces_at_the_ends_of_a_name_survive_readers_that_strip(profile: Profile) -> None:
    text = write_folded(replace(profile, stacks=(((" a b ", "c;d%"), 4),), samples=4))
    assert text.splitlines()[1] == "%20a b%20;c%3Bd%25 4"


def test_other_readers_pass_over_the_facts(profile: Profile) -> None:
    """They take a line for a stack when a number follows its last space."""
    assert not write_folded(profile).splitlines()[0].rpartition(" ")[2].isdigit()


@pytest.mark.parametrize("text", ["", "a;b 3\n", "# dualmem {}\n", "# dualmem {oops\n", "# dualmem []\n"])
def test_text_without_facts_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=r"my\.folded"):
        read_folded(text, source="my.folded")


@pytest.mark.parametrize("line", ["a;b", "a;b x", "12", "a;b -3", "a ²"])
def test_a_line_that_is_no_stack_is_named(profile: Profile, line: str) -> None:
    with pytest.raises(DataError, match=r"my\.folded:6: "):
        read_folded(write_folded(profile) + line + "\n", source="my.folded")


def test_fold_starts_at_the_outermost_focus_frame() -> None:
    raw = [
        (("start", "spin (a.py)", "work", "spin (a.py)"), 3),
        (("other start", "spin (a.py)", "work", "spin (a.py)"), 2),
        (("start", "import"), 5),
    ]
    folded = fold(raw, ["spin"])
    assert folded.stacks == ((("spin (a.py)", "work", "spin (a.py)"), 5),)
    assert (folded.samples, folded.outside, folded.focused) == (5, 5, True)


def test_fold_keeps_everything_when_the_focus_is_not_there() -> None:
    folded = fold([(("a", "b"), 3)], ["spin"])
    assert (folded.stacks, folded.outside, folded.focused) == (((("a", "b"), 3),), 0, False)


def test_unknown_share_counts_frames_before_grouping_and_inside_the_focus_only() -> None:
    raw = [
        (("[unknown]", "f", "[unknown] (a.so)", "[unknown] (a.so)", "g"), 3),  # from f on: 2 of 4
        (("f",), 4),  # 0 of 1
        (("[unknown]",), 100),
    ]
    folded = fold(raw, ["f"])
    assert folded.unknown_share == pytest.approx(6 / 16)
    assert folded.stacks == ((("f",), 4), (("f", "[unknown] (a.so)", "g"), 3))


def test_nothing_folds_to_nothing() -> None:
    folded = fold([], [])
    assert (folded.stacks, folded.samples, folded.unknown_share) == ((), 0, 0.0)


def test_half_width_against_simulation() -> None:
    """The interval p ± half_width, computed from each simulated capture, holds the true share in about 95 % of them."""
    chance = random.Random(3)
    true, samples, rounds = 0.3, 400, 2000
    held = 0
    for _ in range(rounds):
        seen = sum(chance.random() < true for _ in range(samples)) / samples
        held += abs(seen - true) <= half_width(seen, samples)
    assert 0.93 < held / rounds < 0.965
    assert half_width(0.5, 0) == 0.0
    assert half_width(1.0, 10) == 0.0


def test_merge_adds(profile: Profile) -> None:
    other = replace(
        profile,
        stacks=((("main (loop.py)",), 5), (("[unknown]",), 15)),
        samples=20,
        seconds=3.0,
        unknown_share=0.75,
        rate_achieved=9.0,
    )
    both = merge([profile, other])
    assert dict(both.stacks)["main (loop.py)",] == 15
    assert both.samples == 120 == sum(count for _, count in both.stacks)
    assert both.seconds == 4.0
    assert both.rate_achieved == pytest.approx((99 * 1 + 9 * 3) / 4)
    assert both.unknown_share == pytest.approx(15 / (sum(len(s) * c for s, c in profile.stacks) + 20))
    assert (both.errors, both.outside, both.notes) == (2, 14, ("a note",))


def test_merge_refuses_what_does_not_add_up(profile: Profile) -> None:
    with pytest.raises(ValueError, match="cannot be added"):
        merge([profile, replace(profile, event="cycles")])
    with pytest.raises(ValueError, match="nothing"):
        merge([])

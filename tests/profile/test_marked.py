"""The share of marked functions: its interval against scipy's and by how often it holds the truth, and the verdict at the limit."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest, norm
from scipy.stats import t as student

from dualmem_cli.profile.folded import Profile, merge, read_folded, write_folded
from dualmem_cli.profile.marked import PROCESSES, Marked, marked_of, share_of, together


def sampled(*captures: tuple[int, int], limit: float | None = 0.05) -> tuple[float, float, float, str]:
    share = share_of(Marked(captures, ()), engine="perf", unit="samples", limit=limit)
    return share.share, share.low, share.high, share.verdict


def test_interval_of_independent_samples_is_wilsons() -> None:
    for marked, everything in ((0, 50), (3, 400), (18, 1000), (400, 400)):
        share, low, high, _ = sampled((marked, everything))
        wanted = binomtest(marked, everything).proportion_ci(method="wilson")
        assert share == marked / everything
        assert (low, high) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


@pytest.mark.parametrize(
    ("marked", "verdict"), [(18, "ok"), (36, "ok"), (37, "NOT SHOWN"), (50, "NOT SHOWN"), (51, "MISSED"), (80, "MISSED")]
)
def test_the_upper_end_must_keep_the_limit(marked: int, verdict: str) -> None:
    assert sampled((marked, 1000))[3] == verdict
    assert sampled((marked, 1000), limit=None)[3] == ""


def test_counted_instructions_have_no_interval() -> None:
    share = share_of(Marked(((50, 1000),), (("f", 50),)), engine="callgrind", unit="instructions", limit=0.05)
    assert (share.low, share.share, share.high, share.verdict) == (0.05, 0.05, 0.05, "ok")
    assert share.functions == (("f", 0.05),)
    assert share_of(Marked(((51, 1000),), ()), engine="callgrind", unit="instructions", limit=0.05).verdict == "MISSED"


def test_captures_that_scatter_widen_the_interval() -> None:
    even = share_of(Marked(((10, 250),) * 4, ()), engine="perf", unit="samples", limit=None)
    clumped = share_of(Marked(((0, 250), (40, 250), (0, 250), (0, 250)), ()), engine="perf", unit="samples", limit=None)
    assert even.design_effect == 1
    # Pearson's statistic of 40, 0, 0, 0 where 10 are expected: (30^2 + 3 * 10^2) * (1/10 + 1/240), by 3 degrees of freedom
    assert clumped.design_effect == pytest.approx(1200 * (1 / 10 + 1 / 240) / 3)
    worth = 1000 / clumped.design_effect / (student.ppf(0.975, 3) / norm.ppf(0.975)) ** 2
    z2 = norm.ppf(0.975) ** 2  # Wilson's interval of 4 % of so many
    half = np.sqrt(z2) * np.sqrt(0.04 * 0.96 / worth + z2 / (4 * worth**2)) / (1 + z2 / worth)
    assert (clumped.high - clumped.low) / 2 == pytest.approx(half)


def coverage(share: float, between: float, *, clump: int = 1, each: int = 150) -> float:
    """How often the interval holds the share when processes scatter round it with that standard deviation, and samples come in clumps."""
    random = np.random.default_rng(1)
    held = 0
    for _ in range(2000):
        own = np.clip(random.normal(share, between, PROCESSES), 0, 1)
        marked = random.binomial(each // clump, own) * clump
        _, low, high, _ = sampled(*((int(count), each) for count in marked))
        held += low <= share <= high
    return held / 2000


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    assert coverage(0.03, 0.0) > 0.94
    assert coverage(0.03, 0.02) > 0.93
    assert coverage(0.03, 0.0, clump=3) > 0.93


def test_several_captures() -> None:
    found = marked_of(["a", "", "b", "", "", "", "b", ""])
    assert found.captures == ((3, 8),)
    assert found.functions == (("b", 2), ("a", 1))
    both = together([found, marked_of(["a"])])
    assert both.captures == ((3, 8), (1, 1))
    assert dict(both.functions) == {"a": 2, "b": 2}


def test_captures_are_merged_only_where_all_know(profile: Profile) -> None:
    known = replace(profile, marked=marked_of(["a", ""]))
    merged = merge([known, known]).marked
    assert merged is not None
    assert merged.functions == (("a", 2),)
    assert merge([known, profile]).marked is None
    assert read_folded(write_folded(known), source="x") == profile

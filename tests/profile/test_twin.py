"""Misses beside the single-type twin: when they are judged, and how it is said."""

import pytest

from dualmem_cli.profile.counts import Counts, Figure
from dualmem_cli.profile.judged_section import parts_words, render_judged, share_words, twin_cells, twin_notes, twin_verdict
from dualmem_cli.profile.marked import Marked, share_of
from dualmem_cli.profile.twin import TwinCounts, TwinRow, beside_twin

NAMES = ("instructions", "l1d_misses", "ll_misses", "branch_misses")


def counts(*values: float, operations: int = 10, marked: Marked | None = None) -> Counts:
    figures = tuple(Figure(name, "1/op", value) for name, value in zip(NAMES, values, strict=True))
    return Counts("t", "callgrind", "valgrind", "facts", operations, figures, marked=marked)


def compared(
    dual: tuple[float, ...], single: tuple[float, ...], *, limit: float | None = 0.1, operations: int = 10
) -> TwinCounts:
    return beside_twin(
        counts(*dual, operations=operations), counts(*single, operations=operations), names=("two", "one"), limit=limit
    )


def row(twin: TwinCounts, name: str) -> TwinRow:
    return next(row for row in twin.rows if row.name == name)


@pytest.mark.parametrize(
    ("dual", "single", "verdict"),
    [
        (2200, 2000, "ok"),  # 10 % and not more
        (2201, 2000, "MISSED"),
        (1500, 2000, "ok"),
        (0, 0, "ok"),
        (900, 0, "MISSED"),  # the twin has none, and these are many
        (5, 4, "NOT SHOWN"),  # 10 misses in all: where a row lies
        (5.1, 4, "MISSED"),
    ],
)
def test_first_level(dual: float, single: float, verdict: str) -> None:
    twin = compared((100_000, dual, 0, 5), (100_000, single, 0, 1))
    assert row(twin, "l1d_misses").verdict == verdict
    assert (row(twin, "instructions").verdict, row(twin, "branch_misses").verdict) == ("", "")
    assert twin.verdict == verdict
    assert f"at most 10 %: {verdict}" in twin_verdict(twin)


def test_either_level_is_enough() -> None:
    twin = compared((100_000, 2000, 500, 0), (100_000, 2000, 400, 0))
    assert (row(twin, "l1d_misses").verdict, row(twin, "ll_misses").verdict, twin.verdict) == ("ok", "MISSED", "MISSED")


def test_rare_misses_are_not_judged_by_their_ratio() -> None:
    twin = compared((7_500_000, 478_000, 14, 0), (7_400_000, 474_000, 9.25, 0), operations=4)
    rare = row(twin, "ll_misses")
    assert (rare.verdict, rare.reason) == ("ok", "rarer than once in 100,000 instructions")
    assert rare.one == pytest.approx(1 / 37)
    assert twin_cells(rare)[-1] == "rarer than once in 100,000 instructions; one more in all would be 2.7 %"
    often = compared((7_500_000, 478_000, 76, 0), (7_400_000, 474_000, 9.25, 0), operations=4)
    assert row(often, "ll_misses").verdict == "MISSED"


def test_without_a_limit_and_with_different_work() -> None:
    assert compared((10, 9, 0, 0), (10, 1, 0, 0), limit=None).verdict == ""
    with pytest.raises(ValueError, match="different numbers of operations"):
        beside_twin(counts(1, 1, 1, 1, operations=3), counts(1, 1, 1, 1, operations=4), names=("a", "b"), limit=0.1)


def test_functions_that_only_one_of_both_runs_and_no_mark_covers() -> None:
    dual = Marked(((100, 10_000),), (("dual_a", 100),), (("forgotten", 50), ("tiny", 10), ("shared", 9000)))
    single = Marked(((0, 9000),), (), (("shared", 9000),))
    same = (1000.0, 1.0, 0.0, 0.0)
    twin = beside_twin(counts(*same, marked=dual), counts(*same, marked=single), names=("two", "one"), limit=None)
    assert twin.unmarked == (("forgotten", 0.005),)
    assert twin_notes(twin) == (
        "one does not run forgotten (0.5 %), and [profile] dual does not name them: are they there because of two types?",
    )
    assert beside_twin(counts(*same), counts(*same, marked=single), names=("two", "one"), limit=None).unmarked == ()


def test_words() -> None:
    found = Marked(((5, 250), (30, 250), (5, 250), (5, 250)), (("dual_a", 30), ("dual_b", 15)))
    share = share_of(found, engine="perf", unit="samples", limit=0.05)
    assert share_words(share) == "Dual-only functions: 4.5 % [0.9, 19.8] of 1,000 samples (perf), at most 5 %: NOT SHOWN"
    assert parts_words(share) == (
        f"dual_a 3 %; dual_b 1.5 %. design effect {share.design_effect:.2f}: worth {1000 / share.design_effect:.0f} independent samples. "
        "the interval reaches beyond the limit: sample for longer (--seconds)."
    )
    exact = share_of(Marked(((18, 1000),), ()), engine="callgrind", unit="instructions", limit=None)
    assert share_words(exact) == "Dual-only functions: 1.80 % of 1,000 instructions (callgrind)"
    assert parts_words(exact) == "None of them was seen."


def test_the_page_escapes_what_a_library_is_called() -> None:
    share = share_of(Marked(((5, 10),), (("</p><script>", 5),)), engine="perf", unit="samples", limit=0.05)
    twin = beside_twin(counts(1, 1, 0, 0), counts(1, 1, 0, 0), names=("<b>two", "<b>one"), limit=0.1)
    page = render_judged((share,), twin)
    assert "<script>" not in page
    assert "<b>" not in page
    assert "MISSED" in page
    assert render_judged((), None) == ""

"""The sentence that the evidence of a regression is worth: nothing is claimed that it does not carry."""

from dataclasses import replace

import pytest

from dualmem_cli.judge.reasons import Evidence, reason
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.explanation import CountedChange, FigureChange, FunctionCounts, LineCount, LineShift, SourceLine
from dualmem_cli.model.units import Unit


def change(low: float, value: float, high: float) -> Estimate:
    return Estimate(value, low, high, 0.95, Unit.RATIO, 6, "made up")


def counted(
    instructions: tuple[float, float | None], ll: tuple[float, float] = (1.0, 1.0), l1: tuple[float, float] = (2.0, 2.0)
) -> CountedChange:
    figures = (
        FigureChange("instructions", *instructions),
        FigureChange("l1d_misses", *l1),
        FigureChange("ll_misses", *ll),
    )
    missing = LineCount("native/walk.c", 40, "value = records[at];", (1.0, 1.0, 1.0, 0.0), 0.0)
    return CountedChange("callgrind", "valgrind", 1000, (), figures, missing=missing if max(ll) else None)


SLOWER = change(0.25, 0.30, 0.35)
WALK = LineShift("walk", "native/walk.c", 41, "sum += value;", (10, 40), (0.1, 0.4), 0.42, 0.30, 0.50)
PREFETCH = SourceLine("walk", "native/walk.c", 38, "__builtin_prefetch(next);")
SAME = Evidence(SLOWER, counted((1000.0, 1002.0)), grown=WALK)


def test_a_wait_that_was_hidden() -> None:
    said = reason(SAME)
    assert said.startswith("The same instructions take longer in walk (samples grew at walk.c:41)")
    assert "most are at walk.c:40, `value = records[at];`" in said
    assert said.endswith("Look at prefetches, and at loads that could be under way at the same time.")


def test_a_prefetch_that_is_gone_is_named() -> None:
    said = reason(replace(SAME, dropped=(PREFETCH, PREFETCH)))
    assert "The baseline asks for data ahead of time in walk (walk.c:38, `__builtin_prefetch(next);`) and 1 more" in said
    assert "Look at prefetches" not in said
    fewer = reason(replace(SAME, counted=counted((1000.0, 960.0)), dropped=(PREFETCH,)))
    assert "walk.c:38" in fewer, "its own instruction is gone too"


def test_no_miss_no_wait_for_memory() -> None:
    said = reason(replace(SAME, counted=counted((1000.0, 1000.0), (0.0, 0.0), (0.001, 0.001))))
    assert "no wait for memory" in said
    assert "prefetch" not in said


@pytest.mark.parametrize(("ll", "l1", "words"), [((1.0, 1.5), (2.0, 3.0), "last cache"), ((0.0, 0.0), (2.0, 3.0), "first cache")])
def test_more_misses(ll: tuple[float, float], l1: tuple[float, float], words: str) -> None:
    said = reason(replace(SAME, counted=counted((1000.0, 1000.0), ll, l1)))
    assert said.startswith(f"The same instructions, but misses of the {words} grew")


def test_more_work_names_function_and_line() -> None:
    line = LineCount("native/copy.c", 46, "memcpy(a, b, size);", (399.0, 48.0, 0.0, 0.0), 0.0)
    other = LineCount("native/copy.c", 48, "return dot(a);", (3.0, 0.0, 0.0, 0.0), 1085.0)
    grown = FunctionCounts("compare_row", "a.so", (6.0, 0, 0, 0), (403.0, 0, 0, 0), (other, line))
    said = reason(replace(SAME, counted=replace(counted((1103.0, 1501.0)), functions=(grown,))))
    assert said == "More work: +36.1 % instructions, most of them in compare_row (copy.c:46, `memcpy(a, b, size);`)."


def test_fewer_instructions_are_not_explained() -> None:
    assert reason(replace(SAME, counted=counted((1000.0, 900.0)))) == ""


@pytest.mark.parametrize("nothing", [None, counted((1000.0, None))])
def test_without_counts_only_a_prefetch_can_be_named(nothing: CountedChange | None) -> None:
    assert reason(replace(SAME, counted=nothing)) == ""
    assert reason(replace(SAME, counted=nothing, dropped=(PREFETCH,))).startswith("The baseline asks for data")


def test_only_with_several_threads() -> None:
    said = reason(replace(SAME, threads=2, alone=change(-0.02, 0.01, 0.03)))
    assert said.startswith(
        "Only with several threads: 2 threads are 30.0 % slower, of one thread alone the change is +1.0 % (-2.0 %"
    )
    assert "false sharing" in said
    assert said.endswith("in walk (samples grew at walk.c:41).")


def test_one_thread_is_slower_too() -> None:
    said = reason(replace(SAME, threads=2, alone=change(0.20, 0.28, 0.33)))
    assert said.startswith("With one thread it is slower as well (+28.0 %")
    assert "not contention. The same instructions take longer" in said


def test_one_thread_leaves_it_open() -> None:
    said = reason(replace(SAME, threads=2, alone=change(-0.10, 0.10, 0.30)))
    assert (
        said
        == "With one thread the change is +10.0 % (-10.0 % to +30.0 %): too wide to say whether several threads are needed for it."
    )


def test_one_thread_not_measured_is_not_taken_for_equal() -> None:
    told = reason(replace(SAME, threads=2))
    assert told == f"{reason(SAME)} Or its 2 threads wait for each other: with one alone it was not measured."

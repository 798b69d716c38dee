"""Counts of two builds side by side: what is shown, and that nothing is made of nothing."""

from dataclasses import replace

import pytest

from dualmem_cli.profile.count_difference import MOST_FUNCTIONS, changed_lines, count_difference, counted_headline
from dualmem_cli.profile.counts import COSTS, Counts, Figure, FunctionCost, LineCost


def line(number: int, instructions: float, *, function: str = "scan", text: str = "", called: float = 0.0) -> LineCost:
    return LineCost(function, "/src/scan.c", number, (instructions, 0.0, 0.0, 0.0), text or f"line {number}", called)


def function(name: str, *costs: float, place: str = "old.so") -> FunctionCost:
    return FunctionCost(name, place, "/src/scan.c", 1.0, (*costs, *[0.0] * (4 - len(costs))), costs[0])


def counts(*functions: FunctionCost, lines: tuple[LineCost, ...] = (), **figures: float) -> Counts:
    totals = [sum(f.costs[i] for f in functions) for i in range(4)]
    known = {**dict(zip(COSTS, totals, strict=True)), **figures}
    return Counts(
        "t", "callgrind", "valgrind-3.19.0", "facts", 64, tuple(Figure(n, "1/op", v) for n, v in known.items()), functions, lines
    )


OLD = counts(function("scan", 1000.0), function("norm", 50.0), lines=(line(10, 2.0), line(11, 900.0), line(12, 98.0)))


def test_the_same_counts_are_no_difference() -> None:
    change = count_difference(OLD, OLD, {})
    assert change.functions == ()
    assert (
        change.headline
        == "callgrind counts the same on both builds: the candidate neither executes more nor misses a simulated cache more."
    )


def test_a_copy_that_was_added() -> None:
    """Two lines above moved all numbers; the build lies in a file of another name."""
    of_libc = line(664, 400.0, function="memcpy@GLIBC_2.14")
    new = counts(
        function("scan", 1012.0, 48.0, place="new.so"),
        function("norm", 50.0, place="new.so"),
        function("memcpy@GLIBC_2.14", 400.0, place="libc.so.6"),
        lines=(
            line(12, 2.0),
            line(13, 12.0, text="  memcpy(own, row, n);", called=400.0),
            line(14, 900.0),
            line(15, 98.0),
            of_libc,
        ),
    )
    change = count_difference(OLD, new, {"old.so": "libx.so", "new.so": "libx.so"})
    assert [(f.name, f.place, f.instructions) for f in change.functions] == [
        ("memcpy", "libc.so.6", 400.0),
        ("scan", "libx.so", 12.0),
    ]
    assert change.functions[0].lines == (), "nobody's to change"
    (copied,) = change.functions[1].lines
    assert (copied.line, copied.source, copied.called) == (13, "memcpy(own, row, n);", 400.0)
    assert "instructions +39.2 % (1,050 to 1,462 per operation); L1d misses new (0 to 48 per operation)" in change.headline
    assert "memcpy executes 400 more, called at scan.c:13." in change.headline


def test_what_shrank_has_no_lines_and_stands_last() -> None:
    new = counts(function("scan", 700.0), function("norm", 80.0), lines=(line(10, 700.0), line(30, 80.0, function="norm")))
    change = count_difference(OLD, new, {})
    assert [f.name for f in change.functions] == ["norm", "scan"]
    assert change.functions[1].lines == ()
    assert change.functions[0].lines[0].line == 30


@pytest.mark.parametrize(("more", "seen"), [(0.5, False), (2.0, True)])
def test_what_is_worth_a_row(more: float, seen: bool) -> None:
    """A thousandth of all instructions."""
    assert bool(count_difference(OLD, counts(function("scan", 1000.0 + more), function("norm", 50.0)), {}).functions) is seen


def test_misses_alone_are_worth_a_row() -> None:
    old, new = counts(function("scan", 1000.0, 10.0)), counts(function("scan", 1000.0, 11.0))
    (found,) = count_difference(old, new, {}).functions
    assert found.candidate[1] - found.baseline[1] == 1.0
    assert "L1d misses +10.0 %" in count_difference(old, new, {}).headline
    assert "No function executes more." in count_difference(old, new, {}).headline


def test_a_count_that_is_not_known_stays_so() -> None:
    figures = (
        Figure("instructions", "1/op", None, "no such counter"),
        Figure("minor_faults", "1/op", 0.0),
        Figure("peak_resident", "B", 4096.0),
    )
    side = replace(OLD, engine="counters", figures=figures, functions=(), lines=())
    change = count_difference(side, side, {})
    assert [(f.name, f.baseline, f.candidate, f.reason) for f in change.figures] == [
        ("instructions", None, None, "no such counter"),
        ("minor_faults", 0.0, 0.0, ""),
        ("peak_resident", 4096.0, 4096.0, ""),
    ]
    assert change.headline == ""


def test_many_functions_are_cut_in_the_middle() -> None:
    many = counts(*(function(f"f{i:02}", 100.0 * (i + 1)) for i in range(30)), function("gone", 1.0))
    shown = count_difference(counts(function("gone", 900.0)), many, {}).functions
    assert len(shown) == MOST_FUNCTIONS
    assert shown[0].name == "f29"
    assert shown[-1].name == "gone"


def test_lines_are_matched_by_what_they_execute() -> None:
    old = [line(1, 5.0), line(2, 7.0), line(3, 9.0)]
    assert changed_lines(old, [line(n + 40, c) for n, c in ((1, 5.0), (2, 7.0), (3, 9.0))]) == ()
    found = changed_lines(old, [line(1, 5.0), line(2, 70.0), line(3, 9.0), line(4, 1.0)])
    assert [each.line for each in found] == [2, 4]
    assert counted_headline(count_difference(OLD, OLD, {})) != ""

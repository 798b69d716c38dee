"""callgrind's format against what was written by hand and by callgrind itself, and the stacks made of it.

golden/callgrind.out and golden/callgrind_instr.out are of one C++ program, the second with --dump-instr=yes --collect-jumps=yes. The
numbers here are those of callgrind_annotate, valgrind's own reader.
"""

from collections import Counter
from pathlib import Path

import pytest

from dualmem_cli.errors import DataError
from dualmem_cli.profile.engines.callgrind_graph import inclusive_of, outside_of, stacks_of
from dualmem_cli.profile.engines.callgrind_out import Function, Part, parse_part

GOLDEN = Path(__file__).with_name("golden")
FOCUS = ("dmx_timed_run",)
LAMBDA = "dmx_timed_run::{lambda(double, double)#%d}"
FOLD = "double fold<double, {0}>(std::vector<double, std::allocator<double> > const&, {0}) [clone .constprop.0]"

BY_HAND = """# callgrind format
version: 1
creator: by hand
positions: line
events: Ir D1mr Bcm
desc: Trigger: --dump-after=f

ob=(1) /a folder/lib with space.so
fl=(1) ./a file.c
fn=(1) outer(int, char const*)
10 5 1
+2 3
fi=(2) ./in line.h
7 100 20 3
-1 1
fe=(1)
12 4
cfn=(2) inner
calls=3 40
* 60 6
cob=(2) /libc.so
cfi=(3) ???
cfn=(3) 0x00000000deadbeef
calls=1 0
+1 9

fn=(2)
40 50 6
jump=3 41
40
jcnd=2/3 +2
*
* 10

ob=(2)
fl=(3)
fn=(3)
0 9
totals: 182 27 3
"""


def parsed(text: str) -> Part:
    return parse_part(text.splitlines(keepends=True), source="x.out")


def named(part: Part, name: str) -> Function:
    (found,) = (function for function in part.functions if function.name == name)
    return found


def test_by_hand() -> None:
    part = parsed(BY_HAND)
    assert (part.events, part.trigger) == (("Ir", "D1mr", "Bcm"), "--dump-after=f")
    outer, inner, unknown = part.functions
    assert (outer.object, outer.file, outer.name) == ("/a folder/lib with space.so", "./a file.c", "outer(int, char const*)")
    assert outer.lines == {
        ("./a file.c", 10): {"Ir": 5, "D1mr": 1},
        ("./a file.c", 12): {"Ir": 7},  # twice: before and after what was inlined
        ("./in line.h", 7): {"Ir": 100, "D1mr": 20, "Bcm": 3},
        ("./in line.h", 6): {"Ir": 1},
    }
    assert outer.calls == {1: (3, Counter(Ir=60, D1mr=6)), 2: (1, Counter(Ir=9))}
    assert inner.lines == {("./a file.c", 40): {"Ir": 60, "D1mr": 6}}  # jumps carry no cost
    assert (unknown.object, unknown.name, unknown.own) == ("/libc.so", "0x00000000deadbeef", {"Ir": 9})
    assert stacks_of(part.functions, ("outer(int, char const*)",)) == {(0, 1): 60, (0, 2): 9}
    assert stacks_of(part.functions, ()) == {(0,): 113, (0, 1): 60, (0, 2): 9}


def test_without_compression() -> None:
    text = BY_HAND
    for number, name in (("(1)", "/a folder/lib with space.so"), ("(2)", "/libc.so")):
        text = text.replace(f"ob={number}\n", f"ob={name}\n").replace(f"ob={number} ", "ob=")
    for number, name in (("(1)", "./a file.c"), ("(3)", "???")):
        for key in ("fl", "fe", "fi", "cfi"):
            text = text.replace(f"\n{key}={number}\n", f"\n{key}={name}\n").replace(f"\n{key}={number} ", f"\n{key}=")
    text = text.replace("fi=(2) ", "fi=")
    for number, name in (("(1)", "outer(int, char const*)"), ("(2)", "inner"), ("(3)", "0x00000000deadbeef")):
        text = text.replace(f"fn={number}\n", f"fn={name}\n").replace(f"fn={number} ", "fn=")
    assert "=(" not in text
    assert parsed(text) == parsed(BY_HAND)


@pytest.mark.parametrize("golden", ["callgrind.out", "callgrind_instr.out"])
def test_real(golden: str) -> None:
    part = parsed((GOLDEN / golden).read_text())
    assert part.trigger == "--dump-after=dmx_timed_run"
    own = {function.name: function.own for function in part.functions if function.own}
    assert {name: costs["Ir"] for name, costs in own.items()} == {
        FOLD.format(LAMBDA % 1): 1632 + 1024 + 32,
        FOLD.format(LAMBDA % 2): 576 + 32,
        "dmx_timed_run": 1392 + 292 + 256 + 144,
        "_int_free": 2048,
        "malloc": 1312,
        "free": 672 + 96,
        "even(int)": 128,
        "odd(int)": 144,
        "even(int)'2": 512,
        "odd(int)'2": 496,
        "operator new(unsigned long)": 416,
        "operator delete(void*)": 96,
        "operator delete(void*, unsigned long)": 96,
    }
    assert (own["odd(int)'2"]["Dw"], own["odd(int)'2"]["Bcm"], own["malloc"]["Bcm"]) == (48, 16, 2)
    first = named(part, FOLD.format(LAMBDA % 1))
    assert first.object == "/src/with space/a work"
    assert first.lines["/src/with space/inner.h", 3]["Ir"] == 1024
    assert sum(costs["Ir"] for (file, _), costs in first.lines.items() if file.endswith("work.cc")) == 1632


@pytest.mark.parametrize("golden", ["callgrind.out", "callgrind_instr.out"])
def test_real_stacks(golden: str) -> None:
    functions = parsed((GOLDEN / golden).read_text()).functions
    stacks = {tuple(functions[n].name for n in chain): cost for chain, cost in stacks_of(functions, FOCUS).items()}
    assert sum(stacks.values()) == 11396 - 2084  # without what dmx_timed_run cost itself
    assert {chain[0] for chain in stacks} == set(FOCUS)
    assert stacks["dmx_timed_run", "operator new(unsigned long)", "malloc"] == 1312
    assert stacks["dmx_timed_run", "even(int)", "odd(int)", "even(int)'2", "odd(int)'2"] == 496
    inclusive = {functions[n].name: cost for n, cost in inclusive_of(stacks_of(functions, FOCUS)).items()}
    assert inclusive["operator delete(void*, unsigned long)"] == 3008
    assert inclusive["even(int)"] == 1280
    assert {functions[n].name for n in outside_of(functions, FOCUS)} == {
        "dmx_timed_run", "main", "(below main)", "__libc_start_main@@GLIBC_2.34", "0x000000000001ab70",
    }  # fmt: skip


def function(name: str, own: int, **calls: int) -> tuple[str, int, dict[str, int]]:
    return name, own, calls


def graph(*given: tuple[str, int, dict[str, int]]) -> tuple[Function, ...]:
    names = [name for name, _, _ in given]
    return tuple(
        Function(
            "a.so", "a.c", name, {("a.c", 1): Counter(Ir=own)}, {names.index(n): (1, Counter(Ir=c)) for n, c in calls.items()}
        )
        for name, own, calls in given
    )


def test_a_shared_callee_is_divided_as_its_edges_are() -> None:
    functions = graph(function("f", 0, a=40, b=70), function("a", 10, c=30), function("b", 10, c=60), function("c", 90))
    assert stacks_of(functions, ("f",)) == {(0, 1): 10, (0, 2): 10, (0, 1, 3): 30, (0, 2, 3): 60}


def test_stacks_of_a_function_add_up_however_it_is_divided() -> None:
    functions = graph(
        function("f", 0, a=1, b=1, d=1), function("a", 0, c=1), function("b", 0, c=1), function("c", 7), function("d", 0, c=1)
    )
    stacks = stacks_of(functions, ("f",))
    assert (sum(stacks.values()), sorted(stacks.values())) == (7, [2, 2, 3])


def test_functions_that_call_each_other() -> None:
    functions = graph(function("f", 0, a=100), function("a", 30, a=20, b=70), function("b", 70, a=50))
    assert stacks_of(functions, ("f",)) == {(0, 1): 30, (0, 1, 2): 70}


def test_another_thread_is_a_root_of_its_own_and_what_runs_around_is_left_out() -> None:
    functions = graph(
        function("main", 3, f=10), function("f", 5, a=10), function("a", 10), function("start_thread", 1, c=20), function("c", 20)
    )
    assert stacks_of(functions, ("f",)) == {(1, 2): 10, (3,): 1, (3, 4): 20}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("totals: 182 27 3\n", "", "was cut off"),
        ("totals: 182", "totals: 183", "do not add up"),
        ("events: Ir D1mr Bcm\n", "", "line 10 is not of the format: '10 5 1'"),
        ("fn=(2)\n40", "fn=(9)\n40", "line 27 is not of the format: 'fn=(9)'"),
        ("* 60 6", "* 60 6 1 1", "is not of the format"),
        ("* 60 6", "* sixty", "is not of the format"),
        ("totals", "events: Ir\ntotals", "more than one profile"),
        (BY_HAND, "", "is not a callgrind profile"),
        (BY_HAND, "\x00\x01\n", "is not of the format"),
    ],
)
def test_damage_is_said(before: str, after: str, words: str) -> None:
    assert before in BY_HAND
    with pytest.raises(DataError, match=r"^x\.out: ") as caught:
        parsed(BY_HAND.replace(before, after))
    assert words in caught.value.what

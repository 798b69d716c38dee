"""Marked functions in perf's text and in callgrind's files, with chains that are known."""

from collections import Counter
from pathlib import Path

import pytest

from dualmem_cli.errors import DualmemError
from dualmem_cli.profile.engines import callgrind_marks, perf_marks
from dualmem_cli.profile.engines.callgrind_graph import outside_of
from dualmem_cli.profile.engines.callgrind_marks import marked_in_part
from dualmem_cli.profile.engines.callgrind_out import parse_part
from dualmem_cli.profile.engines.perf_marks import marked_in_script
from dualmem_cli.profile.target import Marking

LIBRARY = Path("/a folder/lib.so")
MARKING = Marking(("dual*",), LIBRARY, LIBRARY)
# What lies where in the library.
CHAINS = {
    0x10: ("run",),
    0x11: ("run", "dual_inline"),
    0x12: ("run", "dual_inline", "shared_inline"),
    0x20: ("shared",),
    0x30: ("dual_plain",),
    0x31: ("dual_plain", "dual_inner"),
}


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    def chains(symbols: Path, addresses: set[int]) -> dict[int, tuple[str, ...]]:
        assert symbols == LIBRARY
        return {at: CHAINS[at] for at in addresses}

    monkeypatch.setattr(perf_marks, "inline_chains", chains)
    monkeypatch.setattr(callgrind_marks, "inline_chains", chains)
    # The text lies 0x1000 further in memory than in the file.
    monkeypatch.setattr(perf_marks, "segments", lambda _: ((0, 0x5, 0), (0xF, 0x40, 0xF), (0x1010, 0x40, 0x10)))


def sample(second: float, *frames: str) -> str:
    return "".join([f"worker 7 {second:.6f}: cpu-clock: \n", *(f"\t  {frame}\n" for frame in frames), "\n"])


def lib(at: int, name: str) -> str:
    return f"{at:x} {name} ({LIBRARY})"


SPIN = "8d40 dmx_timed_run (/bin/dualmem worker)"


def test_any_frame_counts_and_start_up_does_not() -> None:
    text = "".join(
        (
            sample(1.0, lib(0x30, "dual_plain"), "99 main (/bin/dualmem worker)"),  # start-up
            sample(2.0, lib(0x10, "run"), SPIN),
            sample(3.0, lib(0x12, "run"), SPIN),  # two inlined, one in the other
            sample(4.0, lib(0x20, "shared"), lib(0x11, "run"), SPIN),  # below an inlined one
            sample(5.0, "77 memcpy (/lib/libc.so.6)", lib(0x31, "dual_plain"), lib(0x11, "run"), SPIN),  # the outermost has it
            sample(6.0, lib(0x20, "shared"), lib(0x10, "run"), SPIN),
            sample(7.0, "11 memcpy (/lib/libc.so.6)", SPIN),  # another object's address
            sample(8.0, lib(0x1030, "dual_plain"), SPIN),  # where memory and file differ
            sample(9.0, SPIN),
        )
    )
    found = marked_in_script(text.splitlines(keepends=True), MARKING, ("dmx_timed_run",))
    assert found.functions == (("dual_inline", 3), ("dual_plain", 1))
    assert found.captures == ((4, 8),)
    everything = marked_in_script(text.splitlines(keepends=True), MARKING, ())
    assert sum(count for _, count in everything.captures) == 9


def test_a_perf_that_tells_absolute_addresses_is_refused() -> None:
    text = sample(1.0, lib(0x7F27A2EC4F40, "run"), SPIN)
    with pytest.raises(DualmemError, match="does not tell where in an object") as caught:
        marked_in_script(text.splitlines(keepends=True), MARKING, ())
    assert "--with callgrind" in caught.value.hint
    with pytest.raises(DualmemError, match=r"no sample lies in lib\.so"):
        marked_in_script(sample(1.0, SPIN).splitlines(keepends=True), MARKING, ())


def part(body: str, total: int) -> str:
    return f"# callgrind format\nversion: 1\npositions: instr line\nevents: Ir\n{body}\ntotals: {total}\n"


# run: 100 of its own, 20 in dual_inline (5 of it in shared_inline); it calls shared for 60 from plain code and for 30 from dual_inline,
# and dual_plain for 50, which calls shared for 10. shared calls itself and memcpy.
BODY = f"""
ob=(1) {LIBRARY}
fl=(1) x.c
fn=(1) dmx_timed_run
0x1 1 7
cfn=(2) run
calls=1 0x10 2
0x2 1 265
fn=(2) run
0x10 2 105
0x11 3 15
0x12 4 5
cfn=(3) shared
calls=2 0x20 5
0x10 2 60
cfn=(3)
calls=1 0x20 5
0x11 3 30
cfn=(4) dual_plain
calls=1 0x30 6
0x10 2 50
fn=(3) shared
0x20 5 70
cfn=(3)
calls=3 0x20 5
0x20 5 40
cob=(2) /lib/libc.so.6
cfi=(2) memcpy.c
cfn=(5) memcpy
calls=3 0x10 7
0x20 5 30
fn=(4) dual_plain
0x30 6 24
0x31 6 16
cfn=(3)
calls=1 0x20 5
0x31 6 10
ob=(2)
fl=(2)
fn=(5)
0x10 7 30
"""


def test_what_lies_in_marked_functions_and_below() -> None:
    read = parse_part(part(BODY, 7 + 125 + 70 + 40 + 30).splitlines(), source="x")
    assert [function.own_at.total() for function in read.functions if function.name == "run"] == [125]
    found = marked_in_part(read, outside_of(read.functions, ("dmx_timed_run",)), MARKING)
    # shared and what it calls cost 100, entered for 60 + 30 + 10: 30 of them below dual_inline, 10 below dual_plain.
    assert dict(found.functions) == {"dual_inline": 20 + 30, "dual_plain": 40 + 10}
    assert found.captures == ((100, 265),)
    assert dict(found.others) == {"run": 105, "shared": 70}


def test_a_file_without_addresses_has_none() -> None:
    text = "version: 1\npositions: line\nevents: Ir\nfn=(1) f\n3 5\ntotals: 5\n"
    (function,) = parse_part(text.splitlines(), source="x").functions
    assert (function.own_at, function.calls_at) == (Counter(), Counter())

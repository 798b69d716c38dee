"""One kind of operation apart from the others: in its order, after what its keys may be of."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fabricated_loads import compare, load, players

from dualmem_cli.cli import setting
from dualmem_cli.cli.played_target import targets_of_kind
from dualmem_cli.errors import TraceError
from dualmem_cli.plan.apart import Apart, kind_apart
from dualmem_cli.profile.folded import Profile
from dualmem_cli.profile.within import within
from dualmem_cli.store.traces import load_trace
from dualmem_cli.trace import Trace, trace

NAMES = ("lookup", "update", "insert")


def recorded(text: str) -> Trace:
    """Operations by their first letters; the key of each is its place."""
    kinds = np.array(["lui".index(letter) for letter in text], np.uint8)
    places = np.arange(len(text), dtype=np.uint64)
    return trace(NAMES, places, kinds, places, duration_ns=len(text), note={})


def places(apart: Apart) -> tuple[Sequence[int], Sequence[int]]:
    keys = apart.trace.keys.tolist()
    assert len(keys) == apart.before + apart.count
    return keys[: apart.before], keys[apart.before :]


@pytest.mark.parametrize(
    ("kind", "most", "before", "own"),
    [
        ("update", 2, [1, 2], [3, 5]),
        ("update", 3, [1, 2, 6], [3, 5, 8]),
        ("update", 99, [1, 2, 6], [3, 5, 8]),
        ("lookup", 1, [], [0]),
        ("insert", 3, [], [1, 2, 6]),
    ],
)
def test_what_others_inserted_before_the_last_comes_first(kind: str, most: int, before: list[int], own: list[int]) -> None:
    apart = kind_apart(recorded("liiuluilui"), kind, most=most, inserting={"insert"})
    assert places(apart) == (before, own)
    assert places(kind_apart(recorded("liiuluilui"), kind, most=most, inserting={"insert"}, times=3)) == (before, own * 3)
    names = [NAMES[number] for number in apart.trace.kinds]
    assert names == ["insert"] * len(before) + [kind] * len(own)


@pytest.mark.parametrize("kind", ["form", "update"])
def test_a_kind_that_is_not_there(kind: str) -> None:
    with pytest.raises(TraceError, match=f"no operation called {kind}"):
        kind_apart(recorded("llil"), kind, most=1, inserting=())


def test_what_a_player_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sampled: the kind's operations over and over. Counted: twice as many as are counted, each once, in the second of two calls."""
    executable = tmp_path / "dualmem-player"
    executable.touch()
    monkeypatch.setattr(setting, "native_path", lambda _name: executable)
    record = compare(players(), tmp_path, load())
    builds = (record.builds[0], record.builds[1])
    targets, _ = targets_of_kind(record.loads[0], "update", builds, each_ns=50_000.0, scratch=tmp_path, seconds=1.0)
    for target, build in zip(targets, builds, strict=True):
        work = target.work
        assert work is not None
        assert (work.operations, work.calls_before, work.clocked) == (10, 0, False)
        head = f"library {build.links[0].path}\narm 0 used dual\n"
        assert head in target.native_stdin
        sampled = [line for line in target.native_stdin.splitlines() if line.startswith("play")]
        whole = dict(record.loads[0].trace.kinds)["update"]
        played = -(-20_000 // whole) * whole
        assert sampled == [f"play 0 0 {played} closed 1.0 1"]
        counted = work.request(10, 2)
        assert [line for line in counted.splitlines() if line.startswith("play")] == [
            f"play 0 {n} 10 closed 1.0 1" for n in (0, 10)
        ]
        for text in (target.native_stdin, counted):
            (path,) = (line.removeprefix("trace ") for line in text.splitlines() if line.startswith("trace "))
            made, facts = load_trace(Path(path))
            assert {name for name, count in facts.kinds if count} == {"update"}
            assert len(made) == (20 if text == counted else played)


def test_a_profile_of_the_library_alone() -> None:
    """What the player does between two operations is its own; what the library calls is the library's."""
    stacks = (
        (("dmp_perform (dualmem-player)",), 5),
        (("dmp_perform (dualmem-player)", "dmx_now (dualmem-player)", "[vdso]"), 40),
        (("dmp_perform (dualmem-player)", "operate (libused.so)"), 30),
        (("dmp_perform (dualmem-player)", "operate (libused.so)", "memcpy (libc.so.6)"), 20),
    )
    leaves = (("/x/dualmem-player", 1, 45), ("/x/0.so", 2, 30), ("/lib/libc.so.6", 3, 20))
    whole = Profile("t", "perf", "perf 6", "cpu-clock", 99.0, 99.0, 95, 0, 7, 0.0, 1.0, stacks, leaves=leaves)
    found = within(whole, library="libused.so", program="dualmem-player")
    assert (found.samples, found.outside, found.stacks, found.leaves) == (50, 52, stacks[2:], leaves[1:])
    assert within(whole, library="elsewhere.so", program="dualmem-player") == whole

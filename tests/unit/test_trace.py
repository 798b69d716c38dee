"""The trace file: what was written is read, and everything that is wrong with one is refused in one line."""

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from trace_files import evenly, trace_bytes

from dualmem_cli.errors import RecordError, TraceError
from dualmem_cli.store.traces import load_trace, save_trace
from dualmem_cli.trace import Trace, decode, encode, trace

NAMES = ("lookup", "update", "form")


def made(names: tuple[str, ...] = NAMES, *, seed: int = 1, count: int = 7) -> Trace:
    chance = np.random.default_rng(seed)
    at_ns = np.sort(chance.integers(0, 10**9, count).astype(np.uint64))
    kinds = chance.integers(0, len(names), count).astype(np.uint8)
    keys = chance.integers(0, 2**56, count, dtype=np.uint64)
    return trace(names, at_ns, kinds, keys, duration_ns=10**9, note={"source": "ä test", "seed": seed})


def same(one: Trace, other: Trace) -> bool:
    arrays = all((getattr(one, part) == getattr(other, part)).all() for part in ("at_ns", "kinds", "keys"))
    return arrays and (one.names, one.duration_ns, one.note) == (other.names, other.duration_ns, other.note)


@pytest.mark.parametrize("names", [("a",), NAMES, tuple(f"operation_{i}" for i in range(64)), ("x" * 63,), ("a" * 15,)])
def test_what_was_written_is_read(names: tuple[str, ...]) -> None:
    for seed in range(20):
        written = made(names, seed=seed, count=1 + 13 * seed)
        assert same(decode(encode(written), path="t"), written)


def test_bytes_are_as_documented() -> None:
    """Against docs/reference/trace-format.md, by hand."""
    one = trace(
        ("ab", "c"), np.array([5, 2**40], np.uint64), np.array([1, 0], np.uint8), np.array([3, 2**56 - 1], np.uint64),
        duration_ns=2**41, note={},
    )  # fmt: skip
    body = b"ab\0c\0" + bytes(11) + struct.pack("<4Q", 5, 3 << 8 | 1, 2**40, (2**56 - 1) << 8) + b"{}"
    head = b"DMTRACE\0" + struct.pack("<IIQQIII", 1, 2, 2, 2**41, 16, 2, zlib.crc32(body)) + bytes(20)
    assert encode(one) == head + body


def test_another_writer_of_the_documented_format_is_understood() -> None:
    operations = [*evenly(3, 10, "lookup"), (25, "update", 2**56 - 1), *((30 + at, "form", 0) for at in (0, 0, 5))]
    read = decode(trace_bytes(operations, note=b""), path="t")
    found = zip(read.at_ns.tolist(), (read.names[kind] for kind in read.kinds), read.keys.tolist(), strict=True)
    assert list(found) == operations
    assert (read.names, read.duration_ns, read.note) == (("form", "lookup", "update"), 36, {})


def test_every_flipped_bit_is_found() -> None:
    """But for those of the duration: the checksum begins behind the header, and a longer trace is as good a trace."""
    content = encode(made())
    for place in (place for place in range(len(content)) if place not in range(24, 32)):
        broken = bytearray(content)
        broken[place] ^= 1 << place % 8
        with pytest.raises(TraceError, match=r"^t: ") as caught:
            decode(bytes(broken), path="t")
        assert "\n" not in str(caught.value)


def test_every_cut_is_found() -> None:
    content = encode(made())
    for length in range(len(content)):
        with pytest.raises(TraceError, match=r"^t: "):
            decode(content[:length], path="t")
    with pytest.raises(TraceError, match="its header promises"):
        decode(content + b"\0", path="t")


def resealed(content: bytes, change: Callable[[bytearray], None]) -> bytes:
    """With a change, and a checksum that fits it."""
    changed = bytearray(content)
    change(changed)
    changed[40:44] = struct.pack("<I", zlib.crc32(changed[64:]))
    return bytes(changed)


def put(place: int, value: bytes) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        content[place : place + len(value)] = value

    return change


# The names take bytes 64 to 96 ("lookup", "update" and "form" with their ends, then zeros), the operations follow.
FIRST = 64 + 32
SEALED = {
    "another version": (put(8, b"\2"), "a trace of version 2; this dualmem reads version 1"),
    "a longer header": (put(60, b"\1"), "version 1, with a longer header"),
    "no names": (put(12, b"\0"), "promises 0 names"),
    "more names than there are": (put(12, b"\4"), '"" cannot name an operation'),
    "fewer names": (put(12, b"\2"), "promises 2 names of operations, and they are not there"),
    "a name in capitals": (put(64, b"L"), '"Lookup" cannot name an operation'),
    "a name that is not text": (put(64, b"\xff"), "cannot name an operation"),
    "a name twice": (put(64, b"update\0update\0"), "two kinds of operations have one name"),
    "a kind beyond the names": (put(FIRST + 8, b"\3"), "operation 0 is of kind 3, and there are 3"),
    "time going back": (put(FIRST, b"\xff" * 7 + b"\0"), "operation 1 comes before the one before it"),
    "an end before the last": (put(24, bytes(8)), "the trace lasts 0 ns, its last operation is at"),
    "a year and more": (put(24, b"\xff" * 8), "a year is the longest"),
    "a note that is no JSON": (put(FIRST + 7 * 16, b"["), "its note is not JSON"),
}


@pytest.mark.parametrize("name", SEALED)
def test_what_a_checksum_does_not_find(name: str) -> None:
    change, said = SEALED[name]
    with pytest.raises(TraceError) as caught:
        decode(resealed(encode(made()), change), path="t")
    assert said in str(caught.value)
    assert str(caught.value).startswith("t: ")


def test_a_note_is_an_object() -> None:
    content = encode(trace(("a",), np.zeros(1, np.uint64), np.zeros(1, np.uint8), np.zeros(1, np.uint64), duration_ns=1, note={}))
    with pytest.raises(TraceError, match="its note is not a JSON object"):
        decode(resealed(content, put(len(content) - 2, b"[]")), path="t")


def test_what_cannot_be_a_trace() -> None:
    nothing = np.empty(0, np.uint64)
    with pytest.raises(TraceError, match="a trace without operations"):
        trace(("a",), nothing, nothing.astype(np.uint8), nothing, duration_ns=1, note={})
    one = np.zeros(1, np.uint64)
    with pytest.raises(TraceError, match="keys have 56 bits"):
        trace(("a",), one, one.astype(np.uint8), one + np.uint64(2**56), duration_ns=1, note={})
    with pytest.raises(TraceError, match="65 kinds of operations; a trace holds 1 to 64"):
        trace(tuple(f"o{i}" for i in range(65)), one, one.astype(np.uint8), one, duration_ns=1, note={})


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.dmtrace"
    written = made()
    saved = save_trace(written, path)
    read, facts = load_trace(path)
    assert same(read, written)
    assert facts == saved
    assert sum(count for _, count in facts.kinds) == facts.operations == 7
    assert facts.rate == pytest.approx(7.0)
    assert json.loads(facts.note)["source"] == "ä test"
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(TraceError, match=r"No such file or directory. Give the path of a trace\."):
        load_trace(tmp_path / "gone.dmtrace")
    with pytest.raises(RecordError, match="Make room or choose another file"):
        save_trace(written, path / "below")
    lines = tmp_path / "x.jsonl"
    lines.write_text('{"at": 0, "operation": "a"}\n')
    with pytest.raises(TraceError, match=r"JSON Lines, not a trace\. Convert it: dualmem trace convert"):
        load_trace(lines)

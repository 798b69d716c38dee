"""Trace files, written from docs/reference/trace-format.md and from that document alone."""

import struct
import zlib
from collections.abc import Sequence

Operation = tuple[int, str, int]  # when (ns), which, key


def trace_bytes(
    operations: Sequence[Operation], *, names: Sequence[str] | None = None, note: bytes = b"{}", **header: int
) -> bytes:
    """A trace; `header` overrides fields (magic, version, kinds, operations, duration_ns, names_size, note_size, crc, rest)."""
    names = names if names is not None else sorted({name for _, name, _ in operations})
    named = b"".join(name.encode() + b"\0" for name in names)
    named = named.ljust(-(-len(named) // 16) * 16, b"\0")
    packed = [struct.pack("<QQ", at, key << 8 | names.index(name)) for at, name, key in operations]
    body = named + b"".join(packed) + note
    fields = {
        "version": 1,
        "kinds": len(names),
        "operations": len(operations),
        "duration_ns": operations[-1][0] + 1 if operations else 1,
        "names_size": len(named),
        "note_size": len(note),
        "crc": zlib.crc32(body),
        "rest": 0,
    } | header
    return struct.pack("<8sIIQQIIIQQI", b"DMTRACE", *fields.values(), 0, 0) + body


def evenly(count: int, interval_ns: int, name: str, *, start: int = 0) -> list[Operation]:
    """Operations at equal distances whose keys count from `start`."""
    return [(number * interval_ns, name, start + number) for number in range(count)]

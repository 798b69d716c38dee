"""The trace file (docs/reference/trace-format.md): what is done to a store and when, as bytes and back. No effects: store/traces.py and
programs that record (native/recorder.py) read and write the files.
"""

import json
import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dualmem_cli.errors import TraceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAGIC, VERSION = b"DMTRACE\0", 1
MOST_KINDS = 64
KEY_BITS = 56
LONGEST_NS = 366 * 86_400 * 10**9  # a year: what lasts longer was not meant
_HEADER = struct.Struct("<8sIIQQIII20s")
_OPERATION = 16  # bytes
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Operations in order of time: operation i is of kind `names[kinds[i]]` and begins `at_ns[i]` after the start. `duration_ns` is the
    length of it all; `note` says where it comes from. Make one with `trace()`, which checks it."""

    names: tuple[str, ...]
    at_ns: "NDArray[np.uint64]"
    kinds: "NDArray[np.uint8]"
    keys: "NDArray[np.uint64]"
    duration_ns: int
    note: dict[str, Any]

    def __len__(self) -> int:
        return len(self.at_ns)

    @property
    def rate(self) -> float:
        """Operations per second; 0 for a trace of no length."""
        return len(self) / self.duration_ns * 1e9 if self.duration_ns else 0.0


def trace(
    names: tuple[str, ...],
    at_ns: "NDArray[np.uint64]",
    kinds: "NDArray[np.uint8]",
    keys: "NDArray[np.uint64]",
    *,
    duration_ns: int,
    note: dict[str, Any],
) -> Trace:
    """A trace, checked. Raises TraceError with what is wrong with it."""
    import numpy as np

    if not len(at_ns):
        raise TraceError("a trace without operations")
    if not 1 <= len(names) <= MOST_KINDS:
        raise TraceError(f"{len(names)} kinds of operations; a trace holds 1 to {MOST_KINDS}")
    for name in names:
        check_name(name)
    if len(set(names)) < len(names):
        raise TraceError("two kinds of operations have one name")
    if int(kinds.max()) >= len(names):
        raise TraceError(
            f"operation {int(np.argmax(kinds >= len(names)))} is of kind {int(kinds.max())}, and there are {len(names)}"
        )
    late = at_ns[1:] < at_ns[:-1]
    if late.any():
        raise TraceError(f"operation {int(np.argmax(late)) + 1} comes before the one before it")
    if int(keys.max()) >> KEY_BITS:
        raise TraceError(f"operation {int(np.argmax(keys))} has the key {int(keys.max())}; keys have {KEY_BITS} bits")
    if not int(at_ns[-1]) <= duration_ns <= LONGEST_NS:
        raise TraceError(f"the trace lasts {duration_ns} ns, its last operation is at {int(at_ns[-1])} ns; a year is the longest")
    return Trace(names, at_ns, kinds, keys, duration_ns, note)


def check_name(name: str) -> None:
    """Raises TraceError for what cannot be the name of an operation."""
    if not _NAME.fullmatch(name):
        raise TraceError(f'"{name[:80]}" cannot name an operation; write lower_case_with_underscores, at most 63 letters')


def encode(made: Trace) -> bytes:
    """The file of a trace."""
    import numpy as np

    names = b"".join(name.encode() + b"\0" for name in made.names)
    names += bytes(-len(names) % _OPERATION)
    operations = np.empty((len(made), 2), "<u8")
    operations[:, 0] = made.at_ns
    operations[:, 1] = (made.keys << np.uint64(8)) | made.kinds
    note = json.dumps(made.note, sort_keys=True, ensure_ascii=False).encode()
    body = names + operations.tobytes() + note
    sizes = (len(made.names), len(made), made.duration_ns, len(names), len(note))
    return _HEADER.pack(MAGIC, VERSION, *sizes, zlib.crc32(body), b"") + body


def decode(content: bytes, *, path: str) -> Trace:
    """The trace in a file's bytes. Raises TraceError that says what is wrong, in one line."""
    import numpy as np

    if len(content) < _HEADER.size or not content.startswith(MAGIC):
        raise TraceError(f"{path}: not a trace", hint="Make one with `dualmem trace make` or `dualmem trace convert`.")
    _, version, kinds, count, duration_ns, names_size, note_size, crc, rest = _HEADER.unpack_from(content)
    if version != VERSION or any(rest):
        found = f"version {version}" + (", with a longer header" if any(rest) else "")
        raise TraceError(f"{path}: a trace of {found}; this dualmem reads version {VERSION}")
    wanted = _HEADER.size + names_size + _OPERATION * count + note_size
    if wanted != len(content):
        raise _damaged(path, f"{len(content):,} bytes, and its header promises {wanted:,}")
    body = memoryview(content)[_HEADER.size :]
    if zlib.crc32(body) != crc:
        raise _damaged(path, "its checksum is another")
    names = _names(bytes(body[:names_size]), kinds, path)
    words = np.frombuffer(content, "<u8", count=2 * count, offset=_HEADER.size + names_size).reshape(-1, 2)
    note = _note(bytes(body[len(body) - note_size :]), path)
    at_ns, what = words[:, 0], words[:, 1]
    try:
        return trace(
            names,
            at_ns,
            (what & np.uint64(0xFF)).astype(np.uint8),
            what >> np.uint64(8),
            duration_ns=duration_ns,
            note=note,
        )
    except TraceError as error:
        raise _damaged(path, error.what) from None


def _names(content: bytes, kinds: int, path: str) -> tuple[str, ...]:
    *names, rest = content.split(b"\0", kinds)
    if len(content) % _OPERATION or len(names) != kinds or rest.strip(b"\0") or len(rest) >= _OPERATION:
        raise _damaged(path, f"its header promises {kinds} names of operations, and they are not there")
    return tuple(name.decode(errors="replace") for name in names)


def _note(content: bytes, path: str) -> dict[str, Any]:
    try:
        note = json.loads(content) if content else {}
    except ValueError:
        raise _damaged(path, "its note is not JSON") from None
    if not isinstance(note, dict):
        raise _damaged(path, "its note is not a JSON object")
    return note


def _damaged(path: str, what: str) -> TraceError:
    return TraceError(f"{path}: a damaged trace: {what}", hint="Make or copy it again.")

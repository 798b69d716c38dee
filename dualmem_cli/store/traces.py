"""Traces on disk."""

import hashlib
import json
from pathlib import Path

from dualmem_cli.errors import TraceError
from dualmem_cli.model.workload import TraceFacts
from dualmem_cli.store.documents import write_atomically
from dualmem_cli.store.trace_lines import from_lines
from dualmem_cli.trace import MAGIC, Trace, decode, encode


def save_trace(made: Trace, path: Path) -> TraceFacts:
    """Write a trace so that `path` always holds a whole one. Raises RecordError."""
    content = encode(made)
    write_atomically(path, content, hint="Make room or choose another file.")
    return facts_of(made, content)


def load_trace(path: Path) -> tuple[Trace, TraceFacts]:
    """The trace in a file, and what is known of it. Raises TraceError."""
    content = _read(path)
    if not content.startswith(MAGIC) and content.lstrip().startswith(b"{"):
        raise TraceError(f"{path}: JSON Lines, not a trace", hint=f"Convert it: dualmem trace convert {path} -o FILE.dmtrace")
    made = decode(content, path=str(path))
    return made, facts_of(made, content)


def load_lines(path: Path, *, sort: bool, from_first: bool) -> Trace:
    """The trace that a file of JSON Lines describes. Raises TraceError."""
    try:
        text = _read(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TraceError(f"{path}: not UTF-8 text", hint="JSON Lines are wanted: one operation a line.") from None
    return from_lines(text, path=str(path), sort=sort, from_first=from_first)


def facts_of(made: Trace, content: bytes) -> TraceFacts:
    """What is known of a trace and its file."""
    import numpy as np

    counts = np.bincount(made.kinds, minlength=len(made.names))
    return TraceFacts(
        digest=hashlib.sha256(content).hexdigest(),
        operations=len(made),
        duration_ns=made.duration_ns,
        kinds=tuple(zip(made.names, map(int, counts), strict=True)),
        note=json.dumps(made.note, sort_keys=True, ensure_ascii=False),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror}", hint="Give the path of a trace.") from None

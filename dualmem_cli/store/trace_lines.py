"""Traces as JSON Lines, for whoever has a log of a system in use: one operation a line,

    {"at": 0.25, "operation": "lookup", "key": 17}

with its time in seconds from the start and, where the operation has one, its key. The first line may say what the lines cannot:
{"duration": 60, "operations": ["lookup", "update"], "note": {...}}; `dualmem trace convert` writes it, so that nothing is lost.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any, NamedTuple

from dualmem_cli.errors import TraceError
from dualmem_cli.plan.spelling import did_you_mean
from dualmem_cli.trace import KEY_BITS, LONGEST_NS, MOST_KINDS, Trace, check_name, trace

_NS = 10**9
_FIRST_DAY_NS = 86_400 * _NS
_KEYS = ("at", "operation", "key")
_HEAD_KEYS = ("duration", "operations", "note")
_Number = int | Decimal


class _Line(NamedTuple):
    number: int
    at_ns: int
    operation: str
    key: int


class _Head(NamedTuple):
    duration_ns: int | None
    operations: tuple[str, ...]
    note: dict[str, Any]


def to_lines(made: Trace) -> Iterator[str]:
    """The lines of a trace, each with its end."""
    head = {"duration": 0, "operations": list(made.names), "note": made.note}
    yield json.dumps(head, ensure_ascii=False).replace('"duration": 0', f'"duration": {_seconds(made.duration_ns)}', 1) + "\n"
    for at_ns, kind, key in zip(made.at_ns.tolist(), made.kinds.tolist(), made.keys.tolist(), strict=True):
        yield f'{{"at": {_seconds(at_ns)}, "operation": "{made.names[kind]}", "key": {key}}}\n'


def from_lines(text: str, *, path: str, sort: bool, from_first: bool) -> Trace:
    """The trace that the lines describe. `sort`: lines may come in any order. `from_first`: times count from the first operation. Without a
    duration the trace ends one mean gap behind its last operation. Raises TraceError with the line that is wrong."""
    import numpy as np

    head, lines = _parse(text, path)
    if sort:
        lines.sort(key=lambda line: line.at_ns)  # stable: what came at once stays in order
    _check_order(lines, path)
    start = lines[0].at_ns if from_first else 0
    if lines[0].at_ns - start > _FIRST_DAY_NS:
        what = f"{path}:{lines[0].number}: the first operation is at {_seconds(lines[0].at_ns)} s, and times count from the start"
        raise TraceError(what, hint="Count from the first one with --from-first.")
    names = tuple(dict.fromkeys((*head.operations, *(line.operation for line in lines))))
    if len(names) > MOST_KINDS:
        raise TraceError(f"{path}: {len(names)} kinds of operations; a trace holds 1 to {MOST_KINDS}")
    places = {name: place for place, name in enumerate(names)}
    at_ns = np.array([line.at_ns - start for line in lines], np.uint64)
    last = int(at_ns[-1])
    duration_ns = head.duration_ns or last + max(1, (last - int(at_ns[0])) // max(1, len(lines) - 1))
    if not last <= duration_ns <= LONGEST_NS:
        raise TraceError(
            f"{path}: the duration is {_seconds(duration_ns)} s, the last operation at {_seconds(last)} s; a year is the longest"
        )
    return trace(
        names,
        at_ns,
        np.array([places[line.operation] for line in lines], np.uint8),
        np.array([line.key for line in lines], np.uint64),
        duration_ns=duration_ns,
        note=head.note or {"source": f"converted from {path.rpartition('/')[2]}"},
    )


def _parse(text: str, path: str) -> tuple[_Head, list[_Line]]:
    head, lines = _Head(None, (), {}), []
    begun = False
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        raw = _object(line, where)
        if not begun and "operation" not in raw and raw.keys() & set(_HEAD_KEYS):
            head = _head(raw, where)
        else:
            lines.append(_operation(raw, number, where))
        begun = True
    if not lines:
        raise TraceError(f"{path}: no operations", hint='Write one a line: {"at": 0.25, "operation": "lookup", "key": 17}')
    return head, lines


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        raw = json.loads(line, parse_float=Decimal)
    except InvalidOperation:
        raise TraceError(f"{where}: a number beyond everything", hint="Times are seconds from the start.") from None
    except ValueError as error:
        raise TraceError(f"{where}: not JSON: {error}", hint="JSON Lines are wanted: one operation a line.") from None
    except RecursionError:
        raise TraceError(f"{where}: too deeply nested", hint="JSON Lines are wanted: one operation a line.") from None
    if not isinstance(raw, dict):
        raise TraceError(f"{where}: not an object", hint='Write {"at": 0.25, "operation": "lookup", "key": 17}')
    return raw


def _operation(raw: dict[str, Any], number: int, where: str) -> _Line:
    _check_keys(raw, _KEYS, where)
    for needed in ("at", "operation"):
        if needed not in raw:
            raise TraceError(f'{where}: "{needed}" is missing', hint='Write {"at": 0.25, "operation": "lookup", "key": 17}')
    name, key = raw["operation"], raw.get("key", 0)
    if not isinstance(name, str):
        raise TraceError(f'{where}: "operation" is a text')
    _check_name(name, where)
    if not isinstance(key, int) or isinstance(key, bool) or not 0 <= key < 1 << KEY_BITS:
        raise TraceError(f'{where}: "key" is a whole number from 0, below 2^{KEY_BITS}')
    return _Line(number, _nanoseconds(raw["at"], "at", where), name, key)


def _head(raw: dict[str, Any], where: str) -> _Head:
    _check_keys(raw, _HEAD_KEYS, where)
    names, note = raw.get("operations", []), raw.get("note", {})
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TraceError(f'{where}: "operations" is a list of names')
    if not isinstance(note, dict):
        raise TraceError(f'{where}: "note" is an object')
    duration_ns = _nanoseconds(raw["duration"], "duration", where) if "duration" in raw else None
    for name in names:
        _check_name(name, where)
    try:
        kept = json.dumps(note, default=float, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, "\\ud800", is JSON and no text
        raise TraceError(f'{where}: "note" has half a character, which no file can keep') from None
    return _Head(duration_ns, tuple(names), json.loads(kept))


def _check_keys(raw: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in raw:
        if key not in known:
            raise TraceError(f'{where}: "{key}" is not a key here; {did_you_mean(key, known)}')


def _check_name(name: str, where: str) -> None:
    try:
        check_name(name)
    except TraceError as error:
        raise TraceError(f"{where}: {error.what}") from None


def _check_order(lines: list[_Line], path: str) -> None:
    for before, line in pairwise(lines):
        if line.at_ns < before.at_ns:
            what = f"{path}:{line.number}: at {_seconds(line.at_ns)} s, before line {before.number} at {_seconds(before.at_ns)} s"
            raise TraceError(what, hint="Give --sort to put the lines in order.")


def _nanoseconds(value: Any, key: str, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, _Number) or not 0 <= value < 10**10:  # NaN is a float, and none here
        raise TraceError(f'{where}: "{key}" is a number of seconds from 0')
    return round(value * _NS)


def _seconds(nanoseconds: int) -> str:
    """Exactly, without zeros at the end."""
    whole, rest = divmod(nanoseconds, _NS)
    return re.sub(r"\.?0*$", "", f"{whole}.{rest:09d}")

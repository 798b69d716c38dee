"""Read one callgrind profile (https://valgrind.org/docs/manual/cl-format.html).

Names are given once, `fn=(7) name`, and then by their number; positions are given relative to the last one (`+3`, `-1`, `*`). The lines
after `fi=` or `fe=` belong to the function, but were inlined into it from that file. A function is known by its number where it has one,
since static functions share names, else by object, file and name.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from dualmem_cli.errors import DataError

_NAMED = re.compile(r"\((\d+)\)(?: (.*))?$")
_HEADER = re.compile(r"([a-z]+): ?(.*)$")
_KINDS = {"ob": "object", "cob": "object", "fn": "function", "cfn": "function", "jfn": "function"}
_POSITION = re.compile(r"[+-]?(?:0x[0-9a-fA-F]+|\d+)|\*")

Costs = Counter[str]


@dataclass(slots=True)
class Function:
    """Costs by event. `lines` are its own by (file, line); `calls` are by callee: how often, and what they cost inclusively; `sites` are
    the same costs by the line that calls. `calls` from functions that were entered before collection began count 0 times. Where the file
    tells addresses, `own_at` are its own instructions by address, and `calls_at` those of its calls, inclusively, by address and callee."""

    object: str
    file: str
    name: str
    lines: dict[tuple[str, int], Costs] = field(default_factory=dict)
    calls: dict[int, tuple[int, Costs]] = field(default_factory=dict)
    sites: dict[tuple[str, int], Costs] = field(default_factory=dict)
    own_at: Counter[int] = field(default_factory=Counter)
    calls_at: Counter[tuple[int, int]] = field(default_factory=Counter)

    @property
    def own(self) -> Costs:
        total: Costs = Counter()
        for costs in self.lines.values():
            total.update(costs)
        return total


@dataclass(frozen=True, slots=True)
class Part:
    """One dump: functions by index (Function.calls refers to it), and why it was made ("" where the file does not say)."""

    events: tuple[str, ...]
    trigger: str
    functions: tuple[Function, ...]


def parse_part(lines: Iterable[str], *, source: str) -> Part:
    """Read one dump. Raises DataError for a file that is not one, was cut off, or whose costs do not add up to its totals."""
    reader = _Reader(source)
    for number, line in enumerate(lines, 1):
        try:
            reader.read(line.rstrip("\n"))
        except (ValueError, KeyError, IndexError):
            raise reader.damaged(f"line {number} is not of the format: {line.strip()[:80]!r}") from None
    return reader.finish()


class _Reader:
    """The state between lines."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._events: tuple[str, ...] = ()
        self._positions: tuple[str, ...] = ("line",)
        self._trigger = ""
        self._totals: Costs | None = None
        self._names: dict[tuple[str, str], str] = {}
        self._functions: list[Function] = []
        self._index: dict[tuple[str, ...], int] = {}
        self._at: list[int] = [0]
        self._object = self._file = self._inlined = ""
        self._current: Function | None = None
        self._called: dict[str, str] = {}  # cob and cfi of the call that is being announced
        self._callee = -1
        self._count = 0
        self._awaiting = ""  # "call" or "jump": what the next position line belongs to

    def damaged(self, why: str) -> DataError:
        return DataError(f"{self._source}: {why}", hint="Count again: dualmem profile --with callgrind.")

    def read(self, line: str) -> None:
        if not line or line.startswith("#"):
            return
        if _POSITION.match(line):
            self._costs(line.split())
            return
        key, equals, value = line.partition("=")
        if equals and key.isalpha():
            self._specify(key, value)
            return
        header = _HEADER.match(line)
        if header is None:
            raise ValueError(line)
        self._header(header[1], header[2])

    def _header(self, key: str, value: str) -> None:
        if key == "events":
            if self._events:
                raise self.damaged("holds more than one profile")
            self._events = tuple(value.split())
        elif key == "positions":
            self._positions = tuple(value.split())
            self._at = [0] * len(self._positions)
        elif key == "desc" and value.startswith("Trigger:"):
            self._trigger = value.removeprefix("Trigger:").strip()
        elif key == "totals":
            self._totals = self._named(value.split())

    def _specify(self, key: str, value: str) -> None:
        if key in ("calls", "jump", "jcnd"):
            self._awaiting = "call" if key == "calls" else "jump"
            self._count = int(value.split(maxsplit=1)[0]) if key == "calls" else 0
            return
        number, name = self._name(_KINDS.get(key, "file"), value)
        if key == "ob":
            self._object = name
        elif key == "fl":
            self._file = self._inlined = name
        elif key in ("fi", "fe"):
            self._inlined = name
        elif key == "fn":
            self._current = self._functions[self._function(number, self._object, self._file, name)]
            self._inlined = self._file
        elif key in ("cob", "cfi", "cfl"):
            self._called["object" if key == "cob" else "file"] = name
        elif key == "cfn":
            called, self._called = self._called, {}
            self._callee = self._function(number, called.get("object", self._object), called.get("file", self._file), name)

    def _name(self, kind: str, value: str) -> tuple[str, str]:
        """Number ("" where it has none) and name."""
        found = _NAMED.match(value)
        if found is None:
            return "", value
        if found[2] is not None:
            self._names[kind, found[1]] = found[2]
        return found[1], self._names[kind, found[1]]

    def _function(self, number: str, object_: str, file: str, name: str) -> int:
        key = (number,) if number else (object_, file, name)
        if key not in self._index:
            self._index[key] = len(self._functions)
            self._functions.append(Function(object_, file, name))
        return self._index[key]

    def _costs(self, words: list[str]) -> None:
        count = len(self._positions)
        self._at = [_position(word, last) for word, last in zip(words[:count], self._at, strict=True)]
        awaiting, self._awaiting = self._awaiting, ""
        if awaiting == "jump":
            return
        if self._current is None or not self._events:
            raise ValueError(words)
        costs = self._named(words[count:])
        place = (self._inlined, self._at[self._positions.index("line")] if "line" in self._positions else 0)
        if awaiting == "call":
            times, before = self._current.calls.get(self._callee, (0, Counter()))
            self._current.calls[self._callee] = (times + self._count, before + costs)
            self._current.sites.setdefault(place, Counter()).update(costs)
        else:
            self._current.lines.setdefault(place, Counter()).update(costs)
        if self._positions[0] == "instr":
            if awaiting == "call":
                self._current.calls_at[self._at[0], self._callee] += costs["Ir"]
            else:
                self._current.own_at[self._at[0]] += costs["Ir"]

    def _named(self, values: list[str]) -> Costs:
        if len(values) > len(self._events):
            raise ValueError(values)
        return Counter({event: int(value) for event, value in zip(self._events, values, strict=False) if int(value)})

    def finish(self) -> Part:
        if not self._events:
            raise self.damaged("is not a callgrind profile")
        if self._totals is None:
            raise self.damaged("was cut off: it has no totals")
        sum_: Costs = Counter()
        for function in self._functions:
            sum_.update(function.own)
        if +sum_ != +self._totals:
            raise self.damaged("its costs do not add up to its totals")
        return Part(self._events, self._trigger, tuple(self._functions))


def _position(word: str, last: int) -> int:
    if word == "*":
        return last
    number = int(word.lstrip("+-"), 16 if "0x" in word else 10)
    return last + number if word[0] == "+" else last - number if word[0] == "-" else number

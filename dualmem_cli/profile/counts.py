"""Counts per operation: what an engine gives that counts instead of sampling.

A count that is not known is None with a reason, never a zero in its place.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dualmem_cli.profile.folded import Profile
from dualmem_cli.profile.marked import Marked

COSTS = ("instructions", "l1d_misses", "ll_misses", "branch_misses")


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity per operation (or of the whole process, where `unit` says so).

    `running` is the share of the time in which a hardware counter ran: below 1 the value is scaled up from that share. `low` and `high`
    are the smallest and largest of repeated measurements, None where it was measured once.
    """

    name: str
    unit: str
    value: float | None
    reason: str = ""
    running: float = 1.0
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class FunctionCost:
    """One function, per operation. `costs` are its own, in the order of COSTS; `inclusive` are instructions with those of its callees."""

    name: str
    place: str  # basename of the object
    file: str
    calls: float
    costs: tuple[float, ...]
    inclusive: float


@dataclass(frozen=True, slots=True)
class LineCost:
    """One source line inside of one function, per operation: `function` is what the line was inlined into. `source` is its text, or None
    where the file is not there; `called` are the instructions of what it calls."""

    function: str
    file: str
    line: int
    costs: tuple[float, ...]
    source: str | None
    called: float = 0.0

    @property
    def where(self) -> str:
        """Basename and line: 'fan.c:12'."""
        return f"{self.file.rpartition('/')[2]}:{self.line}"


@dataclass(frozen=True, slots=True)
class Counts:
    """What one counting engine found about one case. `facts` is the line without which the numbers cannot be trusted. `series` is resident
    memory over time: seconds from the start, bytes. `profile` are the same counts as stacks, where the engine knows stacks; `marked` what
    lies in the target's marked functions, where it has some."""

    title: str
    engine: str
    tool: str
    facts: str
    operations: int
    figures: tuple[Figure, ...]
    functions: tuple[FunctionCost, ...] = ()
    lines: tuple[LineCost, ...] = ()
    series: tuple[tuple[float, int], ...] = ()
    notes: tuple[str, ...] = ()
    profile: Profile | None = None
    marked: Marked | None = None

    def figure(self, name: str) -> Figure:
        """The figure of that name; KeyError where the engine has none."""
        for figure in self.figures:
            if figure.name == name:
                return figure
        raise KeyError(name)

    def document(self) -> dict[str, Any]:
        """As a JSON document, without the stacks: those are in the folded file."""
        facts = asdict(self)
        del facts["profile"], facts["marked"]
        return {**facts, "costs": list(COSTS)}


def source_line(file: str, line: int, roots: Sequence[Path], cache: dict[str, list[str] | None]) -> str | None:
    """The text of a line of a file as debug information names it: absolute, or relative to one of `roots`. None where it is not there."""
    if file not in cache:
        cache[file] = _read(file, roots)
    text = cache[file]
    return text[line - 1] if text is not None and 0 < line <= len(text) else None


def _read(file: str, roots: Sequence[Path]) -> list[str] | None:
    for root in roots if not Path(file).is_absolute() else (Path("/"),):
        path = root / file
        try:
            if path.is_file():
                return path.read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            continue
    return None

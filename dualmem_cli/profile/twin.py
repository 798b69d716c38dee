"""What an operation costs beside its single-type twin's, both counted over as many operations, and whether the misses keep their limit.

Counts are the same every time, so a difference is one. What is left to judge is whether it matters. Where the twin misses five times, one
miss more is 20 %: that is not told from 10 %. And where neither build misses as often as once in 100,000 instructions, as with caches
larger than the data, misses cost less than a thousandth of a cycle per instruction, whatever their ratio.
"""

import math
from dataclasses import dataclass

from dualmem_cli.profile.counts import Counts
from dualmem_cli.profile.marked import KEPT, MISSED, NOT_SHOWN

COMPARED = ("instructions", "l1d_misses", "ll_misses", "branch_misses")
_JUDGED = frozenset({"l1d_misses", "ll_misses"})
_RARE = 1e-5  # misses per instruction
_FEW = 10  # misses in all that may come and go with where a row happens to lie
_ROUNDING = 1e-12  # of a limit in binary: 10 % more than 2,000 are 2,200
_STRAY = 0.01
_SHOWN = 1e-3  # of all instructions, outside of marked functions and in none of the twin's, that a reader is told of


@dataclass(frozen=True, slots=True)
class TwinRow:
    """One quantity per operation. `change` is dual / single - 1, infinite where only the dual one has any; `one` is what one miss more in
    all that was counted would change it by, infinite where the twin has none. `verdict` is "" where nothing is limited."""

    name: str
    dual: float
    single: float
    change: float
    one: float
    verdict: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TwinCounts:
    """A case beside its single-type twin. `unmarked` are functions that the twin does not run and that no mark covers, with their shares of
    the instructions."""

    kernel: str
    single: str
    operations: int
    limit: float | None
    rows: tuple[TwinRow, ...]
    unmarked: tuple[tuple[str, float], ...] = ()

    @property
    def verdict(self) -> str:
        """The worst of the rows'."""
        return next((verdict for verdict in (MISSED, NOT_SHOWN, KEPT) if any(row.verdict == verdict for row in self.rows)), "")


def beside_twin(dual: Counts, single: Counts, *, names: tuple[str, str], limit: float | None) -> TwinCounts:
    """Compare the counts of a kernel and its twin. Raises ValueError when they are not of as many operations."""
    if dual.operations != single.operations:
        raise ValueError("counts of different numbers of operations are not compared")
    instructions = dual.figure("instructions").value or 0.0
    rows = tuple(_row(name, dual, single, instructions, limit if name in _JUDGED else None) for name in COMPARED)
    return TwinCounts(*names, dual.operations, limit, rows, _unmarked(dual, single))


def _row(name: str, dual: Counts, single: Counts, instructions: float, limit: float | None) -> TwinRow:
    value, reference = (counts.figure(name).value or 0.0 for counts in (dual, single))
    change = value / reference - 1.0 if reference else math.inf if value else 0.0
    one = 1.0 / (reference * dual.operations) if reference else math.inf
    if limit is None:
        return TwinRow(name, value, reference, change, one, "")
    if value <= reference * (1.0 + limit) * (1.0 + _ROUNDING):
        return TwinRow(name, value, reference, change, one, KEPT)
    if value < _RARE * instructions:
        return TwinRow(name, value, reference, change, one, KEPT, "rarer than once in 100,000 instructions")
    if (value - reference) * dual.operations <= _FEW:
        return TwinRow(name, value, reference, change, one, NOT_SHOWN, "too few to tell: count more operations (--operations)")
    return TwinRow(name, value, reference, change, one, MISSED)


def _unmarked(dual: Counts, single: Counts) -> tuple[tuple[str, float], ...]:
    """None where nothing is marked. By what was executed of each function, inlined ones as well: a compiler moves an instruction or two of
    what it inlined to where the twin passes too, which is less than a hundredth."""
    if dual.marked is None or single.marked is None:
        return ()
    run = dict((*single.marked.functions, *single.marked.others))
    everything = sum(count for _, count in dual.marked.captures)
    found = ((name, count / everything) for name, count in dual.marked.others if run.get(name, 0) < _STRAY * count)
    return tuple((name, share) for name, share in found if share > _SHOWN)

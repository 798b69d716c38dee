"""The share of marked functions in a profile, of those that exist only because there are two types, and whether it keeps its limit.

A sample counts where a marked function is anywhere in its stack, inlined ones included: what a marked function calls is called because
of it. Samples of one process come in clumps, and processes differ, so the interval is of effective samples: several processes show how
far the share scatters. Seven degrees of freedom do not show that exactly, which Student's quantile in place of the normal one pays for:
in simulations the 95 % interval then held the share 94 to 97 times of 100 (tests/profile/test_marked.py repeats three of them). Counted
instructions are all there are, and have no interval.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dualmem_cli.errors import DualmemError
from dualmem_cli.profile.shares import CONFIDENCE_95, wilson
from dualmem_cli.stats.student import quantile

PROCESSES = 8
_UPPER = 0.025  # of a 95 % interval
KEPT, MISSED, NOT_SHOWN = "ok", "MISSED", "NOT SHOWN"


@dataclass(frozen=True, slots=True)
class Marked:
    """What was found: (marked, all) for each capture; the marked by function, most first, outermost ones only. `others` is what was counted
    in each function outside of all marked ones, where an engine counts everything: two profiles are compared by it."""

    captures: tuple[tuple[int, int], ...]
    functions: tuple[tuple[str, int], ...]
    others: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class MarkedShare:
    """The share of `marked` in `all`, with its 95 % interval where it was sampled. `verdict` is "" without a limit."""

    engine: str
    unit: str
    marked: int
    all: int
    design_effect: float
    share: float
    low: float
    high: float
    limit: float | None
    verdict: str
    functions: tuple[tuple[str, float], ...]  # shares


def marked_of(names: Sequence[str]) -> Marked:
    """From the marked function of each sample of one capture, "" for none."""
    found = Counter(name for name in names if name)
    return Marked(((found.total(), len(names)),), ranked(found))


def not_marked(error: DualmemError) -> str:
    """Why an engine does not know the share, as a note of its capture."""
    return f"the share of marked functions is not known: {error.what}. Remedy: {error.hint}"


def ranked(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    """Names with their counts, most first."""
    return tuple(sorted(((name, count) for name, count in counts.items() if count), key=lambda item: (-item[1], item[0])))


def together(found: Iterable[Marked]) -> Marked:
    """Several captures of one target."""
    captures = tuple(found)
    functions: Counter[str] = Counter()
    for capture in captures:
        functions.update(dict(capture.functions))
    return Marked(tuple(share for capture in captures for share in capture.captures), ranked(functions))


def share_of(found: Marked, *, engine: str, unit: str, limit: float | None) -> MarkedShare:
    """The share, with an interval unless everything was counted. Over its limit it is missed; where only the upper end of the interval is
    over it, the limit is not shown to be kept."""
    marked, everything = (sum(column) for column in zip(*found.captures, strict=True))
    share = marked / everything
    effect, wider = _scatter(found.captures, share) if unit == "samples" else (1.0, 1.0)
    low, high = wilson(marked / wider, everything / wider) if unit == "samples" else (share, share)
    verdict = "" if limit is None else MISSED if share > limit else NOT_SHOWN if high > limit else KEPT
    shares = tuple((name, count / everything) for name, count in found.functions)
    return MarkedShare(engine, unit, marked, everything, effect, share, low, high, limit, verdict, shares)


def _scatter(captures: Sequence[tuple[int, int]], share: float) -> tuple[float, float]:
    """The design effect, Pearson's statistic for one share in all captures by its degrees of freedom and 1 at least; and the same with what
    it takes to make a normal interval of so many captures Student's."""
    if len(captures) < 2 or not 0.0 < share < 1.0:
        return 1.0, 1.0
    statistic = sum((marked - count * share) ** 2 / (count * share * (1.0 - share)) for marked, count in captures if count)
    effect = max(1.0, statistic / (len(captures) - 1))
    if effect == 1.0:
        return 1.0, 1.0
    return effect, effect * (quantile(_UPPER, len(captures) - 1) / CONFIDENCE_95) ** 2

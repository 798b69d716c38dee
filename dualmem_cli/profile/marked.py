"""The share of marked functions in a profile, of those that exist only because there are two types, and whether it keeps its limit.

A sample counts where a marked function is anywhere in its stack, inlined ones included: what a marked function calls is called because
of it. Samples of one process come in clumps and processes differ, so the interval is of effective samples: stretches of several
processes show how far the share scatters. Counted instructions are all there are, and have no interval.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dualmem_cli.errors import DualmemError
from dualmem_cli.profile.shares import design_effect, wilson

STRETCHES = 4  # of one capture
_FEWEST = 5  # marked samples in a stretch: fewer cannot show a scatter
KEPT, MISSED, NOT_SHOWN = "ok", "MISSED", "NOT SHOWN"


@dataclass(frozen=True, slots=True)
class Marked:
    """What was found: (marked, all) for each stretch of time, in order; the marked by function, most first, outermost ones only. `others`
    is what was counted in each function outside of all marked ones, where an engine counts everything: two profiles are compared by it."""

    stretches: tuple[tuple[int, int], ...]
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
    """From the marked function of each sample ("" for none), in the order of time."""
    ends = [len(names) * i // STRETCHES for i in range(STRETCHES + 1)]
    parts = [names[start:end] for start, end in pairwise(ends) if end > start]
    found = Counter(name for name in names if name)
    return Marked(tuple((sum(map(bool, part)), len(part)) for part in parts), ranked(found))


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
    return Marked(tuple(stretch for capture in captures for stretch in capture.stretches), ranked(functions))


def share_of(found: Marked, *, engine: str, unit: str, limit: float | None) -> MarkedShare:
    """The share, with an interval unless everything was counted. Over its limit it is missed; where only the upper end of the interval is
    over it, the limit is not shown to be kept."""
    marked, everything = (sum(column) for column in zip(*found.stretches, strict=True))
    share = marked / everything
    effect = 1.0
    low = high = share
    if unit == "samples":
        effect = _effect(found.stretches, marked)
        low, high = wilson(marked / effect, everything / effect)
    verdict = "" if limit is None else MISSED if share > limit else NOT_SHOWN if high > limit else KEPT
    shares = tuple((name, count / everything) for name, count in found.functions)
    return MarkedShare(engine, unit, marked, everything, effect, share, low, high, limit, verdict, shares)


def _effect(stretches: Sequence[tuple[int, int]], marked: int) -> float:
    """The design effect of the share, from as many groups of stretches as have enough marked samples in them."""
    groups = min(len(stretches), marked // _FEWEST)
    if groups < 2:
        return 1.0
    ends = [len(stretches) * i // groups for i in range(groups + 1)]
    cells = []
    for start, end in pairwise(ends):
        inside, everything = (sum(column) for column in zip(*stretches[start:end], strict=True))
        cells.append(Counter({"marked": inside, "rest": everything - inside}))
    return design_effect([cells])

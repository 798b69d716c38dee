"""Counts of two builds, side by side: what an operation of the candidate costs more, in which functions and at which source lines.

Counts are exact, so there is nothing to test: a function that differs, differs. Cache misses move a little with every change of layout,
which is why a function is named by its instructions, or by misses that are a part of all of them worth naming.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dualmem_cli.model.explanation import CountedChange, FigureChange, FunctionCounts, LineCount
from dualmem_cli.model.units import count_text, count_title
from dualmem_cli.profile.counts import COSTS, Counts, Figure, LineCost
from dualmem_cli.profile.difference import is_system
from dualmem_cli.profile.frames import normalise, split_place

MOST_FUNCTIONS = 12
MOST_LINES = 4
_WORTH = 0.001  # of all instructions
_WORTH_MISSES = 0.02  # of all misses of that kind
_LEAST_MISSES = 0.01  # per operation: fewer are of the start, not of the work


@dataclass(slots=True)
class _Function:
    costs: list[float] = field(default_factory=lambda: [0.0] * len(COSTS))
    lines: list[LineCost] = field(default_factory=list)


def count_difference(baseline: Counts, candidate: Counts, labels: Mapping[str, str]) -> CountedChange:
    """Compare counts of as many operations. `labels` rename shared objects, by the names of their files."""
    sides = _functions(baseline, labels), _functions(candidate, labels)
    totals = [max(sum(f.costs[i] for f in side.values()) for side in sides) for i in range(len(COSTS))]
    known = [
        line for function in sides[0].values() for line in function.lines
    ]  # of all: a compiler may have inlined what holds them
    found = []
    for name in sides[0].keys() | sides[1].keys():
        old, new = sides[0].get(name, _Function()), sides[1].get(name, _Function())
        if _differs(old.costs, new.costs, totals):
            grew = new.costs[0] > old.costs[0]
            lines = changed_lines(known, new.lines) if grew and not is_system(name) else ()
            found.append(FunctionCounts(*split_place(name), tuple(old.costs), tuple(new.costs), lines))
    found.sort(key=lambda f: (-f.instructions, -sum(f.candidate[1:]) + sum(f.baseline[1:]), f.name, f.place))
    shown = found if len(found) <= MOST_FUNCTIONS else [*found[: MOST_FUNCTIONS - 2], *found[-2:]]  # what shrank most stands last
    change = CountedChange(
        engine=candidate.engine,
        tool=candidate.tool,
        operations=candidate.operations,
        costs=COSTS if shown else (),
        figures=tuple(_change(baseline, candidate, figure.name) for figure in candidate.figures),
        functions=tuple(shown),
        notes=tuple(dict.fromkeys((*baseline.notes, *candidate.notes))),
        missing=_missing(candidate.lines),
    )
    first = next((figure for figure in change.figures if figure.name == COSTS[0]), None)
    counted = first is not None and first.baseline is not None and first.candidate is not None
    return replace(change, headline=counted_headline(change)) if counted else change


def counted_headline(change: CountedChange) -> str:
    """What a reader should know first: the counts that moved, and the function and line that grew most."""
    moved = [
        f"{count_title(f.name)} {more(f.baseline, f.candidate)} ({count_text(f.baseline)} to {count_text(f.candidate)} per operation)"
        for f in change.figures
        if f.name in (*COSTS, "allocator_calls") and f.baseline is not None and f.candidate is not None and _moved(f)
    ]
    if not moved:
        return f"{change.engine} counts the same on both builds: the candidate neither executes more nor misses a simulated cache more."
    grown = [f for f in change.functions if f.instructions > 0]
    words = f"Counted by {change.engine}: {'; '.join(moved)}."
    if not grown:
        return f"{words} No function executes more."
    first = grown[0]
    return f"{words} {first.name} executes {count_text(first.instructions)} more{_where(first, change.functions)}."


def _where(grown: FunctionCounts, functions: Sequence[FunctionCounts]) -> str:
    """Its own heaviest new line, or the line that calls it: a function of the system is nobody's to change."""
    calls = [line for function in functions for line in function.lines if 2 * line.called >= grown.instructions]
    lines = grown.lines or calls
    if not lines:
        return ""
    return f", {'most of it' if grown.lines else 'called'} at {lines[0].file.rpartition('/')[2]}:{lines[0].line}"


def more(baseline: float, candidate: float) -> str:
    """'+9.2 %', '193 times'; from nothing there are no per cent, only 'new'."""
    if not baseline:
        return "new" if candidate else "0"
    if candidate >= 10 * baseline:
        return f"{candidate / baseline:,.0f} times"
    return f"{100 * (candidate / baseline - 1):+.1f} %"


def changed_lines(old: Sequence[LineCost], new: Sequence[LineCost]) -> tuple[LineCount, ...]:
    """The lines of `new` whose counts have no counterpart in `old`, most instructions first, those of what they call included.

    Lines are matched by what they execute and not by their numbers, which move with every line that is added above."""
    there = Counter(map(_weight, old))
    unmatched = []
    for line in new:
        if there[_weight(line)]:
            there[_weight(line)] -= 1
        else:
            unmatched.append(line)
    heaviest = sorted(unmatched, key=lambda line: (-line.costs[0] - line.called, line.file, line.line))
    return tuple(
        LineCount(line.file, line.line, (line.source or "").strip(), line.costs, line.called) for line in heaviest[:MOST_LINES]
    )


def _missing(lines: Sequence[LineCost]) -> LineCount | None:
    """The line that misses the last cache most; where none does, the first one."""
    for cache in (COSTS.index("ll_misses"), COSTS.index("l1d_misses")):
        most = max(lines, key=lambda line: line.costs[cache], default=None)
        if most is not None and most.costs[cache] >= _LEAST_MISSES:
            return LineCount(most.file, most.line, (most.source or "").strip(), most.costs, most.called)
    return None


def _weight(line: LineCost) -> tuple[str, int, int]:
    """Of operations by the thousand: a start that is shared among operations is no difference."""
    return line.file.rpartition("/")[2], round(line.costs[0] * 1000), round(line.called * 1000)


def _functions(counts: Counts, labels: Mapping[str, str]) -> dict[str, _Function]:
    """By the names that frames have, so that a function is the same in the graph and in the table."""
    found: dict[str, _Function] = {}
    frames: dict[str, str] = {}
    for cost in counts.functions:
        frame = frames[cost.name] = normalise(cost.name, labels.get(cost.place, cost.place))
        function = found.setdefault(frame, _Function())
        function.costs = [a + b for a, b in zip(function.costs, cost.costs, strict=True)]
    for line in counts.lines:
        if line.function in frames:
            found[frames[line.function]].lines.append(line)
    return found


def _differs(old: Sequence[float], new: Sequence[float], totals: Sequence[float]) -> bool:
    instructions, *misses = (abs(b - a) for a, b in zip(old, new, strict=True))
    if instructions > _WORTH * totals[0]:
        return True
    return any(change > max(_WORTH_MISSES * total, _LEAST_MISSES) for change, total in zip(misses, totals[1:], strict=True))


def _moved(figure: FigureChange) -> bool:
    if figure.baseline is None or figure.candidate is None:
        return False
    change = abs(figure.candidate - figure.baseline)
    share = _WORTH if figure.name == "instructions" else _WORTH_MISSES
    least = 0.0 if figure.name in ("instructions", "allocator_calls") else _LEAST_MISSES
    return change > least and change > share * max(figure.baseline, figure.candidate)


def _change(baseline: Counts, candidate: Counts, name: str) -> FigureChange:
    old, new = _figure(baseline, name), _figure(candidate, name)
    reasons = [figure.reason for figure in (old, new) if figure is not None and figure.value is None]
    reason = reasons[0] if reasons else "" if old else "not counted of the baseline"
    return FigureChange(name, old.value if old else None, new.value if new else None, reason, new.unit if new else "1/op")


def _figure(counts: Counts, name: str) -> Figure | None:
    return next((figure for figure in counts.figures if figure.name == name), None)

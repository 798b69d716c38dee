"""From two dumps of callgrind to what one operation costs: in all, per function, per source line, and as stacks."""

import re
from collections.abc import Sequence
from pathlib import Path

from dualmem_cli.errors import DualmemError
from dualmem_cli.profile.counts import COSTS, Counts, Figure, FunctionCost, LineCost, source_line
from dualmem_cli.profile.engines.callgrind_graph import Stacks, inclusive_of, outside_of, stacks_of
from dualmem_cli.profile.engines.callgrind_marks import marked_in_part
from dualmem_cli.profile.engines.callgrind_out import Costs, Part
from dualmem_cli.profile.engines.engine import refuse
from dualmem_cli.profile.engines.lengths import work_of
from dualmem_cli.profile.folded import Profile, fold
from dualmem_cli.profile.frames import normalise
from dualmem_cli.profile.marked import Marked, not_marked
from dualmem_cli.profile.target import Target

ENGINE = "callgrind"
_RECURSION = re.compile(r"'\d+$")  # callgrind numbers the levels of a function that calls itself
_REPEATED = re.compile(r"mem(cpy|move|set).*_erms")
HOTTEST = 40  # lines whose source a reader is shown
_ALLOCATOR = re.compile(
    r"(__libc_)?(malloc|calloc|realloc|reallocarray|aligned_alloc|memalign|posix_memalign|mmap(64)?|mremap|s?brk)(@.*)?"
    r"|operator new(\[\])?\(.*"
)


def counts_of(
    target: Target, first: Part, second: Part, *, operations: int, tool: str, facts: str, notes: Sequence[str]
) -> Counts:
    """What the second sample cost, each of `operations`. Raises DualmemError when it cost nothing."""
    work = work_of(target)
    outside = outside_of(second.functions, (work.sampled,))
    total = _total(second, outside)
    if not total["Ir"]:
        raise refuse("callgrind counted nothing inside of the operations", "Count more operations: --operations.")
    stacks = stacks_of(second.functions, (work.sampled,))
    lines = _lines(second, outside, work.sources, operations)
    marked, unmarked = _marked(target, second, outside)
    return Counts(
        title=target.title,
        engine=ENGINE,
        tool=tool,
        facts=facts,
        operations=operations,
        figures=_figures(second, total, operations),
        functions=_functions(second, outside, inclusive_of(stacks), operations),
        lines=lines,
        notes=(
            *notes,
            *unmarked,
            *_notes(work.threads, second, _total(first, outside_of(first.functions, (work.sampled,))), total, lines),
        ),
        profile=_profile(target, second, stacks, tool),
        marked=marked,
    )


def _marked(target: Target, part: Part, outside: frozenset[int]) -> tuple[Marked | None, tuple[str, ...]]:
    """What lies in marked functions, or a sentence on why that is not known."""
    if target.marking is None:
        return None, ()
    try:
        return marked_in_part(part, outside, target.marking), ()
    except DualmemError as error:
        return None, (not_marked(error),)


def _total(part: Part, outside: frozenset[int]) -> Costs:
    total: Costs = Costs()
    for number, function in enumerate(part.functions):
        if number not in outside:
            total.update(function.own)
    return total


def _per_operation(costs: Costs, operations: int) -> tuple[float, ...]:
    """In the order of COSTS."""
    counts = (
        costs["Ir"],
        costs["D1mr"] + costs["D1mw"],
        costs["ILmr"] + costs["DLmr"] + costs["DLmw"],
        costs["Bcm"] + costs["Bim"],
    )
    return tuple(count / operations for count in counts)


def _entries(part: Part) -> list[int]:
    """How often each function was called."""
    entries = [0] * len(part.functions)
    for function in part.functions:
        for callee, (times, _) in function.calls.items():
            entries[callee] += times
    return entries


def _figures(part: Part, total: Costs, operations: int) -> tuple[Figure, ...]:
    """Data reads are left out: valgrind counts up to eight for one FMA that reads memory (of its misses it counts one)."""
    counts = {
        "l1i_misses": total["I1mr"],
        "branches": total["Bc"] + total["Bi"],
        "allocator_calls": _allocations(part),
    }
    return (
        *(Figure(name, "1/op", value) for name, value in zip(COSTS, _per_operation(total, operations), strict=True)),
        *(Figure(name, "1/op", count / operations) for name, count in counts.items()),
    )


def _allocations(part: Part) -> int:
    """Calls of the allocator from outside of it: operator new calls malloc, and that is one allocation."""
    inside = [bool(_ALLOCATOR.fullmatch(function.name)) for function in part.functions]
    return sum(
        times
        for caller, function in enumerate(part.functions)
        for callee, (times, _) in function.calls.items()
        if inside[callee] and not inside[caller]
    )


def _functions(part: Part, outside: frozenset[int], inclusive: dict[int, int], operations: int) -> tuple[FunctionCost, ...]:
    costs = [
        FunctionCost(
            name=function.name,
            place=Path(function.object).name,
            file=function.file,
            calls=times / operations,
            costs=_per_operation(function.own, operations),
            inclusive=inclusive[number] / operations,
        )
        for number, (function, times) in enumerate(zip(part.functions, _entries(part), strict=True))
        if number not in outside and inclusive.get(number)
    ]
    return tuple(sorted(costs, key=lambda cost: (-cost.costs[0], -cost.inclusive, cost.name, cost.file)))


def _lines(part: Part, outside: frozenset[int], roots: Sequence[Path], operations: int) -> tuple[LineCost, ...]:
    """All lines that debug information knows, the one with most instructions first."""
    cache: dict[str, list[str] | None] = {}
    lines = [
        LineCost(
            function.name,
            file,
            line,
            _per_operation(function.lines.get((file, line), Costs()), operations),
            source_line(file, line, roots, cache),
            function.sites.get((file, line), Costs())["Ir"] / operations,
        )
        for number, function in enumerate(part.functions)
        if number not in outside
        for file, line in dict.fromkeys((*function.lines, *function.sites))
        if line and file != "???"
    ]
    return tuple(sorted(lines, key=lambda cost: (*(-value for value in cost.costs), cost.file, cost.line, cost.function)))


def _notes(threads: int, part: Part, first: Costs, second: Costs, lines: Sequence[LineCost]) -> list[str]:
    notes = []
    if threads > 1:
        notes.append(f"{threads} threads were counted together, one after the other, waiting included: not the same every time")
    if abs(second["Ir"] - first["Ir"]) > 0.01 * first["Ir"]:
        change = f" ({second['Ir'] / first['Ir'] - 1:+.1%})" if first["Ir"] else ""
        notes.append(f"the second sample took other work than the first{change}: count more operations (--operations)")
    if any(_REPEATED.search(function.name) and function.own["Ir"] > 0.01 * second["Ir"] for function in part.functions):
        notes.append(
            "valgrind counts every step of a repeated string instruction (rep movsb): copies and fills look dearer than they are"
        )
    missing = sorted({line.file for line in lines[:HOTTEST] if line.source is None})
    if missing:
        notes.append(f"without source text, since it is not here: {', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''}")
    if not lines:
        notes.append("no source lines: the library was built without debug information (-g1), or no objcopy kept it")
    return notes


def _profile(target: Target, part: Part, stacks: Stacks, tool: str) -> Profile:
    frames = [normalise(_RECURSION.sub("", function.name), function.object) for function in part.functions]
    folded = fold([(tuple(frames[number] for number in path), cost) for path, cost in stacks.items()], ())
    return Profile(
        title=target.title,
        engine=ENGINE,
        sampler=tool,
        event="instructions",
        rate_asked=0.0,
        rate_achieved=0.0,
        samples=folded.samples,
        errors=0,
        outside=0,
        unknown_share=folded.unknown_share,
        seconds=0.0,
        stacks=folded.stacks,
        unit="instructions",
    )

"""From callgrind's call graph to stacks.

Callgrind keeps what each edge of the call graph cost, not whole stacks: what a function cost is divided among its callers in the
proportion of those edges, as gprof does. Where a function has one caller, which is almost everywhere in a kernel, this is exact.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence

from dualmem_cli.profile.engines.callgrind_out import Function

EVENT = "Ir"
_LEAST = 1e-6  # of all instructions: a path that carries less is not followed, its cost goes to the other paths of its functions
_DEEPEST = 200

Chain = tuple[int, ...]
Stacks = dict[Chain, int]


def outside_of(functions: Sequence[Function], focus: Collection[str]) -> frozenset[int]:
    """The functions called `focus` and those that call them, on whatever way: the loop around the work, not the work."""
    callers: defaultdict[int, set[int]] = defaultdict(set)
    for number, function in enumerate(functions):
        for callee in function.calls:
            callers[callee].add(number)
    found: set[int] = set()
    waiting = [number for number, function in enumerate(functions) if function.name in focus]
    while waiting:
        number = waiting.pop()
        if number not in found:
            found.add(number)
            waiting += callers[number]
    return frozenset(found)


def stacks_of(functions: Sequence[Function], focus: Collection[str]) -> Stacks:
    """Stacks of function numbers, root first, with their instructions; each starts at a function called `focus` where it is below one.
    For every function, its stacks add up to its own cost exactly."""
    outside = outside_of(functions, focus)
    own = [0 if number in outside else function.own[EVENT] for number, function in enumerate(functions)]
    entered: defaultdict[int, int] = defaultdict(int)  # by calls from the work itself
    for caller, function in enumerate(functions):
        for callee, (_, costs) in function.calls.items():
            if callee != caller:
                entered[callee] += costs[EVENT]
    roots = [n for n, function in enumerate(functions) if function.name in focus]
    roots += [n for n in range(len(functions)) if n not in outside and not entered[n]]
    shares = _walk(functions, roots, entered, least=_LEAST * max(sum(own), 1))
    stacks: Stacks = {}
    for number, cost in enumerate(own):
        if cost:
            stacks.update(_divided(cost, shares.get(number) or {(number,): 1.0}))
    return stacks


def inclusive_of(stacks: Stacks) -> dict[int, int]:
    """Instructions of each function with those of what it called; one that is in a stack twice counts once."""
    total: defaultdict[int, int] = defaultdict(int)
    for path, cost in stacks.items():
        for number in set(path):
            total[number] += cost
    return dict(total)


def _walk(
    functions: Sequence[Function], roots: Sequence[int], entered: dict[int, int], *, least: float
) -> dict[int, dict[Chain, float]]:
    """For each function, the paths that lead to it with the share of its calls' cost that came along each."""
    shares: defaultdict[int, dict[Chain, float]] = defaultdict(dict)
    waiting: list[tuple[Chain, float]] = [((root,), 1.0) for root in roots]
    while waiting:
        path, share = waiting.pop()
        number = path[-1]
        shares[number][path] = share
        for callee, (_, costs) in functions[number].calls.items():
            carried = costs[EVENT] * share
            if callee not in path and carried >= least and len(path) < _DEEPEST:
                waiting.append(((*path, callee), carried / entered[callee]))
    return shares


def _divided(cost: int, shares: dict[Chain, float]) -> Stacks:
    """Whole numbers in the proportion of the shares that add up to `cost`: the largest remainders are rounded up."""
    total = sum(shares.values())
    exact = {path: cost * share / total for path, share in shares.items()}
    whole = {path: int(value) for path, value in exact.items()}
    missing = cost - sum(whole.values())
    for path in sorted(exact, key=lambda p: (whole[p] - exact[p], p))[: max(missing, 0)]:
        whole[path] += 1
    return {path: value for path, value in whole.items() if value}

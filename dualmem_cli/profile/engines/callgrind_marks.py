"""Marked functions in what callgrind counted, inlined ones included, by the address of every instruction.

What a function costs below a marked one is found along the edges of the call graph, divided as in callgrind_graph: exact where a
function is called either always from marked code or never, and in the proportion of its calls' costs otherwise.
"""

from collections import Counter, defaultdict

from dualmem_cli.profile.engines.callgrind_graph import EVENT
from dualmem_cli.profile.engines.callgrind_out import Part
from dualmem_cli.profile.engines.inlined import inline_chains, outermost
from dualmem_cli.profile.marked import Marked, ranked
from dualmem_cli.profile.target import Marking

_ROUNDS = 100
_SETTLED = 1e-9
Shares = dict[str, float]  # of what a function costs, by the marked function that it is below


def marked_in_part(part: Part, outside: frozenset[int], marking: Marking) -> Marked:
    """The instructions in and below marked functions, of all that are not `outside` of the work."""
    place = str(marking.mapped)
    inside = [n for n, function in enumerate(part.functions) if n not in outside and function.object == place]
    addresses = {at for n in inside for at in part.functions[n].own_at} | {
        at for n in inside for at, _ in part.functions[n].calls_at
    }
    chains = inline_chains(marking.symbols, addresses)
    marks = {at: outermost(chain, marking.patterns) for at, chain in chains.items()}
    known = frozenset(inside)
    below = _below(part, outside, known, marks)
    marked: defaultdict[str, float] = defaultdict(float)
    others: Counter[str] = Counter()
    total = 0
    for number, function in enumerate(part.functions):
        if number in outside:
            continue
        total += function.own[EVENT]
        rest = 1.0 - sum(below[number].values())
        for name, share in below[number].items():
            marked[name] += share * function.own[EVENT]
        for at, cost in function.own_at.items() if number in known else ():
            mark = marks.get(at, "")
            if mark:
                marked[mark] += rest * cost
            elif rest > _SETTLED:
                others.update(dict.fromkeys(chains.get(at, ()), cost))
    functions = ranked(Counter({name: round(value) for name, value in marked.items()}))
    return Marked(((min(round(sum(marked.values())), total), total),), functions, ranked(others))


def _below(part: Part, outside: frozenset[int], known: frozenset[int], marks: dict[int, str]) -> list[Shares]:
    """For each function, the shares of what its calls cost that come from below marked functions, by these: round by round, until recursion
    and all has settled."""
    edges: list[tuple[int, int, int, str]] = []
    entered: Counter[int] = Counter()
    for caller, function in enumerate(part.functions):
        for (at, callee), cost in function.calls_at.items():
            if callee != caller:
                edges.append((caller, callee, cost, marks.get(at, "") if caller in known else ""))
                entered[callee] += cost
    below: list[Shares] = [{} for _ in part.functions]
    for _ in range(_ROUNDS):
        following: list[defaultdict[str, float]] = [defaultdict(float) for _ in part.functions]
        for caller, callee, cost, mark in edges:
            if caller in outside or callee in outside or not entered[callee]:
                continue
            weight = cost / entered[callee]
            for name, share in below[caller].items():
                following[callee][name] += weight * share
            if mark:
                following[callee][mark] += weight * (1.0 - sum(below[caller].values()))
        moved = max(
            (abs(new[name] - old.get(name, 0.0)) for new, old in zip(following, below, strict=True) for name in new), default=0.0
        )
        below = [dict(shares) for shares in following]
        if moved < _SETTLED:
            break
    return below

"""Two profiles of the same work, box by box: what grew, what shrank, what came and went, and what of that may be chance.

Compared are shares of samples, never rates or counts: a capture that got more samples is not slower. Shares add up to one, so where one
function grows all others shrink a little without being any faster; the times beside them, where somebody measured them, tell.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dualmem_cli.errors import DataError
from dualmem_cli.profile.folded import Profile, Stack, merge
from dualmem_cli.profile.frames import is_group, split_place
from dualmem_cli.profile.shares import design_effect, difference_interval, holm, two_proportions
from dualmem_cli.profile.tree import CallTree

SIGNIFICANT = 0.05
FEWEST = 10
"""A box with fewer samples than this, both sides together, is never significant and is not tested: of two profiles of one size the most
uneven split of nine samples has a chance of 0.004, and a graph has dozens of boxes. The sum of both sides says nothing about their
difference, so that leaving these out does not bend the other tests."""
_STEPS = (0.01, 0.03, 0.10)  # of share: where a colour becomes stronger
_SYSTEM = re.compile(r"(lib[cm]|libpthread|ld-linux.*|libgomp|libstdc\+\+)[.-].*")


@dataclass(frozen=True, slots=True)
class Change:
    """Samples of one box in both profiles, the interval of the difference of their shares (candidate minus baseline, 95 % for each
    by itself), and whether it is significant among all boxes."""

    baseline: int
    candidate: int
    value: float
    low: float
    high: float
    significant: bool

    @property
    def direction(self) -> int:
        """1 grew, -1 shrank, 0 not significantly either."""
        return (self.value > 0) - (self.value < 0) if self.significant else 0


@dataclass(frozen=True, slots=True)
class DifferenceTree:
    """The call trees of both profiles laid over one another. Parallel arrays in preorder, entry 0 the root; `own` are the samples that
    end in a node, of both sides. Siblings stand heaviest first (candidate, then baseline), then by name."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    own: tuple[tuple[int, int], ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class FunctionChange:
    """One function over both whole profiles: its own samples, and those with what it calls (not tested: the graph shows them). For a
    function of the system `caller` is who made most of the difference."""

    name: str
    own: Change
    total: tuple[int, int]
    caller: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that pictures and tables of two profiles are made from. `functions` stand by their change, significant ones first;
    `tested` is how many differences were tested; `identical`: stack for stack the same shares;
    `merged`: functions that vanished, each with its caller whose share grew by about as much: what happens when a compiler inlines. The
    reverse is not looked for, because work that was added looks like it: a new function, and its caller a smaller part of the whole."""

    baseline: Profile
    candidate: Profile
    tree: DifferenceTree
    functions: tuple[FunctionChange, ...]
    tested: int
    design_effect: float
    identical: bool
    notes: tuple[str, ...]
    merged: tuple[tuple[FunctionChange, FunctionChange], ...]

    @property
    def samples(self) -> tuple[int, int]:
        return self.baseline.samples, self.candidate.samples

    def of(self, direction: int) -> tuple[FunctionChange, ...]:
        """The functions that significantly grew (1) or shrank (-1), most first."""
        return tuple(function for function in self.functions if function.own.direction == direction)

    @property
    def differs(self) -> bool:
        return any(change.significant for change in self.tree.changes) or any(f.own.significant for f in self.functions)

    def only(self, side: int) -> tuple[int, int]:
        """Stacks, and their samples, that only one side has: 0 the baseline (vanished), 1 the candidate (new)."""
        counts = [own[side] for own in self.tree.own if own[side] and not own[1 - side]]
        return len(counts), sum(counts)


def pooled_pair(baseline: Sequence[Profile], candidate: Sequence[Profile]) -> tuple[Profile, Profile]:
    """Both sides pooled, with one design effect: the scatter of a few captures is itself not well known, so both are asked."""
    effect = design_effect([[_leaves(capture) for capture in side] for side in (baseline, candidate)])
    first, second = merge(baseline), merge(candidate)
    return replace(first, design_effect=effect), replace(second, design_effect=effect)


def difference(baseline: Profile, candidate: Profile) -> Difference:
    """Compare two profiles. Raises DataError for profiles whose samples do not mean the same, or that have none."""
    for profile, side in ((baseline, "baseline"), (candidate, "candidate")):
        if profile.samples < 1:
            raise DataError(f"the {side}'s profile has no samples", hint="Sample for longer.")
    if (baseline.engine, baseline.event) != (candidate.engine, candidate.event):
        raise DataError(
            f"the baseline was sampled by {baseline.engine} ({baseline.event}), the candidate by {candidate.engine} "
            f"({candidate.event}): their shares do not mean the same",
            hint="Compare captures of one sampler and one event.",
        )
    if candidate.exact:
        raise DataError(
            f"these are counts of {candidate.unit}, not samples: they have no chance to be told from",
            hint=f"dualmem profile SCENARIO --against BASELINE --with {candidate.engine} compares counts.",
        )
    baseline, candidate, notes = _one_library(baseline, candidate)
    effect = max(baseline.design_effect, candidate.design_effect)
    names, parents, own, totals = _laid_over(baseline, candidate)
    functions = _function_counts(baseline, candidate)
    samples = (baseline.samples, candidate.samples)
    # A box that has all samples of its caller is the same set of samples: one hypothesis, tested once.
    distinct = [i for i in range(1, len(names)) if totals[i] != totals[parents[i]] and sum(totals[i]) >= FEWEST]
    asked = [totals[i] for i in distinct] + [counts for counts, _ in functions.values() if sum(counts) >= FEWEST]
    adjusted = iter(holm([two_proportions(counts, samples, design_effect=effect) for counts in asked]))
    verdicts = dict.fromkeys(range(len(names)), False)
    verdicts.update((i, next(adjusted) < SIGNIFICANT) for i in distinct)
    for i in range(1, len(names)):
        if totals[i] == totals[parents[i]]:
            verdicts[i] = verdicts[parents[i]]

    def change(counts: tuple[int, int], *, significant: bool) -> Change:
        value = counts[1] / samples[1] - counts[0] / samples[0]
        low, high = difference_interval(counts, samples, design_effect=effect)
        return Change(*counts, value, low, high, significant)

    callers = _callers(baseline, candidate)
    found = [
        FunctionChange(
            name,
            change(counts, significant=sum(counts) >= FEWEST and next(adjusted) < SIGNIFICANT),
            total,
            callers.get(name, ""),
        )
        for name, (counts, total) in functions.items()
    ]
    ranked = tuple(
        sorted(found, key=lambda f: (not f.own.significant, -abs(f.own.value), -f.own.baseline - f.own.candidate, f.name))
    )
    return Difference(
        baseline=baseline,
        candidate=candidate,
        tree=DifferenceTree(names, parents, own, tuple(change(c, significant=verdicts[i]) for i, c in enumerate(totals))),
        functions=ranked,
        tested=len(asked),
        design_effect=effect,
        identical=_same_shares(baseline, candidate),
        notes=notes,
        merged=_merged(ranked, _direct_callers(baseline, candidate)),
    )


def side_tree(difference_: Difference, side: int, *, gone_only: bool = False) -> tuple[CallTree, tuple[Change, ...]]:
    """The call tree of one side's samples (0 the baseline's, 1 the candidate's), or only of those in stacks that the other side has not,
    with the change of each of its nodes over both whole profiles."""
    tree = difference_.tree
    own = [0 if gone_only and pair[1 - side] else pair[side] for pair in tree.own]
    totals = list(own)
    children: list[list[int]] = [[] for _ in own]
    for node in range(len(own) - 1, 0, -1):
        totals[tree.parents[node]] += totals[node]
        if totals[node]:
            children[tree.parents[node]].append(node)
    order: list[int] = []
    waiting = [0]
    while waiting:
        node = waiting.pop()
        order.append(node)
        below = sorted(children[node], key=lambda i: (-totals[i], tree.names[i]))
        waiting += reversed(below)
    place = {node: at for at, node in enumerate(order)}
    laid = CallTree(
        tuple(tree.names[node] for node in order),
        tuple(place.get(tree.parents[node], -1) for node in order),
        tuple(own[node] for node in order),
        tuple(totals[node] for node in order),
    )
    return laid, tuple(tree.changes[node] for node in order)


def step_of(change: Change) -> int:
    """How strongly a box is coloured: 0 not at all, 1 to 4 grew, -1 to -4 shrank."""
    return change.direction * (1 + sum(abs(change.value) >= step for step in _STEPS))


def relabelled(profile: Profile, objects: dict[str, str]) -> Profile:
    """The profile with shared objects called otherwise, by the names of their files."""
    return _renamed(profile, {place: label for place, label in objects.items() if place != label})


def _same_shares(baseline: Profile, candidate: Profile) -> bool:
    first, second = dict(baseline.stacks), dict(candidate.stacks)
    n, m = baseline.samples, candidate.samples
    return first.keys() == second.keys() and all(first[stack] * m == second[stack] * n for stack in first)


def _leaves(profile: Profile) -> Counter[str]:
    leaves: Counter[str] = Counter()
    for stack, count in profile.stacks:
        leaves[stack[-1] if stack else ""] += count
    return leaves


def _laid_over(
    baseline: Profile, candidate: Profile
) -> tuple[tuple[str, ...], tuple[int, ...], tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    """Names, parents, own samples and totals of the merged tree, in preorder."""
    names, parents, own, totals = ["all"], [-1], [[0, 0]], [[baseline.samples, candidate.samples]]
    children: list[dict[str, int]] = [{}]
    for side, profile in enumerate((baseline, candidate)):
        for stack, count in profile.stacks:
            node = 0
            for name in stack:
                child = children[node].get(name)
                if child is None:
                    child = children[node][name] = len(names)
                    names.append(name)
                    parents.append(node)
                    own.append([0, 0])
                    totals.append([0, 0])
                    children.append({})
                node = child
                totals[node][side] += count
            own[node][side] += count
    order: list[int] = []
    waiting = [0]  # an explicit stack: call chains are deeper than Python's own limit
    while waiting:
        node = waiting.pop()
        order.append(node)
        below = sorted(children[node].values(), key=lambda i: (-totals[i][1], -totals[i][0], names[i]))
        waiting += reversed(below)
    place = {node: at for at, node in enumerate(order)}
    return (
        tuple(names[i] for i in order),
        tuple(place.get(parents[i], -1) for i in order),
        tuple((own[i][0], own[i][1]) for i in order),
        tuple((totals[i][0], totals[i][1]) for i in order),
    )


def _function_counts(baseline: Profile, candidate: Profile) -> dict[str, tuple[tuple[int, int], tuple[int, int]]]:
    """Own and total samples of each function on both sides, by name."""
    own: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    total: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for side, profile in enumerate((baseline, candidate)):
        for stack, count in profile.stacks:
            for name in set(stack):
                total[side][name] += count
            if stack:
                own[side][stack[-1]] += count
    names = sorted(total[0].keys() | total[1].keys())
    return {name: ((own[0][name], own[1][name]), (total[0][name], total[1][name])) for name in names}


def is_system(name: str) -> bool:
    """Whether a function belongs to the system rather than to the program: somebody calls it, and that is the news."""
    return is_group(name) or bool(_SYSTEM.fullmatch(split_place(name)[1]))


def _callers(baseline: Profile, candidate: Profile) -> dict[str, str]:
    """For each function of the system the function of the program that made most of its difference."""
    by: dict[str, Counter[str]] = {}
    for profile, sign in ((baseline, -1.0), (candidate, 1.0)):
        for stack, count in profile.stacks:
            if stack and is_system(stack[-1]):
                caller = next((name for name in reversed(stack[:-1]) if not is_system(name)), "")
                counts = by.setdefault(stack[-1], Counter())
                counts[caller] += sign * count / profile.samples  # type: ignore[assignment]
    return {name: max(sorted(counts), key=lambda caller: abs(counts[caller])) for name, counts in by.items()}


def _direct_callers(baseline: Profile, candidate: Profile) -> dict[str, str]:
    """For each function that ends a stack the one that called it in most of its own samples, of both sides."""
    by: dict[str, Counter[str]] = {}
    for profile in (baseline, candidate):
        for stack, count in profile.stacks:
            if len(stack) > 1:
                by.setdefault(stack[-1], Counter())[stack[-2]] += count
    return {name: max(sorted(counts), key=lambda caller: counts[caller]) for name, counts in by.items()}


def _merged(functions: Sequence[FunctionChange], callers: dict[str, str]) -> tuple[tuple[FunctionChange, FunctionChange], ...]:
    by_name = {function.name: function for function in functions}
    vanished = [function for function in functions if function.total[1] == 0]
    pairs = [(function, by_name.get(callers.get(function.name, ""))) for function in vanished]
    return tuple(
        (function, caller)
        for function, caller in pairs
        if caller is not None
        and (function.own.direction, caller.own.direction) == (-1, 1)
        and abs(function.own.value + caller.own.value) <= 0.25 * abs(function.own.value)
    )


def _one_library(baseline: Profile, candidate: Profile) -> tuple[Profile, Profile, tuple[str, ...]]:
    """Two builds of one library may lie in files of different names; by these names all their functions would be new. A pair of objects
    that each only one side has, and that have functions of one name, is taken as one."""
    places = [_objects(baseline), _objects(candidate)]
    old, new = places[0].keys() - places[1].keys(), places[1].keys() - places[0].keys()
    pairs = sorted(((len(places[0][a] & places[1][b]), a, b) for a in old for b in new), key=lambda p: (-p[0], p[1], p[2]))
    if not pairs or not pairs[0][0]:
        return baseline, candidate, ()
    _, first, second = pairs[0]
    return (
        _renamed(baseline, {first: second}),
        candidate,
        (f"{first} of the baseline and {second} of the candidate are taken as one",),
    )


def _objects(profile: Profile) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for stack, _ in profile.stacks:
        for frame in stack:
            name, place = split_place(frame)
            if ".so" in place:
                found.setdefault(place, set()).add(name)
    return found


def _renamed(profile: Profile, objects: dict[str, str]) -> Profile:
    def renamed(frame: str) -> str:
        name, place = split_place(frame)
        return f"{name} ({objects[place]})" if place in objects else frame

    stacks: Counter[Stack] = Counter()
    for stack, count in profile.stacks:
        stacks[tuple(map(renamed, stack))] += count
    return replace(profile, stacks=tuple(sorted(stacks.items())))

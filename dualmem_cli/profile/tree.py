"""The call tree of a profile and its functions: what every picture is drawn from."""

from collections import Counter
from dataclasses import dataclass, field

from dualmem_cli.profile.folded import Profile


@dataclass(frozen=True, slots=True)
class CallTree:
    """Parallel arrays in preorder, entry 0 the root "all". Siblings stand heaviest first, then by name: the same samples give the same
    picture. `self_samples` are samples whose leaf is the node, `samples` those that pass through it."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    self_samples: tuple[int, ...]
    samples: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FunctionShare:
    """Samples of one function over the whole profile. A stack that holds a function twice counts once in `samples`."""

    name: str
    self_samples: int
    samples: int


@dataclass(slots=True)
class _Node:
    name: str
    parent: int = -1
    own: int = 0
    total: int = 0
    children: dict[str, "_Node"] = field(default_factory=dict)


def call_tree(profile: Profile) -> CallTree:
    """Merge the stacks of a profile by common prefix."""
    root = _Node("all", total=profile.samples)
    for stack, count in profile.stacks:
        node = root
        for name in stack:
            node = node.children.setdefault(name, _Node(name))
            node.total += count
        node.own += count
    order: list[_Node] = []
    waiting = [root]  # an explicit stack: call chains are deeper than Python's own limit
    while waiting:
        node = waiting.pop()
        children = sorted(node.children.values(), key=lambda child: (-child.total, child.name))
        for child in children:
            child.parent = len(order)
        order.append(node)
        waiting += reversed(children)
    return CallTree(
        tuple(node.name for node in order),
        tuple(node.parent for node in order),
        tuple(node.own for node in order),
        tuple(node.total for node in order),
    )


def function_shares(profile: Profile) -> tuple[FunctionShare, ...]:
    """All functions, the one with most samples of its own first."""
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for stack, count in profile.stacks:
        for name in set(stack):
            total[name] += count
        if stack:
            own[stack[-1]] += count
    shares = (FunctionShare(name, own[name], total[name]) for name in total)
    return tuple(sorted(shares, key=lambda share: (-share.self_samples, -share.samples, share.name)))

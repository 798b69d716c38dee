"""The mean over workers that come in blocks.

Workers alternate between two orders of set-up, and the order moves the ratio: whoever is set up first gets other pages. Measured
on a store of 100,000 concepts: -3 % with one order, +3 % with the other, 2.3 % of scatter within each. The mean over both is unbiased
either way; but an error estimated across both orders is then too large by half, and twice the workers are wanted. So the scatter is
taken within the blocks (a randomised block design: Fisher, The Design of Experiments, 1935, chapter IV).
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True, slots=True)
class BlockedMean:
    """The mean of the blocks' means, its standard error, and the degrees of freedom of that (0: the error is not known)."""

    value: float
    error: float
    freedom: int


def blocked_mean(values: Sequence[float], blocks: Sequence[Hashable]) -> BlockedMean:
    """The mean in which every block weighs the same, with the error from the scatter within blocks, pooled over them. Raises ValueError
    without any value."""
    if not values:
        raise ValueError("a mean needs at least one value")
    members: dict[Hashable, list[float]] = {}
    for value, block in zip(values, blocks, strict=True):
        members.setdefault(block, []).append(value)
    means = {block: fmean(own) for block, own in members.items()}
    freedom = len(values) - len(members)
    centre = fmean(means.values())
    if freedom == 0:
        return BlockedMean(centre, math.inf, 0)
    squares = math.fsum((value - means[block]) ** 2 for block, own in members.items() for value in own)
    spread = math.fsum(1.0 / len(own) for own in members.values()) / len(members) ** 2
    return BlockedMean(centre, math.sqrt(squares / freedom * spread), freedom)

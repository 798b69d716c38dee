"""What a self-test tries: which pairs of builds, under which load, how often, and in which order."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from dualmem_cli.model.selftest import Load, Pair

KINDS = ("compute", "memory", "latency", "nanosecond", "millisecond")
SIZES = (2, 3, 4, 5, 6, 8, 10)  # per cent of work planted
_QUICK_SIZES = (4, 6, 10)
ROUNDS = 20
SUITE = 20  # the suite whose error budget a trial shares: the size that the contract is stated for


@dataclass(frozen=True, slots=True)
class Visit:
    """Some trials of one cell in a row. `percent` is the work planted in the candidate."""

    kind: str
    pair: Pair
    percent: int
    trials: int


@dataclass(frozen=True, slots=True)
class Block:
    """Visits under one load: it is started once for all of them."""

    load: Load
    visits: tuple[Visit, ...]


def full_blocks(loads: Sequence[Load], pairs: Sequence[Pair], *, rounds: int, seed: int) -> tuple[Block, ...]:
    """Twenty rounds make 80 trials of copies, 40 of inert recompiles and 60 of each planted size for every kind and load: with all five
    loads 3,000 decisions without a difference and 300 per size and load. Every round has all cells of the `pairs` asked for, so that a
    run that is ended early is a smaller one and not a lopsided one; three trials of a cell follow each other, for the rules that
    compare in turn."""
    visits = [
        visit
        for kind in KINDS
        for visit in (
            Visit(kind, Pair.COPY, 0, trials=4),
            Visit(kind, Pair.INERT, 0, trials=2),
            *(Visit(kind, Pair.PLANTED, size, trials=3) for size in SIZES),
        )
        if visit.pair in pairs
    ]
    return _shuffled([(load, visits) for load in loads], rounds=rounds, seed=seed)


def quick_blocks(loads: Sequence[Load], *, seed: int) -> tuple[Block, ...]:
    """About a minute with all five loads. Every kind meets every load once without a difference and once with work planted: by turns one of
    the sizes at the edges of the contract, so that every kind and every load meets all of them."""
    wanted = []
    for turn, load in enumerate(loads):
        visits = [
            visit
            for place, kind in enumerate(KINDS)
            for visit in (
                Visit(kind, Pair.COPY, 0, trials=1),
                Visit(kind, Pair.PLANTED, _QUICK_SIZES[(turn + place) % len(_QUICK_SIZES)], trials=1),
            )
        ]
        inert = [Visit(kind, Pair.INERT, 0, trials=1) for kind in KINDS]
        wanted.append((load, [*visits, *inert] if load is Load.IDLE else visits))
    return _shuffled(wanted, rounds=1, seed=seed)


def _shuffled(wanted: list[tuple[Load, list[Visit]]], *, rounds: int, seed: int) -> tuple[Block, ...]:
    random = Random(seed)
    blocks = []
    for _ in range(rounds):
        for load, visits in random.sample(wanted, len(wanted)):
            blocks.append(Block(load, tuple(random.sample(visits, len(visits)))))
    return tuple(blocks)

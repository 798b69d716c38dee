"""What a self-test tries: the numbers that the contract asks for, in an order in which a shorter run is a smaller one."""

from collections import Counter

from dualmem_cli.model.selftest import Load, Pair
from dualmem_cli.plan.trials import KINDS, ROUNDS, SIZES, full_blocks, quick_blocks


def counted(rounds: int) -> Counter[tuple[Load, Pair, int]]:
    found: Counter[tuple[Load, Pair, int]] = Counter()
    for block in full_blocks(tuple(Load), tuple(Pair), rounds=rounds, seed=1):
        for visit in block.visits:
            found[block.load, visit.pair, visit.percent] += visit.trials
    return found


def test_a_full_run_has_what_the_contract_asks_for() -> None:
    found = counted(ROUNDS)
    silent = sum(count for (_, pair, _), count in found.items() if pair is not Pair.PLANTED)
    assert silent == 3000
    assert sum(count for (_, pair, _), count in found.items() if pair is Pair.INERT) == 1000
    assert {count for (_, pair, _), count in found.items() if pair is Pair.PLANTED} == {300}
    assert len(found) == len(Load) * (2 + len(SIZES))


def test_every_round_has_every_cell() -> None:
    assert {cell: 20 * count for cell, count in counted(1).items()} == counted(20)


def test_loads_and_visits_are_shuffled_by_the_seed() -> None:
    loads = tuple(Load)
    one, same, other = (full_blocks(loads, tuple(Pair), rounds=2, seed=seed) for seed in (1, 1, 2))
    assert one == same != other
    assert {block.load for block in one[:5]} == set(loads)


def test_a_quick_run_is_small_and_has_every_kind() -> None:
    blocks = quick_blocks(tuple(Load), seed=1)
    assert len(blocks) == len(Load)
    cells = [(block.load, visit.kind, visit.percent) for block in blocks for visit in block.visits]
    assert {(load, kind, percent > 0) for load, kind, percent in cells} == {
        (load, kind, planted) for load in Load for kind in KINDS for planted in (False, True)
    }
    for by in (0, 1):  # whatever the load, whatever the kind
        assert {(cell[by], cell[2]) for cell in cells} == {(cell[by], percent) for cell in cells for percent in (0, 4, 6, 10)}
    assert sum(visit.trials for block in blocks for visit in block.visits) == 55


def test_only_the_pairs_asked_for_are_tried() -> None:
    blocks = full_blocks((Load.IDLE,), (Pair.COPY, Pair.INERT), rounds=1, seed=1)
    assert {visit.pair for block in blocks for visit in block.visits} == {Pair.COPY, Pair.INERT}
    assert sum(visit.trials for block in blocks for visit in block.visits) == len(KINDS) * 6

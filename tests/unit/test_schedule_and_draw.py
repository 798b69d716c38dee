"""Schedules and draws: mirrored, balanced, reproducible."""

from collections import Counter
from itertools import product

import pytest

from dualmem_cli.model.plan import Draw
from dualmem_cli.plan.draw import draw_worker
from dualmem_cli.plan.schedule import halfway, mirrored


@pytest.mark.parametrize("arms", range(1, 11))
@pytest.mark.parametrize("samples", [1, 2, 7, 60])
def test_every_block_is_a_permutation_and_its_mirror_image(arms: int, samples: int) -> None:
    schedule = mirrored(arms=arms, samples=samples, seed=3)
    even = samples + samples % 2
    assert Counter(schedule) == {str(arm): even for arm in range(arms)}
    blocks = [schedule[start : start + 2 * arms] for start in range(0, len(schedule), 2 * arms)]
    for block in blocks:
        assert block == block[::-1]
        assert sorted(block[:arms]) == [str(arm) for arm in range(arms)]


@pytest.mark.parametrize("arms", [2, 3, 5])
def test_a_linear_drift_cancels_exactly_within_every_block(arms: int) -> None:
    schedule = mirrored(arms=arms, samples=50, seed=11)
    for start in range(0, len(schedule), 2 * arms):
        block = schedule[start : start + 2 * arms]
        sums = {digit: sum(index for index, other in enumerate(block) if other == digit) for digit in set(block)}
        assert len(set(sums.values())) == 1


@pytest.mark.parametrize("samples", [1, 2, 3, 10, 32, 33, 40, 80])
def test_halfway_is_a_border_of_blocks_with_as_many_of_each_arm_before(samples: int) -> None:
    schedule = mirrored(arms=2, samples=samples, seed=4)
    half = halfway(schedule, arms=2)
    before, after = Counter(schedule[:half]), Counter(schedule[half:])
    assert half % 4 == 0
    assert before["0"] == before["1"] and after["0"] == after["1"]
    assert 0 <= after["0"] - before["0"] <= 2


def test_schedules_follow_their_seed() -> None:
    first = mirrored(arms=3, samples=40, seed=1)
    assert first == mirrored(arms=3, samples=40, seed=1)
    assert first != mirrored(arms=3, samples=40, seed=2)


def test_every_order_comes_up() -> None:
    schedule = mirrored(arms=3, samples=2000, seed=9)
    orders = Counter(schedule[start : start + 3] for start in range(0, len(schedule), 6))
    assert len(orders) == 6
    assert min(orders.values()) > 1000 / 6 * 0.7


@pytest.mark.parametrize("arms", [0, 11, -1])
def test_a_schedule_has_one_digit_per_arm(arms: int) -> None:
    with pytest.raises(ValueError, match="1 to 10 arms"):
        mirrored(arms=arms, samples=4, seed=1)


def draws(
    count: int, *, cpus: tuple[int, ...] = (0, 1), links: tuple[int, ...] = (4, 4), arms: int = 2, seed: int = 5
) -> list[Draw]:
    return [draw_worker(index=index, seed=seed, arms=arms, cpus=cpus, links=links) for index in range(count)]


def is_balanced(counts: Counter[object], kinds: int) -> bool:
    return len(counts) == kinds and max(counts.values()) == min(counts.values())


@pytest.mark.parametrize("links", [(4, 4), (4, 1), (1, 4), (4, 2), (2, 4), (3, 4), (4, 3), (2, 3), (1, 1), (6, 4)])
@pytest.mark.parametrize("seed", [1, 2, 77])
def test_links_take_turns_and_every_pair_of_them_runs(links: tuple[int, int], seed: int) -> None:
    first, second = links
    made = draws(first * second, links=links, seed=seed)
    assert is_balanced(Counter(draw.links[0] for draw in made), first)
    assert is_balanced(Counter(draw.links[1] for draw in made), second)
    assert {draw.links for draw in made} == set(product(range(first), range(second))), "a Latin square: every pair once"
    if first == second:
        begun = made[:first]
        assert is_balanced(Counter(draw.links[0] for draw in begun), first)
        assert is_balanced(Counter(draw.links[1] for draw in begun), second)


@pytest.mark.parametrize("cpus", [(0,), (0, 1), (2, 5, 7), (0, 1, 2, 3)])
def test_processors_take_turns_and_each_runs_both_orders(cpus: tuple[int, ...]) -> None:
    made = draws(2 * len(cpus), cpus=cpus, links=(1, 1))
    assert is_balanced(Counter(draw.cpu for draw in made), len(cpus))
    assert is_balanced(Counter((draw.cpu, draw.order) for draw in made), 2 * len(cpus))


@pytest.mark.parametrize("links", [(4, 4), (4, 1), (2, 2)])
def test_no_link_is_tied_to_a_processor(links: tuple[int, int]) -> None:
    """Were cpu and link both functions of index modulo 4, link 0 would run on one processor only, and a difference between
    the processors would pass for one between the layouts."""
    made = draws(64, links=links)
    for build, count in enumerate(links):
        assert is_balanced(Counter((draw.cpu, draw.links[build]) for draw in made), 2 * count)


def test_without_processors_nothing_is_pinned() -> None:
    assert {draw.cpu for draw in draws(8, cpus=())} == {None}


@pytest.mark.parametrize("arms", [1, 2, 3, 5])
def test_neighbouring_workers_set_up_in_opposite_orders(arms: int) -> None:
    made = draws(40, arms=arms)
    for one, other in zip(made[::2], made[1::2], strict=True):
        assert one.order == other.order[::-1]
        assert sorted(one.order) == list(range(arms))


def test_offsets_are_what_the_protocol_allows_and_differ() -> None:
    made = draws(400)
    assert all(draw.placement % 64 == 0 and 0 <= draw.placement < 4096 for draw in made)
    assert all(draw.stack % 16 == 0 and 0 <= draw.stack < 4096 for draw in made)
    assert all(0 <= draw.environment < 4096 for draw in made)
    assert len({draw.placement for draw in made}) == 64
    assert len({draw.stack for draw in made}) > 150
    assert len({draw.environment for draw in made}) > 300


def test_a_draw_is_reproducible_and_depends_on_the_seed() -> None:
    assert draws(20) == draws(20)
    assert draws(20) != draws(20, seed=6)


def test_a_draw_does_not_depend_on_how_many_there_are() -> None:
    """A compare does not know how many workers it will need."""
    assert draws(7) == draws(30)[:7]

"""How many samples a worker takes, and the noise that decides it."""

import math
from random import Random

import pytest
from fabricated import samples

from dualmem_cli.plan.effort import FEWEST, MOST, WANTED_ERROR, samples_per_worker
from dualmem_cli.stats.pairs import pair_noise


def wanted(noise: float, *, taken_ns: float = 1e5, chosen: int | None = None) -> int:
    return samples_per_worker(chosen, noise=noise, sample_ns=1e5, taken_ns=taken_ns)


def test_a_quiet_case_takes_few_and_a_noisy_one_many() -> None:
    assert wanted(0.0) == wanted(0.001) == FEWEST
    assert wanted(1.0) == wanted(1.0, taken_ns=9e4) == wanted(math.inf) == MOST


@pytest.mark.parametrize("noise", [0.025, 0.03, 0.05])
def test_the_median_of_so_many_is_as_good_as_wanted(noise: float) -> None:
    """Against the scatter of medians of normal samples."""
    random = Random(1)
    count = wanted(noise)
    assert FEWEST < count < MOST
    medians = [sorted(random.gauss(0, noise) for _ in range(count))[count // 2] for _ in range(2000)]
    scatter = math.sqrt(math.fsum(value * value for value in medians) / len(medians))
    assert scatter == pytest.approx(WANTED_ERROR, rel=0.1)


def test_long_operations_take_fewer_but_ten() -> None:
    assert wanted(1.0, taken_ns=1e6) == MOST // 10
    assert wanted(0.0, taken_ns=1e6) == MOST // 10
    assert wanted(0.0, taken_ns=1e8) == 10


def test_what_the_scenario_says_is_done() -> None:
    assert wanted(1.0, chosen=80) == wanted(0.0, chosen=80) == 80
    assert wanted(0.0, chosen=80, taken_ns=2e5) == 40
    assert wanted(0.0, chosen=12) == 12


def test_noise_is_that_of_one_pair() -> None:
    random = Random(2)
    times = [round(1e6 * math.exp(random.gauss(0, 0.05))) for _ in range(4000)]
    assert pair_noise(samples("01" * 2000, times)) == pytest.approx(0.05 * math.sqrt(2), rel=0.05)


def test_an_arm_that_is_slower_is_no_noise() -> None:
    assert pair_noise(samples("01" * 20, [100, 300] * 20)) == 0.0
    assert pair_noise(samples("0", [100])) == 0.0
    assert pair_noise(samples("00", [0, 0])) == 0.0

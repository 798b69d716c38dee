"""How long a worker warms up, how many samples it takes, and the noise that decides it."""

import math
from random import Random

import pytest
from fabricated import samples
from scipy import stats

from dualmem_cli.plan.effort import FEWEST, MOST, NOISY_WARMUP_NS, QUIET_WARMUP_NS, WANTED_ERROR, Effort, effort
from dualmem_cli.stats.pairs import midmean, pair_noise


def found(noise: float, *, taken_ns: float = 1e5, samples: int | None = None, warmup_ns: float | None = None) -> Effort:
    return effort(samples=samples, warmup_ns=warmup_ns, noise=noise, sample_ns=1e5, taken_ns=taken_ns)


def test_a_quiet_case_takes_few_and_a_noisy_one_many() -> None:
    assert found(0.0) == found(0.001) == Effort(QUIET_WARMUP_NS, FEWEST)
    assert found(1.0) == found(1.0, taken_ns=9e4) == found(math.inf) == Effort(NOISY_WARMUP_NS, MOST)


@pytest.mark.parametrize("noise", [0.025, 0.028, 0.032])
def test_the_midmean_of_so_many_is_as_good_as_wanted(noise: float) -> None:
    """Against the scatter of midmeans of normal samples."""
    random = Random(1)
    count = found(noise).samples
    assert FEWEST < count < MOST
    means = [midmean([random.gauss(0, noise) for _ in range(count)]) for _ in range(2000)]
    assert stats.tstd(means) == pytest.approx(WANTED_ERROR, rel=0.1)


def test_long_operations_take_fewer_but_ten() -> None:
    assert found(1.0, taken_ns=1e6).samples == found(0.0, taken_ns=1e6).samples == 32
    assert found(0.0, taken_ns=1e8).samples == found(math.inf, taken_ns=1e8).samples == 10


def test_what_the_scenario_says_is_done() -> None:
    assert found(1.0, samples=100).samples == found(0.0, samples=100).samples == 100
    assert found(0.0, samples=80, taken_ns=2e5).samples == 40
    assert found(0.0, samples=12).samples == 12
    assert found(0.0, warmup_ns=7e6) == Effort(7e6, FEWEST)
    assert found(1.0, warmup_ns=0.0) == Effort(0.0, MOST)


def test_noise_is_that_of_one_pair() -> None:
    random = Random(2)
    times = [round(1e6 * math.exp(random.gauss(0, 0.05))) for _ in range(4000)]
    assert pair_noise(samples("01" * 2000, times)) == pytest.approx(0.05 * math.sqrt(2), rel=0.05)


def test_an_arm_that_is_slower_is_no_noise() -> None:
    assert pair_noise(samples("01" * 20, [100, 300] * 20)) == 0.0
    assert pair_noise(samples("0", [100])) == 0.0
    assert pair_noise(samples("00", [0, 0])) == 0.0

"""A regression that shows in some code layouts only is told from one that shows in all."""

import math
from random import Random

import pytest
from scipy import stats as scipy_stats

from dualmem_cli.judge.layout import _tail, is_layout_sensitive

PAIRS = [(old, new) for old in range(4) for new in range(4)]


def logs(slow: dict[int, float], *, noise: float, side: int, seed: int = 1) -> list[float]:
    """One worker per pair of links; `slow` is the change by the link of one side."""
    random = Random(seed)
    return [math.log1p(slow[pair[side]]) + random.gauss(0, noise) for pair in PAIRS]


@pytest.mark.parametrize("side", [0, 1])
def test_one_slow_layout_is_sensitive_and_an_even_slowdown_is_not(side: int) -> None:
    assert is_layout_sensitive(logs({0: 0.0, 1: 0.0, 2: 0.0, 3: 0.3}, noise=0.004, side=side), PAIRS, threshold=0.05)
    assert not is_layout_sensitive(logs(dict.fromkeys(range(4), 0.08), noise=0.004, side=side), PAIRS, threshold=0.05)


def test_layouts_that_all_lie_above_the_threshold_agree_however_they_differ() -> None:
    assert not is_layout_sensitive(logs({0: 0.08, 1: 0.1, 2: 0.2, 3: 0.3}, noise=0.001, side=1), PAIRS, threshold=0.05)


def test_noise_alone_is_rarely_called_a_layout_effect() -> None:
    called = sum(
        is_layout_sensitive(logs(dict.fromkeys(range(4), 0.05), noise=0.02, side=1, seed=seed), PAIRS, threshold=0.05)
        for seed in range(1000)
    )
    assert called <= 8  # two tests of 0.1 % each: 2 expected


def test_the_tail_is_that_of_the_f_distribution() -> None:
    random = Random(3)
    for _ in range(20):
        groups = [[random.gauss(shift, 1.0) for _ in range(random.randint(2, 9))] for shift in (0.0, 0.3, 1.0)]
        assert _tail(groups) == pytest.approx(scipy_stats.f_oneway(*groups).pvalue, rel=1e-6)


def test_without_scatter_there_is_an_answer() -> None:
    assert _tail([[0.1], [0.2]]) == 1.0
    assert _tail([[0.1, 0.1], [0.2, 0.2]]) == 0.0
    assert _tail([[0.1, 0.1], [0.1, 0.1]]) == 1.0

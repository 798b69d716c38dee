"""The mean over workers in blocks, held against least squares with a term for every block."""

import math
from random import Random

import numpy as np
import pytest

from dualmem_cli.stats.blocks import blocked_mean


def least_squares(values: list[float], blocks: list[str]) -> tuple[float, float, int]:
    """Mean of the blocks' levels, its standard error and the residual degrees of freedom, from numpy."""
    names = sorted(set(blocks))
    design = np.array([[float(block == name) for name in names] for block in blocks])
    levels = np.linalg.lstsq(design, np.array(values), rcond=None)[0]
    residuals = np.array(values) - design @ levels
    freedom = len(values) - len(names)
    weights = np.full(len(names), 1.0 / len(names))
    variance = residuals @ residuals / freedom * (weights @ np.linalg.inv(design.T @ design) @ weights)
    return float(weights @ levels), math.sqrt(variance), freedom


@pytest.mark.parametrize("sizes", [(3, 3), (1, 5), (4,), (12, 13), (2, 3, 7), (1, 1, 2)])
def test_it_is_least_squares_with_a_term_per_block(sizes: tuple[int, ...]) -> None:
    random = Random(str(sizes))
    pairs = [(random.gauss(3.0 * block, 1.0), "abc"[block]) for block, size in enumerate(sizes) for _ in range(size)]
    random.shuffle(pairs)
    values, blocks = [value for value, _ in pairs], [block for _, block in pairs]
    value, error, freedom = least_squares(values, blocks)
    found = blocked_mean(values, blocks)
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.error == pytest.approx(error, rel=1e-12)
    assert found.freedom == freedom


def test_what_lies_between_the_blocks_is_no_error() -> None:
    values, blocks = [0.1, 0.12, -0.1, -0.08], [0, 0, 1, 1]
    moved = [value + 9.0 * block for value, block in zip(values, blocks, strict=True)]
    near, far = blocked_mean(values, blocks), blocked_mean(moved, blocks)
    assert far.error == pytest.approx(near.error)
    assert far.value == pytest.approx(near.value + 4.5)


def test_without_blocks_it_is_the_plain_standard_error() -> None:
    values = [0.3, 0.1, 0.4, 0.1, 0.5]
    found = blocked_mean(values, ["x"] * 5)
    assert found.value == pytest.approx(np.mean(values))
    assert found.error == pytest.approx(np.std(values, ddof=1) / math.sqrt(5))
    assert found.freedom == 4


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.1]])
def test_one_value_a_block_says_nothing_about_its_error(values: list[float]) -> None:
    found = blocked_mean(values, range(len(values)))
    assert found.value == pytest.approx(np.mean(values))
    assert (found.error, found.freedom) == (math.inf, 0)


def test_nothing_and_sides_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        blocked_mean([], [])
    with pytest.raises(ValueError, match="shorter"):
        blocked_mean([1.0, 2.0], [0])

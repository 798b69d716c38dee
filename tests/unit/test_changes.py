"""Change points on series whose truth is known. The published figures are of docs/explanation/history.py, whose functions these are."""

import importlib.util
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

from dualmem_cli.stats import changes
from dualmem_cli.stats.changes import exact_steps, shape, slope

WIDENED = (1 + changes.LEAST_CORRELATION) / (1 - changes.LEAST_CORRELATION)


@pytest.fixture(scope="module")
def program() -> ModuleType:
    path = Path(__file__).parents[2] / "docs" / "explanation" / "history.py"
    spec = importlib.util.spec_from_file_location("history_figures", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("correlation", "most"), [(0.0, 0.02), (0.3, 0.04), (0.6, 0.12)])
@pytest.mark.parametrize("count", [10, 30])
def test_noise_alone_is_rarely_a_change(program: ModuleType, correlation: float, most: float, count: int) -> None:
    change, drift = program.false_changes(program.correlated(correlation), count, trials=120, seed=11)
    assert change <= most
    assert drift <= most


@pytest.mark.parametrize(("size", "least"), [(0.03, 0.85), (0.05, 0.97), (0.08, 0.99)])
def test_a_step_is_found_beside_its_place(program: ModuleType, size: float, least: float) -> None:
    found = program.step(size, 40, 25, trials=80, seed=12)
    assert found.near >= least
    assert found.covered >= 0.9
    assert found.placed >= 0.9


def test_a_step_of_three_records_is_news_already(program: ModuleType) -> None:
    assert program.step(0.08, 30, 27, trials=100, seed=13).near >= 0.95


def test_outliers_are_no_changes_and_hide_none(program: ModuleType) -> None:
    change, _ = program.false_changes(program.with_outliers, 30, trials=100, seed=14)
    assert change <= 0.08  # three busy records of five look like a change
    assert program.step(0.08, 30, 15, trials=100, seed=15, noise=program.with_outliers).near >= 0.75


def test_three_busy_records_that_disagree_are_no_level() -> None:
    values = np.random.default_rng(4).normal(0, 0.01, 60)
    values[30:33] += (0.1, 0.2, 0.3)
    assert shape(list(values)).steps == ()
    values[30:33] = (0.2, 0.205, 0.195)
    assert [step.at for step in shape(list(values)).steps] == [30, 33]


def test_a_drift_is_told_as_one(program: ModuleType) -> None:
    told, steps = program.drift(0.10, 30, trials=100, seed=16)
    assert told >= 0.9
    assert steps <= 0.1


def test_two_steps_up_and_down() -> None:
    values = np.random.default_rng(5).normal(0, 0.01, 45)
    values[15:30] += 0.08
    found = shape(list(values))
    assert [step.at for step in found.steps] == [15, 30]
    assert found.steps[0].size > 0 > found.steps[1].size


def test_size_and_interval_are_those_of_a_t_test() -> None:
    values = np.random.default_rng(6).normal(0, 0.01, 40)
    values[22:] += 0.06
    (step,) = shape(list(values)).steps
    assert step.at == 22
    left, right = values[:22], values[22:]
    squares = ((left - left.mean()) ** 2).sum() + ((right - right.mean()) ** 2).sum()
    variances = [max(squares / 38, part.var(ddof=1)) * WIDENED / len(part) for part in (left, right)]
    error = math.sqrt(sum(variances))
    half = stats.t.ppf(0.975, 38 / WIDENED) * error
    assert step.size == pytest.approx(right.mean() - left.mean())
    assert (step.low, step.high) == pytest.approx((step.size - half, step.size + half))


def test_the_places_are_those_whose_likelihood_is_near_the_best() -> None:
    values = np.random.default_rng(8).normal(0, 0.01, 30)
    values[14:] += 0.035
    (step,) = shape(list(values)).steps

    def rest(cut: int) -> float:
        return float(sum(((part - part.mean()) ** 2).sum() for part in (values[:cut], values[cut:])))

    variance = rest(step.at) / 28 * WIDENED
    wanted = -2 * math.log(1 - math.sqrt(0.95))
    likely = [cut for cut in range(1, 30) if (rest(cut) - rest(step.at)) / variance <= wanted]
    assert (step.earliest, step.latest) == (min(likely), max(likely))
    assert step.earliest <= 14 <= step.latest
    best = min(range(3, 28), key=rest)  # no cut with three records on each side is more likely
    assert step.at == best


def test_a_slope_is_a_least_squares_line() -> None:
    values = np.random.default_rng(9).normal(0, 0.01, 25) + np.linspace(0, 0.02, 25)
    found = slope(list(values))
    line = stats.linregress(np.arange(25), values)
    half = stats.t.ppf(0.975, 23 / WIDENED) * line.stderr * 24 * math.sqrt(WIDENED)
    assert found is not None
    assert found.rise == pytest.approx(line.slope * 24)
    assert (found.low, found.high) == pytest.approx((found.rise - half, found.rise + half))


def test_autocorrelation_widens_the_interval() -> None:
    random = np.random.default_rng(10)
    values = random.normal(0, 0.01, 120)
    for at in range(1, 120):
        values[at] += 0.8 * values[at - 1]
    found = slope(list(values))
    line = stats.linregress(np.arange(120), values)
    assert found is not None
    assert found.high - found.rise > 2 * stats.t.ppf(0.975, 118) * line.stderr * 119


def test_autocorrelation_is_not_taken_across_a_change() -> None:
    left = np.random.default_rng(3).normal(0, 1, 40)
    left[20:] += 0.9 * left[19]  # a pair of neighbours that are of two levels
    for at in [*range(1, 20), *range(21, 40)]:
        left[at] += 0.7 * left[at - 1]
    left[19], left[20] = 5.0, 5.0
    parts = (left[:20], left[20:])
    found = sum(float(part[1:] @ part[:-1]) for part in parts) / float(left @ left)
    r = found + (2 + 3 * max(found, 0.0)) / 40
    assert changes.LEAST_CORRELATION < r < 0.9
    assert changes._widened(left, [20, 20]) == pytest.approx((1 + r) / (1 - r))


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0], [1.0] * 5, [0.0] * 30, [1.0, 1.1, 0.9, 5.0, 5.1]])
def test_too_few_or_too_equal_values_have_no_shape(values: list[float]) -> None:
    assert shape(values).steps == ()
    assert shape(values).drift is None


def test_a_step_without_any_noise() -> None:
    (step,) = shape([1.0] * 6 + [2.0] * 6).steps
    assert (step.at, step.earliest, step.latest, step.size, step.low, step.high) == (6, 6, 6, 1.0, 1.0, 1.0)


def test_exact_values_change_where_they_differ() -> None:
    found = exact_steps([4.0, 4.0, 6.0, 6.0, 6.0, 5.0])
    assert [(step.at, step.size, step.low, step.high) for step in found] == [(2, 2.0, 2.0, 2.0), (5, -1.0, -1.0, -1.0)]

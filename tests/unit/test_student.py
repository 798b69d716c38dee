"""Student's t and the intervals made with it, against scipy and by simulation."""

import math
import statistics
from random import Random

import pytest
from scipy import stats as scipy_stats

from dualmem_cli.model.units import Unit
from dualmem_cli.stats.interval import exact, log_ratio_interval, mean_interval
from dualmem_cli.stats.student import quantile, upper_tail

FREEDOMS = (1, 2, 3, 5, 7, 10, 29, 100, 999, 20_000)


@pytest.mark.parametrize("freedom", FREEDOMS)
def test_upper_tail_against_scipy(freedom: int) -> None:
    for t in (-30.0, -1.5, 0.0, 1e-9, 0.3, 1.0, 2.5, 6.9, 40.0, 1e6):
        assert upper_tail(t, freedom) == pytest.approx(scipy_stats.t.sf(t, freedom), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("freedom", FREEDOMS)
def test_quantile_against_scipy(freedom: int) -> None:
    for upper in (0.5, 0.4999, 0.25, 0.05, 0.025, 5e-4, 3e-4, 1.5e-5, 1e-7, 1e-9):
        assert quantile(upper, freedom) == pytest.approx(scipy_stats.t.isf(upper, freedom), rel=1e-7, abs=1e-9)


def test_quantile_and_tail_are_inverse() -> None:
    random = Random(1)
    for _ in range(300):
        upper, freedom = 0.5 * 10 ** random.uniform(-8, 0), random.randint(1, 500)
        assert upper_tail(quantile(upper, freedom), freedom) == pytest.approx(upper, rel=1e-7)


@pytest.mark.parametrize("upper", [0.0, -0.1, 0.500001, 1.0, math.nan])
def test_what_is_no_upper_tail(upper: float) -> None:
    with pytest.raises(ValueError, match="upper tail"):
        quantile(upper, 5)


def test_mean_interval_against_scipy() -> None:
    random = Random(2)
    for count in (2, 3, 8, 41):
        values = [random.gauss(3.0, 2.0) for _ in range(count)]
        low, high = scipy_stats.t.interval(0.99, count - 1, loc=statistics.fmean(values), scale=scipy_stats.sem(values))
        made = mean_interval(values, confidence=0.99, unit=Unit.NANOSECOND, method="m")
        assert [made.low, made.high] == pytest.approx([low, high])
        assert (made.value, made.count, made.confidence, made.unit) == (statistics.fmean(values), count, 0.99, Unit.NANOSECOND)


def test_one_value_has_no_bounds_and_none_has_no_estimate() -> None:
    one = mean_interval([2.0], confidence=0.95, unit=Unit.RATIO, method="m")
    assert (one.value, one.low, one.high) == (2.0, -math.inf, math.inf)
    change = log_ratio_interval([math.log(1.08)], confidence=0.95, method="m")
    assert change.value == pytest.approx(0.08)
    assert (change.low, change.high) == (-1.0, math.inf)
    with pytest.raises(ValueError, match="at least one"):
        mean_interval([], confidence=0.95, unit=Unit.RATIO, method="m")


def test_log_ratios_become_changes() -> None:
    logs = [math.log(1.05), math.log(1.07), math.log(1.06)]
    change = log_ratio_interval(logs, confidence=0.9, method="m")
    plain = mean_interval(logs, confidence=0.9, unit=Unit.RATIO, method="m")
    assert (change.value, change.low, change.high) == tuple(math.expm1(x) for x in (plain.value, plain.low, plain.high))
    assert change.low < change.value < change.high
    swapped = log_ratio_interval([-log for log in logs], confidence=0.9, method="m")
    assert (1 + swapped.value) * (1 + change.value) == pytest.approx(1.0), "exchanging the sides inverts the change"


def test_an_absurd_ratio_is_no_overflow() -> None:
    wide = log_ratio_interval([-300.0, 300.0], confidence=0.99, method="m")
    assert (wide.value, wide.low, wide.high) == (0.0, -1.0, math.inf)


def test_a_counted_number_has_no_width() -> None:
    counted = exact(7.0, unit="B", count=3, method="m")
    assert (counted.low, counted.value, counted.high, counted.confidence, counted.count) == (7.0, 7.0, 7.0, 1.0, 3)


@pytest.mark.parametrize("confidence", [0.95, 0.99])
@pytest.mark.parametrize("count", [3, 8])
def test_coverage_of_the_interval(confidence: float, count: int) -> None:
    random = Random(f"{confidence}/{count}")
    trials = 4000
    covered = 0
    for _ in range(trials):
        made = mean_interval([random.gauss(5.0, 0.3) for _ in range(count)], confidence=confidence, unit="1", method="m")
        covered += made.low <= 5.0 <= made.high
    slack = 4 * math.sqrt(confidence * (1 - confidence) / trials)
    assert abs(covered / trials - confidence) < slack

"""How numbers are worded."""

import math
from dataclasses import replace

import pytest

from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.units import Unit
from dualmem_cli.model.verdict import Quantity
from dualmem_cli.report.phrases import (
    amount,
    change_interval,
    duration,
    estimate_text,
    half_width,
    interval_text,
    is_fastest,
    limit_text,
    met_word,
    percentile_name,
    plain_percent,
    three_digits,
)


def quantity(name: str, value: float, low: float, high: float, unit: Unit | str = Unit.NANOSECOND, **limits: float) -> Quantity:
    return Quantity(name, Estimate(value, low, high, 0.95, unit, 8, "m"), limit=limits.get("limit"), minimum="floor" in limits)


@pytest.mark.parametrize(
    ("value", "unit", "name", "text"),
    [
        (412.34, Unit.NANOSECOND, "time", "412 ns"),
        (0.6482, Unit.NANOSECOND, "time", "0.648 ns"),
        (0.07421, Unit.NANOSECOND, "time", "0.0742 ns"),
        (3.1, Unit.NANOSECOND, "time", "3.10 ns"),
        (62_000.0, Unit.NANOSECOND, "p50", "62.0 us"),
        (999_960.0, Unit.NANOSECOND, "p50", "1000 us"),
        (-1500.0, Unit.NANOSECOND, "time", "-1.50 us"),
        (0.0, Unit.NANOSECOND, "time", "0.00 ns"),
        (3.2e12, Unit.NANOSECOND, "time", "3200 s"),
        (0.0041, Unit.RATIO, "overhead", "+0.4 %"),
        (24.08, Unit.RATIO, "speedup", "24.1 x"),
        (0.97204, Unit.RATIO, "recall", "0.972"),
        (9_437_184, Unit.BYTE, "memory", "9.00 MiB"),
        (512, Unit.BYTE, "memory", "512 B"),
        (1_018_032, Unit.COUNT, "instructions", "1,018,032"),
        (1.5, "flop/B", "intensity", "1.5 flop/B"),
        (math.nan, Unit.NANOSECOND, "time", "not known"),
    ],
)
def test_amounts(value: float, unit: Unit | str, name: str, text: str) -> None:
    assert amount(value, unit, name) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.41, "0.410"), (62, "62.0"), (412, "412"), (1370, "1370"), (0.0001234, "0.000123"), (math.inf, "inf")]
)
def test_three_digits(value: float, text: str) -> None:
    assert three_digits(value) == text


def test_three_digits_never_err_by_more_than_half_a_digit() -> None:
    for step in range(400):
        value = 10 ** (step / 40 - 4)
        text = three_digits(value)
        assert "e" not in text
        assert abs(float(text) - value) <= 0.5 * 10 ** (math.floor(math.log10(value)) - 2) * 1.0001


def test_a_half_width_never_promises_more_than_the_interval() -> None:
    skewed = quantity("time", 100.0, 99.0, 110.0)
    assert half_width(skewed.estimate) == 10.0
    assert estimate_text(skewed) == "100 ns +- 10 %"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (quantity("time", 412.0, 410.8, 413.2), "412 ns +- 0.3 %"),
        (quantity("overhead", 0.004, 0.002, 0.006, Unit.RATIO), "+0.4 % +- 0.2 %"),
        (quantity("hits", 12.0, 12.0, 12.0, Unit.COUNT), "12"),
        (quantity("time", 412.0, -math.inf, math.inf), "412 ns +- unknown"),
        (quantity("time", 0.0, -1.0, 1.0), "0.00 ns +- 1.00 ns"),
    ],
)
def test_estimates(given: Quantity, text: str) -> None:
    assert estimate_text(given) == text


def test_intervals() -> None:
    assert interval_text(quantity("time", 412.0, 410.0, 414.0)) == "[410 ns, 414 ns]"
    assert interval_text(quantity("hits", 12.0, 12.0, 12.0)) == "exact"
    assert interval_text(quantity("time", 1.0, -math.inf, math.inf)) == "unknown: one unit"
    assert change_interval(Estimate(0.079, 0.0741, 0.0834, 0.999, Unit.RATIO, 24, "m")) == "[+7.4, +8.3]"
    assert change_interval(Estimate(0.06, 0.0598, 0.0603, 0.999, Unit.RATIO, 24, "m")) == "[+5.98, +6.03]"
    assert change_interval(Estimate(0.0, -1.0, math.inf, 0.999, Unit.RATIO, 1, "m")) == "unknown"


def test_limits_are_as_short_as_they_are() -> None:
    assert limit_text(quantity("p99", 1.0, 1.0, 1.0, limit=100_000.0)) == "<= 100 us"
    assert limit_text(quantity("recall", 1.0, 1.0, 1.0, Unit.RATIO, limit=0.95, floor=1)) == ">= 0.95"
    assert limit_text(quantity("overhead", 1.0, 1.0, 1.0, Unit.RATIO, limit=0.05)) == "<= 5 %"
    assert limit_text(quantity("speedup", 1.0, 1.0, 1.0, Unit.RATIO, limit=2.0, floor=1)) == ">= 2 x"


@pytest.mark.parametrize(
    ("name", "shown", "fastest"),
    [
        ("p50", "P50", False),
        ("p99.9", "P99.9", False),
        ("p999", "P99.9", False),
        ("p99_fastest", "P99", True),
        ("max", "max", False),
    ],
)
def test_percentile_names(name: str, shown: str, fastest: bool) -> None:
    assert percentile_name(name) == shown
    assert is_fastest(name) is fastest


@pytest.mark.parametrize("name", ["time", "recall", "pages", "p", "max_rss", "hp50"])
def test_other_names_are_no_percentiles(name: str) -> None:
    assert percentile_name(name) == ""


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.003, "0.3 %"),
        (0.0123, "1.2 %"),
        (0.05, "5 %"),
        (0.123, "12.3 %"),
        (1.0, "100 %"),
        (0.00004, "below 0.01 %"),
        (0.0, "0 %"),
    ],
)
def test_percents(fraction: float, text: str) -> None:
    assert plain_percent(fraction) == text


def test_durations() -> None:
    assert [duration(s) for s in (7.34, 41.2, 119.4, 192.0)] == ["7.3 s", "41 s", "119 s", "3 min 12 s"]


@pytest.mark.parametrize("name", ["overhead", "lookup.overhead"])
@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.0, 0.02, "ok"),
        (0.0, 0.09, "NOT SHOWN"),
        (0.049, 0.3, "NOT SHOWN"),
        (0.06, 0.09, "MISSED"),
        (-math.inf, math.inf, "NOT SHOWN"),
    ],
)
def test_an_overhead_that_is_not_sure_is_not_called_missed(name: str, low: float, high: float, said: str) -> None:
    judged = quantity(name, 0.055, low, high, Unit.RATIO, limit=0.05)
    assert met_word(replace(judged, met=high <= 0.05)) == said


def test_a_budget_without_an_interval_to_show_is_met_or_missed() -> None:
    judged = quantity("p99", 60.0, 40.0, 80.0, Unit.NANOSECOND, limit=50.0)
    assert met_word(replace(judged, met=False)) == "MISSED"

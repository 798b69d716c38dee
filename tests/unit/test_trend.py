"""Drift and growth: how often their intervals cover the truth where neighbours depend on each other."""

import numpy as np
import pytest

from dualmem_cli.model.units import Unit
from dualmem_cli.stats.trend import drift, growth


def test_drift_covers_a_true_trend_in_autocorrelated_noise() -> None:
    random = np.random.default_rng(5)
    hits = 0
    for _ in range(300):
        noise = np.zeros(120)
        for index in range(1, 120):
            noise[index] = 0.7 * noise[index - 1] + random.normal(0, 0.02)
        values = 1e5 * np.exp(noise + np.linspace(0, 0.05, 120))
        found = drift([float(value) for value in values], confidence=0.95)
        assert found is not None
        hits += found.low <= np.expm1(0.05) <= found.high
    assert hits >= 0.90 * 300


def test_growth_covers_the_drift_of_a_random_walk() -> None:
    random = np.random.default_rng(6)
    hits = 0
    for _ in range(300):
        walk = np.cumsum(random.normal(100.0, 1000.0, 240))
        found = growth([float(value) for value in walk], confidence=0.95, unit=Unit.BYTE)
        assert found is not None
        hits += found.low <= 240 * 100.0 <= found.high
    assert hits >= 0.90 * 300


def test_a_level_that_comes_back_is_no_growth() -> None:
    random = np.random.default_rng(8)
    alarms = 0
    for _ in range(300):
        found = growth([float(v) for v in random.normal(1e8, 1e5, 100)], confidence=0.95, unit=Unit.BYTE)
        assert found is not None
        alarms += found.low > 0
    assert alarms <= 0.03 * 300


def test_a_leak_is_seen() -> None:
    found = growth([1e8 + 4096.0 * index for index in range(100)], confidence=0.95, unit=Unit.BYTE)
    assert found is not None
    assert found.low > 0
    assert found.value == pytest.approx(100 * 4096, rel=0.05)


def test_a_short_run_says_nothing() -> None:
    assert drift([1.0] * 7, confidence=0.95) is None
    assert growth([1.0] * 7, confidence=0.95, unit=Unit.BYTE) is None
    assert drift([0.0] * 10, confidence=0.95) is None

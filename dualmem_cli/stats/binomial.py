"""Shares of decisions: how often something happened, and between which limits its true rate lies."""

import math
from functools import lru_cache

from dualmem_cli.stats.beta import incomplete_beta


def clopper_pearson(count: int, total: int, *, confidence: float) -> tuple[float, float]:
    """The exact two-sided interval of a rate that was seen `count` times in `total` independent decisions (Clopper & Pearson,
    Biometrika 26, 1934). It covers at least `confidence` at every true rate: errors of the gate are rare, where the usual
    approximations are too narrow or end below nothing. No decisions at all leave everything open: (0, 1).
    """
    tail = (1.0 - confidence) / 2.0
    return lower_bound(count, total, error=tail), upper_bound(count, total, error=tail)


def lower_bound(count: int, total: int, *, error: float) -> float:
    """The smallest rate at which `count` or more of `total` still happen with probability `error`; 0 when none happened."""
    _check(count, total, error)
    return 0.0 if count == 0 else _beta_quantile(error, count, total - count + 1)


def upper_bound(count: int, total: int, *, error: float) -> float:
    """The largest rate at which `count` or fewer of `total` still happen with probability `error`; 1 when all did."""
    _check(count, total, error)
    return 1.0 if count == total else _beta_quantile(1.0 - error, count + 1, total - count)


def decisions_to_show(rate: float, *, error: float) -> int:
    """How many decisions without a single event show that it happens in at most `rate` of them, 0 < `rate` < 1."""
    return math.ceil(math.log(error) / math.log1p(-rate))


def _check(count: int, total: int, error: float) -> None:
    if not 0 <= count <= total:
        raise ValueError(f"{count} of {total} is no share")
    if not 0.0 < error < 1.0:
        raise ValueError(f"an error lies between 0 and 1, not at {error}")


@lru_cache(maxsize=16384)
def _beta_quantile(share: float, a: int, b: int) -> float:
    """The x with I_x(a, b) = `share`: Newton's steps inside a shrinking bracket, where a step leaves it the middle. To 1e-12."""
    if b == 1:
        return float(share ** (1.0 / a))
    if a == 1:
        return -math.expm1(math.log1p(-share) / b)
    log_scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    low, high, x = 0.0, 1.0, a / (a + b)
    for _ in range(200):
        excess = incomplete_beta(a, b, x) - share
        low, high = (low, x) if excess > 0 else (x, high)
        slope = math.exp(log_scale + (a - 1) * math.log(x) + (b - 1) * math.log1p(-x))
        step = x - excess / slope if slope > 0 else low
        following = step if low < step < high else 0.5 * (low + high)
        if abs(following - x) <= 1e-12 * following:
            return following
        x = following
    return x

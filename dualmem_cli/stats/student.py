"""Student's t distribution: the quantile that intervals need.

scipy has it too, but costs 40 MB and half a second at every start for this one function; tests hold it against scipy.
"""

from functools import lru_cache

from dualmem_cli.stats.beta import incomplete_beta


def upper_tail(t: float, freedom: float) -> float:
    """P(T > t) for Student's t with `freedom` degrees of freedom."""
    tail = 0.5 * incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + t * t))
    return tail if t >= 0 else 1.0 - tail


@lru_cache(maxsize=4096)
def quantile(upper: float, freedom: float) -> float:
    """The t with P(T > t) = `upper`, 0 < upper <= 0.5, to a relative 1e-10 by bisection."""
    if not 0.0 < upper <= 0.5:
        raise ValueError(f"an upper tail lies in (0, 0.5], not {upper}")
    low, high = 0.0, 1.0
    while upper_tail(high, freedom) > upper:
        low, high = high, high * 2.0
    while high - low > 1e-10 * max(high, 1e-10):
        middle = 0.5 * (low + high)
        if upper_tail(middle, freedom) > upper:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)

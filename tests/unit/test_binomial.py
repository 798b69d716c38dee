"""The exact interval of a share, against scipy and by its definition."""

import math

import pytest
from scipy import stats

from dualmem_cli.stats.beta import incomplete_beta
from dualmem_cli.stats.binomial import clopper_pearson, decisions_to_show, lower_bound, upper_bound

TOTALS = (1, 2, 7, 60, 300, 3_000, 20_000)


@pytest.mark.parametrize("total", TOTALS)
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
def test_against_scipy(total: int, confidence: float) -> None:
    for count in sorted({0, 1, 2, total // 7, total // 2, total - 1, total} & set(range(total + 1))):
        wanted = stats.binomtest(count, total).proportion_ci(confidence, method="exact")
        made = clopper_pearson(count, total, confidence=confidence)
        assert made == pytest.approx((wanted.low, wanted.high), rel=1e-9, abs=1e-11), (count, total)  # scipy searches to 2e-12


def test_all_none_and_nothing() -> None:
    assert clopper_pearson(0, 300, confidence=0.95) == pytest.approx((0.0, 1 - 0.025 ** (1 / 300)))
    assert clopper_pearson(300, 300, confidence=0.95) == pytest.approx((0.025 ** (1 / 300), 1.0))
    assert clopper_pearson(0, 0, confidence=0.95) == (0.0, 1.0)


def test_bounds_are_where_the_tail_is_the_error() -> None:
    for count, total in ((1, 300), (5, 40), (2_990, 3_000)):
        low, high = lower_bound(count, total, error=0.05), upper_bound(count, total, error=0.05)
        assert stats.binom.sf(count - 1, total, low) == pytest.approx(0.05, rel=1e-6)
        assert stats.binom.cdf(count, total, high) == pytest.approx(0.05, rel=1e-6)


def test_rule_of_three() -> None:
    assert decisions_to_show(0.01, error=0.05) == 299
    assert upper_bound(0, 299, error=0.05) <= 0.01 < upper_bound(0, 298, error=0.05)
    assert decisions_to_show(0.001, error=0.05) == 2995


@pytest.mark.parametrize(("count", "total"), [(-1, 3), (4, 3), (1, 0)])
def test_what_is_no_share(count: int, total: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        clopper_pearson(count, total, confidence=0.95)


def test_incomplete_beta_against_scipy() -> None:
    from scipy.special import betainc

    for a, b in ((0.5, 0.5), (1.0, 3.0), (20.0, 300.0), (3_000.0, 2.0)):
        for x in (0.0, 1e-6, 0.01, 0.4, 0.97, 1.0):
            assert incomplete_beta(a, b, x) == pytest.approx(betainc(a, b, x), rel=1e-9, abs=1e-300)
    assert math.isclose(incomplete_beta(2, 3, 0.3) + incomplete_beta(3, 2, 0.7), 1.0)

"""The gate's rule, decision by decision. Its error rates are simulated in tests/simulated/test_operating_curve.py."""

import math
from random import Random

import pytest
from scipy import stats as scipy_stats

from dualmem_cli.judge.sequential import FIRST_LOOK, INDIFFERENCE, Rule, decide, interval, looks, workers_wanted
from dualmem_cli.model.verdict import Verdict

RULE = Rule(threshold=0.05, error=0.001)


def logs(change: float, count: int, *, sd: float = 0.002) -> list[float]:
    """`count` log ratios with exactly this mean change and this standard deviation."""
    random = Random(count)
    raw = [random.gauss(0, 1) for _ in range(count)]
    mean = sum(raw) / count
    scale = math.sqrt(sum((x - mean) ** 2 for x in raw) / (count - 1))
    return [math.log1p(change) + sd * (x - mean) / scale for x in raw]


def verdict(change: float, count: int = 20, *, sd: float = 0.002, rule: Rule = RULE) -> tuple[Verdict | None, bool]:
    found = decide(logs(change, count, sd=sd), rule)
    assert found is not None
    return found.verdict, found.by_estimate


def test_nothing_is_looked_at_before_the_first_look_nor_between_looks() -> None:
    looked = [count for count in range(40) if decide(logs(0.5, count) if count > 1 else [0.5] * count, RULE) is not None]
    assert looked == [6, 8, 10, 12, 16, 20, 24, 30, 36] == list(looks(39))
    assert FIRST_LOOK >= 4, "with fewer workers a t interval is as wide as anything"


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (0.08, Verdict.REGRESSED),
        (0.5, Verdict.REGRESSED),
        (0.02, Verdict.UNCHANGED),
        (0.0, Verdict.UNCHANGED),
        (-0.04, Verdict.UNCHANGED),
        (-0.08, Verdict.IMPROVED),
        (-0.5, Verdict.IMPROVED),
    ],
)
def test_far_from_the_threshold_the_interval_decides(change: float, wanted: Verdict) -> None:
    assert verdict(change) == (wanted, False)


@pytest.mark.parametrize(("change", "wanted"), [(0.0501, Verdict.REGRESSED), (0.0499, Verdict.UNCHANGED)])
def test_near_the_threshold_the_estimate_decides_once_the_interval_is_narrow(change: float, wanted: Verdict) -> None:
    assert verdict(change, 66) == (wanted, True)
    assert verdict(change, 8, sd=0.01) == (None, False), "and not before"


def test_exactly_at_the_threshold_is_not_above_it() -> None:
    at = Rule(threshold=math.expm1(0.0625), error=0.001)
    found = decide([0.0625] * 6, at)  # a power of two, so that the mean is exact
    assert found is not None
    assert (found.verdict, found.by_estimate) == (Verdict.UNCHANGED, True)


def test_the_interval_is_students_at_the_confidence_of_this_look() -> None:
    for count in (6, 8, 30):
        values = logs(0.03, count)
        look = {6: 1, 8: 2, 30: 8}[count]
        error = 0.001 * 6 / (math.pi * look) ** 2
        half = scipy_stats.t.isf(error / 2, count - 1) * scipy_stats.sem(values)
        found = interval(values, RULE)
        assert found.confidence == pytest.approx(1 - error, abs=1e-12)
        assert found.low == pytest.approx(math.expm1(math.log1p(0.03) - half), abs=1e-9)
        assert found.high == pytest.approx(math.expm1(math.log1p(0.03) + half), abs=1e-9)


def test_the_errors_of_all_looks_add_up_to_the_budget_of_the_case() -> None:
    total = sum(1 - RULE.confidence(look) for look in range(1, 200_000))
    assert total == pytest.approx(RULE.error, rel=1e-4)
    assert total <= RULE.error


def test_a_smaller_error_makes_a_wider_interval() -> None:
    values = logs(0.045, 12)
    strict, loose = interval(values, Rule(0.05, 5e-5)), interval(values, RULE)
    assert strict.low < loose.low < loose.value < loose.high < strict.high


@pytest.mark.parametrize("threshold", [0.01, 0.05, 0.2])
def test_the_indifference_zone_scales_with_the_threshold(threshold: float) -> None:
    rule = Rule(threshold=threshold, error=0.001)
    assert verdict(threshold * 1.001, 354, sd=threshold * 0.3, rule=rule) == (Verdict.REGRESSED, True)
    # An interval of a fifth of the threshold either way is the widest that lets the estimate decide.
    wide = decide(logs(threshold, 6, sd=threshold * 0.5), rule)
    assert wide is not None
    assert wide.verdict is None
    assert wide.change.high - wide.change.value > INDIFFERENCE * threshold


def test_one_wild_worker_does_not_decide() -> None:
    found = decide([*([0.0] * 7), math.log(3.0)], RULE)
    assert found is not None
    assert found.verdict is None


def test_workers_without_any_scatter_decide_at_once() -> None:
    found = decide([math.log(1.06)] * 6, RULE)
    assert found is not None
    assert found.verdict is Verdict.REGRESSED


def test_exchanging_the_sides_mirrors_the_interval() -> None:
    one, other = interval(logs(0.08, 10), RULE), interval([-log for log in logs(0.08, 10)], RULE)
    assert (1 + one.high) * (1 + other.low) == pytest.approx(1.0)


def test_workers_wanted_is_about_right() -> None:
    """It promises how many workers decide: with that many and the same scatter, the rule does decide."""
    for change, sd in ((0.03, 0.01), (0.055, 0.012), (0.08, 0.03)):
        found = decide(logs(change, 8, sd=sd), RULE)
        assert found is not None
        assert found.verdict is None
        wanted = workers_wanted(found.change, RULE)
        assert wanted > 8
        even = next(count for count in looks(10_000) if count >= 1.3 * wanted)
        assert verdict(change, even, sd=sd)[0] is not None
    alone = interval([0.0], RULE)
    assert workers_wanted(alone, RULE) == 4

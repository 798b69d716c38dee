"""The gate's rule, decision by decision. Its error rates are simulated in tests/simulated/test_operating_curve.py."""

import math
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from scipy import stats as scipy_stats

from dualmem_cli.judge.sequential import (
    FIRST_LOOK,
    INDIFFERENCE,
    PATIENCE,
    Rule,
    Worker,
    decide,
    interval,
    looks,
    next_look,
    share,
    workers_wanted,
)
from dualmem_cli.model.verdict import Verdict

RULE = Rule(threshold=0.05, alarm_error=0.001, miss_error=0.001)


def workers(change: float, count: int, *, sd: float = 0.002, order: float = 0.0) -> list[Worker]:
    """`count` workers with exactly this mean change and this standard deviation within either order of set-up; whoever is set up first
    is slower by `order` (a log ratio)."""
    random = Random(count)
    firsts = [(index // 2 + index) % 2 for index in range(count)]
    raw = np.array([random.gauss(0, 1) for _ in range(count)])
    for first in (0, 1):
        block = np.array(firsts) == first
        raw[block] -= raw[block].mean() if block.any() else 0.0
    raw *= sd / math.sqrt(float(raw @ raw) / (count - len(set(firsts))))
    middle = math.log1p(change)
    return [Worker(middle + noise + (order if first else -order), first) for noise, first in zip(raw, firsts, strict=True)]


def alike(log: float, count: int) -> list[Worker]:
    return [Worker(log, index % 2) for index in range(count)]


def verdict(
    change: float, count: int = 20, *, sd: float = 0.002, rule: Rule = RULE, final: bool = False
) -> tuple[Verdict | None, bool]:
    found = decide(workers(change, count, sd=sd), rule, final=final)
    assert found is not None
    return found.verdict, found.by_estimate


@pytest.mark.parametrize("final", [False, True])
def test_nothing_is_looked_at_before_the_first_look_nor_between_looks(*, final: bool) -> None:
    """Undecided workers, 40 times; what is judged is the last look."""
    noisy = [Worker(3.0 * (-1) ** (index // 2), index % 2) for index in range(40)]
    seen = [decide(noisy[:count], RULE, final=final) for count in range(40)]
    assert {found.change.count for found in seen if found is not None} == {6, 8, 10, 12, 16, 20, 24, 30, 36} == set(looks(39))
    assert [count for count in range(40) if seen[count] is None] == list(range(6))
    assert all(found.verdict is None for found in seen if found is not None)
    assert FIRST_LOOK >= 4, "with fewer workers a t interval is as wide as anything"


def test_looks_are_even_and_the_next_one_is_the_next_in_their_list() -> None:
    every = looks(5_000)
    assert every[0] == FIRST_LOOK
    assert all(count % 2 == 0 for count in every), "both orders of set-up weigh the same"
    assert all(1.0 < later / count <= 1.4 for count, later in pairwise(every))
    for count in range(4_000):
        assert next_look(count) == min(look for look in every if look > count)


def test_what_comes_after_the_look_that_decided_is_not_judged() -> None:
    """Going on with a decided case could only undo it."""
    decided = workers(0.08, 6)
    for more in (alike(0.0, 30), alike(-5.0, 30), workers(0.5, 30, sd=1.0)):
        assert decide([*decided, *more], RULE, final=True) == decide(decided, RULE, final=False)


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
def test_far_from_the_threshold_the_bounds_decide(change: float, wanted: Verdict) -> None:
    assert verdict(change) == (wanted, False)
    assert verdict(change, 6, sd=0.001) == (wanted, False)


def test_faster_but_not_proved_to_be_faster_is_unchanged() -> None:
    """Six noisy workers at -6 %: less than 5 % slower for sure, faster perhaps."""
    found = decide(workers(-0.06, 6, sd=0.025), RULE, final=False)
    assert found is not None
    assert 0 < found.change.high < 0.05
    assert (found.verdict, found.by_estimate) == (Verdict.UNCHANGED, False)


@pytest.mark.parametrize(("change", "wanted"), [(0.0501, Verdict.REGRESSED), (0.0499, Verdict.UNCHANGED)])
def test_near_the_threshold_the_estimate_decides_once_both_bounds_are_near(change: float, wanted: Verdict) -> None:
    assert verdict(change, 6) == (wanted, True)
    assert verdict(change, 8, sd=0.01) == (None, False), "and not before"


@pytest.mark.parametrize(("change", "wanted"), [(0.057, Verdict.REGRESSED), (0.043, Verdict.UNCHANGED)])
def test_patience_ends(change: float, wanted: Verdict) -> None:
    """From 24 workers on it is enough that the far margin is excluded; so it is with fewer when time is up, at the last look only."""
    for count, patient in ((20, True), (24, False)):
        found = decide(workers(change, count, sd=0.0095), RULE, final=False)
        assert found is not None
        low, high = found.change.low, found.change.high
        assert low < 0.05 < high, "the bounds alone do not decide"
        assert max(high - found.change.value, found.change.value - low) > 0.01, "nor are they near"
        assert (low > 0.04) if wanted is Verdict.REGRESSED else (high < 0.06)
        assert found.verdict is (None if patient else wanted)
        assert found.by_estimate is not patient
    assert PATIENCE == 24
    assert verdict(change, 20, sd=0.0095, final=True) == (wanted, True)


def test_when_time_is_up_the_far_margin_must_still_be_excluded() -> None:
    for change in (0.0, 0.03, 0.045, 0.055, 0.07, 0.1):
        assert verdict(change, 12, sd=0.1, final=True) == (None, False)
    for change, sd in ((0.055, 0.03), (0.045, 0.03)):
        assert verdict(change, 24, sd=sd, final=True) == (None, False)


def test_time_is_up_at_the_last_look_only() -> None:
    """The first six would be decided if they were all; with two more they are not the last ones, and are judged as ever."""
    first = workers(0.057, 6, sd=0.004)
    alone = decide(first, RULE, final=True)
    assert alone is not None
    assert (alone.verdict, alone.by_estimate) == (Verdict.REGRESSED, True)
    wild = [*first, Worker(-0.3, 0), Worker(0.3, 1)]
    more = decide(wild, RULE, final=True)
    assert more is not None
    assert (more.verdict, more.change.count) == (None, 8)
    seven = decide(wild[:7], RULE, final=True)
    assert seven == alone, "between looks the last look counts"


def test_exactly_at_the_threshold_is_not_above_it() -> None:
    at = Rule(threshold=math.expm1(0.0625), alarm_error=0.001, miss_error=0.001)
    found = decide(alike(0.0625, 6), at, final=False)  # a power of two, so that the mean is exact
    assert found is not None
    assert (found.verdict, found.by_estimate) == (Verdict.UNCHANGED, True)


@pytest.mark.parametrize(("count", "look"), [(6, 1), (8, 2), (30, 8)])
def test_the_bounds_are_students_by_least_squares(count: int, look: int) -> None:
    """Oracle: ordinary least squares on a constant and the order of set-up, and scipy's quantiles."""
    rule = Rule(threshold=0.05, alarm_error=0.00005, miss_error=0.001)
    made = workers(0.05, count, sd=0.02, order=0.03)
    design = np.array([(1.0, 1.0 if worker.first else -1.0) for worker in made])
    logs = np.array([worker.log for worker in made])
    solved, squares, _, _ = np.linalg.lstsq(design, logs, rcond=None)
    error = math.sqrt(squares[0] / (count - 2) * np.linalg.inv(design.T @ design)[0, 0])
    low, high = (
        solved[0] + sign * scipy_stats.t.isf(spent * 6 / (math.pi * look) ** 2, count - 2) * error
        for sign, spent in ((-1, rule.alarm_error), (1, rule.miss_error))
    )
    found = decide(made, rule, final=False)
    assert found is not None
    assert found.change.count == count
    assert found.change.value == pytest.approx(math.expm1(solved[0]), abs=1e-12)
    assert found.change.low == pytest.approx(math.expm1(low), abs=1e-9)
    assert found.change.high == pytest.approx(math.expm1(high), abs=1e-9)
    assert found.change.confidence == pytest.approx(1 - 0.00105)


def test_the_errors_of_all_looks_add_up_to_the_budget_of_the_case() -> None:
    shares = [share(0.001, look) for look in range(1, 200_000)]
    assert sum(shares) == pytest.approx(0.001, rel=1e-4)
    assert sum(shares) <= 0.001
    assert shares == sorted(shares, reverse=True)


def test_each_error_moves_its_own_bound() -> None:
    made = workers(0.045, 12, sd=0.03)
    plain = interval(made, RULE)
    fewer_alarms = interval(made, Rule(0.05, alarm_error=5e-5, miss_error=0.001))
    fewer_misses = interval(made, Rule(0.05, alarm_error=0.001, miss_error=5e-5))
    assert fewer_alarms.low < plain.low < plain.value < plain.high == fewer_alarms.high
    assert fewer_misses.low == plain.low
    assert fewer_misses.high > plain.high


@pytest.mark.parametrize("threshold", [0.01, 0.05, 0.2])
def test_the_indifference_zone_scales_with_the_threshold(threshold: float) -> None:
    rule = Rule(threshold=threshold, alarm_error=0.001, miss_error=0.001)
    assert rule.margin == pytest.approx(INDIFFERENCE * threshold)
    assert verdict(threshold * 1.02, 6, sd=threshold * 0.04, rule=rule) == (Verdict.REGRESSED, True)
    # A bound a fifth of the threshold away is the farthest that lets the estimate decide.
    wide = decide(workers(threshold, 6, sd=threshold * 0.5), rule, final=False)
    assert wide is not None
    assert wide.verdict is None
    assert wide.change.high - wide.change.value > INDIFFERENCE * threshold


@pytest.mark.parametrize("final", [False, True])
def test_one_wild_worker_does_not_decide(*, final: bool) -> None:
    found = decide([*alike(0.0, 7), Worker(math.log(3.0), 1)], RULE, final=final)
    assert found is not None
    assert found.change.count == 8 or found.verdict is Verdict.UNCHANGED
    first = decide([Worker(math.log(3.0), 1), *alike(0.0, 7)], RULE, final=final)
    assert first is not None
    assert first.verdict is None


def test_workers_without_any_scatter_decide_at_once() -> None:
    found = decide(alike(math.log(1.06), 6), RULE, final=False)
    assert found is not None
    assert (found.verdict, found.change.count) == (Verdict.REGRESSED, 6)


def test_an_order_effect_is_neither_a_change_nor_scatter() -> None:
    """Whoever is set up first is 3 % slower: the decision is as if it were not so."""
    for change in (0.0, 0.08):
        plain, ordered = (decide(workers(change, 8, order=order), RULE, final=False) for order in (0.0, 0.03))
        assert plain is not None
        assert ordered is not None
        assert ordered.verdict is plain.verdict is not None
        assert ordered.change.value == pytest.approx(plain.change.value, abs=1e-12)
        assert ordered.change.low == pytest.approx(plain.change.low, abs=1e-9)
        assert ordered.change.high == pytest.approx(plain.change.high, abs=1e-9)


def test_exchanging_the_sides_mirrors_the_interval() -> None:
    """The lower bound of the one is the upper bound of the other, when their errors are exchanged as well."""
    rule, mirrored = Rule(0.05, alarm_error=1e-4, miss_error=0.01), Rule(0.05, alarm_error=0.01, miss_error=1e-4)
    made = workers(0.08, 10)
    one = interval(made, rule)
    other = interval([Worker(-worker.log, 1 - worker.first) for worker in made], mirrored)
    assert (1 + one.high) * (1 + other.low) == pytest.approx(1.0)
    assert (1 + one.low) * (1 + other.high) == pytest.approx(1.0)


def test_the_interval_of_too_few_workers_is_unbounded() -> None:
    for count in (1, 2):
        found = interval(alike(0.01, count), RULE)
        assert (found.low, found.high, found.count) == (-1.0, math.inf, count)
        assert found.value == pytest.approx(math.expm1(0.01))


def test_workers_wanted_is_about_right() -> None:
    """It promises how many workers decide: with a few more than that and the same scatter, the rule does decide; and it does not
    ask for many times as many as would do."""
    for change, sd in ((0.03, 0.04), (0.055, 0.05), (0.045, 0.05), (0.08, 0.06)):
        found = decide(workers(change, 8, sd=sd), RULE, final=False)
        assert found is not None
        assert found.verdict is None
        wanted = workers_wanted(found.change, RULE)
        assert wanted > 8
        assert wanted in looks(wanted)
        enough = next(count for count in looks(10_000) if count >= 1.3 * wanted)
        assert verdict(change, enough, sd=sd)[0] is not None
        fewest = next(count for count in looks(10_000) if count >= PATIENCE and verdict(change, count, sd=sd)[0] is not None)
        assert wanted <= 8 * fewest
    alone = interval(alike(0.0, 1), RULE)
    assert workers_wanted(alone, RULE) == 6

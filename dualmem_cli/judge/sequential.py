"""The gate's rule: when to stop, and what to say then.

Each worker contributes one log ratio candidate / baseline (stats/pairs.py). After 6 workers, and whenever there are about a fifth more than
at the last look, the rule looks at their mean with two bounds, each wide enough for all looks together: a lower one whose error is
the case's share of the suite's false alarms (the suite's budget divided evenly over its cases, Bonferroni), an upper one whose
error is that of a pass. The two are not alike because the promises are not: an alarm is promised for the suite as a whole, a pass
for the case that it is about. A bound's error is spent over the looks in proportion to 1/j^2, so that one may look as often as one
likes. Looks grow apart because a late one costs more of the budget than a few more workers tell.

With T the threshold and a margin of T/5 either way (4 to 6 % round 5 %), the first of these that holds ends the case:

- the lower bound lies above T: regressed;
- the upper bound lies below T: unchanged, or improved when the estimate is as far below zero as T is above it;
- both bounds are within a margin of the estimate: a true change that near to T cannot be told from it, and the estimate decides;
- after 24 workers, or when time is up: the estimate is above T and the lower bound above T - margin: regressed; the estimate is not
  above T and the upper bound below T + margin: unchanged. That is what the contract of the gate asks for, and a case that is still
  open then has more noise than the proof is worth;
- workers or time are used up: inconclusive, with what it would take.

The mean is taken over both orders of set-up (stats/blocks.py): which build was loaded first makes up to 6 % of the time of a
kernel that misses caches, in either build's favour.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.units import Unit
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.stats.blocks import BlockedMean, blocked_mean
from dualmem_cli.stats.student import quantile

FIRST_LOOK = 6
PATIENCE = 24  # workers: from here on a case need not be proved against T itself
_GROWTH = 1.2  # from one look to the next
INDIFFERENCE = 0.2  # of the threshold: 4 % to 6 % round 5 %
_METHOD = "mean over workers of the interquartile mean of paired ratios, both orders of set-up weighing the same"


@dataclass(frozen=True, slots=True)
class Worker:
    """What one worker says: its log ratio, and which arm it set up first."""

    log: float
    first: int


@dataclass(frozen=True, slots=True)
class Rule:
    """`alarm_error` is the probability of a false alarm that this case may use up, `miss_error` that of a false pass; `threshold` the
    judged change, as a fraction."""

    threshold: float
    alarm_error: float
    miss_error: float

    @property
    def margin(self) -> float:
        return INDIFFERENCE * self.threshold


@dataclass(frozen=True, slots=True)
class Decision:
    """The state of a case at a look. `verdict` is None while more workers are wanted; `by_estimate` when what is proved is not the verdict
    itself but that the true change is within a margin of the threshold, or beyond it on the verdict's side."""

    verdict: Verdict | None
    change: Estimate
    by_estimate: bool


def share(error: float, look: int) -> float:
    """What the `look`-th look (from 1) may spend of `error`. The shares of all looks sum to it."""
    return error * 6.0 / (math.pi**2 * look**2)


def looks(limit: int) -> tuple[int, ...]:
    """The numbers of workers up to `limit` at which the rule looks: 6, 8, 10, 12, 16, 20, ...; always even, because workers come in pairs
    that set the arms up in opposite orders."""
    found = []
    count = FIRST_LOOK
    while count <= limit:
        found.append(count)
        count += 2 * math.ceil((_GROWTH - 1.0) * count / 2)
    return tuple(found)


def next_look(count: int) -> int:
    """The number of workers at which the rule looks next when there are `count`."""
    return next(look for look in looks(2 * count + FIRST_LOOK) if look > count)


def decide(workers: Sequence[Worker], rule: Rule, *, final: bool) -> Decision | None:
    """The first look that ends the case, or the state at the last look; None before the first. What came after the look that decided is
    not judged. `final`: time is up, so the last look may do with less proof."""
    decision = None
    due = looks(len(workers))
    for number, count in enumerate(due, start=1):
        change = _bounds(workers[:count], rule, look=number)
        patient = count < PATIENCE and not (final and count == due[-1])
        decision = _judged(change, rule, patient=patient)
        if decision.verdict is not None:
            return decision
    return decision


def interval(workers: Sequence[Worker], rule: Rule) -> Estimate:
    """The change with its bounds before the first look, for whoever wants to see how far a case came."""
    return _bounds(workers, rule, look=1)


def _bounds(workers: Sequence[Worker], rule: Rule, *, look: int) -> Estimate:
    mean = blocked_mean([worker.log for worker in workers], [worker.first for worker in workers])
    low = mean.value - _reach(mean, share(rule.alarm_error, look))
    high = mean.value + _reach(mean, share(rule.miss_error, look))
    return Estimate(
        value=math.expm1(mean.value),
        low=math.expm1(low),
        high=math.expm1(high) if high < 700 else math.inf,
        confidence=1.0 - rule.alarm_error - rule.miss_error,
        unit=Unit.RATIO,
        count=len(workers),
        method=_METHOD,
    )


def _reach(mean: BlockedMean, error: float) -> float:
    return quantile(error, mean.freedom) * mean.error if mean.freedom > 0 else math.inf


def _judged(change: Estimate, rule: Rule, *, patient: bool) -> Decision:
    low, high, value = change.low, change.high, change.value
    if low > rule.threshold:
        return Decision(Verdict.REGRESSED, change, by_estimate=False)
    if high < rule.threshold:
        return Decision(_not_slower(change, rule), change, by_estimate=False)
    above = value > rule.threshold
    narrow = high - value <= rule.margin and value - low <= rule.margin
    beyond = low > rule.threshold - rule.margin if above else high < rule.threshold + rule.margin
    if narrow or (beyond and not patient):
        return Decision(Verdict.REGRESSED if above else Verdict.UNCHANGED, change, by_estimate=True)
    return Decision(None, change, by_estimate=False)


def _not_slower(change: Estimate, rule: Rule) -> Verdict:
    return Verdict.IMPROVED if change.value < -rule.threshold and change.high < 0 else Verdict.UNCHANGED


def workers_wanted(change: Estimate, rule: Rule) -> int:
    """About how many workers in all would decide a case like this one: the bound on the far side of the threshold must come as near to the
    estimate as the threshold's far margin is."""
    half = change.value - change.low if change.value > rule.threshold else change.high - change.value
    if not math.isfinite(half):
        return max(FIRST_LOOK, 2 * change.count)
    distance = abs(change.value - rule.threshold) + rule.margin
    wanted = max(PATIENCE, math.ceil(change.count * (half / distance) ** 2))
    return next(count for count in looks(2 * max(wanted, change.count) + FIRST_LOOK) if count >= wanted and count > change.count)

"""The gate's rule: when to stop, and what to say then.

Each worker contributes one log ratio candidate / baseline (stats/pairs.py). After 6 workers, and whenever there are about a fifth more than
at the last look, the rule looks at their mean with an interval wide enough for all looks of all cases together: the error budget
of the suite is divided evenly over the cases (Bonferroni), a case's share over its looks in proportion to 1/j^2 (so that it may
look as often as it likes), and Student's t makes the interval. Looks grow apart because a late one costs more of the budget
than a few more workers tell. The first of these that holds ends the case:

- the interval lies above the threshold: regressed;
- it lies below the threshold: unchanged, or improved when it is as far below zero as the threshold is above it;
- it is narrower than a fifth of the threshold either way: decided by the estimate (a true change that near to the threshold
  cannot be told from it, and the contract asks for a decision);
- workers or time are used up: inconclusive, with what it would take.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.stats.interval import log_ratio_interval

FIRST_LOOK = 6
_GROWTH = 1.2  # from one look to the next
INDIFFERENCE = 0.2  # of the threshold: 4 % to 6 % round 5 %


@dataclass(frozen=True, slots=True)
class Rule:
    """`error` is the probability of a false verdict that one case may use up; `threshold` the judged change, as a fraction."""

    threshold: float
    error: float

    def confidence(self, look: int) -> float:
        """Two-sided confidence of the `look`-th look (from 1). The errors of all looks sum to `error`."""
        return 1.0 - self.error * 6.0 / (math.pi**2 * look**2)


@dataclass(frozen=True, slots=True)
class Decision:
    """The state of a case after some workers. `verdict` is None while more workers are wanted."""

    verdict: Verdict | None
    change: Estimate
    by_estimate: bool


def looks(limit: int) -> tuple[int, ...]:
    """The numbers of workers up to `limit` at which the rule looks: 6, 8, 10, 12, 16, 20, ...; always even, because workers come in pairs
    that set the arms up in opposite orders."""
    found = []
    count = FIRST_LOOK
    while count <= limit:
        found.append(count)
        count += 2 * math.ceil((_GROWTH - 1.0) * count / 2)
    return tuple(found)


def decide(logs: Sequence[float], rule: Rule) -> Decision | None:
    """Look at the workers' log ratios so far; None when it is not time to look."""
    if len(logs) not in looks(len(logs)):
        return None
    change = interval(logs, rule)
    low, high, value = change.low, change.high, change.value
    margin = INDIFFERENCE * rule.threshold
    narrow = high - value <= margin and value - low <= margin
    if low > rule.threshold:
        return Decision(Verdict.REGRESSED, change, by_estimate=False)
    if high < rule.threshold:
        return Decision(_not_slower(change, rule), change, by_estimate=False)
    if narrow:
        verdict = Verdict.REGRESSED if value > rule.threshold else Verdict.UNCHANGED
        return Decision(verdict, change, by_estimate=True)
    return Decision(None, change, by_estimate=False)


def interval(logs: Sequence[float], rule: Rule) -> Estimate:
    """The change with the interval that is valid at this many workers, however often one has looked before."""
    look = max(1, len(looks(len(logs))))
    return log_ratio_interval(logs, confidence=rule.confidence(look), method="mean over workers of the median paired ratio")


def _not_slower(change: Estimate, rule: Rule) -> Verdict:
    return Verdict.IMPROVED if change.value < -rule.threshold and change.high < 0 else Verdict.UNCHANGED


def workers_wanted(change: Estimate, rule: Rule) -> int:
    """About how many workers in all would decide a case like this: the interval must shrink to the distance from the threshold, or to
    the indifference zone, whichever is wider."""
    distance = max(abs(change.value - rule.threshold), INDIFFERENCE * rule.threshold)
    half = (change.high - change.low) / 2
    if not math.isfinite(half):
        return 4 * change.count
    wanted = math.ceil(change.count * (half / distance) ** 2)
    return next(count for count in looks(2 * max(wanted, change.count) + FIRST_LOOK) if count >= wanted and count > change.count)

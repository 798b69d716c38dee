"""Which trials of a self-test count, and on which side of the threshold they lie."""

from dualmem_cli.model.curve import CONFIDENCE, Rate
from dualmem_cli.model.selftest import Trial
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.stats.binomial import clopper_pearson

ANSWERS = (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.UNCHANGED, Verdict.INCONCLUSIVE)
"""What a trial can end with; every other verdict says that it was not measured."""

_SLACK = 1e-9  # 0.05 x 1.2 is not 0.06


def judged(trial: Trial) -> bool:
    """Whether the trial ended with an answer."""
    return trial.verdict in ANSWERS


def at_most(planted: float, limit: float) -> bool:
    """Whether a planted slowdown lies at or below a limit."""
    return planted <= limit + _SLACK


def at_least(planted: float, limit: float) -> bool:
    """Whether a planted slowdown lies at or above a limit."""
    return planted >= limit - _SLACK


def rate_of(count: int, total: int) -> Rate:
    """A rate with its exact two-sided interval."""
    low, high = clopper_pearson(count, total, confidence=CONFIDENCE)
    return Rate(count, total, count / total if total else None, low, high)

"""The rules of other tools, replayed on the samples of a self-test's trial.

Each says whether its tool would call the candidate slower by more than the threshold. Only the decision is replayed: the samples
are dualmem's, with its interleaving, fresh processes and rotated layouts, from which these rules profit as well. So a replay shows
what a rule makes of good samples, not what the tool as a whole does on its own ones; the samples of both sides taken one after the
other, which `Trial.in_turn` is about, are nearer to how most of these tools are used.

A tool without a threshold of its own is given dualmem's. What decides is read in the tool's source; the text and version that was read
stands at each rule. Nothing is copied from there.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.model.selftest import Pooled
from dualmem_cli.stats.samples import Bootstrap, Times, mann_whitney, median_interval, student_t, two_sided_t

Replay = Callable[[Pooled, float], bool]

_ERROR = 0.05
# criterion draws 100,000. The whole interval must lie beyond the threshold, and the ends of 2,000 draws scatter by 3 % of its width.
_BOOTSTRAP = Bootstrap(resamples=2_000, seed=5)
_TANGO_Z = 2.6
_TANGO_LEAST_IQR_NS = 1.0


@dataclass(frozen=True, slots=True)
class Rule:
    """How one tool decides. `says` is the rule in one line, `source` where it was read."""

    name: str
    says: str
    source: str
    _regressed: Replay

    def regressed(self, samples: Pooled, *, threshold: float) -> bool:
        """Whether the rule calls the candidate slower by more than `threshold` (a fraction). Samples without any time, or fewer than
        two of a side, are no regression."""
        if min(len(samples.baseline), len(samples.candidate)) < 2 or min(samples.baseline) <= 0 or min(samples.candidate) <= 0:
            return False
        return self._regressed(samples, threshold)


def rivals(samples: Pooled, *, threshold: float) -> tuple[tuple[str, bool], ...]:
    """What every rule says of the same samples, by its name: `Trial.rivals`, or `Trial.in_turn`."""
    return tuple((name, rule.regressed(samples, threshold=threshold)) for name, rule in RIVALS.items())


def _pyperf(samples: Pooled, threshold: float) -> bool:
    """Student's t over all values of all processes at 95 %, its critical value rounded as in pyperf's table, and the means at least
    the threshold apart (`--min-speed`). Unequal numbers of values count as significant there: the test raises, and the caller takes
    that for a yes."""
    old, new = _sides(samples)
    if new.mean() / old.mean() - 1.0 < threshold:
        return False
    if len(old) != len(new):
        return True
    return abs(student_t(old, new)) >= _pyperf_critical(2 * len(old) - 2)


def _pyperf_critical(freedom: int) -> float:
    """The t of the nearest smaller row of a table that has every row up to 30 and a few beyond."""
    if freedom >= 200:
        return 1.960
    row = next((row for row in (100, 80, 60, 50, 40, 30) if freedom >= row), freedom)
    return round(two_sided_t(_ERROR, row), 3)


def _criterion(samples: Pooled, threshold: float) -> bool:
    """The bootstrapped t at p < 0.05, and the whole bootstrapped interval of the relative change of the mean above the threshold."""
    old, new = _sides(samples)
    # The interval holds the estimate; one below the threshold needs no draws.
    if new.mean() / old.mean() - 1.0 <= threshold:
        return False
    low, _ = _BOOTSTRAP.mean_change(old, new, confidence=1.0 - _ERROR)
    return low > threshold and _BOOTSTRAP.t_probability(old, new) < _ERROR


def _google(samples: Pooled, threshold: float) -> bool:
    """Mann & Whitney's U at p < 0.05, and the relative difference of the means above the threshold, from which on it is shown red."""
    old, new = _sides(samples)
    return bool(new.mean() / old.mean() - 1.0 > threshold) and mann_whitney(old, new) < _ERROR


def _pytest_benchmark(samples: Pooled, threshold: float) -> bool:
    """The means further apart than the threshold, without any test."""
    old, new = _sides(samples)
    return bool(new.mean() / old.mean() - 1.0 > threshold)


def _tango(samples: Pooled, threshold: float) -> bool:
    """|z| of the paired differences at least 2.6, and their mean above the threshold as a share of the baseline's mean.

    Outliers are filtered as with `--filter-outliers`: below the lower fence of 1.5 interquartile ranges (of at least 1 ns), and as many
    at the upper end; nothing where no difference lies below the lower fence. (The search for the upper fence starts at the third
    quartile and its result is used as if it had started at the beginning, so that the upper fence never counts; replayed as it is.)
    """
    count = min(len(samples.baseline), len(samples.candidate))
    old, new = (side[:count] for side in _sides(samples))
    differences = new - old
    kept = _tango_inside(differences)
    differences, old = differences[kept], old[kept]
    mean = float(differences.mean())
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences)) if len(differences) > 1 else 0.0
    significant = abs(mean) >= _TANGO_Z * error if error > 0 else mean != 0
    return significant and mean / float(old.mean()) > threshold


def _tango_inside(differences: Times) -> NDArray[np.bool_]:
    ascending = np.sort(differences)
    count = len(ascending)
    first, third = count // 4, count * 3 // 4 - 1
    everything = np.ones(count, dtype=np.bool_)
    if first >= third:
        return everything
    fence = ascending[first] - 1.5 * max(float(ascending[third] - ascending[first]), _TANGO_LEAST_IQR_NS)
    cut = int(np.searchsorted(ascending[:first], fence))
    if cut == 0:
        return everything
    inside: NDArray[np.bool_] = (differences >= ascending[cut]) & (differences <= ascending[count - cut - 1])
    return inside


def _nanobench(samples: Pooled, threshold: float) -> bool:
    """The whole 95 % interval of the median of the paired log ratios (sign test) above the threshold. nanobench asks for more than
    nothing; a gate with it asks for more than its threshold."""
    count = min(len(samples.baseline), len(samples.candidate))
    old, new = (side[:count] for side in _sides(samples))
    interval = median_interval(np.log(new / old), confidence=1.0 - _ERROR)
    return interval is not None and interval[0] > math.log1p(threshold)


def _sides(samples: Pooled) -> tuple[Times, Times]:
    return np.asarray(samples.baseline, dtype=np.float64), np.asarray(samples.candidate, dtype=np.float64)


_RULES = (
    Rule(
        "pyperf",
        "two-sample t over all values, 95 %; means apart by the threshold",
        "pyperf 2.10.0: _utils.is_significant, _compare.CompareResult (compare_to --min-speed)",
        _pyperf,
    ),
    Rule(
        "criterion",
        "bootstrapped t, p < 0.05; whole bootstrap interval of the mean's change beyond the threshold",
        "criterion.rs at 993f392: analysis::compare; at 528cb12: report::compare_to_threshold (2,000 resamples here, 100,000 there)",
        _criterion,
    ),
    Rule(
        "Google Benchmark",
        "Mann-Whitney U, p < 0.05; means apart by more than the threshold",
        "google/benchmark tools/gbench/report.py at 058fb58: calc_utest, calculate_change, print_difference_report",
        _google,
    ),
    Rule(
        "pytest-benchmark",
        "means apart by more than the threshold, no test",
        "pytest-benchmark 5.3.1: utils.PercentageRegressionCheck (--benchmark-compare-fail=mean:5%)",
        _pytest_benchmark,
    ),
    Rule(
        "tango",
        "z of the paired differences >= 2.6, outliers filtered; mean difference beyond the threshold",
        "tango-bench 0.7.2: calculate_run_result, DiffEstimate::build, iqr_variance_thresholds (--filter-outliers)",
        _tango,
    ),
    Rule(
        "nanobench",
        "sign-test interval of the median paired ratio, 95 %, wholly beyond the threshold",
        "nanobench 4.6.0: detail::pairedLogRatios, detail::medianInterval (Bench::compare)",
        _nanobench,
    ),
)
RIVALS: dict[str, Rule] = {rule.name: rule for rule in _RULES}
"""Tool name -> its rule."""

"""Other tools' rules against those tools, against scipy, and against brute force."""

import math
from random import Random

import numpy as np
import pytest
from pyperf._utils import is_significant, tdist95conf_level
from scipy import stats

from dualmem_cli.judge import rivals
from dualmem_cli.judge.rivals import RIVALS
from dualmem_cli.model.selftest import Pooled
from dualmem_cli.stats.samples import Bootstrap, mann_whitney, median_interval, student_t, welch_t

T = 0.05


def normal(seed: int, *, count: int, change: float, noise: float = 0.05) -> Pooled:
    random = Random(seed)
    shared = [100 * math.exp(random.gauss(0, noise)) for _ in range(count)]
    old = tuple(level * math.exp(random.gauss(0, noise)) for level in shared)
    return Pooled(old, tuple(level * (1 + change) * math.exp(random.gauss(0, noise)) for level in shared))


def shuffled(samples: Pooled, seed: int) -> Pooled:
    candidate = list(samples.candidate)
    Random(seed).shuffle(candidate)
    return Pooled(samples.baseline, tuple(candidate))


@pytest.mark.parametrize("name", RIVALS)
def test_what_anybody_can_see(name: str) -> None:
    rule = RIVALS[name]
    assert rule.name == name
    assert rule.regressed(normal(1, count=400, change=0.2), threshold=T)
    assert not rule.regressed(normal(2, count=400, change=0.0), threshold=T)
    assert not rule.regressed(normal(3, count=400, change=-0.2), threshold=T), "faster is no regression"


@pytest.mark.parametrize("name", RIVALS)
@pytest.mark.parametrize("samples", [Pooled((), ()), Pooled((1.0,), (2.0,)), Pooled((0.0, 0.0), (0.0, 0.0))])
def test_nothing_measured_is_no_regression(name: str, samples: Pooled) -> None:
    assert not RIVALS[name].regressed(samples, threshold=T)


@pytest.mark.parametrize("name", RIVALS)
def test_samples_that_do_not_vary(name: str) -> None:
    """A division by nothing must not decide: equal is silent, twice as slow is caught."""
    assert not RIVALS[name].regressed(Pooled((10.0,) * 40, (10.0,) * 40), threshold=T)
    assert RIVALS[name].regressed(Pooled((10.0,) * 40, (20.0,) * 40), threshold=T)


def test_pyperf_is_pyperf() -> None:
    """The tool itself decides the same, at sizes on both sides of every step of its table."""
    random = Random(7)
    seen = set()
    for seed in range(400):
        count = random.choice((2, 3, 5, 9, 16, 17, 21, 26, 31, 41, 51, 99, 101, 150))
        samples = normal(seed, count=count, change=random.choice((0.03, 0.05, 0.06, 0.08)), noise=random.choice((0.01, 0.06)))
        significant, t = is_significant(samples.candidate, samples.baseline)
        far = stats.tmean(samples.candidate) / stats.tmean(samples.baseline) - 1 >= T
        assert RIVALS["pyperf"].regressed(samples, threshold=T) == (bool(significant) and far), (seed, t)
        seen.add((bool(significant), bool(far)))
    assert len(seen) == 4
    for freedom in range(1, 400):
        assert rivals._pyperf_critical(freedom) == tdist95conf_level(freedom), freedom


def test_pyperf_takes_unequal_numbers_for_significant() -> None:
    samples = Pooled((10.0, 90.0, 10.0), (10.0, 110.0))
    assert RIVALS["pyperf"].regressed(samples, threshold=T)


def test_t_statistics_against_scipy() -> None:
    random = np.random.default_rng(3)
    for _ in range(50):
        old, new = random.lognormal(0, 0.3, 40), random.lognormal(0.1, 0.5, 40)
        assert student_t(old, new) == pytest.approx(stats.ttest_ind(new, old).statistic)
        assert welch_t(old, new) == pytest.approx(stats.ttest_ind(new, old, equal_var=False).statistic)
        assert welch_t(old, new[:17]) == pytest.approx(stats.ttest_ind(new[:17], old, equal_var=False).statistic)


@pytest.mark.parametrize("digits", [1, 2, 9])
def test_u_against_scipy(digits: int) -> None:
    """Rounded to few digits, most values are tied."""
    random = np.random.default_rng(digits)
    for _ in range(60):
        sizes = random.integers(9, 60, 2)
        old, new = (np.round(random.lognormal(shift, 0.2, size), digits) for shift, size in zip((0, 0.1), sizes, strict=True))
        wanted = stats.mannwhitneyu(old, new, alternative="two-sided", method="asymptotic").pvalue
        assert mann_whitney(old, new) == pytest.approx(wanted, rel=1e-9)
    assert mann_whitney(np.ones(9), np.ones(9)) == 1.0


def test_google_benchmark_needs_both() -> None:
    random = Random(11)
    seen = set()
    for seed in range(200):
        samples = shuffled(normal(seed, count=30, change=random.choice((0.02, 0.05, 0.07)), noise=0.06), seed)
        p = stats.mannwhitneyu(samples.baseline, samples.candidate, alternative="two-sided").pvalue
        far = stats.tmean(samples.candidate) / stats.tmean(samples.baseline) - 1 > T
        assert RIVALS["Google Benchmark"].regressed(samples, threshold=T) == bool(p < 0.05 and far)
        seen.add((bool(p < 0.05), bool(far)))
    assert len(seen) == 4


def test_pytest_benchmark_reads_means_only() -> None:
    assert RIVALS["pytest-benchmark"].regressed(Pooled((10.0, 10.0, 10.0), (10.0, 10.0, 12.0)), threshold=T)
    assert not RIVALS["pytest-benchmark"].regressed(Pooled((10.0, 10.0, 10.0), (10.0, 10.0, 11.0)), threshold=T)


@pytest.mark.parametrize("count", [5, 6, 7, 20, 101, 1000, 1024])
def test_median_interval_against_the_sign_test(count: int) -> None:
    """The interval ends where scipy's exact sign test begins to reject."""
    values = np.sort(np.random.default_rng(count).normal(size=count))
    interval = median_interval(values, confidence=0.95)
    inside = [k for k in range(count + 1) if stats.binomtest(k, count).pvalue > 0.05]
    if inside[0] == 0:
        assert interval is None
        return
    assert interval == (values[inside[0] - 1], values[inside[-1]])


def test_median_interval_of_many_covers() -> None:
    random = np.random.default_rng(5)
    covered = 0
    for _ in range(400):
        low, high = median_interval(random.exponential(size=1500), confidence=0.95) or (0.0, 0.0)
        covered += low <= math.log(2) <= high
    assert abs(covered / 400 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 400)


def test_nanobench_looks_at_pairs() -> None:
    """A difference that only the pairs show, because both sides share large swings."""
    random = Random(4)
    level = [100 * math.exp(random.gauss(0, 0.5)) for _ in range(60)]
    samples = Pooled(tuple(level), tuple(value * 1.08 * math.exp(random.gauss(0, 0.01)) for value in level))
    assert RIVALS["nanobench"].regressed(samples, threshold=T)
    assert not RIVALS["nanobench"].regressed(shuffled(samples, 4), threshold=T)
    five = Pooled((10.0,) * 5, (20.0,) * 5)
    assert not RIVALS["nanobench"].regressed(five, threshold=T), "no 95 % interval of five values exists"


def test_tango_is_the_paired_test() -> None:
    """Without any low outlier it is scipy's paired t statistic at 2.6."""
    random = Random(13)
    seen = set()
    for seed in range(300):
        samples = normal(seed, count=12, change=random.choice((0.04, 0.06, 0.09)), noise=0.04)
        differences = np.subtract(samples.candidate, samples.baseline)
        if not rivals._tango_inside(differences).all():
            continue
        t = stats.ttest_rel(samples.candidate, samples.baseline).statistic
        far = differences.mean() / np.mean(samples.baseline) > T
        assert RIVALS["tango"].regressed(samples, threshold=T) == bool(abs(t) >= 2.6 and far)
        seen.add((bool(abs(t) >= 2.6), bool(far)))
    assert len(seen) == 4


def test_tango_cuts_both_ends_alike() -> None:
    calm = [float(i % 7) for i in range(100)]
    low = np.array([-900.0, -800.0, *calm, 700.0, 800.0, 900.0])
    inside = rivals._tango_inside(low)
    assert list(low[~inside]) == [-900.0, -800.0, 800.0, 900.0], "two below, so two above; 700 stays"
    high = np.array([*calm, 700.0, 800.0])
    assert rivals._tango_inside(high).all(), "nothing below the lower fence: nothing is cut"


def test_bootstrap_against_brute_force() -> None:
    """The same distribution as drawing one by one, to the scatter of the draws."""
    random = Random(17)
    old = [math.exp(random.gauss(0, 0.3)) for _ in range(30)]
    new = [1.1 * math.exp(random.gauss(0, 0.3)) for _ in range(30)]
    drawn = sorted(math.fsum(random.choices(new, k=30)) / math.fsum(random.choices(old, k=30)) - 1 for _ in range(20_000))
    low, high = Bootstrap(20_000, 1).mean_change(np.array(old), np.array(new), confidence=0.95)
    width = drawn[19_499] - drawn[500]
    assert low == pytest.approx(drawn[500], abs=0.03 * width)
    assert high == pytest.approx(drawn[19_499], abs=0.03 * width)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.25])
def test_bootstrapped_t_is_near_the_exact_one(shift: float) -> None:
    random = np.random.default_rng(19)
    old, new = random.normal(1.0, 0.2, 60), random.normal(1.0 + shift, 0.2, 60)
    wanted = stats.ttest_ind(new, old, equal_var=False).pvalue
    assert Bootstrap(20_000, 2).t_probability(old, new) == pytest.approx(wanted, abs=0.02)


def test_criterion_wants_the_whole_interval() -> None:
    samples = normal(23, count=80, change=0.055, noise=0.05)
    assert np.mean(samples.candidate) / np.mean(samples.baseline) - 1 > T
    assert not RIVALS["criterion"].regressed(samples, threshold=T)
    assert RIVALS["criterion"].regressed(samples, threshold=0.0)
    answers = {RIVALS["criterion"].regressed(samples, threshold=T) for _ in range(3)}
    assert len(answers) == 1, "equal samples, equal answers"

"""The contract of the gate, simulated: false alarms, detection, coverage and decisions, under noise of every shape that was seen or feared.

The unit is a worker's log ratio. The standard deviations are those measured: 0.25 % between workers on an idle machine, 0.44 % with a hog
on the same core, 0.84 % at the worst of a kernel in the caches; 2.3 % for a store that misses them. Every run is seeded, so a failure is a
fact and not bad luck. Where the contract is not met, a test says by how much, so that nobody has to believe that it is.
"""

import math
from collections.abc import Callable
from functools import cache, partial
from random import Random

import numpy as np
import pytest
from fabricated import case_run, samples, scenario, worker
from scipy import stats as scipy_stats
from simulated_rule import (
    SHAPES,
    VERDICTS,
    Cases,
    Floats,
    Shape,
    autocorrelated,
    bimodal,
    bursts,
    contaminated,
    drifting,
    first_arms,
    gaussian,
    heavy,
    layouts,
    mirrored_bimodal,
    mirrored_skew,
    skewed,
)

from dualmem_cli.judge.compare import SUITE_ERROR, rule_for
from dualmem_cli.judge.controls import control_findings, control_rounds, control_workers
from dualmem_cli.judge.sequential import FIRST_LOOK, Rule, Worker, decide
from dualmem_cli.model.samples import WorkerRun
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.plan.draw import draw_worker
from dualmem_cli.plan.schedule import mirrored
from dualmem_cli.stats.pairs import paired_ratios

IDLE, HOG, WORST, MISSES = 0.0025, 0.0044, 0.0084, 0.023
MOST_WORKERS = 400  # of 30 to 50 ms: what the budget of 20 s allows
ROWS = 5_000
ONE, TWENTY = rule_for(scenario(), cases=1), rule_for(scenario(), cases=20)
Noise = Callable[[np.random.Generator, int, int], Floats]


def scaled(shape: Shape, sd: float) -> Noise:
    return lambda random, rows, columns: sd * shape(random, rows, columns)


def made(noise: Noise, *, seed: str, rows: int = ROWS, columns: int = MOST_WORKERS, order: float = 0.0) -> Cases:
    """Cases with this noise. Whoever is set up first is slower by `order`, a log ratio."""
    random = np.random.default_rng(list(seed.encode()))
    firsts = first_arms(random, rows, columns)
    return Cases(noise(random, rows, columns) + np.where(firsts == 1, order, -order), firsts)


@cache
def cases(shape: Shape, sd: float) -> Cases:
    return made(scaled(shape, sd), seed=f"{shape.__name__}/{sd}")


def worst_of_chance(probability: float, rows: int = ROWS) -> int:
    """How many of `rows` may show an error of this probability: exceeded by chance once in some 30,000 tests (Poisson, four sigma)."""
    expected = probability * rows
    return math.ceil(expected + 4.0 * math.sqrt(expected))


# --- the rule for thousands of cases is the rule ---


@pytest.mark.parametrize("columns", [6, 12, 20, 24, 60])
@pytest.mark.parametrize("sd", [0.0025, 0.01, 0.03])
def test_the_vectorised_rule_decides_as_the_rule_does(sd: float, columns: int) -> None:
    """Verdict, number of workers, proved or estimated, for changes on all sides of the threshold; the last look is a final one."""
    for rule in (ONE, TWENTY, Rule(0.02, 0.01, 0.1)):
        some = made(scaled(heavy, sd), seed=f"twin/{sd}/{columns}", rows=8, columns=columns, order=0.01)
        for change in (-0.2, -0.06, 0.0, 0.02, 0.04, 0.049, 0.051, 0.06, 0.3):
            found = some.outcomes(change, rule)
            for row in range(8):
                workers = [
                    Worker(math.log1p(change) + log, first)
                    for log, first in zip(some.noise[row].tolist(), some.firsts[row].tolist(), strict=True)
                ]
                wanted = decide(workers, rule, final=True)
                assert wanted is not None
                assert VERDICTS[found.verdicts[row]] is wanted.verdict
                assert (found.counts[row], found.by_estimate[row]) == (wanted.change.count, wanted.by_estimate)


def test_the_draws_are_those_of_the_plan() -> None:
    """Set-up orders come in opposite pairs, links rotate; the vectorised draws do the same."""
    drawn = [draw_worker(index=index, seed=3, arms=2, cpus=(0, 1), links=(4, 4)) for index in range(32)]
    assert all(one.order[0] == 1 - two.order[0] for one, two in zip(drawn[::2], drawn[1::2], strict=True))
    firsts = first_arms(np.random.default_rng(1), 50, 32)
    assert (firsts[:, ::2] + firsts[:, 1::2] == 1).all()
    assert {0, 1} == set(firsts[:, 0].tolist())
    turns = [(index % 4, (index + index // 4) % 4) for index in range(32)]
    renamed = {drawn[index].links: turns[index] for index in range(16)}
    assert [renamed[draw.links] for draw in drawn] == turns, "the same rotation but for the names of the links"
    only = layouts(np.random.default_rng(1), 5, 32, sd=0.0)
    assert np.allclose(only[:, :16].mean(axis=1), 0.0), "over all pairs of links the effects cancel"
    assert np.allclose(only[:, :16], only[:, 16:])
    assert only.std() > 0.01


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_the_noise_is_what_it_is_called(shape: Shape) -> None:
    noise = shape(np.random.default_rng(7), 4_000, 80)
    assert abs(noise.mean()) < 0.01
    assert noise.std() == pytest.approx(1.0, abs=0.06)


# --- false alarms and detection ---


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
@pytest.mark.parametrize("sd", [IDLE, HOG])
def test_neither_false_alarms_nor_misses(shape: Shape, sd: float) -> None:
    """On an idle machine and with a hog on the same core, whatever the shape: of 10,000 cases not one alarm up to +4 %, and not one miss
    from +6 % on; nothing stays open."""
    for rule in (ONE, TWENTY):
        for change in (0.0, 0.03, 0.04):
            found = cases(shape, sd).outcomes(change, rule)
            assert found.number(Verdict.UNCHANGED) == ROWS, change
        for change in (0.06, 0.08, 0.1):
            assert cases(shape, sd).outcomes(change, rule).number(Verdict.REGRESSED) == ROWS, change


DEPENDENT = (autocorrelated, drifting)  # workers that are not independent, which the rule assumes


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape not in DEPENDENT], ids=lambda shape: shape.__name__)
def test_at_the_worst_noise_of_the_caches(shape: Shape) -> None:
    """0.84 % between workers: at most once in a thousand."""
    for rule, errors in ((ONE, 0.001), (TWENTY, 0.001 / 20)):
        for change in (0.0, 0.03, 0.04):
            found = cases(shape, WORST).outcomes(change, rule)
            assert found.number(Verdict.REGRESSED) <= worst_of_chance(errors), change
            assert found.number(Verdict.IMPROVED) == found.number(None) == 0
        for change in (0.06, 0.08, 0.1):
            found = cases(shape, WORST).outcomes(change, rule)
            assert found.number(Verdict.REGRESSED) >= ROWS - worst_of_chance(0.001), change


@pytest.mark.parametrize("shape", [gaussian, heavy, bursts], ids=lambda shape: shape.__name__)
@pytest.mark.parametrize("sd", [MISSES, 0.032])
def test_a_store_that_misses_the_caches(shape: Shape, sd: float) -> None:
    """2.3 % between workers, and 3.2 %: symmetrical noise of one mode is still judged within the contract, in 400 workers."""
    for rule, errors in ((ONE, 0.001), (TWENTY, 0.001 / 20)):
        for change in (0.0, 0.04):
            found = cases(shape, sd).outcomes(change, rule)
            assert found.number(Verdict.REGRESSED) <= worst_of_chance(errors)
            assert found.rate(None) <= 0.01, "inconclusive at most once in a hundred"
        found = cases(shape, sd).outcomes(0.06, rule)
        assert found.number(Verdict.UNCHANGED) <= worst_of_chance(0.001)
        assert found.rate(Verdict.REGRESSED) >= 0.99


@pytest.mark.parametrize("sd", [IDLE, HOG, WORST, MISSES])
def test_a_few_workers_that_are_far_out(sd: float) -> None:
    """Three in a hundred read 15 % too much or too little."""
    wild = made(partial(contaminated, sd=sd), seed=f"wild/{sd}")
    for rule, errors in ((ONE, 0.001), (TWENTY, 0.001 / 20)):
        for change in (0.0, 0.04):
            found = wild.outcomes(change, rule)
            assert found.number(Verdict.REGRESSED) <= worst_of_chance(errors)
            assert found.rate(None) <= 0.01
        assert wild.outcomes(0.06, rule).rate(Verdict.REGRESSED) >= 0.995


@pytest.mark.parametrize("sd", [IDLE, HOG, WORST, MISSES])
def test_layouts_that_differ(sd: float) -> None:
    """Each of four links of either build is 1 % off by its layout alone: judged is the mean over them, and most cases are judged before all
    pairs of links ran."""
    rotated = made(partial(layouts, sd=sd), seed=f"layouts/{sd}")
    for rule, errors in ((ONE, 0.001), (TWENTY, 0.001 / 20)):
        for change in (0.0, 0.04):
            found = rotated.outcomes(change, rule)
            assert found.number(Verdict.REGRESSED) <= worst_of_chance(errors)
            assert found.number(None) == 0
        assert rotated.outcomes(0.06, rule).number(Verdict.REGRESSED) >= ROWS - worst_of_chance(0.001)


def test_a_layout_that_is_not_rotated_breaks_the_contract() -> None:
    """Why there is a rotation: one link each, 1 % off, and one case in five at +4 % is an alarm."""

    def stuck(random: np.random.Generator, rows: int, columns: int) -> Floats:
        effect = 0.01 * math.sqrt(2.0) * random.standard_normal((rows, 1))
        return effect + IDLE * random.standard_normal((rows, columns))

    assert made(stuck, seed="stuck").outcomes(0.04, ONE).rate(Verdict.REGRESSED) > 0.15


def unblocked(some: Cases) -> Cases:
    """The same workers, as if all had set up the same arm first in two blocks that have nothing to do with it."""
    half = np.arange(some.noise.shape[1]) // 2 % 2
    return Cases(some.noise, np.broadcast_to(half, some.noise.shape))


@pytest.mark.parametrize("order", [-0.03, 0.03])
@pytest.mark.parametrize("sd", [IDLE, WORST, MISSES])
def test_an_order_effect_changes_no_decision(sd: float, order: float) -> None:
    """3 % in favour of whoever is set up first, or last: the very decisions that there are without it."""
    plain, ordered = (made(scaled(gaussian, sd), seed=f"order/{sd}", rows=2_000, order=effect) for effect in (0.0, order))
    for change in (0.0, 0.04, 0.06):
        one, other = plain.outcomes(change, TWENTY), ordered.outcomes(change, TWENTY)
        assert (one.verdicts == other.verdicts).all()
        assert (one.counts == other.counts).all()
    if sd == MISSES:
        with_blocks, without = (np.mean(some.outcomes(0.0, ONE).counts) for some in (ordered, unblocked(ordered)))
        assert without > 1.5 * with_blocks, "an error taken across both orders costs half as many workers again"


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_improvements(shape: Shape) -> None:
    assert cases(shape, HOG).outcomes(-0.10, ONE).number(Verdict.IMPROVED) >= ROWS - worst_of_chance(0.001)
    assert cases(shape, HOG).outcomes(-0.02, ONE).number(Verdict.IMPROVED) == 0


@pytest.mark.parametrize("columns", [6, 8, 12])
def test_when_time_is_up_early_the_errors_are_still_kept(columns: int) -> None:
    """A slow kernel for which the budget allows a handful of workers: more may stay open, nothing may be wrong."""
    for sd in (HOG, WORST, MISSES):
        few = made(scaled(gaussian, sd), seed=f"few/{sd}/{columns}", rows=40_000, columns=columns)
        assert few.outcomes(0.04, ONE).number(Verdict.REGRESSED) <= worst_of_chance(0.001, 40_000)
        assert few.outcomes(0.06, ONE).number(Verdict.UNCHANGED) <= worst_of_chance(0.001, 40_000)


# --- a suite ---


def alarms_of_suites(shape: Shape, sd: float, *, rule: Rule, change: float = 0.04) -> float:
    """The share of suites of twenty, all at `change`, that raise an alarm."""
    found = made(scaled(shape, sd), seed=f"suite/{shape.__name__}/{sd}", rows=40_000, columns=66).outcomes(change, rule)
    return float(np.mean((found.verdicts == VERDICTS.index(Verdict.REGRESSED)).reshape(-1, 20).any(axis=1)))


@pytest.mark.parametrize("shape", [gaussian, heavy, bursts, skewed, mirrored_skew], ids=lambda shape: shape.__name__)
@pytest.mark.parametrize("sd", [HOG, WORST])
def test_a_suite_of_twenty_errs_as_rarely_as_one_case(shape: Shape, sd: float) -> None:
    """Family-wise: of 2,000 suites that are slower by 4 % in every case two may raise an alarm."""
    assert alarms_of_suites(shape, sd, rule=TWENTY) <= 0.001


def test_an_error_that_is_not_shared_by_the_suite_adds_up() -> None:
    """What Bonferroni avoids, at an error that can be counted: twenty cases with the whole budget each exceed it many times."""
    loose, shared = Rule(0.05, alarm_error=0.4, miss_error=0.4), Rule(0.05, alarm_error=0.02, miss_error=0.4)
    assert alarms_of_suites(gaussian, MISSES, rule=shared) <= 0.4
    assert alarms_of_suites(gaussian, MISSES, rule=loose) > 0.6


# --- coverage at all looks together ---


def missed(some: Cases, rule: Rule) -> tuple[float, float]:
    """How often the lower bound lies above the truth, and the upper one below it, at any look at all."""
    _, low, high = some.bounds(rule)
    return float(np.mean((low > 0.0).any(axis=0))), float(np.mean((high < 0.0).any(axis=0)))


@pytest.mark.parametrize("order", [0.0, 0.03])
@pytest.mark.parametrize(("alarm", "miss"), [(0.05, 0.05), (0.02, 0.2)])
def test_both_bounds_hold_at_all_looks_together(alarm: float, miss: float, order: float) -> None:
    """Errors that can be counted; each bound keeps its own, and is not so wide that nothing can ever be decided."""
    some = made(scaled(gaussian, HOG), seed=f"coverage/{order}", order=order)
    below, above = missed(some, Rule(0.05, alarm_error=alarm, miss_error=miss))
    assert alarm / 3 <= below <= alarm
    assert miss / 3 <= above <= miss


@pytest.mark.parametrize("shape", [heavy, bursts], ids=lambda shape: shape.__name__)
def test_both_bounds_hold_for_symmetrical_noise_of_any_tail(shape: Shape) -> None:
    below, above = missed(cases(shape, HOG), Rule(0.05, alarm_error=0.05, miss_error=0.05))
    assert max(below, above) <= 0.05


def test_both_bounds_hold_over_layouts() -> None:
    below, above = missed(made(partial(layouts, sd=HOG), seed="layouts"), Rule(0.05, alarm_error=0.05, miss_error=0.05))
    assert max(below, above) <= 0.05


def test_bounds_for_one_look_would_not_do() -> None:
    """What the rule avoids, so that the tests above are known to be able to fail: the whole error spent at every look."""
    some = cases(gaussian, HOG)
    mean, error = some.moments
    reach = np.array([scipy_stats.t.isf(0.05, count - 2) for count in some.looks])[:, None] * error
    assert np.mean((mean[0] - reach[0]) > 0.0) == pytest.approx(0.05, abs=0.015), "at one look it would do"
    assert np.mean((mean - reach > 0.0).any(axis=0)) > 0.15


# --- going on, and running again ---


def test_going_on_with_a_record_raises_no_error_rate() -> None:
    """`compare --continue`: what is decided stands, what is open goes on with its workers. That is one sequence with more looks, which have
    their errors already; errors are of a size that can be counted."""
    rule = Rule(0.05, alarm_error=0.05, miss_error=0.05)
    noisy = made(scaled(gaussian, 0.04), seed="continued", rows=20_000, columns=244)
    change = 0.04
    verdicts = np.zeros(20_000, dtype=np.int64)
    for columns in (10, 36, 96, 244):  # four runs, each of which ends with a final look
        so_far = Cases(noisy.noise[:, :columns], noisy.firsts[:, :columns]).outcomes(change, rule).verdicts
        verdicts = np.where(verdicts == 0, so_far, verdicts)
    alarms = float(np.mean(verdicts == VERDICTS.index(Verdict.REGRESSED)))
    at_once = noisy.outcomes(change, rule).rate(Verdict.REGRESSED)
    assert 0 < at_once <= 0.05
    assert alarms <= 0.05, "four chances are not four errors"


def test_running_again_until_it_is_green_lets_regressions_through() -> None:
    """The naive way, so that the test above is known to be able to fail: a fresh run after every red one, nothing kept. Twenty runs exceed
    the error that was promised for a pass; going on with one record for as many workers does not."""
    rule = Rule(0.05, alarm_error=0.05, miss_error=0.2)
    runs = [made(scaled(gaussian, 0.02), seed=f"again/{number}", rows=4_000, columns=96) for number in range(20)]
    green = [run.outcomes(0.06, rule).verdicts == VERDICTS.index(Verdict.UNCHANGED) for run in runs]
    assert 0 < np.mean(green[0]) <= 0.2
    assert np.mean(np.any(green, axis=0)) > 0.2, "more than was promised for a pass"
    kept = Cases(np.concatenate([run.noise for run in runs], axis=1), np.concatenate([run.firsts for run in runs], axis=1))
    assert kept.outcomes(0.06, rule).rate(Verdict.UNCHANGED) <= 0.2


# --- how long it takes ---


@pytest.mark.parametrize(
    ("sd", "change", "median", "most"),
    [
        (IDLE, 0.0, 6, 6),
        (IDLE, 0.08, 6, 6),
        (HOG, 0.0, 6, 6),
        (HOG, 0.04, 12, 16),
        (WORST, 0.0, 6, 8),
        (WORST, 0.06, 24, 24),
        (MISSES, 0.0, 10, 24),
    ],
)
def test_how_many_workers_decide(sd: float, change: float, median: int, most: int) -> None:
    """Clean kernels are decided at the first look; near the threshold it takes what the noise asks for, and no more."""
    counts = cases(gaussian, sd).outcomes(change, ONE).counts
    assert np.median(counts) <= median
    assert np.percentile(counts, 99) <= most


# --- what is not promised ---


@pytest.mark.parametrize(
    ("shape", "sd", "alarms", "misses"),
    [
        (autocorrelated, WORST, 0.002, 0.004),
        (autocorrelated, MISSES, 0.012, 0.012),
        (drifting, WORST, 0.02, 0.02),
        (drifting, MISSES, 0.02, 0.02),
        (skewed, MISSES, 0.001, 0.04),
        (mirrored_skew, MISSES, 0.04, 0.001),
        (bimodal, MISSES, 0.015, 0.30),
        (mirrored_bimodal, MISSES, 0.30, 0.015),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_where_the_contract_is_not_met(shape: Shape, sd: float, alarms: float, misses: float) -> None:
    """Known and published (docs/explanation/gate.md): workers that depend on each other, and very noisy kernels whose workers lie in two
    heaps or far to one side. The first handful of workers may then agree with each other on something that is not the mean. These are
    ceilings of what was found; a change of the rule that lowers them is welcome to lower the numbers too."""
    alarmed = cases(shape, sd).outcomes(0.04, ONE).rate(Verdict.REGRESSED)
    passed = cases(shape, sd).outcomes(0.06, ONE).rate(Verdict.UNCHANGED)
    assert alarmed <= alarms
    assert passed <= misses
    assert max(alarmed, passed) > 0.001, "met after all: then it belongs with the promises above"


# --- within a worker ---


@pytest.mark.parametrize("per_sample", [0.0, 1e-4, 1e-3])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_machine_that_drifts_while_a_worker_runs_moves_no_ratio(per_sample: float, sign: float) -> None:
    """Up to 16 % from the first of 160 samples to the last; pairs in mirrored order cancel it."""
    values = []
    for index in range(200):
        random = Random(index)
        schedule = mirrored(arms=2, samples=80, seed=index)
        wall = [
            round(1e7 * (1.03 if digit == "1" else 1.0) * math.exp(sign * per_sample * position + random.gauss(0.0, 0.003)))
            for position, digit in enumerate(schedule)
        ]
        values.append(paired_ratios(samples(schedule, wall), arm=1, reference=0).value)
    assert np.mean(values) == pytest.approx(math.log(1.03), abs=0.0002)
    assert np.std(values) < 0.0015


# --- controls ---


def controlled(judged: Floats, controls: Floats) -> bool:
    """Whether both controls of a suite hold. `judged`: log ratios of the judged workers, a row per case; `controls`: cases x workers x 2,
    the noise of the copy and that of the one with more work."""

    def control(noise: Floats) -> WorkerRun:
        cost = (1.0, math.exp(noise[0]), 1.08 * math.exp(noise[1]))
        return worker(samples("012210", [round(1e9 * cost[int(arm)]) for arm in "012210"], iterations=(100, 100, 108)))

    runs = [
        case_run(
            *(worker(samples("01", [10**9, round(1e9 * math.exp(log))])) for log in logs),
            controls=tuple(control(noise) for noise in own),
        )
        for logs, own in zip(judged, controls, strict=True)
    ]
    return all(finding.held for finding in control_findings(runs, (scenario(),)))


@pytest.mark.parametrize("suite", [1, 2, 10])
@pytest.mark.parametrize(
    ("shape", "sd"),
    [(gaussian, WORST), (bimodal, WORST), *((shape, HOG) for shape in (skewed, mirrored_skew, heavy))],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_controls_hold_on_a_busy_machine(shape: Shape, sd: float, suite: int) -> None:
    """A control that fails makes the whole run inconclusive, which may happen once in a hundred runs. As in the pipeline, controls that do
    not hold yet get more workers, round by round; nearly all hold at once."""
    random = np.random.default_rng(list(f"{shape.__name__}/{suite}".encode()))
    first, last = control_workers(suite), control_rounds(suite)
    at_once = at_all = 0
    for _ in range(200):
        judged = sd * shape(random, suite, FIRST_LOOK)
        controls = sd * shape(random, suite, 2 * last).reshape(suite, last, 2)
        at_once += controlled(judged, controls[:, :first])
        at_all += any(controlled(judged, controls[:, :count]) for count in range(first, last + 1))
    assert at_once >= 190
    assert at_all >= 198


def test_the_suites_error_is_the_one_promised() -> None:
    assert SUITE_ERROR == ONE.alarm_error == pytest.approx(20 * TWENTY.alarm_error)
    assert ONE.miss_error == TWENTY.miss_error == 0.001

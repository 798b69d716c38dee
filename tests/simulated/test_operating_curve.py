"""The contract of the gate, simulated: false alarms, detection, and decisions, under noise of every shape that was seen or feared.

The unit is a worker's log ratio. The standard deviations are those measured with the prototype: 0.25 % between workers on an idle
machine, 0.44 % with a hog on the same core, 0.84 % at its worst. Every run is seeded, so a failure is a fact and not bad luck.
"""

import math
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from fabricated import case_run, samples, scenario, worker

from dualmem_cli.judge.compare import SUITE_ERROR
from dualmem_cli.judge.controls import control_findings, control_workers
from dualmem_cli.judge.sequential import FIRST_LOOK, Rule, decide, interval, looks
from dualmem_cli.model.samples import WorkerRun
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.stats.interval import log_ratio_interval

IDLE, HOG, WORST = 0.0025, 0.0044, 0.0084
MOST_WORKERS = 200
RULE = Rule(threshold=0.05, error=SUITE_ERROR)

# Noise of mean 0 and standard deviation 1, the next value from the last one.
Shape = Callable[[Random, float], float]


def gaussian(random: Random, _last: float) -> float:
    return random.gauss(0.0, 1.0)


def skewed(random: Random, _last: float) -> float:
    """Log-normal: mostly a little fast, sometimes very slow."""
    return (random.lognormvariate(0.0, 1.0) - math.exp(0.5)) / math.sqrt((math.e - 1.0) * math.e)


def mirrored_skew(random: Random, last: float) -> float:
    """The same with the sides exchanged: it is the baseline that is sometimes very slow."""
    return -skewed(random, last)


def heavy(random: Random, _last: float) -> float:
    """Student's t with 3 degrees of freedom: no fourth moment."""
    return random.gauss(0.0, 1.0) / math.sqrt(random.gammavariate(1.5, 2.0) / 3.0) / math.sqrt(3.0)


def bimodal(random: Random, _last: float) -> float:
    """One worker in five has another layout, processor or page mapping, two and a half standard deviations away."""
    return (2.0 if random.random() < 0.2 else -0.5) + 0.1 * random.gauss(0.0, 1.0)


def autocorrelated(random: Random, last: float) -> float:
    """A worker is like the one before it: correlation 0.37, which was measured in the field inside of one process."""
    return 0.37 * last + math.sqrt(1.0 - 0.37**2) * random.gauss(0.0, 1.0)


SHAPES: tuple[Shape, ...] = (gaussian, skewed, mirrored_skew, heavy, bimodal, autocorrelated)


def workers(shape: Shape, *, sd: float, change: float, random: Random, count: int = MOST_WORKERS) -> list[float]:
    made: list[float] = []
    last = random.gauss(0.0, 1.0)
    for _ in range(count):
        last = shape(random, last)
        made.append(math.log1p(change) + sd * last)
    return made


def outcome(logs: list[float], rule: Rule = RULE) -> tuple[Verdict | None, int]:
    """The verdict that the rule reaches, and after how many workers; None when they were used up."""
    for count in looks(len(logs)):
        decision = decide(logs[:count], rule)
        assert decision is not None
        if decision.verdict is not None:
            return decision.verdict, count
    return None, len(logs)


def rates(shape: Shape, *, sd: float, change: float, runs: int, rule: Rule = RULE) -> tuple[Counter[Verdict | None], list[int]]:
    random = Random(f"{shape.__name__}/{sd}/{change}")
    found = [outcome(workers(shape, sd=sd, change=change, random=random), rule) for _ in range(runs)]
    return Counter(verdict for verdict, _ in found), sorted(count for _, count in found)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
@pytest.mark.parametrize("sd", [IDLE, HOG, WORST])
def test_false_alarms(shape: Shape, sd: float) -> None:
    """At most one in a thousand up to +4 %. Of 800 runs none or, with bad luck, two."""
    for change, runs in ((0.0, 150), (0.03, 250), (0.04, 400)):
        verdicts, _ = rates(shape, sd=sd, change=change, runs=runs)
        assert verdicts[Verdict.REGRESSED] <= (1 if change == 0.04 else 0), (change, verdicts)
        assert verdicts[Verdict.IMPROVED] == 0
        assert verdicts[None] <= runs / 100, "inconclusive at most once in a hundred"


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
@pytest.mark.parametrize("sd", [IDLE, HOG, WORST])
def test_detection(shape: Shape, sd: float) -> None:
    """At least 99 % from +6 % on; 99.9 % aimed at, and reached where workers are independent."""
    allowed = 0.01 if shape is autocorrelated else 0.0025
    for change, runs in ((0.06, 400), (0.08, 200), (0.10, 100)):
        verdicts, _ = rates(shape, sd=sd, change=change, runs=runs)
        assert verdicts[Verdict.REGRESSED] >= runs - max(1, allowed * runs), (change, verdicts)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_improvements(shape: Shape) -> None:
    verdicts, _ = rates(shape, sd=HOG, change=-0.10, runs=100)
    assert verdicts == {Verdict.IMPROVED: 100}


def test_a_suite_of_twenty_errs_as_rarely_as_one_case() -> None:
    """Family-wise: 20 clean kernels at +4 %, 40 suites, not one alarm; and a regression among them is still found."""
    rule = Rule(threshold=0.05, error=SUITE_ERROR / 20)
    verdicts, counts = rates(gaussian, sd=HOG, change=0.04, runs=800, rule=rule)
    assert verdicts[Verdict.REGRESSED] == 0
    assert verdicts[None] == 0
    verdicts, _ = rates(heavy, sd=WORST, change=0.06, runs=200, rule=rule)
    assert verdicts[Verdict.REGRESSED] >= 199
    assert counts[len(counts) // 2] <= 16


@pytest.mark.parametrize(
    ("sd", "change", "median", "most"),
    [(IDLE, 0.0, 6, 6), (IDLE, 0.08, 6, 8), (HOG, 0.0, 6, 8), (HOG, 0.04, 12, 22), (WORST, 0.0, 6, 8), (WORST, 0.06, 26, 46)],
)
def test_how_many_workers_decide(sd: float, change: float, median: int, most: int) -> None:
    """Clean kernels are decided at the first look; near the threshold it takes what the noise asks for, and no more."""
    _, counts = rates(gaussian, sd=sd, change=change, runs=300)
    assert counts[150] <= median
    assert counts[297] <= most


def test_looking_often_costs_nothing() -> None:
    """The chance that any of many looks excludes the truth is below the error that was promised, for an error that can be counted."""
    random = Random(11)
    rule = Rule(threshold=0.05, error=0.1)
    missed = 0
    runs = 250
    for _ in range(runs):
        logs = workers(gaussian, sd=HOG, change=0.03, random=random)
        seen = (interval(logs[:count], rule) for count in looks(100))
        missed += any(not look.low <= 0.03 <= look.high for look in seen)
    assert 0.01 <= missed / runs <= 0.1, "and it is not so wide that nothing can ever be decided"


def test_looking_often_with_an_interval_for_one_look_would_not_do() -> None:
    """What the rule avoids, so that the test above is known to be able to fail."""
    random = Random(11)
    missed = 0
    runs = 250
    for _ in range(runs):
        logs = workers(gaussian, sd=HOG, change=0.03, random=random)
        seen = (log_ratio_interval(logs[:count], confidence=0.9, method="m") for count in looks(100))
        missed += any(not look.low <= 0.03 <= look.high for look in seen)
    assert missed / runs > 0.2


def controlled(*, sd: float, cases: int, random: Random, shape: Shape) -> list[bool]:
    """Whether the two controls of a suite hold, whose workers all have this noise."""

    def spread() -> float:
        return math.exp(sd * shape(random, 0.0))

    def control() -> WorkerRun:
        cost = (1.0, spread(), 1.08 * spread())
        return worker(samples("012210", [round(1e9 * cost[int(arm)]) for arm in "012210"], iterations=(100, 100, 108)))

    runs = [
        case_run(
            *(worker(samples("01", [10**9, round(1e9 * spread())])) for _ in range(FIRST_LOOK)),
            controls=tuple(control() for _ in range(control_workers(cases))),
        )
        for _ in range(cases)
    ]
    return [finding.held for finding in control_findings(runs, (scenario(),))]


@pytest.mark.parametrize("cases", [1, 2, 10])
@pytest.mark.parametrize(
    ("shape", "sd"),
    [(gaussian, WORST), (bimodal, WORST), *((shape, HOG) for shape in (skewed, mirrored_skew, heavy))],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_controls_hold_on_a_busy_machine(shape: Shape, sd: float, cases: int) -> None:
    """A control that fails makes the whole run inconclusive, which may happen once in a hundred runs."""
    random = Random(f"{shape.__name__}/{cases}")
    failed = sum(not all(controlled(sd=sd, cases=cases, random=random, shape=shape)) for _ in range(200))
    assert failed <= 2

"""Two controls in every compare: the baseline against a byte copy of itself must be silent, the baseline with more work must be
caught. They are pooled over the suite, and where one fails, the run has not earned a verdict.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean, stdev

from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.model.units import Unit, percent
from dualmem_cli.model.verdict import DECIDED, CompareFinding, ControlFinding, Verdict
from dualmem_cli.stats.interval import change_of, weighted_interval
from dualmem_cli.stats.pairs import paired_ratios

# Of a whole suite; in a small one, cases get more than one each. With six, the 8 % of a single case were not told from 5 % in 24 % of
# simulated runs at the worst noise measured (0.84 % between workers); with ten in none of 1,500.
_WORKERS = 10
_MOST_WORKERS = 60
_CONFIDENCE = 0.999
# How much more than the threshold the second control works: 8 % for 5 %.
_MORE = 1.6
_COPY_ARM, _MORE_ARM = 1, 2
_SMALLEST_SPREAD = 0.003  # what a quiet machine has; a smaller one, from a handful of workers, would be luck
_UNKNOWN_SPREAD = 0.02
_METHOD = "pooled over the suite, weighted by precision"


def control_work(scenario: Scenario) -> float:
    """The factor of the control that must be caught."""
    return 1.0 + _MORE * scenario.gate.time


def control_workers(cases: int) -> int:
    """Control workers per case before the first look, so that a suite of any size has enough of them to be pooled."""
    return math.ceil(_WORKERS / max(1, cases))


def control_rounds(cases: int) -> int:
    """Control workers per case at most."""
    return max(3 * control_workers(cases), math.ceil(_MOST_WORKERS / max(1, cases)))


def control_findings(runs: Sequence[CaseRun], scenarios: Sequence[Scenario]) -> tuple[ControlFinding, ...]:
    """Both controls, pooled over all cases that have control workers; empty when none has."""
    thresholds = {scenario.name: math.log1p(scenario.gate.time) for scenario in scenarios}
    controlled = [(run, thresholds[run.case.scenario]) for run in runs if run.controls]
    if not controlled:
        return ()
    return (
        _pooled("baseline against itself", controlled, arm=_COPY_ARM, held=lambda low, high: low > -1.0 and high < 1.0),
        _pooled("baseline against itself with more work", controlled, arm=_MORE_ARM, held=lambda low, _high: low > 1.0),
    )


def without_controls(finding: CompareFinding, controls: Sequence[ControlFinding]) -> CompareFinding:
    """The finding, or an inconclusive one when a control did not hold: a gate that misses a planted slowdown, or sees one that is not
    there, can say neither pass nor fail."""
    failed = next((control for control in controls if not control.held), None)
    if failed is None or finding.verdict not in DECIDED:
        return finding
    seen = percent(failed.change.value) if failed.change else "nothing"
    return replace(
        finding,
        verdict=Verdict.INCONCLUSIVE,
        reason=f"would be {finding.verdict} ({finding.reason}), but a control failed: {failed.name} read {seen}; "
        "measure again on a quieter machine",
    )


def _pooled(
    name: str, controlled: Sequence[tuple[CaseRun, float]], *, arm: int, held: Callable[[float, float], bool]
) -> ControlFinding:
    """Workers' log ratios, judged in units of their case's threshold, so that scenarios with other thresholds can be pooled.

    A case counts by how well it can be measured here, which its judged workers have shown: one memory-bound kernel with 10 % of noise
    must not speak for twenty others.
    """
    logs: list[float] = []
    units: list[float] = []
    weights: list[float] = []
    passed = 0
    for run, threshold in controlled:
        # A sample without time has no ratio; the worker counts as failed.
        timed = [worker.samples for worker in run.controls if worker.samples is not None and min(worker.samples.wall_ns) > 0]
        own = [paired_ratios(samples, arm=arm, reference=0).value for samples in timed]
        logs += own
        units += [log / threshold for log in own]
        weights += [1.0 / _spread(run) ** 2] * len(own)
        passed += bool(own) and held(fmean(own) / threshold, fmean(own) / threshold)
    complete = len(logs) == sum(len(run.controls) for run, _ in controlled)
    if len(logs) < 2:
        return ControlFinding(name=name, held=False, passed=passed, cases=len(controlled), change=None)
    pooled = weighted_interval(units, weights, confidence=_CONFIDENCE, unit=Unit.RATIO, method=_METHOD)
    return ControlFinding(
        name=name,
        held=complete and held(pooled.low, pooled.high),
        passed=passed,
        cases=len(controlled),
        change=change_of(weighted_interval(logs, weights, confidence=_CONFIDENCE, unit=Unit.RATIO, method=_METHOD)),
    )


def _spread(run: CaseRun) -> float:
    """The standard deviation between the judged workers of a case, as a log ratio."""
    logs = [paired_ratios(worker.samples, arm=1, reference=0).value for worker in run.workers if worker.samples is not None]
    return max(_SMALLEST_SPREAD, stdev(logs)) if len(logs) > 1 else _UNKNOWN_SPREAD

"""What a compare found: one verdict per case, with the sentence that says what was proved."""

import math
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean, median

from dualmem_cli.judge.layout import is_layout_sensitive
from dualmem_cli.judge.sequential import Decision, Rule, Worker, decide, interval, next_look, workers_wanted
from dualmem_cli.judge.validity import problem_of
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.kernel import Build, Kernel
from dualmem_cli.model.metric import Better
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.model.units import percent, significant
from dualmem_cli.model.verdict import CompareFinding, LayoutCell, MetricChange, Verdict
from dualmem_cli.stats.pairs import paired_ratios, per_operation

SUITE_ERROR = 0.001
PASS_ERROR = 0.001
# A recall that fell by more than this is a regression even above its floor.
RECALL_ALLOWANCE = 0.005
# 0.99 - 0.985 is more than 0.005 in binary; a change of exactly the allowance is allowed.
_EXACTLY = 1 + 1e-9


def rule_for(scenario: Scenario, *, cases: int) -> Rule:
    """The rule of one case in a suite of `cases`: together they raise a false alarm at most once in a thousand runs; each of them passes a
    slower kernel at most once in a thousand."""
    return Rule(threshold=scenario.gate.time, alarm_error=SUITE_ERROR / max(1, cases), miss_error=PASS_ERROR)


def workers_of(run: CaseRun) -> tuple[Worker, ...]:
    """One log ratio candidate / baseline per worker, with the arm that was set up first."""
    return tuple(
        Worker(paired_ratios(worker.samples, arm=1, reference=0).value, worker.draw.order[0])
        for worker in run.workers
        if worker.samples is not None
    )


def workers_missing(scenario: Scenario, kernel: Kernel, run: CaseRun, *, cases: int) -> int:
    """How many more workers the next look wants; 0 when something is wrong with the case, or the rule has ended it."""
    if run.workers and problem_of(run, kernel, recall_floor=scenario.gate.recall_floor):
        return 0
    decision = decide(workers_of(run), rule_for(scenario, cases=cases), final=False)
    return next_look(len(run.workers)) - len(run.workers) if decision is None or decision.verdict is None else 0


def compare_finding(scenario: Scenario, kernel: Kernel, run: CaseRun, builds: tuple[Build, ...], *, cases: int) -> CompareFinding:
    """The verdict of one case from all its workers."""
    rule = rule_for(scenario, cases=cases)
    kernels = tuple(builds[arm.build].library.kernel(arm.kernel, arm.variant) or kernel for arm in run.arms)
    problem = problem_of(run, kernel, recall_floor=scenario.gate.recall_floor) or unknown_metric(scenario, kernels, run)
    if problem:
        return _without_change(run, Verdict.INVALID, rule, problem)
    workers = workers_of(run)
    decision = decide(workers, rule, final=True) or Decision(None, interval(workers, rule), by_estimate=False)
    change, verdict = decision.change, decision.verdict or Verdict.INCONCLUSIVE
    metrics = metric_changes(scenario, kernels, run)
    worse = [metric for metric in metrics if metric.worsened]
    reason = _reason(verdict, change, rule, run, by_estimate=decision.by_estimate)
    sensitive = False
    if verdict is Verdict.REGRESSED:
        sensitive, where = _where(run, [worker.log for worker in workers], builds, rule)
        reason += where
    if worse:
        names = ", ".join(f"{m.name} {m.baseline:g} -> {m.candidate:g}" for m in worse)
        reason = f"{names}: worse than allowed; time: {reason}"
        verdict = Verdict.REGRESSED
    return CompareFinding(
        case=run.case.id,
        verdict=verdict,
        threshold=rule.threshold,
        change=change,
        baseline_ns=_time(run, 0),
        candidate_ns=_time(run, 1),
        reason=reason,
        layouts=_layouts(run, builds, [worker.log for worker in workers]),
        metrics=metrics,
        layout_sensitive=sensitive,
    )


def _where(run: CaseRun, logs: Sequence[float], builds: tuple[Build, ...], rule: Rule) -> tuple[bool, str]:
    """Whether a regression shows in some layouts only, and what to say of that: "" when too few workers ran to tell."""
    links = [worker.draw.links for worker in run.workers if worker.samples is not None]
    layouts = min(len(builds[0].links), len(builds[1].links))
    if layouts < 2 or len(logs) < layouts * layouts:
        return False, ""
    pairs = [(pair[0], pair[1]) for pair in links]
    if is_layout_sensitive(logs, pairs, threshold=rule.threshold):
        return True, "; layout-sensitive: it shows in some code layouts only, and the mean over all of them is judged"
    cells = [math.expm1(fmean(log for log, own in zip(logs, pairs, strict=True) if own == pair)) for pair in set(pairs)]
    beyond = sum(change > rule.threshold for change in cells)
    return False, f"; above {_limit(rule.threshold)} in {beyond} of {len(cells)} pairs of layouts"


def _without_change(run: CaseRun, verdict: Verdict, rule: Rule, reason: str) -> CompareFinding:
    return CompareFinding(
        case=run.case.id,
        verdict=verdict,
        threshold=rule.threshold,
        change=None,
        baseline_ns=None,
        candidate_ns=None,
        reason=reason,
    )


def absent_finding(case: str, verdict: Verdict, reason: str) -> CompareFinding:
    """A case that exists on one side only (missing), or that cannot be compared here (incomparable)."""
    return CompareFinding(
        case=case, verdict=verdict, threshold=0.0, change=None, baseline_ns=None, candidate_ns=None, reason=reason
    )


def _reason(verdict: Verdict, change: Estimate, rule: Rule, run: CaseRun, *, by_estimate: bool) -> str:
    """A PASS says what it proved, an INCONCLUSIVE what it would take, a FAIL how much."""
    limit = _limit(rule.threshold)
    alarm, passed = _sure(rule.alarm_error), _sure(rule.miss_error)
    if by_estimate:
        return f"{_nearly(verdict, rule, alarm=alarm, passed=passed)}; {change.count} workers"
    match verdict:
        case Verdict.REGRESSED:
            return f"more than {limit} slower ({alarm}); {change.count} workers"
        case Verdict.IMPROVED:
            return f"faster by about {percent(-change.value, signed=False)} ({passed} that it is faster); {change.count} workers"
        case Verdict.UNCHANGED:
            return f"less than {limit} slower ({passed}); {change.count} workers"
        case _:
            each = _worker_seconds(run)
            more = max(0.1, (workers_wanted(change, rule) - change.count) * each)
            budget = max(1, math.ceil(more + sum(worker.seconds for worker in run.workers)))
            return f"the interval straddles {limit} after {change.count} workers; about {more:.1f} s more would decide: --budget {budget}"


def _sure(error: float) -> str:
    """1 - `error` in per cent, rounded down: nothing here is 100 % sure."""
    return f"{math.floor(1e5 * (1 - error) * (1 + 1e-12)) / 1e3:.5g} %"


def _limit(fraction: float) -> str:
    return f"{significant(100 * fraction, 2)} %"


def _nearly(verdict: Verdict, rule: Rule, *, alarm: str, passed: str) -> str:
    """What is proved of a case that is decided by its estimate."""
    limit = _limit(rule.threshold)
    if verdict is Verdict.REGRESSED:
        near = _limit(rule.threshold - rule.margin)
        return f"more than {near} slower ({alarm}), and the estimate is above {limit}"
    near = _limit(rule.threshold + rule.margin)
    return f"less than {near} slower ({passed}), and the estimate is not above {limit}"


def _worker_seconds(run: CaseRun) -> float:
    """What one more worker of this case costs, start and set-up included, as the workers so far did."""
    known = [worker.seconds for worker in run.workers if worker.seconds > 0]
    return median(known) if known else 0.1


def _time(run: CaseRun, arm: int) -> float:
    return fmean(median(per_operation(worker.samples, arm=arm)) for worker in run.workers if worker.samples is not None)


def _layouts(run: CaseRun, builds: tuple[Build, ...], logs: Sequence[float]) -> tuple[LayoutCell, ...]:
    """The mean change per pair of links, for whoever wants to see whether a layout alone makes the difference."""
    cells: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
    measured = [worker for worker in run.workers if worker.samples is not None]
    for worker, log in zip(measured, logs, strict=True):
        cells[worker.draw.links[0], worker.draw.links[1]].append(log)
    return tuple(
        LayoutCell(
            baseline=builds[0].links[first].layout,
            candidate=builds[1].links[second].layout,
            change=math.expm1(fmean(values)),
            workers=len(values),
        )
        for (first, second), values in sorted(cells.items())
    )


def unknown_metric(scenario: Scenario, kernels: Sequence[Kernel], run: CaseRun) -> str:
    """What of the metrics forbids a verdict: an empty store on either side, or a gated metric that a build declares and does not know."""
    for index, kernel in enumerate(kernels):
        for metric in kernel.metrics:
            value = _metric(run, index, kernel, metric.name)
            if metric.name == "population" and value == 0:
                return f"{run.arms[index].role} {kernel.name}/{kernel.variant} ran on an empty store (population 0)"
            if metric.name in dict(scenario.gate.metrics) and value is None:
                return f"{metric.name} is gated and the {run.arms[index].role} does not know it"
    return ""


def metric_changes(scenario: Scenario, kernels: Sequence[Kernel], run: CaseRun) -> tuple[MetricChange, ...]:
    """Declared metrics that the scenario gates, and recall. These are counted, so they are compared as they are. A metric is found by its
    name in each build's own table: two builds need not declare the same ones in the same order."""
    changes = []
    allowed = dict(scenario.gate.metrics)
    for metric in kernels[1].metrics:
        if metric.name not in allowed:
            continue
        first, second = (_metric(run, arm, kernels[arm], metric.name) for arm in (0, 1))
        if first is None or second is None:
            continue  # new: the baseline does not declare it
        sign = -1.0 if metric.better is Better.HIGHER else 1.0
        worsened = sign * (second - first) > allowed[metric.name] * abs(first) * _EXACTLY
        changes.append(MetricChange(metric.name, metric.unit, first, second, allowed[metric.name], worsened))
    if len(run.recall) > 1 and run.recall[0] is not None and run.recall[1] is not None:
        first, second = run.recall[0], run.recall[1]
        changes.append(MetricChange("recall", "1", first, second, RECALL_ALLOWANCE, first - second > RECALL_ALLOWANCE * _EXACTLY))
    return tuple(changes)


def _metric(run: CaseRun, arm: int, kernel: Kernel, name: str) -> float | None:
    """A metric of one arm, from the first worker that read it."""
    index = next((position for position, metric in enumerate(kernel.metrics) if metric.name == name), None)
    values = (worker.metrics[arm] for worker in run.workers if arm < len(worker.metrics))
    return next((found[index] for found in values if index is not None and index < len(found)), None)

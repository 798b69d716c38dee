"""What a bench found: the quantities of each case, beside their budgets."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean, median, variance

from dualmem_cli.judge.validity import problem_of
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.kernel import Kernel
from dualmem_cli.model.plan import Role
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.samples import Histogram, Latency, Samples
from dualmem_cli.model.scenario import Budget, Scenario
from dualmem_cli.model.units import Unit
from dualmem_cli.model.verdict import BenchFinding, Quantity
from dualmem_cli.stats.histogram import LATENCIES_FOR_P999, merge, percentile
from dualmem_cli.stats.interval import change_of, exact, log_ratio_interval, mean_interval
from dualmem_cli.stats.pairs import paired_ratios, per_operation
from dualmem_cli.stats.student import quantile

TIME_CONFIDENCE = 0.95
OVERHEAD_CONFIDENCE = 0.99
OVER_PEER = "speedup over "  # and the peer's variant
OVERALL_LIMIT = 0.05  # of the geometric mean over all paths; every path has its own in its scenario


def bench_finding(scenario: Scenario, kernel: Kernel, run: CaseRun) -> BenchFinding:
    """All quantities of one case, or the problem that makes it invalid."""
    problem = problem_of(run, kernel, recall_floor=scenario.gate.recall_floor)
    if problem:
        return BenchFinding(case=run.case.id, quantities=(), problem=problem)
    estimates = {**_times(run), **_latencies(run), **_ratios(run), **_recall(run), **_metrics(run, kernel)}
    budgets = _budgets(scenario)
    if _arm(run, Role.BESIDE) is None:
        budgets.pop("speedup", None)  # this case is the slower way itself
    unmeasured = next((name for name in budgets if name not in estimates), None)
    if unmeasured is not None:  # a limit on nothing would always be met
        hint = f"; it takes {LATENCIES_FOR_P999:,} latencies" if unmeasured == "p99.9" else ""
        return BenchFinding(case=run.case.id, quantities=(), problem=f"{unmeasured} has a budget and was not measured{hint}")
    return BenchFinding(
        case=run.case.id,
        quantities=tuple(_beside_budget(name, estimate, budgets.get(name)) for name, estimate in estimates.items()),
        problem="",
    )


def _budgets(scenario: Scenario) -> dict[str, Budget]:
    """The limits by quantity: what [control] and [beside] promise, and [budget], which has the last word."""
    limits = [Budget("overhead", scenario.control.limit, minimum=False)] if scenario.control else []
    limits += [Budget("speedup", scenario.beside.limit, minimum=True)] if scenario.beside else []
    return {budget.quantity: budget for budget in (*limits, *scenario.budgets)}


def _beside_budget(name: str, estimate: Estimate, budget: Budget | None) -> Quantity:
    """A budget is met by the value, but an overhead by the upper end of its interval: what is promised of it must be shown."""
    if budget is None:
        return Quantity(name=name, estimate=estimate)
    value = estimate.high if name == "overhead" and not budget.minimum else estimate.value
    met = value >= budget.limit if budget.minimum else value <= budget.limit
    return Quantity(name=name, estimate=estimate, limit=budget.limit, minimum=budget.minimum, met=met)


def _arm(run: CaseRun, role: Role) -> int | None:
    return next((index for index, arm in enumerate(run.arms) if arm.role is role), None)


def _times(run: CaseRun) -> dict[str, Estimate]:
    """Time per operation: the mean over workers of each one's median sample, minus its own empty loop's where there is one."""
    samples = [worker.samples for worker in run.workers if worker.samples is not None]
    if not samples:
        return {}
    empty = _arm(run, Role.EMPTY)
    values = [
        median(per_operation(s, arm=0)) - (median(per_operation(s, arm=empty)) if empty is not None else 0.0) for s in samples
    ]
    method = "mean of worker medians" + (", minus the empty loop" if empty is not None else "")
    return {"time": mean_interval(values, confidence=TIME_CONFIDENCE, unit=Unit.NANOSECOND, method=method)}


def _latencies(run: CaseRun) -> dict[str, Estimate]:
    """Percentiles of the pooled latencies; the interval comes from the spread of the workers' own percentiles."""
    latencies = [latency for worker in run.workers for latency in worker.latency if latency.arm == 0]
    if not latencies:
        return {}
    count = sum(latency.every.count for latency in latencies)
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    if count >= LATENCIES_FOR_P999:
        shares["p99.9"] = 0.999
    found = {name: _pooled(latencies, lambda x: x.every, share) for name, share in shares.items()}
    largest = max(latency.every.max_ns for latency in latencies)
    found["max"] = exact(float(largest), unit=Unit.NANOSECOND, count=len(latencies), method=f"of {count:,} latencies")
    for name, share in (("p50_fastest", 0.5), ("p99_fastest", 0.99)):
        found[name] = _pooled(latencies, lambda x: x.fastest, share)
    return found


def _pooled(latencies: list[Latency], which: Callable[[Latency], Histogram], share: float) -> Estimate:
    pooled = merge(which(latency) for latency in latencies)
    method = f"of {pooled.count:,} latencies pooled from {len(latencies)} workers"
    spread = mean_interval(
        [percentile(which(latency), share) for latency in latencies],
        confidence=TIME_CONFIDENCE,
        unit=Unit.NANOSECOND,
        method=method,
    )
    value = percentile(pooled, share)
    half = (spread.high - spread.low) / 2
    return Estimate(
        value=value,
        low=value - half,
        high=value + half,
        confidence=TIME_CONFIDENCE,
        unit=Unit.NANOSECOND,
        count=len(latencies),
        method=method,
    )


def _ratios(run: CaseRun) -> dict[str, Estimate]:
    """Overhead against the single-type twin and speed-up over the slower way, from interleaved pairs."""
    found: dict[str, Estimate] = {}
    samples = [worker.samples for worker in run.workers if worker.samples is not None]
    method = "mean over workers of the interquartile mean of paired ratios"
    logs = _overhead_logs(run)
    if logs:
        found["overhead"] = log_ratio_interval(logs, confidence=OVERHEAD_CONFIDENCE, method=method)
    beside = _arm(run, Role.BESIDE)
    if samples and beside is not None:
        found["speedup"] = _times_as_fast(samples, run, beside)
    variants = [arm.variant for arm in run.arms if arm.role in {Role.SUBJECT, Role.PEER}]
    for index, arm in enumerate(run.arms):
        if samples and arm.role is Role.PEER:
            name = arm.variant if variants.count(arm.variant) == 1 else f"{arm.variant} of peer {arm.build}"
            found[f"{OVER_PEER}{name}"] = _times_as_fast(samples, run, index)
    return found


def _times_as_fast(samples: Sequence[Samples], run: CaseRun, slower: int) -> Estimate:
    """How many times the subject's speed that arm's is, from interleaved pairs."""
    arm = run.arms[slower]
    logs = [paired_ratios(s, arm=slower, reference=0).value for s in samples]
    change = log_ratio_interval(logs, confidence=TIME_CONFIDENCE, method=f"paired ratios with {arm.kernel}/{arm.variant}")
    return replace(change, value=change.value + 1, low=change.low + 1, high=change.high + 1)


def overall_overhead(runs: Sequence[CaseRun]) -> Quantity | None:
    """The geometric mean of dual / single - 1 over every case that has a twin, beside the contract's limit; None with fewer than two.
    Workers of different cases are independent, so the variances of the cases' means add up (Welch 1947 for the freedom)."""
    cases = [logs for run in runs if len(logs := _overhead_logs(run)) > 1]
    if len(cases) < 2:
        return None
    centre = fmean(fmean(logs) for logs in cases)
    variances = [variance(logs) / len(logs) for logs in cases]
    half = 0.0
    if any(variances):
        freedom = math.fsum(variances) ** 2 / math.fsum(v**2 / (len(logs) - 1) for v, logs in zip(variances, cases, strict=True))
        error = math.sqrt(math.fsum(variances)) / len(cases)
        half = quantile((1 - OVERHEAD_CONFIDENCE) / 2, freedom) * error
    together = Estimate(
        value=centre,
        low=centre - half,
        high=centre + half,
        confidence=OVERHEAD_CONFIDENCE,
        unit=Unit.RATIO,
        count=len(cases),
        method="geometric mean over the cases",
    )
    return _beside_budget("overhead", change_of(together), Budget("overhead", OVERALL_LIMIT, minimum=False))


def _overhead_logs(run: CaseRun) -> list[float]:
    """One log ratio of subject and twin per worker."""
    control = _arm(run, Role.CONTROL)
    if control is None:
        return []
    return [paired_ratios(w.samples, arm=0, reference=control).value for w in run.workers if w.samples is not None]


def _recall(run: CaseRun) -> dict[str, Estimate]:
    if not run.recall or run.recall[0] is None:
        return {}
    return {"recall": exact(run.recall[0], unit=Unit.RATIO, count=1, method="against the exact float64 answer")}


def _metrics(run: CaseRun, kernel: Kernel) -> dict[str, Estimate]:
    """Declared metrics of arm 0. One value everywhere is a fact; several are estimated like a time."""
    found: dict[str, Estimate] = {}
    for index, metric in enumerate(kernel.metrics):
        values = [worker.metrics[0][index] for worker in run.workers if worker.metrics and index < len(worker.metrics[0])]
        known = [value for value in values if value is not None]
        if not known:
            continue
        if len(set(known)) == 1:
            found[metric.name] = exact(known[0], unit=metric.unit, count=len(known), method="read from the kernel")
        else:
            found[metric.name] = mean_interval(known, confidence=TIME_CONFIDENCE, unit=metric.unit, method="mean over workers")
    return found

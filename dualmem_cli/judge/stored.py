"""The verdict of one case against numbers that were stored elsewhere: what is counted is judged, what is timed is only shown."""

from dataclasses import dataclass, replace
from statistics import fmean, median

from dualmem_cli.judge.compare import absent_finding, metric_changes, unknown_metric
from dualmem_cli.judge.validity import problem_of
from dualmem_cli.model.kernel import Kernel
from dualmem_cli.model.metric import Scope
from dualmem_cli.model.plan import Arm, Case, Role
from dualmem_cli.model.record import CaseRun, Record
from dualmem_cli.model.samples import WorkerRun
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.model.verdict import CompareFinding, Verdict
from dualmem_cli.stats.pairs import per_operation


@dataclass(frozen=True, slots=True)
class StoredCase:
    """A case of a bench record with the kernel that it was measured on, as the record describes it."""

    kernel: Kernel
    run: CaseRun


def stored_case(record: Record, case: Case) -> StoredCase | CompareFinding:
    """What `record` holds of `case`, or the finding that says why it cannot be compared with it."""
    run = record.case_run(case.id)
    kernel = record.builds[0].library.kernel(case.kernel, case.variant) if record.builds else None
    if run is None or kernel is None:
        return absent_finding(case.id, Verdict.MISSING, "new: the baseline does not have it")
    problem = next((finding.problem for finding in record.bench if finding.case == case.id), "it has no finding")
    if run.case.data != case.data:
        why = "the baseline was measured on another data set"
    elif run.case.parameters != case.parameters:
        why = "the baseline was measured with other parameters"
    elif problem:
        why = f"the baseline's measurement is not valid: {problem}"
    else:
        return StoredCase(kernel, run)
    return absent_finding(case.id, Verdict.INCOMPARABLE, why)


def stored_finding(scenario: Scenario, kernel: Kernel, run: CaseRun, stored: StoredCase, *, reason: str) -> CompareFinding:
    """The verdict of a candidate's case (one arm) against a stored one: REGRESSED when a gated metric that does not depend on the machine,
    or the recall, is worse than allowed; else INCOMPARABLE, because the time was not judged. `reason` says why it could not be."""
    problem = problem_of(run, kernel, recall_floor=scenario.gate.recall_floor)
    if problem:
        return _finding(scenario, run, Verdict.INVALID, problem)
    counted = _counted(scenario, kernel)
    both = _side_by_side(run, stored.run)
    kernels = (stored.kernel, kernel)
    unknown = unknown_metric(counted, kernels, both)
    if unknown:
        return _finding(scenario, run, Verdict.INVALID, unknown)
    metrics = metric_changes(counted, kernels, both)
    worse = ", ".join(f"{metric.name} {metric.baseline:g} -> {metric.candidate:g}" for metric in metrics if metric.worsened)
    time = f"time is not judged: {reason}"
    finding = (
        _finding(scenario, run, Verdict.REGRESSED, f"{worse}: worse than allowed; {time}")
        if worse
        else _finding(scenario, run, Verdict.INCOMPARABLE, f"{time}; {_judged(tuple(metric.name for metric in metrics))}")
    )
    return replace(finding, baseline_ns=_time(stored.run), candidate_ns=_time(run), metrics=metrics)


def _judged(names: tuple[str, ...]) -> str:
    return f"not worse than allowed: {', '.join(names)}" if names else "nothing of it is counted and gated"


def _counted(scenario: Scenario, kernel: Kernel) -> Scenario:
    """The scenario with the gates that hold across machines."""
    portable = {metric.name for metric in kernel.metrics if metric.scope is Scope.CASE}
    gate = replace(scenario.gate, metrics=tuple(entry for entry in scenario.gate.metrics if entry[0] in portable))
    return replace(scenario, gate=gate)


def _side_by_side(run: CaseRun, stored: CaseRun) -> CaseRun:
    """Both sides' counted numbers as one run of two arms, which is what the judge of metrics reads."""
    metrics = tuple(_first(side) for side in (stored, run))
    worker = replace(run.workers[0], metrics=metrics)
    recall = tuple(side.recall[0] if side.recall else None for side in (stored, run))
    arms = tuple(
        Arm(role, build=build, kernel=run.case.kernel, variant=run.case.variant)
        for build, role in enumerate((Role.BASELINE, Role.CANDIDATE))
    )
    return replace(run, arms=arms, workers=(worker,), recall=recall)


def _first(run: CaseRun) -> tuple[float | None, ...]:
    """The metrics of the subject, from the first worker that read them."""
    return next((worker.metrics[0] for worker in run.workers if worker.metrics and worker.metrics[0]), ())


def _time(run: CaseRun) -> float | None:
    """Nanoseconds per operation, for orientation."""
    values = [_middle(worker) for worker in run.workers if worker.samples is not None]
    return fmean(values) if values else None


def _middle(worker: WorkerRun) -> float:
    assert worker.samples is not None
    return median(per_operation(worker.samples, arm=0))


def _finding(scenario: Scenario, run: CaseRun, verdict: Verdict, reason: str) -> CompareFinding:
    return CompareFinding(
        case=run.case.id,
        verdict=verdict,
        threshold=scenario.gate.time,
        change=None,
        baseline_ns=None,
        candidate_ns=None,
        reason=reason,
    )

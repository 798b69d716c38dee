"""What a CI system is to make of every case: passed, failed, broken or skipped, and the sentence that says why."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from dualmem_cli.errors import ExitStatus
from dualmem_cli.model.record import Record
from dualmem_cli.model.units import percent
from dualmem_cli.model.verdict import BenchFinding, BudgetStanding, CompareFinding, Quantity, Verdict
from dualmem_cli.report.compose import status_text
from dualmem_cli.report.compose_facts import case_title
from dualmem_cli.report.context import ReportContext
from dualmem_cli.report.phrases import amount, estimate_text, limit_text, quantity_name
from dualmem_cli.report.repetitions import findings


class Result(StrEnum):
    """Passed and skipped do not fail a job; failed is a bad answer, broken is none."""

    PASSED = "passed"
    SKIPPED = "skipped"
    FAILED = "failed"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case as a test. `group` is the scenario, `case` the id ("" for what is none), `label` its name in the group, `headline` a word
    or two ("regressed", "budget missed", "" where it passed), `message` the sentence a person reads, `key` the keys of the scenario
    file that ask for it, `seconds` what it took."""

    group: str
    case: str
    label: str
    result: Result
    headline: str
    message: str
    key: tuple[str, ...]
    seconds: float


def outcomes(record: Record, context: ReportContext) -> tuple[Outcome, ...]:
    """Every case, every control, whatever was not run. At least one is failed or broken exactly when the exit status is not 0: a run that
    measured nothing, or was interrupted, is one more broken outcome."""
    found = [*_cases(record, context), *_controls(record, context), *_absent(record)]
    status = context.exit_status
    red = any(outcome.result in (Result.FAILED, Result.BROKEN) for outcome in found)
    if status is not ExitStatus.OK and (record.interrupted or not red):
        found.append(Outcome("run", "", "exit status", Result.BROKEN, "not green", status_text(context), (), 0.0))
    return tuple(found)


def _cases(record: Record, context: ReportContext) -> Iterator[Outcome]:
    for bench in record.bench:
        yield _bench(record, bench, context)
    for compare in record.compare:
        yield _compare(record, compare, context)


def _bench(record: Record, finding: BenchFinding, context: ReportContext) -> Outcome:
    """A missed budget fails only where budgets are enforced: they depend on the machine."""
    group, label = case_title(record, finding.case)
    seconds = _seconds(record, finding.case)
    if finding.problem:
        return Outcome(group, finding.case, label, Result.BROKEN, "invalid", finding.problem, ("kernel",), seconds)
    missed = finding.missed
    if not missed:
        return Outcome(group, finding.case, label, Result.PASSED, "", "", ("kernel",), seconds)
    result = Result.FAILED if context.exit_status is ExitStatus.REGRESSION else Result.PASSED
    told = "; ".join(f"{quantity_name(q.name)} {_measured(q)}, budget {limit_text(q)}" for q in missed)
    return Outcome(group, finding.case, label, result, "budget missed", told, ("budget", missed[0].name), seconds)


def _measured(quantity: Quantity) -> str:
    """With the interval where that is what does not keep the budget."""
    if quantity.standing is BudgetStanding.NOT_SHOWN:
        return f"not shown: {estimate_text(quantity)}"
    return amount(quantity.estimate.value, quantity.estimate.unit, quantity.name)


def _compare(record: Record, finding: CompareFinding, context: ReportContext) -> Outcome:
    group, label = case_title(record, finding.case)
    change = f"{percent(finding.change.value)}: " if finding.change else ""
    match finding.verdict:
        case Verdict.UNCHANGED | Verdict.IMPROVED:
            result = Result.PASSED
        case Verdict.MISSING:
            result = Result.SKIPPED
        case Verdict.REGRESSED:
            result = Result.FAILED
        case Verdict.INCONCLUSIVE:
            result = _unless_allowed(context)
        case Verdict.INVALID | Verdict.INCOMPARABLE:
            result = Result.BROKEN
    seconds = _seconds(record, finding.case)
    return Outcome(group, finding.case, label, result, finding.verdict.value, f"{change}{finding.reason}", _key(finding), seconds)


def _key(finding: CompareFinding) -> tuple[str, ...]:
    """The threshold that was passed, where one was; else the kernel."""
    worse = next((metric.name for metric in finding.metrics if metric.worsened), "")
    match finding.verdict:
        case Verdict.REGRESSED | Verdict.INCONCLUSIVE:
            return ("gate", "metrics", worse) if worse else ("gate", "time")
        case _:
            return ("kernel",)


def _controls(record: Record, context: ReportContext) -> Iterator[Outcome]:
    for control in record.controls:
        result = Result.PASSED if control.held else _unless_allowed(context)
        headline = "" if control.held else "control failed"
        message = f"held in {control.passed} of {control.cases} cases"
        yield Outcome("controls", "", control.name, result, headline, message, (), 0.0)


def _absent(record: Record) -> Iterator[Outcome]:
    told = {finding.case for finding in findings(record)}
    for absent in record.absent:
        if absent.case not in told:
            group, label = case_title(record, absent.case)
            yield Outcome(group, absent.case, label, Result.SKIPPED, "not run", absent.reason, ("kernel",), 0.0)


def _unless_allowed(context: ReportContext) -> Result:
    """What is not known yet fails the run, unless the run ended well all the same: then it was allowed."""
    return Result.SKIPPED if context.exit_status is ExitStatus.OK else Result.FAILED


def _seconds(record: Record, case_id: str) -> float:
    """Wall time of all the processes of a case; those of a load are shared by its verdicts."""
    load = record.load_run(case_id)
    if load is not None:
        sharing = sum(record.load_run(finding.case) is load for finding in findings(record))
        return sum(player.seconds for player in load.players) / max(1, sharing)
    run = record.case_run(case_id)
    return sum(worker.seconds for worker in (*run.workers, *run.controls)) if run else 0.0

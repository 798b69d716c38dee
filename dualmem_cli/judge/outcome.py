"""From findings to an exit status. A gate that measured nothing never passes."""

from collections.abc import Iterable

from dualmem_cli.errors import ExitStatus
from dualmem_cli.model.curve import OperatingCurve, Standing
from dualmem_cli.model.record import Record
from dualmem_cli.model.verdict import Verdict

_MEASURED = {Verdict.REGRESSED, Verdict.IMPROVED, Verdict.UNCHANGED, Verdict.INCONCLUSIVE}


def bench_status(record: Record, *, enforce_budgets: bool) -> ExitStatus:
    """A plain bench only shows missed budgets; a case that could not be measured is a failure."""
    if record.interrupted:
        return ExitStatus.INTERRUPTED
    if not record.bench or any(finding.problem for finding in record.bench):
        return ExitStatus.MEASUREMENT_FAILED
    together = record.overhead is not None and record.overhead.met is False
    if enforce_budgets and (together or any(finding.missed for finding in record.bench)):
        return ExitStatus.REGRESSION
    return ExitStatus.OK


def compare_status(record: Record, *, allow_inconclusive: bool) -> ExitStatus:
    """The worst news wins: a regression, then a failed measurement, then what cannot be compared, then what is not known yet."""
    verdicts = {finding.verdict for finding in record.compare}
    if record.interrupted:
        return ExitStatus.INTERRUPTED
    if Verdict.REGRESSED in verdicts:
        return ExitStatus.REGRESSION
    if Verdict.INVALID in verdicts:
        return ExitStatus.MEASUREMENT_FAILED
    if Verdict.INCOMPARABLE in verdicts or not verdicts & _MEASURED:
        return ExitStatus.NOT_COMPARABLE
    if Verdict.INCONCLUSIVE in verdicts and not allow_inconclusive:
        return ExitStatus.INCONCLUSIVE
    return ExitStatus.OK


def worst_status(statuses: Iterable[ExitStatus]) -> ExitStatus:
    """Of several machines: the worst news wins, as in one compare."""
    order = (
        *(ExitStatus.INTERRUPTED, ExitStatus.REGRESSION, ExitStatus.MEASUREMENT_FAILED),
        *(ExitStatus.NOT_COMPARABLE, ExitStatus.INCONCLUSIVE, ExitStatus.OK),
    )
    return min(statuses, key=order.index, default=ExitStatus.OK)


def selftest_status(curve: OperatingCurve, *, interrupted: bool) -> ExitStatus:
    """A clause that was shown not to hold fails the self-test; one that too few trials can show does not, or no quick run would ever pass.
    What is only aimed at is not promised."""
    if interrupted:
        return ExitStatus.INTERRUPTED
    if not any(cell.trials > cell.invalid for cell in curve.sizes):
        return ExitStatus.MEASUREMENT_FAILED
    if any(clause.standing is Standing.VIOLATED and not clause.aim for clause in curve.clauses):
        return ExitStatus.REGRESSION
    return ExitStatus.OK

"""The records that every format is shown, and what is in them that a consumer must find again."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from golden.records import RECORDS

from dualmem_cli.errors import ExitStatus
from dualmem_cli.model.record import Record
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.report import RENDERERS, ReportContext

AWKWARD = 'é 記憶 "q" \'s\' <b> & ]]> a|b\\c % , : :: # {x="1"}\n\x1b[31m'
"""A scenario name with everything that some format gives a meaning to."""

SEEN = "\\x0a\\x1b[31m"
"""How the two characters of it that act unseen are written everywhere."""


def renamed(record: Record, old: str, new: str) -> Record:
    """The record with one scenario under another name."""

    def case_id(found: str) -> str:
        return f"{new}{found[len(old) :]}" if found.startswith(f"{old}/") else found

    return replace(
        record,
        scenarios=tuple(replace(s, name=new) if s.name == old else s for s in record.scenarios),
        cases=tuple(replace(c, case=replace(c.case, scenario=new)) if c.case.scenario == old else c for c in record.cases),
        bench=tuple(replace(f, case=case_id(f.case)) for f in record.bench),
        compare=tuple(replace(f, case=case_id(f.case)) for f in record.compare),
    )


def green_compare() -> Record:
    """The compare without what fails it."""
    whole = RECORDS["compare"]()
    kept = tuple(f for f in whole.compare if f.verdict in (Verdict.UNCHANGED, Verdict.IMPROVED, Verdict.MISSING))
    return replace(whole, compare=kept)


def empty_compare() -> Record:
    """A gate that measured nothing."""
    return replace(RECORDS["compare"](), compare=(), cases=(), absent=(), controls=())


SHOWN: dict[str, Callable[[], Record]] = {
    **RECORDS,
    "green": green_compare,
    "empty": empty_compare,
    "awkward-bench": lambda: renamed(RECORDS["bench"](), "similarity", AWKWARD),
    "awkward-compare": lambda: renamed(RECORDS["compare"](), "similarity", AWKWARD),
}
STATUS = {
    "bench": ExitStatus.MEASUREMENT_FAILED,
    "compare": ExitStatus.REGRESSION,
    "interrupted": ExitStatus.INTERRUPTED,
    "hostile": ExitStatus.MEASUREMENT_FAILED,
    "load": ExitStatus.MEASUREMENT_FAILED,
    "green": ExitStatus.OK,
    "empty": ExitStatus.NOT_COMPARABLE,
    "awkward-bench": ExitStatus.MEASUREMENT_FAILED,
    "awkward-compare": ExitStatus.REGRESSION,
}


def context(status: ExitStatus) -> ReportContext:
    return ReportContext(record_path="reports/r.json", page_path="", exit_status=status, next_command="")


@cache
def record_of(name: str) -> Record:
    return SHOWN[name]()


@cache
def shown(name: str, format_: str) -> str:
    return RENDERERS[format_](record_of(name), context(STATUS[name]))


def invalid_ids(record: Record) -> set[str]:
    """The cases of which no number may be given away."""
    bad = {Verdict.INVALID, Verdict.MISSING, Verdict.INCOMPARABLE}
    return {f.case for f in record.bench if f.problem} | {f.case for f in record.compare if f.verdict in bad}

"""From findings to an exit status, in every combination."""

from itertools import chain, combinations

import pytest
from fabricated import record

from dualmem_cli.errors import ExitStatus
from dualmem_cli.judge.compare import absent_finding
from dualmem_cli.judge.outcome import bench_status, compare_status
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.record import Absent, Record
from dualmem_cli.model.verdict import BenchFinding, Quantity, Verdict

SETS = list(chain.from_iterable(combinations(Verdict, count) for count in range(len(Verdict) + 1)))
ONE = Estimate(value=1.0, low=1.0, high=1.0, confidence=1.0, unit="ns", count=1, method="m")


def compared(*verdicts: Verdict, interrupted: bool = False) -> Record:
    findings = tuple(absent_finding(f"case {index}", verdict, "") for index, verdict in enumerate(verdicts))
    return record(kind="compare", compare=findings, interrupted=interrupted)


def wanted_of(verdicts: set[Verdict], *, allow: bool) -> ExitStatus:
    """The table of the design, row by row."""
    if Verdict.REGRESSED in verdicts:
        return ExitStatus.REGRESSION
    if Verdict.INVALID in verdicts:
        return ExitStatus.MEASUREMENT_FAILED
    if Verdict.INCOMPARABLE in verdicts:
        return ExitStatus.NOT_COMPARABLE
    if verdicts <= {Verdict.MISSING}:
        return ExitStatus.NOT_COMPARABLE  # a gate that measured nothing never passes
    if Verdict.INCONCLUSIVE in verdicts and not allow:
        return ExitStatus.INCONCLUSIVE
    return ExitStatus.OK


@pytest.mark.parametrize("allow", [False, True])
def test_every_combination_of_verdicts(allow: bool) -> None:
    assert len(SETS) == 128
    for verdicts in SETS:
        for order in (verdicts, verdicts[::-1]):
            assert compare_status(compared(*order), allow_inconclusive=allow) is wanted_of(set(verdicts), allow=allow), verdicts


def test_only_what_was_measured_and_found_good_is_a_pass() -> None:
    passes = [
        set(verdicts) for verdicts in SETS if compare_status(compared(*verdicts), allow_inconclusive=False) is ExitStatus.OK
    ]
    for verdicts in passes:
        assert verdicts <= {Verdict.IMPROVED, Verdict.UNCHANGED, Verdict.MISSING}
        assert verdicts & {Verdict.IMPROVED, Verdict.UNCHANGED}
    assert len(passes) == 6


def test_an_interrupted_compare_is_130_whatever_was_found() -> None:
    for verdicts in SETS:
        assert compare_status(compared(*verdicts, interrupted=True), allow_inconclusive=True) is ExitStatus.INTERRUPTED


def benched(*, missed: bool = False, problem: str = "", interrupted: bool = False, cases: int = 1) -> Record:
    quantity = Quantity(name="time", estimate=ONE, limit=0.5 if missed else 2.0, minimum=False, met=not missed)
    good = BenchFinding(case="good", quantities=(quantity,), problem="")
    bad = BenchFinding(case="bad", quantities=(), problem=problem)
    return record(bench=((good,) * cases + ((bad,) if problem else ())), interrupted=interrupted)


@pytest.mark.parametrize(
    ("changes", "plain", "enforced"),
    [
        ({}, ExitStatus.OK, ExitStatus.OK),
        ({"missed": True}, ExitStatus.OK, ExitStatus.REGRESSION),
        ({"problem": "crashed"}, ExitStatus.MEASUREMENT_FAILED, ExitStatus.MEASUREMENT_FAILED),
        ({"problem": "crashed", "missed": True}, ExitStatus.MEASUREMENT_FAILED, ExitStatus.MEASUREMENT_FAILED),
        ({"cases": 0}, ExitStatus.MEASUREMENT_FAILED, ExitStatus.MEASUREMENT_FAILED),
        ({"cases": 0, "interrupted": True}, ExitStatus.INTERRUPTED, ExitStatus.INTERRUPTED),
        ({"missed": True, "problem": "crashed", "interrupted": True}, ExitStatus.INTERRUPTED, ExitStatus.INTERRUPTED),
    ],
)
def test_bench(changes: dict[str, object], plain: ExitStatus, enforced: ExitStatus) -> None:
    made = benched(**changes)  # type: ignore[arg-type]
    assert bench_status(made, enforce_budgets=False) is plain
    assert bench_status(made, enforce_budgets=True) is enforced


def test_a_bench_of_unsupported_cases_only_is_no_success() -> None:
    made = record(absent=(Absent("s/wide", "not supported here"),))
    assert bench_status(made, enforce_budgets=False) is ExitStatus.MEASUREMENT_FAILED


def test_the_numbers_are_the_published_ones() -> None:
    assert [(status.name, status.value) for status in ExitStatus] == [
        ("OK", 0), ("REGRESSION", 1), ("USAGE", 2), ("MEASUREMENT_FAILED", 3), ("INCONCLUSIVE", 4), ("NOT_COMPARABLE", 5),
        ("INTERRUPTED", 130),
    ]  # fmt: skip

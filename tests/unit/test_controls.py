"""The two controls of a compare: silent and caught, pooled; where one fails no verdict stands."""

from collections.abc import Sequence

import pytest
from fabricated import case_run, samples, scenario, worker

from dualmem_cli.judge.compare import absent_finding
from dualmem_cli.judge.controls import control_findings, control_work, control_workers, without_controls
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.samples import WorkerRun
from dualmem_cli.model.verdict import ControlFinding, Verdict

SCENARIOS = (scenario(),)


def control(copy: float, more: float) -> WorkerRun:
    """A control worker in which the copy and the one with more work take so many times as long as the baseline."""
    cost = (1.0, copy, more)
    schedule = "012210" * 4
    wall = [round(1e7 * cost[int(digit)]) for digit in schedule]
    return worker(samples(schedule, wall, iterations=(100, 100, 108), checksums=("aa",) * 3), arms=3)


def run(copies: Sequence[float], more: Sequence[float]) -> CaseRun:
    return case_run(controls=tuple(control(one, other) for one, other in zip(copies, more, strict=True)))


def held(*runs: CaseRun) -> list[bool]:
    return [finding.held for finding in control_findings(runs, SCENARIOS)]


WOBBLE = (-0.002, -0.001, 0.0, 0.0, 0.001, 0.002)
SILENT = [1.0 + x for x in WOBBLE]
CAUGHT = [1.08 + x for x in WOBBLE]


def test_both_hold() -> None:
    silent, caught = control_findings((run(SILENT, CAUGHT),), SCENARIOS)
    assert (silent.held, silent.passed, silent.cases) == (True, 1, 1)
    assert (caught.held, caught.passed, caught.cases) == (True, 1, 1)
    assert silent.change is not None
    assert caught.change is not None
    assert silent.change.value == pytest.approx(0.0, abs=1e-5)
    assert caught.change.value == pytest.approx(0.08, abs=1e-5)


@pytest.mark.parametrize("copy", [1.06, 1.052, 0.9])
def test_a_copy_that_is_not_silent(copy: float) -> None:
    assert held(run([copy + x for x in WOBBLE], CAUGHT)) == [False, True]


@pytest.mark.parametrize("more", [1.0, 1.04, 1.049, 0.9])
def test_more_work_that_is_not_caught(more: float) -> None:
    assert held(run(SILENT, [more + x for x in WOBBLE])) == [True, False]


def test_a_noisy_control_proves_nothing() -> None:
    assert held(run([1.0 + 20 * x for x in WOBBLE], [1.08 + 20 * x for x in WOBBLE])) == [False, False]


def test_one_control_worker_alone_proves_nothing() -> None:
    assert held(run([1.0], [1.08])) == [False, False]


def test_a_control_worker_that_failed_fails_both() -> None:
    made = run(SILENT, CAUGHT)
    assert held(case_run(controls=(*made.controls, worker(None)))) == [False, False]


def test_controls_are_pooled_over_the_suite() -> None:
    findings = control_findings([run([one], [other]) for one, other in zip(SILENT, CAUGHT, strict=True)], SCENARIOS)
    assert [(finding.held, finding.passed, finding.cases) for finding in findings] == [(True, 6, 6)] * 2


def test_without_control_workers_there_are_no_controls() -> None:
    assert control_findings((case_run(),), SCENARIOS) == ()


def test_work_and_workers() -> None:
    assert control_work(scenario("[gate]\ntime = 0.05")) == pytest.approx(1.08)
    assert control_work(scenario("[gate]\ntime = 0.5")) == pytest.approx(1.8)
    assert [control_workers(cases) for cases in (0, 1, 2, 6, 10, 100)] == [10, 10, 5, 2, 1, 1]


def test_thresholds_of_several_scenarios_are_pooled_in_their_own_units() -> None:
    wide = scenario("[gate]\ntime = 0.5")
    findings = control_findings((run([1.2 + x for x in WOBBLE], [1.8 + x for x in WOBBLE]),), (wide,))
    assert [finding.held for finding in findings] == [True, True], "20 % is silent where the threshold is 50 %"


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_failed_control_takes_back_what_was_decided_and_nothing_else(verdict: Verdict) -> None:
    finding = absent_finding("s/plain", verdict, "because")
    failed = ControlFinding(name="baseline against itself", held=False, passed=0, cases=1, change=None)
    fine = ControlFinding(name="other", held=True, passed=1, cases=1, change=None)
    decided = verdict in (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.UNCHANGED)
    assert without_controls(finding, (fine,)) is finding
    after = without_controls(finding, (fine, failed))
    assert after.verdict is (Verdict.INCONCLUSIVE if decided else verdict)
    if decided:
        assert after.reason.startswith(
            f"would be {verdict} (because), but a control failed: baseline against itself read nothing"
        )


def test_a_ratio_not_a_difference() -> None:
    """A copy that takes half as long is as wrong as one that takes twice as long."""
    assert held(run([0.5 + x for x in WOBBLE], CAUGHT))[0] is False
    assert held(run([0.94 + x for x in WOBBLE], CAUGHT))[0] is False
    assert held(run([1.04 + x for x in WOBBLE], CAUGHT))[0] is True

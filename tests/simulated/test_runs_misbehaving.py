"""A case that misbehaves is invalid and says why; the rest of the suite is measured and judged."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from simulated_machine import CRASH, HANG, Interfere, bench, compare, machine, one, saved, scenarios, status, verdicts

from dualmem_cli.errors import ExitStatus
from dualmem_cli.judge.outcome import bench_status, compare_status
from dualmem_cli.model.plan import WorkerRequest
from dualmem_cli.model.samples import Failure, WorkerRun


def lie(request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
    assert answer.check is not None
    return replace(answer, check=replace(answer.check, checksums=("aa", "bb", "aa")[: len(request.arms)]))


def empty_store(request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
    return replace(answer, metrics=tuple((0.0, 64.0) for _ in request.arms))


def flat(_request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
    if answer.samples is None:
        return answer
    return replace(answer, samples=replace(answer.samples, wall_ns=(200_000,) * len(answer.samples.wall_ns)))


def timeless(_request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
    if answer.samples is None:
        return answer
    return replace(answer, samples=replace(answer.samples, wall_ns=(0,) * len(answer.samples.wall_ns)))


def coarse(_request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
    assert answer.clock is not None
    return replace(answer, clock=replace(answer.clock, resolution_ns=4e6))


def fail(failure: Failure) -> Callable[[WorkerRequest, WorkerRun], WorkerRun]:
    def failed(_request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
        return replace(answer, samples=None, check=None, failure=failure)

    return failed


MISBEHAVIOUR: dict[str, tuple[Callable[[WorkerRequest, WorkerRun], WorkerRun], str]] = {
    "crashes": (fail(CRASH), "the worker died of SIGSEGV in run"),
    "hangs": (fail(HANG), "no answer within 60 s"),
    "lies": (lie, "outputs differ: checksum of candidate bad/plain bb, of baseline bad/plain aa"),
    "empty store": (empty_store, "ran on an empty store (population 0)"),
    "zero variance": (flat, "zero variance"),
    "takes no time": (timeless, "clock too coarse"),
    "coarse clock": (coarse, "clock too coarse"),
}


def only(kernel: str, change: Callable[[WorkerRequest, WorkerRun], WorkerRun], *, since: int = 1) -> Interfere:
    """Workers of one kernel misbehave, from the `since`-th of them on."""
    seen = 0

    def interfere(_number: int, request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
        nonlocal seen
        if request.arms[0].kernel != kernel:
            return answer
        seen += 1
        return change(request, answer) if seen >= since else answer

    return interfere


@pytest.mark.parametrize("since", [1, 2, 4])
@pytest.mark.parametrize("name", MISBEHAVIOUR)
def test_one_bad_case_is_invalid_and_the_rest_is_measured(tmp_path: Path, name: str, since: int) -> None:
    change, said = MISBEHAVIOUR[name]
    runner = machine(one("first", "bad", "last"), interfere=only("bad", change, since=since))
    opened = compare(runner, tmp_path, scenarios("first", "bad", "last"))
    assert verdicts(opened.record) == {"first/plain": "unchanged", "bad/plain": "invalid", "last/plain": "unchanged"}
    finding = opened.record.compare[1]
    assert said in finding.reason
    assert finding.change is None
    assert status(opened.record) is ExitStatus.MEASUREMENT_FAILED
    assert saved(tmp_path) == opened.record


@pytest.mark.parametrize("since", [1, 2, 4])
@pytest.mark.parametrize(
    "name", [name for name in MISBEHAVIOUR if name != "lies"]
)  # a bench of one arm has nothing to compare with
def test_the_same_in_a_bench(tmp_path: Path, name: str, since: int) -> None:
    change, said = MISBEHAVIOUR[name]
    runner = machine(one("first", "bad", "last"), interfere=only("bad", change, since=since))
    opened = bench(runner, tmp_path, scenarios("first", "bad", "last"))
    assert [(finding.case, bool(finding.problem)) for finding in opened.record.bench] == [
        ("first/plain", False), ("bad/plain", True), ("last/plain", False),
    ]  # fmt: skip
    assert said in opened.record.bench[1].problem
    assert bench_status(opened.record, enforce_budgets=False) is ExitStatus.MEASUREMENT_FAILED


@pytest.mark.parametrize("kind", ["bench", "compare"])
def test_after_a_worker_that_failed_no_other_is_run_for_its_case(tmp_path: Path, kind: str) -> None:
    """A hang costs its timeout; eight of them would cost eight."""
    runner = machine(one("bad"), interfere=only("bad", fail(HANG), since=3))
    (compare if kind == "compare" else bench)(runner, tmp_path, scenarios("bad"))
    assert runner.count == 3


def test_a_kernel_that_fails_from_the_start_costs_one_worker(tmp_path: Path) -> None:
    runner = machine(one("good", "bad"), failures={"bad": CRASH})
    opened = compare(runner, tmp_path, scenarios("bad", "good"))
    assert verdicts(opened.record) == {"bad/plain": "invalid", "good/plain": "unchanged"}
    assert sum(request.arms[0].kernel == "bad" for request in runner.requests) == 1
    assert opened.record.cases[0].failure == CRASH
    assert opened.record.cases[0].controls == ()


def test_without_any_good_case_there_is_no_pass(tmp_path: Path) -> None:
    opened = compare(machine(one(), failures={"spin": CRASH}), tmp_path, scenarios("spin"))
    assert status(opened.record) is ExitStatus.MEASUREMENT_FAILED
    assert compare_status(opened.record, allow_inconclusive=True) is ExitStatus.MEASUREMENT_FAILED


def test_a_case_that_misbehaves_in_its_controls_only_takes_no_other_verdict_back_silently(tmp_path: Path) -> None:
    """The controls are pooled, so a control that failed leaves the run inconclusive and says so."""

    def crash_in_control(request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
        return fail(CRASH)(request, answer) if len(request.arms) == 3 else answer

    opened = compare(machine(one("a", "b"), interfere=only("a", crash_in_control)), tmp_path, scenarios("a", "b"))
    assert status(opened.record) is ExitStatus.INCONCLUSIVE
    assert all("a control failed" in finding.reason for finding in opened.record.compare)


def test_more_work_that_is_not_caught_takes_every_verdict_back(tmp_path: Path) -> None:
    """A worker that ignores how often it should run: the gate would never see a slowdown."""

    def idle(request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
        if len(request.arms) != 3 or answer.samples is None:
            return answer
        slow = 1.08
        digits = answer.samples.schedule
        wall = tuple(round(ns / slow) if digit == "2" else ns for digit, ns in zip(digits, answer.samples.wall_ns, strict=True))
        return replace(answer, samples=replace(answer.samples, wall_ns=wall))

    opened = compare(machine(one(), change=0.2, interfere=only("spin", idle)), tmp_path, scenarios("spin"))
    assert [control.held for control in opened.record.controls] == [True, False]
    assert verdicts(opened.record) == {"spin/plain": "inconclusive"}
    assert opened.record.compare[0].reason.startswith("would be regressed (")

"""Whole runs through the pipeline without processes: what is measured, judged, listed and saved, whatever one case does."""

import errno
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fabricated import KERNEL, PARAMETER, build, laboratory, library, scenario, ticking
from simulated_machine import Interfere, Machine, bench, compare, kernels, machine, one, scenarios

from dualmem_cli import pipeline
from dualmem_cli.errors import ExitStatus, RecordError, ScenarioError
from dualmem_cli.judge.outcome import bench_status, compare_status
from dualmem_cli.measure.fake import FakeRunner
from dualmem_cli.model.caution import CautionKind
from dualmem_cli.model.kernel import Output
from dualmem_cli.model.plan import Role, Task, WorkerRequest
from dualmem_cli.model.record import Record
from dualmem_cli.model.samples import Failure, FailureKind, WorkerRun
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.store import records

CRASH = Failure(FailureKind.CRASHED, "run", 1, "the worker died of SIGSEGV in run")
HANG = Failure(FailureKind.TIMED_OUT, "run", 0, "no answer within 60 s, stopped in run")


def status(record: Record) -> ExitStatus:
    return compare_status(record, allow_inconclusive=False)


def verdicts(record: Record) -> dict[str, str]:
    return {finding.case: finding.verdict.value for finding in record.compare}


def saved(folder: Path) -> Record:
    return records.load(folder / "reports" / "record.json")


# --- compare ---


@pytest.mark.parametrize(
    ("change", "verdict", "wanted"),
    [
        (0.0, "unchanged", ExitStatus.OK),
        (0.03, "unchanged", ExitStatus.OK),
        (0.08, "regressed", ExitStatus.REGRESSION),
        (-0.2, "improved", ExitStatus.OK),
    ],
)
def test_a_compare_finds_the_true_change(tmp_path: Path, change: float, verdict: str, wanted: ExitStatus) -> None:
    opened = compare(machine(one(), change=change), tmp_path, scenarios("spin"))
    (finding,) = opened.record.compare
    assert (finding.case, finding.verdict, status(opened.record)) == ("spin/plain", verdict, wanted)
    assert finding.change is not None
    assert finding.change.value == pytest.approx(change, abs=0.006)
    assert finding.change.low <= change <= finding.change.high
    assert finding.baseline_ns == pytest.approx(5000, rel=0.01)
    assert [control.held for control in opened.record.controls] == [True, True]
    assert saved(tmp_path) == opened.record
    assert not opened.record.interrupted


@pytest.mark.parametrize(
    ("change", "wanted"), [(0.0, "unchanged"), (0.04, "unchanged"), (0.06, "regressed"), (0.08, "regressed")]
)
def test_rates_of_whole_runs(tmp_path: Path, change: float, wanted: str) -> None:
    """Samples, pairs, workers, rule, controls and record together: 20 suites of two kernels, with a hog on the same core."""
    found: Counter[str] = Counter()
    for seed in range(20):
        runner = machine(one("a", "b"), change=change, seed=seed, worker_noise=0.0031)
        opened = compare(runner, tmp_path / str(seed), scenarios("a", "b"), seed=seed)
        found.update(finding.verdict.value for finding in opened.record.compare)
    assert found == {wanted: 40}


def test_what_the_workers_are_told(tmp_path: Path) -> None:
    runner = machine(one())
    compare(runner, tmp_path, scenarios("spin"), links=4)
    calibration, *rest = runner.requests
    judged = [request for request in rest if len(request.arms) == 2]
    controls = [request for request in rest if len(request.arms) == 3]
    assert (calibration.iterations, calibration.target_ns) == (0, 100_000)
    assert {request.iterations for request in judged} == {20}, "one count for both arms and all workers, from the baseline"
    assert len(judged) == 6
    assert len({request.schedule for request in judged}) == 6, "every worker has its own schedule"
    assert len({request.placement for request in judged}) > 1
    assert {request.task for request in runner.requests} == {Task.MEASURE}
    assert {len(set(request.libraries)) for request in runner.requests} == {2}, (
        "never one file twice: the loader would map it once"
    )
    names = [tuple(Path(path).name for path in request.libraries) for request in judged]
    assert len(set(names)) > 3, "layouts take turns"
    assert all(one_.startswith("0.") and other.startswith("1.") for one_, other in names)
    assert len(controls) == 10
    for request in controls:
        first, second = (Path(path).name for path in request.libraries)
        assert (first[0], second[0], first[1:]) == ("0", "2", second[1:]), "the same link of the baseline and its copy"
        assert [arm.library for arm in request.arms] == [0, 1, 0]
        assert request.arms[2].work == pytest.approx(1.08)


def test_a_disturbed_calibration_is_mended_by_the_samples_behind_it(tmp_path: Path) -> None:
    """A cold arm made the worker find 1 operation for a sample of 100 us, where 20 fit: seen on a real machine, where the samples became
    too short for the clock."""

    def disturbed(number: int, request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
        if request.iterations or answer.samples is None:
            return answer
        samples = answer.samples
        return replace(
            answer,
            samples=replace(samples, iterations=(1, 1), wall_ns=tuple(round(wall / 20) for wall in samples.wall_ns)),
        )

    runner = machine(one("a"), interfere=disturbed)
    opened = compare(runner, tmp_path, scenarios("a"))
    assert verdicts(opened.record) == {"a/plain": "unchanged"}
    assert {request.iterations for request in runner.requests[1:] if len(request.arms) == 2} == {20}


def test_a_suite_is_judged_case_by_case(tmp_path: Path) -> None:
    known = one("a", "b", "c")
    runner = machine(known, change=0.0)
    opened = compare(runner, tmp_path, scenarios("a", "b", "c"))
    assert verdicts(opened.record) == {"a/plain": "unchanged", "b/plain": "unchanged", "c/plain": "unchanged"}
    assert [len(run.controls) for run in opened.record.cases] == [4, 4, 4], "ten control workers or more, spread over the suite"
    assert status(opened.record) is ExitStatus.OK


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


# --- what is there on one side only ---


def test_new_gone_and_unsupported_are_listed_and_the_rest_is_judged(tmp_path: Path) -> None:
    old_a, new_a, both, wide, lost, told = (
        replace(KERNEL, variant=name) for name in ("old", "new", "both", "wide", "lost", "told")
    )
    wide = replace(wide, supported=False, reason="needs 4096 bits")
    unable = replace(lost, supported=False, reason="needs 4096 bits")
    old = library(old_a, both, wide, lost, told)
    new = library(new_a, both, wide, unable, replace(told, output=Output.VALUES))
    chosen = (scenario(name="spin", variants='["old", "new", "both", "wide", "lost", "told"]'),)
    opened = compare(machine(new), tmp_path, chosen, libraries=(old, new))
    assert {finding.case: (finding.verdict, finding.reason) for finding in opened.record.compare if finding.change is None} == {
        "spin/old": (Verdict.MISSING, "gone: only the baseline has it"),
        "spin/new": (Verdict.MISSING, "new: the baseline does not have it"),
        "spin/lost": (Verdict.INCOMPARABLE, "the candidate's is not supported here: needs 4096 bits"),
        "spin/told": (Verdict.INCOMPARABLE, "its output was none and is values now, so results cannot be compared"),
    }
    assert [(gone.case, gone.reason) for gone in opened.record.absent] == [("spin/wide", "not supported here: needs 4096 bits")]
    assert verdicts(opened.record)["spin/both"] == "unchanged"
    assert status(opened.record) is ExitStatus.NOT_COMPARABLE


def test_noisy_controls_get_more_workers_until_they_hold(tmp_path: Path) -> None:
    """Between workers 2 % of noise: ten control workers cannot tell 8 % from 5 %, sixty can, and a quiet run needs no more than ten."""
    quiet = compare(machine(one("a")), tmp_path / "quiet", scenarios("a"))
    assert len(quiet.record.cases[0].controls) == 10
    noisy = compare(machine(one("a"), worker_noise=0.02), tmp_path / "noisy", scenarios("a"))
    assert 10 < len(noisy.record.cases[0].controls) <= 60
    assert [control.held for control in noisy.record.controls] == [True, True]


def test_a_variant_that_neither_build_knows_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r'"plian" is not a variant of spin; did you mean "plain"'):
        compare(machine(library(KERNEL)), tmp_path, (scenario(name="spin", variants='["plian"]'),))


def test_what_no_build_can_run_here_fails_nothing(tmp_path: Path) -> None:
    """A suite with rows for AVX-512 passes on a machine without it, as long as something was measured."""
    wide = replace(KERNEL, variant="wide", supported=False, reason="needs 4096 bits")
    opened = compare(machine(library(KERNEL, wide)), tmp_path, (scenario(name="spin", variants='["plain", "wide"]'),))
    assert status(opened.record) is ExitStatus.OK
    alone = compare(machine(library(wide)), tmp_path / "alone", (scenario(name="spin", variants='["wide"]'),))
    assert status(alone.record) is ExitStatus.NOT_COMPARABLE


def test_a_candidate_cannot_loosen_its_own_check(tmp_path: Path) -> None:
    """The stricter tolerance of the two builds counts."""
    strict = replace(KERNEL, output=Output.VALUES, tolerance=1e-6)
    loose = replace(strict, tolerance=1.0)

    def differ(_number: int, request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
        assert answer.check is not None
        return replace(answer, check=replace(answer.check, differences=(0.0,) + (0.01,) * (len(request.arms) - 1)))

    opened = compare(
        machine(library(loose), interfere=differ), tmp_path, scenarios("spin"), libraries=(library(strict), library(loose))
    )
    assert set(verdicts(opened.record).values()) == {"invalid"}


@pytest.mark.parametrize("side", ["old", "new"])
def test_a_gate_that_measured_nothing_never_passes(tmp_path: Path, side: str) -> None:
    libraries = (library(replace(KERNEL, variant="old")), library(replace(KERNEL, variant="new")))
    opened = compare(machine(libraries[1]), tmp_path, (scenario(name="spin", variants=f'["{side}"]'),), libraries=libraries)
    assert status(opened.record) is ExitStatus.NOT_COMPARABLE
    assert compare_status(opened.record, allow_inconclusive=True) is ExitStatus.NOT_COMPARABLE


def test_no_scenario_at_all_is_no_pass(tmp_path: Path) -> None:
    assert status(compare(machine(one()), tmp_path / "compare", ()).record) is ExitStatus.NOT_COMPARABLE
    assert (
        bench_status(bench(machine(one()), tmp_path / "bench", ()).record, enforce_budgets=False) is ExitStatus.MEASUREMENT_FAILED
    )


def test_a_parameter_that_the_baseline_does_not_have(tmp_path: Path) -> None:
    more = replace(KERNEL, parameters=(PARAMETER, replace(PARAMETER, name="depth", default=7.0)))
    libraries = (library(), library(more))
    default = compare(machine(libraries[1]), tmp_path / "default", scenarios("spin"), libraries=libraries)
    assert verdicts(default.record) == {"spin/plain": "unchanged"}, "with its default it is comparable"
    stated = compare(
        machine(libraries[1]), tmp_path / "stated", scenarios("spin", text="[params]\ndepth = 3"), libraries=libraries
    )
    assert verdicts(stated.record) == {"spin/plain": "incomparable"}
    assert "has no parameter depth" in stated.record.compare[0].reason


# --- how long it goes on ---


def test_the_budget_ends_an_undecided_case(tmp_path: Path) -> None:
    """A worker takes a second: after the calibration and 36 workers there are three seconds left, so the next look is still reached."""
    runner = machine(one(), change=0.05, worker_noise=0.02)
    opened = compare(runner, tmp_path, scenarios("spin"), budget_s=40.0, seconds=lambda: float(runner.count))
    (finding,) = opened.record.compare
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert len(opened.record.cases[0].workers) == 44
    assert "--budget" in finding.reason
    assert status(opened.record) is ExitStatus.INCONCLUSIVE


@pytest.mark.parametrize("budget_s", [0.0, -1.0, float("nan")])
def test_without_any_budget_the_first_look_is_all_there_is(tmp_path: Path, budget_s: float) -> None:
    """Fewer workers would not say anything at all."""
    runner = machine(one(), change=0.05, worker_noise=0.02)
    opened = compare(runner, tmp_path, scenarios("spin"), budget_s=budget_s, seconds=ticking(1.0))
    assert len(opened.record.cases[0].workers) == 6
    assert status(opened.record) is ExitStatus.INCONCLUSIVE
    assert saved(tmp_path) == opened.record


def test_an_unbounded_interval_is_saved_too(tmp_path: Path) -> None:
    """Of workers so wild that the upper bound is beyond every number."""

    def wild(number: int, _request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
        assert answer.samples is not None
        factor = 10 ** (number % 5)
        digits, wall = answer.samples.schedule, answer.samples.wall_ns
        slower = tuple(ns * factor if digit == "1" else ns for digit, ns in zip(digits, wall, strict=True))
        return replace(answer, samples=replace(answer.samples, wall_ns=slower))

    opened = compare(machine(one(), interfere=wild), tmp_path, scenarios("spin"), budget_s=0.0)
    change = opened.record.compare[0].change
    assert change is not None
    assert change.high > 1e3
    assert saved(tmp_path) == opened.record


def test_a_decided_case_stops(tmp_path: Path) -> None:
    opened = compare(machine(one()), tmp_path, scenarios("spin"))
    assert len(opened.record.cases[0].workers) == 6


def test_a_slow_operation_gets_fewer_samples(tmp_path: Path) -> None:
    runner = machine(one())
    runner.cost_ns._kernels["spin"] = 20e6  # type: ignore[attr-defined]
    compare(runner, tmp_path, scenarios("spin"))
    judged = [request for request in runner.requests if len(request.arms) == 2][1:]
    assert {request.iterations for request in judged} == {1}
    assert {len(request.schedule) for request in judged} == {20}, "ten a side instead of forty"


def samples_per_side(runner: Machine, folder: Path, text: str = "") -> set[int]:
    """Of every worker that was judged, the one that calibrates left out."""
    compare(runner, folder, scenarios("spin", text=text))
    judged = [request for request in runner.requests if len(request.arms) == 2 and request.iterations > 0]
    return {len(request.schedule) // 2 for request in judged}


def test_a_noisy_case_gets_more_samples(tmp_path: Path) -> None:
    assert samples_per_side(machine(one()), tmp_path) == {40}
    assert samples_per_side(machine(one(), noise=lambda random: random.gauss(0.0, 0.1)), tmp_path) == {320}
    (some,) = samples_per_side(machine(one(), noise=lambda random: random.gauss(0.0, 0.025)), tmp_path)
    assert 40 < some < 320


def test_a_scenario_may_say_how_many_samples(tmp_path: Path) -> None:
    noisy = machine(one(), noise=lambda random: random.gauss(0.0, 0.1))
    assert samples_per_side(noisy, tmp_path, "[measure]\nsamples = 60") == {60}


# --- interrupted, full, wrong ---


@pytest.mark.parametrize("at", [1, 2, 9, 14, 15, 20, 60])
@pytest.mark.parametrize("kind", ["bench", "compare"])
def test_ctrl_c_keeps_what_was_measured(tmp_path: Path, at: int, kind: str) -> None:
    def press(number: int, _request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
        if number == at:
            raise KeyboardInterrupt
        return answer

    runner = machine(one("a", "b", "c"), interfere=press)
    opened = (compare if kind == "compare" else bench)(runner, tmp_path, scenarios("a", "b", "c"))
    record = opened.record
    finished = runner.count < at
    assert record.interrupted is not finished
    assert saved(tmp_path) == record
    assert opened.unsaved == ""
    assert len(record.cases) == len(record.compare if kind == "compare" else record.bench)
    done = status(record) if kind == "compare" else bench_status(record, enforce_budgets=True)
    assert done is (ExitStatus.OK if finished else ExitStatus.INTERRUPTED)
    assert (CautionKind.INTERRUPTED in [caution.kind for caution in record.cautions]) is not finished
    full = compare(machine(one("a", "b", "c")), tmp_path / "full", scenarios("a", "b", "c")) if kind == "compare" else None
    if full is not None and not finished:
        there = [run.workers for run in full.record.cases[: len(record.cases)]]
        assert [run.workers for run in record.cases] == there, "what was finished is what it would have been"


def test_a_run_that_is_killed_leaves_an_interrupted_record(tmp_path: Path) -> None:
    """kill -9 runs no handler: what lies on the disk after every save must say by itself that it is not whole."""
    seen: list[Record] = []

    def look(_number: int, _request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
        seen.append(saved(tmp_path))
        return answer

    compare(machine(one("a", "b"), interfere=look), tmp_path, scenarios("a", "b"))
    assert {len(record.cases) for record in seen} == {0, 1, 2}, "two in the controls, which come last"
    assert all(record.interrupted for record in seen)
    assert not saved(tmp_path).interrupted


def test_a_disk_that_fills_up_costs_no_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = os.fsync
    calls = 0

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    opened = compare(machine(one("a", "b", "c")), tmp_path, scenarios("a", "b", "c"))
    assert len(opened.record.compare) == 3
    assert "No space left on device" in opened.unsaved
    assert len(saved(tmp_path).cases) == 1, "the last one that could be saved is whole"


def test_a_disk_that_is_full_is_met_before_an_hour_of_measuring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    runner = machine(one())
    with pytest.raises(RecordError, match="No space left on device"):
        compare(runner, tmp_path, scenarios("spin"))
    assert runner.count == 0


@pytest.mark.parametrize("kind", ["bench", "compare"])
def test_a_scenario_that_cannot_be_used_leaves_no_record_behind(tmp_path: Path, kind: str) -> None:
    """Else the empty record would be the newest one, and `baseline save` would promote it."""
    runner = machine(one())
    with pytest.raises(ScenarioError, match="wrok"):
        (compare if kind == "compare" else bench)(runner, tmp_path, scenarios("spin", text="[params]\nwrok = 3"))
    assert runner.count == 0
    assert list((tmp_path / "reports").iterdir()) == []


def test_a_bug_of_ours_is_not_hidden(tmp_path: Path) -> None:
    def bug(_number: int, _request: WorkerRequest, _answer: WorkerRun) -> WorkerRun:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        compare(machine(one(), interfere=bug), tmp_path, scenarios("spin"))
    assert saved(tmp_path).interrupted


# --- bench ---


def test_a_bench_finds_the_true_times(tmp_path: Path) -> None:
    known = library(*kernels("spin", "spin_single"), replace(KERNEL, variant="scalar"))
    text = '[control]\nkernel = "spin_single"\n[beside]\nvariant = "scalar"\nspeedup = 0.5\n[budget]\ntime = "<= 6 us"'
    runner = machine(known)
    runner.cost_ns._kernels["spin_single"] = 4_800.0  # type: ignore[attr-defined]
    opened = bench(runner, tmp_path, scenarios("spin", text=text))
    (finding,) = opened.record.bench
    found = {quantity.name: quantity for quantity in finding.quantities}
    assert found["time"].estimate.value == pytest.approx(5000, rel=0.01)
    assert found["overhead"].estimate.value == pytest.approx(5000 / 4800 - 1, abs=0.01)
    assert found["speedup"].estimate.value == pytest.approx(1.0, abs=0.01)
    assert finding.missed == ()
    assert len(opened.record.cases[0].workers) == 8
    assert bench_status(opened.record, enforce_budgets=True) is ExitStatus.OK


@pytest.mark.parametrize("beside", [False, True])
def test_a_latency_bench(tmp_path: Path, beside: bool) -> None:
    """With another variant beside it: a latency worker runs one arm only, and is judged as such."""
    known = library(KERNEL, replace(KERNEL, variant="scalar"))
    text = '[measure]\nmode = "latency"\noperations = 500\npasses = 3\n[budget]\np99 = "<= 6 us"\n'
    text += '[beside]\nvariant = "scalar"\nspeedup = 0.5\n' if beside else ""
    runner = machine(known)
    opened = bench(runner, tmp_path, scenarios("spin", text=text))
    (finding,) = opened.record.bench
    assert finding.problem == ""
    assert {"p50", "p95", "p99", "p99.9", "max", "p50_fastest"} <= {quantity.name for quantity in finding.quantities}
    p50 = finding.quantity("p50")
    assert p50 is not None
    assert p50.estimate.value == pytest.approx(5000, rel=0.01)
    assert (finding.quantity("speedup") is not None) is beside
    tasks = [request.task for request in runner.requests]
    assert tasks.count(Task.LATENCY) == 8
    assert tasks.count(Task.MEASURE) == (9 if beside else 1)


def test_an_unsupported_variant_is_listed(tmp_path: Path) -> None:
    known = library(KERNEL, replace(KERNEL, variant="wide", supported=False, reason="needs 4096 bits"))
    opened = bench(machine(known), tmp_path, (scenario(name="spin", variants='["plain", "wide"]'),))
    assert [(absent.case, absent.reason) for absent in opened.record.absent] == [
        ("spin/wide", "not supported here: needs 4096 bits")
    ]
    assert bench_status(opened.record, enforce_budgets=True) is ExitStatus.OK


def test_a_missed_budget_fails_only_when_enforced(tmp_path: Path) -> None:
    opened = bench(machine(one()), tmp_path, scenarios("spin", text='[budget]\ntime = "<= 4 us"'))
    assert bench_status(opened.record, enforce_budgets=False) is ExitStatus.OK
    assert bench_status(opened.record, enforce_budgets=True) is ExitStatus.REGRESSION


def test_coverage_of_the_interval_of_a_bench(tmp_path: Path) -> None:
    """At 95 %, in 120 benches: between 88 % and 99.2 % (four standard deviations)."""
    covered = 0
    chosen = scenarios("spin", text="[measure]\nworkers = 5\nsamples = 10")
    for seed in range(120):
        opened = bench(machine(one(), seed=seed, worker_noise=0.01), tmp_path / str(seed), chosen)
        time = opened.record.bench[0].quantity("time")
        assert time is not None
        covered += time.estimate.low <= 5000 <= time.estimate.high
    assert 0.88 <= covered / 120 <= 0.992


# --- recall ---

LOOKUP = replace(KERNEL, name="lookup", output=Output.NEIGHBOURS, needs_data=True, prepare=True)


class Lookup(FakeRunner):
    """Answers with the neighbours that it is told to have found: the first `k` rows shifted by `shift`, or whatever `answer` makes."""

    answer: Callable[[int], bytes | None] = staticmethod(lambda _side: b"")
    prepared_paths: tuple[str, ...] = ()

    def prepare(self, request: WorkerRequest, *, timeout_s: float) -> Failure | None:
        Path(request.path).write_bytes(b"prepared")
        self.prepared_paths = (*self.prepared_paths, request.path)
        return super().prepare(request, timeout_s=timeout_s)

    def measure(self, request: WorkerRequest, draw: object, *, timeout_s: float) -> WorkerRun:
        for index, arm in enumerate(request.arms):
            found = self.answer(index) if arm.output else None
            if found is not None:
                Path(arm.output).write_bytes(found)
        made = super().measure(request, draw, timeout_s=timeout_s)  # type: ignore[arg-type]
        assert made.check is not None
        return replace(made, check=replace(made.check, outputs=(50,) * len(request.arms)))


def look_up(folder: Path, answer: Callable[[int], bytes], *, floor: float = 0.9) -> Record:
    text = f'[data]\nsynthetic = "gaussian"\nrows = 40\nqueries = 5\ndim = 8\n[params]\nwork = 10\n[gate]\nrecall_floor = {floor}'
    runner = Lookup(library=library(LOOKUP), cost_ns={("", "lookup"): 5000.0}, seed=1)
    runner.answer = answer
    builds = (build(library(LOOKUP), digest="a" * 64), build(library(LOOKUP), digest="b" * 64))
    chosen = (scenario(text, name="lookup", kernel="lookup", path=str(folder / "lookup.toml")),)
    return pipeline.compare(laboratory(runner, folder), chosen, builds, name="main", budget_s=20.0, earlier=None).record


def exact(folder: Path, *, k: int = 10) -> bytes:
    """The exact answer, from the cached set."""
    from dualmem_cli.measure.data import materialise, read_matrix
    from dualmem_cli.model.scenario import GaussianData

    made = materialise(GaussianData("gaussian", 40, 5, 8, 1), directory=folder, cache=folder / "cache")
    cosine = read_matrix(made.queries).astype(np.float64) @ read_matrix(made.data).astype(np.float64).T
    return np.argsort(-cosine, axis=1)[:, :k].astype("<f8").tobytes()


def test_recall_is_measured_against_the_exact_answer(tmp_path: Path) -> None:
    right = exact(tmp_path)
    record = look_up(tmp_path, lambda _: right)
    assert record.cases[0].recall == (1.0, 1.0)
    assert verdicts(record) == {"lookup/plain/work=10": "unchanged"}
    assert record.data[0].rows == 40


NONSENSE: dict[str, Callable[[bytes], bytes]] = {
    "below the floor": lambda right: np.zeros(50).astype("<f8").tobytes(),
    "nothing": lambda right: b"",
    "fewer": lambda right: right[: 8 * 25],
    "not a multiple": lambda right: right[:-8],
    "half a number": lambda right: right[:-3],
    "not numbers": lambda right: b"\xff" * len(right),
    "rows that do not exist": lambda right: np.full(50, 40.0).astype("<f8").tobytes(),
}


@pytest.mark.parametrize("name", NONSENSE)
@pytest.mark.parametrize("side", [0, 1])
def test_a_side_whose_neighbours_are_wrong_is_invalid(tmp_path: Path, name: str, side: int) -> None:
    right = exact(tmp_path)
    record = look_up(tmp_path, lambda index: NONSENSE[name](right) if index == side else right)
    (finding,) = record.compare
    assert finding.verdict is Verdict.INVALID, finding.reason
    role = (Role.BASELINE, Role.CANDIDATE)[side]
    assert f"of {role} lookup/plain is below its floor 0.9" in finding.reason


def test_an_answer_of_the_case_before_is_not_this_ones(tmp_path: Path) -> None:
    """The first case answers, the second one writes nothing at all."""
    right = exact(tmp_path)
    text = (
        '[data]\nsynthetic = "gaussian"\nrows = 40\nqueries = 5\ndim = 8\n[params]\nwork = [10, 11]\n[gate]\nrecall_floor = 0.9'
    )
    runner = Lookup(library=library(LOOKUP), cost_ns={("", "lookup"): 5000.0}, seed=1)
    calls = 0

    def answer(_index: int) -> bytes | None:
        nonlocal calls
        calls += 1
        return right if calls <= 2 else None

    runner.answer = answer
    builds = (build(library(LOOKUP), digest="a" * 64), build(library(LOOKUP), digest="b" * 64))
    chosen = (scenario(text, name="lookup", kernel="lookup", path=str(tmp_path / "lookup.toml")),)
    record = pipeline.compare(laboratory(runner, tmp_path), chosen, builds, name="main", budget_s=20.0, earlier=None).record
    assert [run.recall for run in record.cases] == [(1.0, 1.0), (None, None)]
    assert verdicts(record)["lookup/plain/work=11"] == "invalid"


def test_a_prepared_file_is_made_once_per_build_and_shared_between_runs(tmp_path: Path) -> None:
    right = exact(tmp_path)
    look_up(tmp_path, lambda _: right)
    prepared = sorted((tmp_path / "cache" / "prepared").iterdir())
    assert len(prepared) == 2, "one for either build"
    before = [path.stat().st_mtime_ns for path in prepared]
    look_up(tmp_path, lambda _: right)
    assert [path.stat().st_mtime_ns for path in prepared] == before
    assert all(path.read_bytes() == b"prepared" for path in prepared)


def test_a_cache_that_cannot_be_written_costs_the_case_that_needs_it(tmp_path: Path) -> None:
    right = exact(tmp_path)
    (tmp_path / "cache" / "prepared").write_text("in the way")
    (finding,) = look_up(tmp_path, lambda _: right).compare
    assert finding.verdict is Verdict.INVALID
    assert finding.reason.startswith("baseline lookup/plain: prepare: ")
    assert finding.reason.endswith("prepared: File exists")


@pytest.mark.parametrize("side", [0, 1])
def test_a_prepare_that_fails_names_its_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int) -> None:
    """The worker prepares one arm alone and calls it arm 0."""
    right = exact(tmp_path)
    plain = Lookup.prepare

    def prepare(self: Lookup, request: WorkerRequest, *, timeout_s: float) -> Failure | None:
        if request.arms[0].library == side:
            return Failure(FailureKind.CRASHED, "prepare", 0, "the worker died of SIGSEGV in prepare")
        return plain(self, request, timeout_s=timeout_s)

    monkeypatch.setattr(Lookup, "prepare", prepare)
    (finding,) = look_up(tmp_path, lambda _: right).compare
    assert finding.reason == f"{('baseline', 'candidate')[side]} lookup/plain: the worker died of SIGSEGV in prepare"


def test_two_runs_that_prepare_at_once_do_not_disturb_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the first run has copied its prepared file and not yet renamed it, a second one does the same from start to end."""
    import shutil

    right = exact(tmp_path)
    plain = shutil.copyfile
    nested = False

    def copyfile(source: Path, target: Path) -> object:
        nonlocal nested
        copied = plain(source, target)
        if not nested:
            nested = True
            look_up(tmp_path, lambda _: right)
        return copied

    monkeypatch.setattr(shutil, "copyfile", copyfile)
    assert verdicts(look_up(tmp_path, lambda _: right)) == {"lookup/plain/work=10": "unchanged"}

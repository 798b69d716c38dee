"""Whole compares through the pipeline without processes: what is measured, judged, listed and saved."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from fabricated import KERNEL, PARAMETER, library, scenario, ticking
from simulated_machine import Machine, bench, compare, machine, one, saved, scenarios, status, verdicts

from dualmem_cli.errors import ExitStatus, ScenarioError
from dualmem_cli.judge.outcome import bench_status, compare_status
from dualmem_cli.model.kernel import Output
from dualmem_cli.model.plan import Task, WorkerRequest
from dualmem_cli.model.samples import WorkerRun
from dualmem_cli.model.verdict import Verdict


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
    assert samples_per_side(machine(one(), noise=lambda random: random.gauss(0.0, 0.1)), tmp_path) == {80}
    (some,) = samples_per_side(machine(one(), noise=lambda random: random.gauss(0.0, 0.018)), tmp_path)
    assert 40 < some < 80


def test_a_scenario_may_say_how_many_samples(tmp_path: Path) -> None:
    noisy = machine(one(), noise=lambda random: random.gauss(0.0, 0.1))
    assert samples_per_side(noisy, tmp_path, "[measure]\nsamples = 60") == {60}

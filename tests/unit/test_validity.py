"""Whether samples may be believed at all."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from fabricated import BENCH_ARMS, CLOCK, COMPARE_ARMS, KERNEL, POPULATION, case_run, paired, samples, worker

from dualmem_cli.judge.validity import problem_of
from dualmem_cli.model.kernel import Kernel, Output
from dualmem_cli.model.plan import Arm, Role
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.samples import Check, Failure, FailureKind, Histogram, Latency, WorkerRun

GOOD = paired(1.0)
CRASH = Failure(FailureKind.CRASHED, "run", 1, "the worker died of SIGSEGV in run")
VALUES = replace(KERNEL, output=Output.VALUES, tolerance=1e-6)
NEIGHBOURS = replace(KERNEL, output=Output.NEIGHBOURS)
HISTOGRAM = Histogram(count=1, sum_ns=5, max_ns=5, buckets=((5, 1),))
LATENCY = Latency(arm=0, operations=1, every=HISTOGRAM, fastest=HISTOGRAM)


def problem(run: CaseRun, *, kernel: Kernel = KERNEL, floor: float = 0.0) -> str:
    return problem_of(run, kernel, recall_floor=floor)


def checked(
    checksums: tuple[str, ...] = ("aa", "aa"), *, outputs: tuple[int, ...] = (8, 8), difference: float | None = 0.0
) -> Check:
    return Check(checksums=checksums, outputs=outputs, differences=(0.0, difference))


def timed(**changes: object) -> WorkerRun:
    assert GOOD.samples is not None
    return replace(GOOD, samples=replace(GOOD.samples, **changes))  # type: ignore[arg-type]


def test_a_good_case_has_no_problem() -> None:
    assert problem(case_run(GOOD, GOOD)) == ""


PROBLEMS: dict[str, tuple[Callable[[], CaseRun], str]] = {
    "the case failed": (lambda: case_run(failure=CRASH), "candidate spin/plain: the worker died of SIGSEGV in run"),
    "no worker": (case_run, "no worker was run"),
    "a worker failed": (
        lambda: case_run(GOOD, worker(None, failure=CRASH)),
        "candidate spin/plain: the worker died of SIGSEGV in run (worker 2 of 2)",
    ),
    "a failure before any arm": (
        lambda: case_run(worker(None, failure=replace(CRASH, arm=None))),
        "the worker died of SIGSEGV in run (worker 1 of 1)",
    ),
    "no samples": (lambda: case_run(worker(None)), "the worker answered without samples (worker 1 of 1)"),
    "nothing compared": (
        lambda: case_run(replace(GOOD, check=None)),
        "the worker answered without comparing the outputs (worker 1 of 1)",
    ),
    "empty store": (
        lambda: case_run(GOOD, replace(GOOD, metrics=((1000.0, 64.0), (0.0, 64.0)))),
        "candidate spin/plain ran on an empty store (population 0) (worker 2 of 2)",
    ),
    "other checksum": (
        lambda: case_run(replace(GOOD, check=checked(("aa", "ab")))),
        "outputs differ: checksum of candidate spin/plain ab, of baseline spin/plain aa (worker 1 of 1)",
    ),
    "other checksum while timed": (
        lambda: case_run(timed(checksums=("aa", "ab"))),
        "outputs differ while timed: candidate spin/plain and baseline spin/plain returned other checksums (worker 1 of 1)",
    ),
    "coarse clock": (
        lambda: case_run(replace(GOOD, clock=replace(CLOCK, resolution_ns=4e6))),
        "clock too coarse: a sample of 200000 ns spans fewer than 200 steps of 4000000 ns; make [measure] sample_us larger",
    ),
    "a sample without time": (
        lambda: case_run(worker(samples("0110", [0, 10, 10, 10]))),
        "clock too coarse: a sample took no time at all",
    ),
    "zero variance": (
        lambda: case_run(worker(samples("01100110", [200_000] * 8))),
        "zero variance: 8 samples of exactly 200000 ns were not measured (worker 1 of 1)",
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_is_named(name: str) -> None:
    make, wanted = PROBLEMS[name]
    assert problem(make()).startswith(wanted), problem(make())


def test_every_worker_is_looked_at() -> None:
    bad = replace(GOOD, check=checked(("aa", "ab")))
    for position in range(5):
        workers = [GOOD] * 5
        workers[position] = bad
        assert problem(case_run(*workers)).endswith(f"(worker {position + 1} of 5)")


@pytest.mark.parametrize(
    ("difference", "valid"),
    [(0.0, True), (1e-6, True), (1.0000001e-6, False), (1.7976931348623157e308, False), (float("nan"), False), (None, False)],
)
def test_values_are_equal_within_the_tolerance_only(difference: float | None, valid: bool) -> None:
    run = case_run(replace(GOOD, check=checked(("aa", "zz"), difference=difference)))
    assert (problem(run, kernel=VALUES) == "") is valid
    if not valid and difference is not None:
        assert "outputs differ: candidate spin/plain from baseline spin/plain by" in problem(run, kernel=VALUES)


def test_values_without_tolerance_have_equal_checksums() -> None:
    run = case_run(replace(timed(checksums=("aa", "ab")), check=checked()))
    assert "while timed" in problem(run, kernel=replace(VALUES, tolerance=0.0))
    assert problem(run, kernel=VALUES) == ""


def test_as_many_neighbours_on_both_sides() -> None:
    run = case_run(replace(GOOD, check=checked(outputs=(2000, 1990))))
    assert problem(run, kernel=NEIGHBOURS).startswith("candidate spin/plain returned 1990 neighbours, baseline spin/plain 2000")
    other = replace(timed(checksums=("aa", "ab")), check=checked(("aa", "ab")))
    assert problem(case_run(other), kernel=NEIGHBOURS) == "", "equally good neighbours may differ"


@pytest.mark.parametrize(
    ("recall", "floor", "wanted"),
    [
        ((0.95, 0.95), 0.95, ""),
        ((0.95, 0.9499), 0.95, "recall 0.9499 of candidate spin/plain is below its floor 0.95"),
        ((0.5, 0.99), 0.95, "recall 0.5000 of baseline spin/plain is below its floor 0.95"),
        ((0.99, None), 0.95, "candidate spin/plain has no recall, and its floor is 0.95"),
        ((0.1, 0.1), 0.0, ""),
        ((0.99, float("nan")), 0.95, "recall nan of candidate"),
    ],
)
def test_recall_has_a_floor(recall: tuple[float | None, ...], floor: float, wanted: str) -> None:
    found = problem(case_run(GOOD, recall=recall), kernel=NEIGHBOURS, floor=floor)
    assert found.startswith(wanted)
    assert bool(found) is bool(wanted)


def test_a_control_with_more_work_need_not_return_the_same() -> None:
    arms = (COMPARE_ARMS[0], replace(COMPARE_ARMS[0], work=1.08))
    run = case_run(replace(timed(checksums=("aa", "ab"), iterations=(100, 108)), check=checked(("aa", "ab"))), arms=arms)
    assert problem(run) == ""


def test_another_kernel_beside_the_subject_need_not_return_the_same() -> None:
    twin = Arm(role=Role.CONTROL, build=0, kernel="spin_single", variant="plain")
    run = case_run(replace(timed(checksums=("aa", "ab")), check=checked(("aa", "ab"))), arms=(*BENCH_ARMS, twin))
    assert problem(run) == ""


def test_another_variant_beside_the_subject_must_return_the_same() -> None:
    beside = Arm(role=Role.BESIDE, build=0, kernel="spin", variant="scalar")
    run = case_run(replace(GOOD, check=checked(("aa", "ab"))), arms=(*BENCH_ARMS, beside))
    assert "outputs differ: checksum of spin/scalar ab" in problem(run)


@pytest.mark.parametrize("kernel", [KERNEL, VALUES, NEIGHBOURS])
def test_a_latency_worker_runs_the_first_arm_only_and_is_no_problem_for_the_others(kernel: Kernel) -> None:
    beside = Arm(role=Role.BESIDE, build=0, kernel="spin", variant="scalar")
    alone = worker(None, arms=1, latency=(LATENCY,))
    assert problem(case_run(alone, arms=(*BENCH_ARMS, beside)), kernel=kernel) == ""
    empty = replace(alone, metrics=((0.0, 64.0),))
    assert "empty store" in problem(case_run(empty, arms=(*BENCH_ARMS, beside)), kernel=kernel)


def test_a_population_that_is_not_known_is_not_zero() -> None:
    assert problem(case_run(replace(GOOD, metrics=((None, 64.0), (None, 64.0))))) == ""
    assert problem(case_run(replace(GOOD, metrics=((0.0,), (0.0,)))), kernel=replace(KERNEL, metrics=())) == ""
    only = replace(KERNEL, metrics=(POPULATION,))
    assert "empty store" in problem(case_run(replace(GOOD, metrics=((0.0,), (5.0,)))), kernel=only)

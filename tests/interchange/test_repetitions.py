"""What a worker gives to other tools is what the judge takes from it."""

from statistics import fmean

import pytest
from fabricated import BENCH_ARMS, CASE, KERNEL, build, case_run, library, paired, record, samples, scenario, worker

from dualmem_cli.judge.bench import bench_finding
from dualmem_cli.judge.compare import compare_finding
from dualmem_cli.model.plan import Arm, Role
from dualmem_cli.model.record import CaseRun
from dualmem_cli.report.repetitions import repetitions

WALL = [100_000 + 10 * index for index in range(12)]


def test_the_mean_over_workers_is_the_time_of_a_bench() -> None:
    """With an empty loop, and with a sample that lost the processor and must not count."""
    arms = (*BENCH_ARMS, Arm(role=Role.EMPTY, build=0, kernel="empty", variant="plain"))
    schedule = "0110" * 3
    made = []
    for shift in (0, 700, 1900):
        wall = [time + shift if digit == "0" else 20_000 for time, digit in zip(WALL, schedule, strict=True)]
        cpu = list(wall)
        wall[3] += 900_000
        made.append(worker(samples(schedule, wall, cpu_ns=cpu, switches=[int(i == 3) for i in range(12)])))
    run = case_run(*made, arms=arms)
    finding = bench_finding(scenario(), KERNEL, run)
    assert not finding.problem
    (found,) = repetitions(record(cases=(run,), bench=(finding,)), side=Role.SUBJECT)
    time = finding.quantity("time")
    assert time is not None
    assert fmean(repetition.wall_ns for repetition in found.repetitions) == pytest.approx(time.estimate.value, rel=1e-12)
    assert [dict(repetition.metrics)["memory_bytes"] for repetition in found.repetitions] == [64.0] * 3
    assert all(repetition.operations == 600 for repetition in found.repetitions)


def test_the_mean_over_workers_is_the_time_of_each_side_of_a_compare() -> None:
    run: CaseRun = case_run(*(paired(1.02 + 0.001 * index) for index in range(5)))
    builds = (build(library()), build(library(), digest="e" * 64))
    finding = compare_finding(scenario(), KERNEL, run, builds, cases=1)
    made = record(kind="compare", builds=builds, cases=(run,), compare=(finding,))
    for side, expected in ((Role.BASELINE, finding.baseline_ns), (Role.CANDIDATE, finding.candidate_ns)):
        (found,) = repetitions(made, side=side)
        assert found.case == CASE
        assert fmean(repetition.wall_ns for repetition in found.repetitions) == pytest.approx(expected, rel=1e-12)

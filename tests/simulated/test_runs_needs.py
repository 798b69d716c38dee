"""[needs] on one machine, and records of one machine as one."""

from dataclasses import replace
from pathlib import Path

import pytest
from fabricated import KERNEL, MACHINE, build, laboratory, library, scenario
from simulated_machine import bench, kernels, machine, one, scenarios

from dualmem_cli import pipeline
from dualmem_cli.errors import ExitStatus
from dualmem_cli.fleet.gather import merged
from dualmem_cli.judge.bench import overall_overhead
from dualmem_cli.judge.outcome import bench_status, compare_status, worst_status

NEEDS = f"[needs]\ncores = 100000\nmemory = '{MACHINE.memory_bytes} B'"
UNMET = [("needy/plain", "[needs] not met here: 100000 cores")]


def test_a_machine_that_lacks_something_lists_the_cases_and_measures_the_rest(tmp_path: Path) -> None:
    needy = scenario(NEEDS, name="needy")
    opened = bench(machine(one()), tmp_path, (needy, scenario(name="spin")))
    assert [run.case.scenario for run in opened.record.cases] == ["spin"]
    assert [(absent.case, absent.reason) for absent in opened.record.absent] == UNMET
    assert bench_status(opened.record, enforce_budgets=True) is ExitStatus.OK
    alone = bench(machine(one()), tmp_path / "alone", (needy,)).record
    assert bench_status(alone, enforce_budgets=True) is ExitStatus.MEASUREMENT_FAILED, "what measured nothing never passes"


def test_a_compare_lists_them_too(tmp_path: Path) -> None:
    builds = (build(one(), digest="a" * 64), build(one(), digest="b" * 64))
    lab = laboratory(machine(one()), tmp_path)
    record = pipeline.compare(lab, (scenario(NEEDS, name="needy"),), builds, name="x", budget_s=1.0, earlier=None).record
    assert [(absent.case, absent.reason) for absent in record.absent] == UNMET
    assert compare_status(record, allow_inconclusive=True) is ExitStatus.NOT_COMPARABLE


def test_what_is_exactly_enough_is_enough(tmp_path: Path) -> None:
    exact = scenario(f"[needs]\nmemory = '{MACHINE.memory_bytes} B'\nisa = {list(MACHINE.isa)}", name="exact")
    assert bench(machine(one()), tmp_path, (exact,)).record.absent == ()


def test_records_of_one_machine_become_one_and_are_judged_together(tmp_path: Path) -> None:
    known = library(*kernels("spin", "twist", "single"))
    control = '[control]\nkernel = "single"'
    first, second = (bench(machine(known), tmp_path / name, scenarios(name, text=control)).record for name in ("spin", "twist"))
    here = build(replace(known, path="elsewhere"), digest="c" * 64)
    together = merged(merged(None, first, builds=(here,)), second, builds=(here,))
    assert [run.case.scenario for run in together.cases] == ["spin", "twist"]
    assert together.cases == first.cases + second.cases, "samples as they came"
    assert [finding.case for finding in together.bench] == [run.case.id for run in together.cases]
    assert [found.name for found in together.scenarios] == ["spin", "twist"]
    assert together.seconds == first.seconds + second.seconds
    assert together.builds[0].links == here.links
    assert together.builds[0].library == first.builds[0].library, "what is supported is as the machine found it"
    assert first.overhead is None
    assert together.overhead == overall_overhead(list(together.cases))
    assert together.overhead is not None


def test_a_bench_without_ceilings(tmp_path: Path) -> None:
    known = library(KERNEL)
    lab = laboratory(machine(known), tmp_path)
    assert pipeline.bench(lab, (scenario(name="spin"),), build(known), ceilings=False).record.scenarios == (
        scenario(name="spin"),
    )


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [((0, 4, 5), 5), ((5, 3), 3), ((3, 1, 0), 1), ((1, 130), 130), ((4, 0), 4), ((0, 0), 0), ((), 0)],
)
def test_the_worst_news_wins(statuses: tuple[int, ...], worst: int) -> None:
    assert worst_status(map(ExitStatus, statuses)) == worst

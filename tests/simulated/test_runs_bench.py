"""Whole benches through the pipeline without processes."""

from dataclasses import replace
from pathlib import Path

import pytest
from fabricated import KERNEL, library, scenario
from simulated_machine import bench, kernels, machine, one, scenarios

from dualmem_cli.errors import ExitStatus
from dualmem_cli.judge.outcome import bench_status
from dualmem_cli.model.plan import Task


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

"""How far cases are from the ceilings of the machine, against the formula worked out by hand, and which cases have ceilings at all."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from fabricated import BENCH_ARMS, CASE, case_run
from golden.parts import kernel, library, scenario

from dualmem_cli.judge.limits import with_limits
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.kernel import CEILING_FLOPS, CEILING_READ, Kernel, Parameter
from dualmem_cli.model.metric import Better, Metric, Scope
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.verdict import BenchFinding, Quantity
from dualmem_cli.plan.ceilings import ceiling_scenarios

Measured = tuple[CaseRun, BenchFinding]


def measured(name: str, *, time: float = 0.0, half: float = 0.0, number: float = 0.0, **quantities: float) -> Measured:
    """A case of the kernel `name` that took `time`, with the metrics it declares."""
    made = replace(CASE, scenario=name, kernel=name, parameters=(("work", number),), stated=("work",))
    found = [Quantity("time", Estimate(time, time - half, time + half, 0.95, "ns", 8, ""))] if time else []
    found += [Quantity(key, Estimate(value, value, value, 1.0, "B", 8, "")) for key, value in quantities.items()]
    return replace(case_run(arms=BENCH_ARMS), case=made), BenchFinding(made.id, tuple(found), "")


def read_at(size: float, gigabytes_per_second: float, half: float = 0.0) -> Measured:
    time = 4096 / gigabytes_per_second
    return measured(CEILING_READ, time=time, half=half * time, number=size, bytes_per_operation=4096, working_set_bytes=size)


def peak_of(gigaflops: float, *, number: float = 0.0) -> Measured:
    return measured(CEILING_FLOPS, time=192 / gigaflops, number=number, flops_per_operation=192)


def found(*cases: Measured, number: int = 0) -> dict[str, Estimate]:
    judged = with_limits([run for run, _ in cases], [finding for _, finding in cases])
    assert [finding.case for finding in judged] == [run.case.id for run, _ in cases]
    return {quantity.name: quantity.estimate for quantity in judged[number].quantities}


def test_the_larger_of_two_limits_counts() -> None:
    subject = measured("k", time=1000.0, bytes_per_operation=50_000, working_set_bytes=50_000, flops_per_operation=20_000)
    by_memory = found(subject, read_at(50_000, 100.0), peak_of(80.0))
    assert by_memory["memory_limit"].value == pytest.approx(500.0)
    assert by_memory["arithmetic_limit"].value == pytest.approx(250.0)
    assert by_memory["distance"].value == pytest.approx(2.0)
    by_arithmetic = found(subject, read_at(50_000, 100.0), peak_of(25.0))
    assert by_arithmetic["arithmetic_limit"].value == pytest.approx(800.0)
    assert by_arithmetic["distance"].value == pytest.approx(1.25)


def test_the_highest_peak_is_the_machines() -> None:
    subject = measured("k", time=1000.0, flops_per_operation=20_000)
    assert found(subject, peak_of(20.0), peak_of(80.0, number=1.0))["distance"].value == pytest.approx(4.0)


@pytest.mark.parametrize("seed", range(20))
def test_bandwidth_between_two_sizes_lies_on_a_line_in_logarithms(seed: int) -> None:
    dealer = random.Random(seed)
    sizes = sorted(2.0 ** dealer.uniform(12, 28) for _ in range(5))
    rates = [dealer.uniform(10, 200) for _ in sizes]
    reads = [read_at(size, rate) for size, rate in zip(sizes, rates, strict=True)]
    dealer.shuffle(reads)
    for _ in range(20):
        size = 2.0 ** dealer.uniform(10, 30)  # beyond both ends too
        rate = math.exp(np.interp(math.log(size), np.log(sizes), np.log(rates)))
        limit = found(measured("k", time=7.0, bytes_per_operation=300, working_set_bytes=size), *reads)["memory_limit"]
        assert limit.value == pytest.approx(300 / rate, rel=1e-9)


def test_errors_of_time_and_ceiling_add_in_quadrature() -> None:
    subject = measured("k", time=100.0, half=3.0, bytes_per_operation=4096, working_set_bytes=4096)
    distance = found(subject, read_at(4096, 81.92, half=0.04))["distance"]
    assert distance.value == pytest.approx(2.0)
    assert distance.high - distance.value == pytest.approx(2.0 * 0.05)
    assert distance.value - distance.low == pytest.approx(2.0 * 0.05)


def test_latency_cases_are_judged_by_their_median() -> None:
    run, finding = measured("k", bytes_per_operation=1000, working_set_bytes=1000)
    p50 = Quantity("p50", Estimate(30.0, 29.0, 31.0, 0.95, "ns", 8, ""))
    judged = found((run, replace(finding, quantities=(*finding.quantities, p50))), read_at(1000, 100.0))
    assert judged["distance"].value == pytest.approx(3.0)


@pytest.mark.parametrize(
    "declared",
    [{}, {"bytes_per_operation": 8.0}, {"bytes_per_operation": 0.0, "working_set_bytes": 64.0}, {"working_set_bytes": 64.0}],
)
def test_no_limit_without_what_it_is_made_of(declared: dict[str, float]) -> None:
    assert set(found(measured("k", time=5.0, **declared), read_at(64, 100.0), peak_of(80.0))) == {"time", *declared}


def test_no_limit_without_a_ceiling_or_without_a_time() -> None:
    full = {"bytes_per_operation": 8.0, "working_set_bytes": 64.0, "flops_per_operation": 2.0}
    assert set(found(measured("k", time=5.0, **full))) == {"time", *full}
    assert set(found(measured("k", **full), read_at(64, 100.0), peak_of(80.0))) == set(full)
    invalid = (read_at(64, 100.0)[0], BenchFinding(read_at(64, 100.0)[1].case, (), "crashed"))
    assert set(found(measured("k", time=5.0, **full), invalid)) == {"time", *full}


def test_ceilings_have_a_rate_and_no_limit_of_their_own() -> None:
    cases = (read_at(64, 100.0, half=0.1), peak_of(80.0))
    rate = found(*cases)["rate"]
    assert [rate.value, rate.low, rate.high] == pytest.approx([100.0, 100 / 1.1, 100 / 0.9])
    assert rate.unit == "GB/s"
    peak = found(*cases, number=1)
    assert peak["rate"].value == pytest.approx(80.0)
    assert peak["rate"].unit == "GFLOP/s"
    assert not {"memory_limit", "arithmetic_limit", "distance"} & (set(peak) | set(found(*cases)))


def test_judging_again_changes_nothing() -> None:
    """A record is judged after each of its cases."""
    cases = (measured("k", time=9.0, bytes_per_operation=64, working_set_bytes=64), read_at(64, 100.0))
    runs = [run for run, _ in cases]
    once = with_limits(runs, [finding for _, finding in cases])
    assert with_limits(runs, once) == once


# --- which ceilings a bench measures ---------------------------------------------------------------------------------------


def declaring(name: str, *metrics: str, variant: str = "auto") -> Kernel:
    return kernel(name, variant, "", metrics=tuple(Metric(m, "B", Better.NEITHER, Scope.CASE, "") for m in metrics))


CEILINGS = (declaring(CEILING_READ), declaring(CEILING_FLOPS))


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ((), []),
        (("bytes_per_operation",), []),
        (("bytes_per_operation", "working_set_bytes"), [CEILING_READ]),
        (("flops_per_operation",), [CEILING_FLOPS]),
        (("flops_per_operation", "bytes_per_operation", "working_set_bytes"), [CEILING_READ, CEILING_FLOPS]),
    ],
)
def test_ceilings_are_measured_where_they_serve(metrics: tuple[str, ...], expected: list[str]) -> None:
    kernels = (declaring("k", *metrics), declaring("other", "flops_per_operation", "bytes_per_operation"), *CEILINGS)
    made = ceiling_scenarios((scenario("k", "?"),), library(kernels=kernels, revision=""))
    assert [one.kernel for one in made] == expected


def test_a_library_without_ceilings_is_measured_without() -> None:
    kernels = (declaring("k", "flops_per_operation"),)
    assert ceiling_scenarios((scenario("k", "?"),), library(kernels=kernels, revision="")) == ()


def test_ceilings_that_a_scenario_measures_are_not_measured_twice() -> None:
    chosen = (scenario("k", "?"), scenario(CEILING_FLOPS, "?"))
    kernels = (declaring("k", "flops_per_operation"), *CEILINGS)
    assert ceiling_scenarios(chosen, library(kernels=kernels, revision="")) == ()


def test_the_roofs_of_all_cores_beside_those_of_one() -> None:
    threads = (Parameter("threads", 1.0, 1.0, 64.0, True, ""),)
    able = tuple(replace(one, parameters=threads) for one in CEILINGS)
    subject = declaring("k", "flops_per_operation", "bytes_per_operation", "working_set_bytes")
    made = ceiling_scenarios((scenario("k", "?"),), library(kernels=(subject, *able), revision=""), cores=8)
    assert [one.name for one in made] == ["ceiling_read", "ceiling_read_together", "ceiling_fma", "ceiling_fma_together"]
    assert [dict(one.parameters).get("threads") for one in made] == [None, (8.0,), None, (8.0,)]
    assert len({one.name for one in made}) == 4


@pytest.mark.parametrize(("largest", "expected"), [(0, 2.0**27), (32 << 20, 2.0**27), (300 << 20, 2.0**30), (4 << 30, 2.0**31)])
def test_the_last_size_read_is_larger_than_every_cache(largest: int, expected: float) -> None:
    subject = declaring("k", "bytes_per_operation", "working_set_bytes")
    (made,) = ceiling_scenarios(
        (scenario("k", "?"),), library(kernels=(subject, *CEILINGS), revision=""), caches=(("L3", largest),)
    )
    assert dict(made.parameters)["bytes"][-1] == expected

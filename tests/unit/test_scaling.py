"""How costs grow with a swept size: exponents against scipy, and which cases make a line at all."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from fabricated import BENCH_ARMS, CASE, case_run
from scipy.stats import linregress, t

from dualmem_cli.judge.scaling import power_law, scaling_findings
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.plan import Case
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.verdict import BenchFinding, Quantity, ScalingFinding


def quantity(name: str, value: float) -> Quantity:
    return Quantity(name, Estimate(value, value * 0.99, value * 1.01, 0.95, "ns", 8, ""))


def swept(
    costs: dict[float, float], *, variant: str = "plain", name: str = "time", **fixed: float
) -> list[tuple[CaseRun, BenchFinding]]:
    """A case per size of `work`, each with its cost."""
    made = []
    for size, cost in costs.items():
        parameters = (("work", size), *fixed.items())
        case = replace(CASE, parameters=parameters, stated=tuple(key for key, _ in parameters), variant=variant)
        made.append((with_case(case), BenchFinding(case.id, (quantity(name, cost),), "")))
    return made


def with_case(case: Case) -> CaseRun:
    return replace(case_run(arms=BENCH_ARMS), case=case)


def findings(*cases: tuple[CaseRun, BenchFinding]) -> tuple[ScalingFinding, ...]:
    return scaling_findings([run for run, _ in cases], [finding for _, finding in cases])


@pytest.mark.parametrize("seed", range(20))
def test_exponent_and_interval_are_those_of_scipy(seed: int) -> None:
    dealer = random.Random(seed)
    count = dealer.randint(3, 9)
    sizes = sorted(10 ** dealer.uniform(0, 7) for _ in range(count))
    costs = [3.0 * size ** dealer.uniform(-0.5, 2.5) * math.exp(dealer.gauss(0, 0.3)) for size in sizes]
    found = power_law(sizes, costs)
    expected = linregress(np.log(sizes), np.log(costs))
    assert found.value == pytest.approx(expected.slope, rel=1e-9)
    half = t.ppf(0.975, count - 2) * expected.stderr
    assert found.high - found.value == pytest.approx(half, rel=1e-7)
    assert found.value - found.low == pytest.approx(half, rel=1e-7)


def test_exact_powers_are_found_exactly() -> None:
    for exponent in (0.0, 0.5, 1.0, 2.0):
        found = power_law([10.0, 1e3, 1e4], [7.0 * size**exponent for size in (10.0, 1e3, 1e4)])
        assert found.value == pytest.approx(exponent, abs=1e-12)
        assert found.high - found.low < 1e-6


def test_a_line_needs_three_sizes_over_a_factor_of_ten() -> None:
    assert findings(*swept({1e3: 1.0, 1e6: 2.0})) == ()
    assert findings(*swept({1e3: 1.0, 2e3: 2.0, 9e3: 3.0})) == ()
    (found,) = findings(*swept({1e4: 3.0, 1e3: 1.0, 2e3: 2.0}))
    assert found.sizes == (1e3, 2e3, 1e4), "by size, in whatever order they were measured"
    assert found.costs_ns == (1.0, 2.0, 3.0)
    assert [case.rpartition("=")[2] for case in found.cases] == ["1000", "2000", "10000"]
    assert (found.scenario, found.parameter, found.series) == ("s", "work", "plain")


def test_everything_else_tells_series_apart() -> None:
    sizes = (1e2, 1e3, 1e4)
    one = swept({size: size for size in sizes}, threads=1)
    two = swept({size: size**0.5 for size in sizes}, threads=2)
    other = swept(dict.fromkeys(sizes, 5.0), threads=1, variant="avx2")
    found = {finding.series: finding.exponent.value for finding in findings(*one, *two, *other)}
    assert found == {
        "threads 1, plain": pytest.approx(1.0),
        "threads 2, plain": pytest.approx(0.5),
        "threads 1, avx2": pytest.approx(0.0, abs=1e-12),
    }


def test_two_parameters_swept_give_a_line_each_way() -> None:
    grid = [case for fan in (1.0, 8.0, 64.0) for case in swept({size: size * fan**2 for size in (1e2, 1e3, 1e4)}, fan=fan)]
    found = findings(*grid)
    assert sorted(finding.parameter for finding in found) == ["fan"] * 3 + ["work"] * 3
    assert all(finding.exponent.value == pytest.approx(1.0 if finding.parameter == "work" else 2.0) for finding in found)


def test_latency_cases_count_with_their_median() -> None:
    (found,) = findings(*swept({1e2: 1.0, 1e3: 10.0, 1e4: 100.0}, name="p50"))
    assert found.exponent.value == pytest.approx(1.0)


def test_cases_without_a_cost_are_left_out() -> None:
    cases = swept({1e2: 1.0, 1e3: 10.0, 1e4: 100.0, 1e5: 1000.0})
    run, finding = cases[3]
    cases[3] = (run, replace(finding, quantities=(), problem="crashed"))
    (found,) = findings(*cases)
    assert found.sizes == (1e2, 1e3, 1e4)
    cases[2] = (cases[2][0], replace(cases[2][1], quantities=(quantity("time", -0.1),)))
    assert findings(*cases) == (), "a time that noise made negative has no logarithm"


def test_a_parameter_that_the_scenario_does_not_name_is_no_size() -> None:
    cases = [(replace(run, case=replace(run.case, stated=())), finding) for run, finding in swept({1e2: 1.0, 1e3: 2.0, 1e4: 3.0})]
    assert findings(*cases) == ()

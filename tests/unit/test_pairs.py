"""From the samples of one worker to its one number."""

import math
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from fabricated import samples
from scipy import stats

from dualmem_cli.plan.schedule import halfway, mirrored
from dualmem_cli.stats.pairs import dropped_share, midmean, paired_ratios, per_operation, undisturbed


def test_the_value_is_the_interquartile_mean_of_the_log_ratios() -> None:
    made = samples("01101001", [100_000, 108_000, 109_000, 100_000, 300_000, 100_000, 100_000, 110_000])
    found = paired_ratios(made, arm=1, reference=0)
    assert found.logs == tuple(math.log(x) for x in (1.08, 1.09, 3.0, 1.1))
    assert found.value == pytest.approx((math.log(1.09) + math.log(1.1)) / 2)
    assert found.dropped == 0


def test_exchanging_the_arms_changes_the_sign() -> None:
    random = Random(1)
    schedule = mirrored(arms=2, samples=20, seed=5)
    made = samples(schedule, [random.randint(90_000, 130_000) for _ in schedule])
    there, back = paired_ratios(made, arm=1, reference=0).value, paired_ratios(made, arm=0, reference=1).value
    assert there == pytest.approx(-back, abs=1e-12)
    assert abs(there) > 0.01


@pytest.mark.parametrize("arms", [2, 3, 4])
@pytest.mark.parametrize("drift", [1e-4, -3e-3, 0.02])
def test_a_drift_that_is_linear_in_the_logarithm_cancels_exactly(arms: int, drift: float) -> None:
    schedule = mirrored(arms=arms, samples=12, seed=7)
    cost = [1e9 * (1 + 0.05 * arm) for arm in range(arms)]
    wall = [round(cost[int(digit)] * math.exp(drift * index)) for index, digit in enumerate(schedule)]
    made = samples(schedule, wall, iterations=(1,) * arms)
    for arm in range(1, arms):
        assert paired_ratios(made, arm=arm, reference=0).value == pytest.approx(math.log(1 + 0.05 * arm), abs=1e-7)


@pytest.mark.parametrize("arm", [0, 1])
def test_a_pair_whose_processor_was_stolen_is_dropped_on_whichever_side(arm: int) -> None:
    wall = [100_000, 100_000, 100_000, 100_000, 100_000, 900_000, 100_000, 100_000]
    schedule = "01101001" if arm == 0 else "10010110"
    made = samples(schedule, wall, cpu_ns=(100_000,) * 8)
    found = paired_ratios(made, arm=1, reference=0)
    assert schedule[5] == str(arm)
    assert (found.dropped, len(found.logs)) == (1, 3)
    assert set(found.logs) == {0.0}
    assert dropped_share(made) == 1 / 8
    assert 9000.0 not in per_operation(made, arm=arm)


@pytest.mark.parametrize("arm", [0, 1])
def test_of_a_pair_that_was_interrupted_the_processor_time_counts(arm: int) -> None:
    schedule = "01101001" if arm == 0 else "10010110"
    cost = {"0": 100_000, "1": 108_000}
    cpu = [cost[digit] for digit in schedule]
    wall = [ns + (3_000_000 if index == 5 else 0) for index, ns in enumerate(cpu)]
    made = samples(schedule, wall, cpu_ns=cpu, switches=[int(index == 5) for index in range(8)])
    found = paired_ratios(made, arm=1, reference=0)
    assert schedule[5] == str(arm)
    assert (found.dropped, len(found.logs)) == (0, 4)
    assert found.logs == pytest.approx([math.log(1.08)] * 4)
    assert dropped_share(made) == 1 / 8
    assert max(per_operation(made, arm=arm)) < 1_100


def test_processor_time_does_not_speak_where_the_kernel_waits() -> None:
    """A kernel that sleeps or waits for threads of its own: nearly no pair is undisturbed, so wall time of all is what there is."""
    schedule = "0110" * 5
    wall = [100_000 if digit == "0" else 150_000 for digit in schedule]
    made = samples(schedule, wall, cpu_ns=(10_000,) * 20, switches=[1, *(0,) * 19])
    found = paired_ratios(made, arm=1, reference=0)
    assert found.dropped == 10
    assert found.logs == pytest.approx([math.log(1.5)] * 10)
    some = samples(schedule, wall, cpu_ns=[*wall[:4], *(10_000,) * 16], switches=[*(0,) * 19, 1])
    found = paired_ratios(some, arm=1, reference=0)  # two of ten pairs are undisturbed: not enough
    assert (len(found.logs), found.dropped) == (10, 8)
    more = replace(some, cpu_ns=(*wall[:8], *(10_000,) * 12))
    found = paired_ratios(more, arm=1, reference=0)  # four are, and the interrupted one counts with them
    assert (len(found.logs), found.dropped) == (5, 5)
    assert sorted(found.logs)[0] == 0.0


def test_where_the_line_between_noise_and_theft_lies() -> None:
    """10 % of the processor time and 5 us for the clocks: a sample on the line counts, one nanosecond more does not."""
    made = samples("01", [115_000, 115_001], cpu_ns=[100_000, 100_000])
    assert undisturbed(made, 0)
    assert not undisturbed(made, 1)


def test_when_every_pair_was_disturbed_all_are_taken_and_counted() -> None:
    made = samples("0110", [100_000, 120_000, 120_000, 100_000], switches=[1, 0, 1, 1])
    found = paired_ratios(made, arm=1, reference=0)
    assert found.dropped == 2
    assert found.value == pytest.approx(math.log(1.2))
    assert per_operation(made, arm=0) == (1000.0, 1000.0)
    assert dropped_share(made) == 0.75


def test_a_control_keeps_its_work_in_the_ratio_but_not_in_its_time_per_operation() -> None:
    made = samples("0110", [100_000, 108_000, 108_000, 100_000], iterations=(100, 108))
    assert paired_ratios(made, arm=1, reference=0).value == pytest.approx(math.log(1.08))
    assert per_operation(made, arm=1) == per_operation(made, arm=0) == (1000.0, 1000.0)


@pytest.mark.parametrize("luck", [0.0, 0.03, -0.08])
def test_what_the_pages_did_cancels_when_they_are_exchanged(luck: float) -> None:
    """What slows arm 1 before the exchange slows arm 0 after it. The median of all pairs would be anywhere between the two levels."""
    schedule = mirrored(arms=2, samples=40, seed=3)
    half = halfway(schedule, arms=2)
    wall = [
        round(1e9 * (1.06 if digit == "1" else 1.0) * math.exp(luck if (digit == "1") == (index < half) else 0.0))
        for index, digit in enumerate(schedule)
    ]
    plain = samples(schedule, wall)
    found = paired_ratios(replace(plain, exchange=half), arm=1, reference=0)
    assert (found.before, len(found.logs)) == (20, 40)
    assert found.value == pytest.approx(math.log(1.06), abs=1e-8)


def test_both_halves_weigh_the_same_however_many_pairs_were_lost() -> None:
    wall = [100_000, 110_000, 110_000, 100_000] * 2 + [100_000, 120_000, 120_000, 100_000]
    schedule, stolen = "0110" * 3, [wall[0] // 2] * 4
    made = replace(samples(schedule, wall, cpu_ns=[*wall[:4], *stolen, *wall[8:]]), exchange=8)
    assert paired_ratios(made, arm=1, reference=0).value == pytest.approx((math.log(1.1) + math.log(1.2)) / 2)
    lost = replace(made, cpu_ns=(*stolen, *stolen, *wall[8:]))
    found = paired_ratios(lost, arm=1, reference=0)  # all of the first part was: it is taken as it is, not left out
    assert (found.before, found.dropped) == (4, 4)
    assert found.value == pytest.approx((math.log(1.1) + math.log(1.2)) / 2)


def test_one_undisturbed_pair_does_not_weigh_as_much_as_all_others() -> None:
    """Of the second part one pair of ten is left, and it is the odd one."""
    schedule, wall = "0110" * 10, [100_000] * 40
    wall[21], cpu = 110_000, [100_000] * 20 + [100_000, 110_000] + [50_000] * 18
    made = replace(samples(schedule, wall, cpu_ns=cpu), exchange=20)
    found = paired_ratios(made, arm=1, reference=0)
    assert (found.before, len(found.logs), found.value) == (10, 20, 0.0)


def test_a_third_arm_is_left_alone() -> None:
    made = samples("021120", [100, 999, 110, 110, 999, 100], iterations=(1, 1, 1))
    assert paired_ratios(made, arm=1, reference=0).value == pytest.approx(math.log(1.1))


def test_the_midmean_is_that_of_scipy() -> None:
    """Which rounds the cut down; where a quarter of the values is short of a whole number by one quarter ours rounds up."""
    rng = np.random.default_rng(6)
    for count in (1, 2, 4, 5, 6, 8, 10, 12, 32, 40, 77, 80):
        values = rng.standard_cauchy(count)
        assert midmean(values.tolist()) == pytest.approx(stats.trim_mean(values, 0.25), rel=1e-12)
    for count in (3, 7, 11, 39):
        values = rng.standard_cauchy(count)
        cut = (count + 1) // 4
        assert midmean(values.tolist()) == pytest.approx(np.sort(values)[cut:-cut].mean(), rel=1e-12)


def test_a_quarter_on_either_side_may_be_anything() -> None:
    for count in (3, 4, 7, 8, 10, 39, 40, 80):
        wild = (count + 1) // 4
        assert midmean([math.inf] * wild + [0.5] * (count - wild)) == 0.5
        assert midmean([-math.inf] * wild + [0.5] * (count - 2 * wild) + [math.inf] * wild) == 0.5


def test_a_third_of_the_pairs_may_be_wild_in_either_direction() -> None:
    random = Random(4)
    schedule = mirrored(arms=2, samples=100, seed=1)
    wall = [round((1.06 if digit == "1" else 1.0) * 1e6 * (1 if random.random() > 0.2 else 5)) for digit in schedule]
    assert paired_ratios(samples(schedule, wall), arm=1, reference=0).value == pytest.approx(math.log(1.06), abs=1e-6)

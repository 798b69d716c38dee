"""The search for the highest rate, against a store whose edge is known."""

import math
from random import Random

import pytest

from dualmem_cli.judge.saturation import MOST_TRIALS, RESOLUTION, Trial, bracket, next_rate, operations_for


def search(edge: float, *, start: float = 1000.0, blur: float = 0.0, seed: int = 1) -> list[Trial]:
    random, trials = Random(seed), list[Trial]()
    while (rate := next_rate(trials, start=start)) is not None:
        trials.append(Trial(rate, rate * math.exp(random.gauss(0.0, blur)) <= edge))
        assert len(trials) <= MOST_TRIALS
    return trials


@pytest.mark.parametrize("edge", [40.0, 500.0, 999.0, 1000.0, 1001.0, 77_777.0, 500_000.0])
def test_a_sharp_edge_lies_in_the_bracket(edge: float) -> None:
    trials = search(edge)
    found = bracket(trials)
    assert found.held <= edge < found.failed <= found.held * RESOLUTION * 1.000001
    for end in (found.held, found.failed):
        assert sum(trial.rate == end for trial in trials) == 2


@pytest.mark.parametrize("seed", range(20))
def test_a_blurred_edge_is_not_far_from_the_bracket(seed: int) -> None:
    found = bracket(search(5_000.0, blur=0.03, seed=seed))
    assert found.held <= 5_000 * 1.12
    assert found.failed >= 5_000 / 1.12


def test_an_end_that_does_not_repeat_widens_the_bracket() -> None:
    trials = [Trial(1000, True), Trial(2000, False), Trial(1414, True), Trial(1700, True), Trial(1700, False)]
    assert bracket(trials) == bracket(trials[:3])


def test_a_store_that_never_holds_ends_the_search() -> None:
    trials = search(1.0)
    assert bracket(trials).held == 0
    assert len(trials) == 6
    assert bracket(search(1e12)).failed == math.inf


def test_a_trial_has_a_p99() -> None:
    assert operations_for(10) == 2000
    assert operations_for(10_000) == 40_000

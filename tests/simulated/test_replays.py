"""Compares of loads on players without processes: a planted slowdown of one kind of operation is named, an equal build is silent."""

from dataclasses import replace
from pathlib import Path

import pytest
from fabricated_loads import POPULATION, Slower, compare, load, players

from dualmem_cli.errors import ExitStatus
from dualmem_cli.judge.outcome import compare_status
from dualmem_cli.judge.replay import replay_findings
from dualmem_cli.measure.fake_player import FakePlayer
from dualmem_cli.model.load import Part, Played
from dualmem_cli.model.record import Record
from dualmem_cli.model.samples import Failure, FailureKind
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.store import records

GATE = "[gate]\ntime = 0.05\np50 = 0.05\n"


def verdicts(record: Record) -> dict[str, Verdict]:
    return {finding.case.removeprefix("load/dual/"): finding.verdict for finding in record.compare}


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_regression_is_named(tmp_path: Path, seed: int) -> None:
    fake = players(Slower(1.08), seed=seed, process_noise=0.004)
    record = compare(fake, tmp_path, load(GATE), seed=seed)
    assert verdicts(record) == {
        "lookup time": Verdict.UNCHANGED, "lookup p50": Verdict.UNCHANGED,
        "update time": Verdict.REGRESSED, "update p50": Verdict.REGRESSED,
    }  # fmt: skip
    found = next(finding for finding in record.compare if finding.case == "load/dual/update time")
    assert found.change is not None
    assert found.change.value == pytest.approx(0.08, abs=0.01)
    assert compare_status(record, allow_inconclusive=False) is ExitStatus.REGRESSION
    assert records.load(tmp_path / "reports" / "record.json") == record


@pytest.mark.parametrize("seed", range(3))
def test_an_equal_build_is_silent(tmp_path: Path, seed: int) -> None:
    record = compare(players(seed=seed, process_noise=0.004), tmp_path, load(GATE), seed=seed)
    assert set(verdicts(record).values()) == {Verdict.UNCHANGED}
    assert compare_status(record, allow_inconclusive=False) is ExitStatus.OK


def test_both_builds_play_the_same_operations_in_turn(tmp_path: Path) -> None:
    record = compare(players(), tmp_path, load(GATE))
    orders = set()
    for player in record.loads[0].players:
        old, new = ([(p.play.first, p.play.count) for p in player.of(Part.STEADY, arm)] for arm in (0, 1))
        assert old == new
        assert len(old) > 4
        orders.add(player.order)
    assert orders == {(0, 1), (1, 0)}


def test_builds_that_mean_something_else_are_not_compared(tmp_path: Path) -> None:
    def lie(player: FakePlayer, played: Played) -> Played:
        if played.play.arm == 0:
            return played
        return replace(played, kinds=tuple(replace(k, result="0" * 16 if k.name == "update" else k.result) for k in played.kinds))

    record = compare(players(interfere=lie), tmp_path, load(GATE))
    assert set(verdicts(record).values()) == {Verdict.INVALID}
    assert "the builds give different results: update (checked on 400 operations, one thread)" in record.compare[0].reason
    assert compare_status(record, allow_inconclusive=False) is ExitStatus.MEASUREMENT_FAILED


def test_a_rare_kind_is_inconclusive_and_says_why(tmp_path: Path) -> None:
    record = compare(players(), tmp_path, load('[gate]\n"update.p99.9" = 0.05\n'))
    (finding,) = record.compare
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "operations in a process are too few for it" in finding.reason


def test_a_threshold_of_one_kind_has_the_last_word(tmp_path: Path) -> None:
    fake = players(Slower(1.08), process_noise=0.004)
    record = compare(fake, tmp_path, load('[gate]\ntime = 0.05\n"update.time" = 0.2\n'))
    assert verdicts(record) == {"lookup time": Verdict.UNCHANGED, "update time": Verdict.UNCHANGED}


def test_an_empty_baseline_is_invalid(tmp_path: Path) -> None:
    fake = players()
    fake.population = {("", ""): replace(POPULATION, metrics=(0.0, *POPULATION.metrics[1:]))}
    record = compare(fake, tmp_path, load(GATE))
    assert "baseline used/dual does not hold what it promises: the store is empty" in record.compare[0].reason


def test_an_interrupt_judges_the_processes_that_were_whole(tmp_path: Path) -> None:
    def interrupt(player: FakePlayer, played: Played) -> Played:
        if fake.started_players == 4 and player.plays == 8:
            raise KeyboardInterrupt
        return played

    fake = players(interfere=interrupt)
    record = compare(fake, tmp_path, load(GATE))
    assert record.interrupted
    assert len(record.loads[0].players) == 3
    assert len(record.compare) == 4
    assert fake.open_players == 0


@pytest.mark.parametrize("whole", [0, 1, 3])
def test_an_interrupt_before_the_first_look_says_how_far_it_came(tmp_path: Path, whole: int) -> None:
    def interrupt(player: FakePlayer, played: Played) -> Played:
        if fake.started_players == whole + 1:
            raise KeyboardInterrupt
        return played

    fake = players(interfere=interrupt)
    record = compare(fake, tmp_path, load(GATE))
    assert set(verdicts(record).values()) == {Verdict.INCONCLUSIVE}
    assert {f.reason for f in record.compare} == {f"interrupted with {whole} of the 6 processes that the first look wants"}
    assert compare_status(record, allow_inconclusive=True) is ExitStatus.INTERRUPTED
    assert records.load(tmp_path / "reports" / "record.json") == record


def test_a_player_that_dies_in_set_up_makes_every_verdict_invalid(tmp_path: Path) -> None:
    crash = Failure(FailureKind.CRASHED, "setup", 0, "the worker died of SIGSEGV in setup")
    record = compare(players(fails_at=(0, crash)), tmp_path, load())
    assert set(verdicts(record).values()) == {Verdict.INVALID}
    assert {finding.reason for finding in record.compare} == {crash.message}


def test_verdicts_share_the_error_of_a_false_alarm(tmp_path: Path) -> None:
    """The more of them a run has, the wider each interval is."""
    run = compare(players(process_noise=0.004), tmp_path, load()).loads[0]
    alone, crowded = (replay_findings(run, suite=suite)[0].change for suite in (1, 1000))
    assert alone is not None
    assert crowded is not None
    assert crowded.high - crowded.low > 1.3 * (alone.high - alone.low)

"""Compares of loads on players without processes: a planted slowdown of one kind of operation is named, an equal build is silent."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fabricated_loads import POPULATION, Slower, compare, load, players

from dualmem_cli.errors import ExitStatus, RecordError
from dualmem_cli.judge.outcome import compare_status
from dualmem_cli.judge.replay import gated, replay_findings
from dualmem_cli.measure.fake_player import FakePlayer
from dualmem_cli.model.load import Part, Played
from dualmem_cli.model.record import Record
from dualmem_cli.model.samples import Failure, FailureKind
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.model.workload import TraceFacts
from dualmem_cli.report import RENDERERS, ReportContext
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
    alone, crowded = (replay_findings(run, gated(run), suite=suite)[0].change for suite in (1, 1000))
    assert alone is not None
    assert crowded is not None
    assert crowded.high - crowded.low > 1.3 * (alone.high - alone.low)


NOISY: dict[str, Any] = {"process_noise": 0.06, "seed": 3}


def test_to_go_on_adds_to_the_evidence(tmp_path: Path) -> None:
    """Two runs that go on are one run of both their lengths: the same processes, looks and verdicts."""
    first = compare(players(**NOISY), tmp_path / "first", load(GATE), budget_s=0.0)
    assert set(verdicts(first).values()) == {Verdict.INCONCLUSIVE}
    assert len(first.loads[0].players) == 6
    second = compare(players(**NOISY), tmp_path / "second", load(GATE), budget_s=0.0, earlier=first, seed=99)
    assert second.continues == first.created
    assert second.seed == first.seed
    assert second.loads[0].players[:6] == first.loads[0].players
    assert len(second.loads[0].players) == 8, "one look more"
    assert [found.case for found in second.compare] == [found.case for found in first.compare], "no verdict twice"
    assert {found.change.count for found in second.compare if found.change} == {8}
    known = second.loads[0]
    assert replay_findings(known, gated(known), suite=4) == second.compare, (
        "looks are counted from the first process of the first run"
    )
    assert records.load(tmp_path / "second" / "reports" / "record.json") == second


def test_what_was_decided_stands(tmp_path: Path) -> None:
    """A build that regressed does not become green by being run again, not even as another build would be now."""
    regressed = compare(players(Slower(1.08), process_noise=0.004), tmp_path / "first", load(GATE))
    assert Verdict.REGRESSED in verdicts(regressed).values()
    again = players(process_noise=0.004)
    record = compare(again, tmp_path / "second", load(GATE), earlier=regressed)
    assert again.started_players == 0
    assert record.compare == regressed.compare
    assert record.loads == regressed.loads


def test_only_what_is_open_is_judged_again(tmp_path: Path) -> None:
    first = compare(players(**NOISY), tmp_path / "first", load(GATE), budget_s=0.0)
    settled = replace(first.compare[0], verdict=Verdict.UNCHANGED, reason="as it was")
    second = compare(
        players(**NOISY), tmp_path / "second", load(GATE), earlier=replace(first, compare=(settled, *first.compare[1:]))
    )
    assert second.compare[0] == settled
    assert all(found.change and found.change.count > 6 for found in second.compare[1:])
    known = second.loads[0]
    shared = replay_findings(known, gated(known)[1:], suite=len(gated(known)))
    assert shared == second.compare[1:], "an error is shared with what was settled before"


def test_an_interrupt_before_the_load_keeps_what_was_played_earlier(tmp_path: Path) -> None:
    first = compare(players(**NOISY), tmp_path / "first", load(GATE), load(GATE, name="next"), budget_s=0.0)

    def interrupt(player: FakePlayer, played: Played) -> Played:
        raise KeyboardInterrupt

    second = compare(
        players(interfere=interrupt, **NOISY), tmp_path / "second", load(GATE), load(GATE, name="next"), earlier=first
    )
    assert second.interrupted
    assert second.loads == first.loads
    assert second.compare == first.compare


def test_a_load_that_was_not_reached_is_known_to_whoever_goes_on(tmp_path: Path) -> None:
    def interrupt(player: FakePlayer, played: Played) -> Played:
        raise KeyboardInterrupt

    record = compare(players(interfere=interrupt), tmp_path, load(GATE), load(GATE, name="next"))
    assert [scenario.name for scenario in record.asked] == ["load", "next"]
    context = ReportContext(record_path="r.json", page_path="r.html", exit_status=ExitStatus.INTERRUPTED, next_command="")
    for name in ("text", "json", "markdown", "html", "junit", "benchstat"):
        assert RENDERERS[name](record, context), name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"trace": TraceFacts("e" * 64, 1, 1, (("lookup", 1),), "{}")}, "the trace of load/dual was eeeeeeeeeeee, it is "),
        ({"data": "other"}, "the data of load/dual is not what it was"),
        ({"gate": "other"}, r"load/dual was judged by another gate (other, this one is g)"),
        ({"gate": ""}, r"load/dual was judged by another gate (not recorded, this one is g)"),
    ],
)
def test_only_the_same_load_is_gone_on_with(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    first = compare(players(**NOISY), tmp_path / "first", load(GATE), budget_s=0.0, replay_gate="g")
    other = replace(first, loads=(replace(first.loads[0], **change),))
    with pytest.raises(RecordError, match=re.escape(said)) as caught:
        compare(players(**NOISY), tmp_path / "second", load(GATE), earlier=other, replay_gate="g")
    assert caught.value.status is ExitStatus.NOT_COMPARABLE
    assert not (tmp_path / "second" / "reports" / "record.json").exists(), "nothing was measured, nothing is left"

"""Cases of a compare go round by round; a record can be gone on with."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from fabricated import CASE, build, case_run, laboratory, record, scenario
from simulated_machine import Machine, compare, machine, one, scenarios, verdicts

from dualmem_cli import pipeline
from dualmem_cli.errors import ExitStatus
from dualmem_cli.judge.compare import absent_finding
from dualmem_cli.judge.outcome import compare_status
from dualmem_cli.laboratory import Opened
from dualmem_cli.model.caution import CautionKind
from dualmem_cli.model.plan import WorkerRequest
from dualmem_cli.model.record import Record
from dualmem_cli.model.samples import WorkerRun
from dualmem_cli.model.verdict import DECIDED, Verdict
from dualmem_cli.store import records

T = TypeVar("T")


def counts(of: Record) -> dict[str, int]:
    return {run.case.id: len(run.workers) for run in of.cases}


def noisy(kernel: str, *, spread: float = 0.3, until: int = 10_000) -> Callable[[int, WorkerRequest, WorkerRun], WorkerRun]:
    """The judged workers of one kernel, but for the calibration, disagree by `spread` up to the `until`-th of them; in turns of four, so
    that it is no order effect."""
    seen = 0

    def interfere(_number: int, request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
        nonlocal seen
        if request.arms[0].kernel != kernel or len(request.arms) != 2 or not request.iterations or answer.samples is None:
            return answer
        seen += 1
        factor = 1.0 + (spread if seen % 4 in (1, 2) and seen <= until else 0.0)
        digits, wall = answer.samples.schedule, answer.samples.wall_ns
        slower = tuple(round(ns * factor) if digit == "1" else ns for digit, ns in zip(digits, wall, strict=True))
        return replace(answer, samples=replace(answer.samples, wall_ns=slower))

    return interfere


def order_of(runner: Machine) -> list[tuple[str, int]]:
    """Which kernels were measured in a row, and how many judged workers each time."""
    rows: list[tuple[str, int]] = []
    for request in runner.requests:
        if len(request.arms) != 2 or not request.iterations:
            continue
        kernel = request.arms[0].kernel
        rows[-1:] = [(kernel, rows[-1][1] + 1)] if rows and rows[-1][0] == kernel else [*rows[-1:], (kernel, 1)]
    return rows


class Told:
    """A display that remembers what it was asked to show."""

    def __init__(self) -> None:
        self.rounds: list[list[str]] = []

    def track(self, items: Iterable[T], *, label: Callable[[T], str]) -> Iterator[T]:
        chosen = list(items)
        self.rounds.append([label(item) for item in chosen])
        yield from chosen


# --- round by round ---


def test_a_noisy_case_gets_further_rounds_and_the_others_one(tmp_path: Path) -> None:
    runner = machine(one("a", "b", "c"), interfere=noisy("b"))
    lab = replace(laboratory(runner, tmp_path), progress=Told())
    builds = (build(runner.library, digest="a" * 64), build(runner.library, digest="b" * 64))
    clock = replace(lab, seconds=lambda: float(runner.count))
    opened = pipeline.compare(clock, scenarios("a", "b", "c"), builds, name="main", budget_s=15.0, earlier=None)
    assert order_of(runner)[:4] == [("a", 6), ("b", 6), ("c", 6), ("b", 10)]
    assert counts(opened.record) == {"a/plain": 6, "b/plain": 16, "c/plain": 6}
    assert verdicts(opened.record) == {"a/plain": "unchanged", "b/plain": "inconclusive", "c/plain": "unchanged"}
    told = lab.progress
    assert isinstance(told, Told)
    every, *later = told.rounds
    assert every == ["a plain", "b plain", "c plain"]
    assert later == [[f"round {number}: 1 still open (b)"] for number in (2, 3, 4, 5)], "6, 8, 10, 12, 16 workers"


def test_all_noisy_cases_take_turns(tmp_path: Path) -> None:
    """What a noisy second costs is spread: nobody measures to the end while the others wait."""
    one_, other = noisy("a"), noisy("c")
    runner = machine(one("a", "b", "c"), interfere=lambda *given: other(given[0], given[1], one_(*given)))
    compare(runner, tmp_path, scenarios("a", "b", "c"), budget_s=9.0, seconds=lambda: float(runner.count))
    assert order_of(runner) == [("a", 6), ("b", 6), ("c", 6), ("a", 2), ("c", 2)]


def test_every_case_has_a_budget_of_its_own(tmp_path: Path) -> None:
    """A case is charged with its own time, calibration included, and not with that of the others."""
    both = noisy("a"), noisy("b")
    runner = machine(one("a", "b"), interfere=lambda *given: both[1](given[0], given[1], both[0](*given)))
    opened = compare(runner, tmp_path, scenarios("a", "b"), budget_s=13.5, seconds=lambda: float(runner.count))
    assert counts(opened.record) == {"a/plain": 16, "b/plain": 16}, "1 + 12 seconds were within it"
    assert compare_status(opened.record, allow_inconclusive=False) is ExitStatus.INCONCLUSIVE


def test_a_case_that_becomes_quiet_is_decided_in_a_later_round(tmp_path: Path) -> None:
    runner = machine(one("a", "b"), interfere=noisy("a", spread=0.06, until=6))
    opened = compare(runner, tmp_path, scenarios("a", "b"))
    assert set(verdicts(opened.record).values()) == {"unchanged"}
    assert 8 <= counts(opened.record)["a/plain"] <= 30
    assert counts(opened.record)["b/plain"] == 6
    assert [finding.case for finding in opened.record.compare] == ["a/plain", "b/plain"], "each is there once, in its place"


def test_an_interruption_in_the_second_round_keeps_the_first(tmp_path: Path) -> None:
    """Of the case that was interrupted, too: its workers up to its last look."""
    disturb = noisy("b")

    def press(number: int, request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
        if number == 3 * 7 + 2:
            raise KeyboardInterrupt
        return disturb(number, request, answer)

    opened = compare(machine(one("a", "b", "c"), interfere=press), tmp_path, scenarios("a", "b", "c"))
    assert opened.record.interrupted
    assert counts(opened.record) == {"a/plain": 6, "b/plain": 6, "c/plain": 6}
    assert verdicts(opened.record) == {"a/plain": "unchanged", "b/plain": "inconclusive", "c/plain": "unchanged"}
    assert compare_status(opened.record, allow_inconclusive=True) is ExitStatus.INTERRUPTED
    assert CautionKind.INTERRUPTED in {caution.kind for caution in opened.record.cautions}
    assert records.load(tmp_path / "reports" / "record.json") == opened.record


# --- layouts of a regressed case ---


def links_of(opened: Opened) -> set[tuple[int, ...]]:
    return {worker.draw.links for worker in opened.record.cases[0].workers}


def test_a_regressed_case_shows_all_its_layouts(tmp_path: Path) -> None:
    opened = compare(machine(one(), change=0.2), tmp_path, scenarios("spin"), links=4)
    (finding,) = opened.record.compare
    assert finding.verdict is Verdict.REGRESSED
    assert "; 6 workers" in finding.reason, "the verdict is that of the look that reached it"
    assert counts(opened.record) == {"spin/plain": 16}
    assert len(links_of(opened)) == 16
    assert [cell.workers for cell in finding.layouts] == [1] * 16


@pytest.mark.parametrize(("change", "old", "new"), [(0.0, 4, 4), (-0.2, 4, 4), (0.2, 1, 1), (0.2, 4, 1), (0.2, 1, 4)])
def test_no_other_case_is_measured_for_its_layouts(tmp_path: Path, change: float, old: int, new: int) -> None:
    runner = machine(one(), change=change)
    builds = (build(runner.library, links=old, digest="a" * 64), build(runner.library, links=new, digest="b" * 64))
    lab = laboratory(runner, tmp_path)
    opened = pipeline.compare(lab, scenarios("spin"), builds, name="main", budget_s=20.0, earlier=None)
    assert counts(opened.record) == {"spin/plain": 6}


def test_a_verdict_that_was_reached_because_time_was_up_is_not_undone_for_the_layouts(tmp_path: Path) -> None:
    """Six workers exclude 4 % and are above 5 %: enough when time is up. Ten more would be judged anew."""
    runner = machine(one(), change=0.0585, interfere=noisy("spin", spread=0.008))
    opened = compare(runner, tmp_path, scenarios("spin"), links=4, budget_s=0.0)
    (finding,) = opened.record.compare
    assert (finding.verdict, counts(opened.record)) == (Verdict.REGRESSED, {"spin/plain": 6})
    assert "more than 4 % slower" in finding.reason


# --- going on with a record ---


def earlier(folder: Path, *, seed: int = 5) -> Record:
    """A suite of three of which `b` stayed open."""
    runner = machine(one("a", "b", "c"), interfere=noisy("b"))
    opened = compare(runner, folder, scenarios("a", "b", "c"), seed=seed, budget_s=10.0, seconds=lambda: float(runner.count))
    assert verdicts(opened.record) == {"a/plain": "unchanged", "b/plain": "inconclusive", "c/plain": "unchanged"}
    assert counts(opened.record)["b/plain"] == 10
    return opened.record


def test_what_is_decided_is_not_measured_again_and_what_is_open_goes_on(tmp_path: Path) -> None:
    before = earlier(tmp_path / "before")
    runner = machine(one("a", "b", "c"), change=0.2)  # would be red, if anybody measured a and c
    opened = compare(runner, tmp_path, scenarios("a", "b", "c"), seed=77, earlier=before)
    assert {request.arms[0].kernel for request in runner.requests} == {"b"}
    assert [run.case.id for run in opened.record.cases] == ["a/plain", "b/plain", "c/plain"]
    after = opened.record.cases[1].workers
    assert after[:10] == before.cases[1].workers
    assert len(after) > 10
    assert [opened.record.cases[side].workers for side in (0, 2)] == [before.cases[side].workers for side in (0, 2)]
    assert (opened.record.compare[0], opened.record.compare[2]) == (before.compare[0], before.compare[2])
    assert opened.record.continues == before.created
    assert records.load(tmp_path / "reports" / "record.json") == opened.record


def test_the_seed_is_kept_so_that_workers_go_on_where_they_stopped(tmp_path: Path) -> None:
    """Draws and schedules of one run of 20 workers and of one that was gone on with after 10 are the same."""
    before = earlier(tmp_path / "before", seed=5)
    going_on = machine(one("a", "b", "c"), interfere=noisy("b"))
    opened = compare(
        going_on,
        tmp_path / "on",
        scenarios("a", "b", "c"),
        seed=77,
        budget_s=9.0,
        seconds=lambda: float(going_on.count),
        earlier=before,
    )
    assert opened.record.seed == before.seed == 5
    at_once = machine(one("a", "b", "c"), interfere=noisy("b"))
    whole = compare(
        at_once, tmp_path / "whole", scenarios("a", "b", "c"), seed=5, budget_s=30.0, seconds=lambda: float(at_once.count)
    )
    runs = [found.record.cases[1].workers for found in (opened, whole)]
    both = min(len(run) for run in runs)
    assert both >= 16
    made = [[(worker.draw, worker.samples.schedule) for worker in run[:both] if worker.samples] for run in runs]
    assert made[0] == made[1]


def test_workers_of_two_builds_exchange_their_pages_halfway(tmp_path: Path) -> None:
    """Those of the controls too, of which the first two arms are meant; a calibration has nothing to cancel."""
    runner = machine(one("a"))
    compare(runner, tmp_path, scenarios("a"))
    asked = {(len(request.arms), request.iterations > 0): set[bool]() for request in runner.requests}
    for request in runner.requests:
        asked[len(request.arms), request.iterations > 0].add(0 < request.exchange == len(request.schedule) // 2)
    assert asked == {(2, False): {False}, (2, True): {True}, (3, True): {True}}
    assert all(request.exchange == 0 for request in runner.requests if not request.iterations)


def test_going_on_with_a_record_in_which_all_is_decided_measures_nothing(tmp_path: Path) -> None:
    before = compare(machine(one("a", "b"), change=0.08), tmp_path / "before", scenarios("a", "b")).record
    runner = machine(one("a", "b"), change=0.0)
    opened = compare(runner, tmp_path, scenarios("a", "b"), earlier=before)
    assert runner.requests == []
    assert verdicts(opened.record) == {"a/plain": "regressed", "b/plain": "regressed"}, "red stays red"
    assert compare_status(opened.record, allow_inconclusive=False) is ExitStatus.REGRESSION
    assert opened.record.controls == before.controls


def test_a_case_that_the_earlier_record_does_not_have_begins(tmp_path: Path) -> None:
    before = compare(machine(one("a")), tmp_path / "before", scenarios("a")).record
    runner = machine(one("a", "b"))
    opened = compare(runner, tmp_path, scenarios("a", "b"), earlier=before)
    assert {request.arms[0].kernel for request in runner.requests} == {"b"}
    assert counts(opened.record) == {"a/plain": 6, "b/plain": 6}


def test_an_interrupted_record_is_gone_on_with_to_its_end(tmp_path: Path) -> None:
    def press(number: int, _request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
        if number == 10:
            raise KeyboardInterrupt
        return answer

    before = compare(machine(one("a", "b"), interfere=press), tmp_path / "before", scenarios("a", "b")).record
    assert (before.interrupted, counts(before)) == (True, {"a/plain": 6})
    opened = compare(machine(one("a", "b")), tmp_path, scenarios("a", "b"), earlier=before)
    assert not opened.record.interrupted
    assert verdicts(opened.record) == {"a/plain": "unchanged", "b/plain": "unchanged"}


def test_controls_that_failed_get_another_chance_and_the_workers_stay(tmp_path: Path) -> None:
    """What the rule had ended is not measured again; its controls are."""

    def deaf(_number: int, request: WorkerRequest, answer: WorkerRun) -> WorkerRun:
        if len(request.arms) != 3 or answer.samples is None:
            return answer
        digits, wall = answer.samples.schedule, answer.samples.wall_ns
        quick = tuple(round(ns / 1.08) if digit == "2" else ns for digit, ns in zip(digits, wall, strict=True))
        return replace(answer, samples=replace(answer.samples, wall_ns=quick))

    before = compare(machine(one(), interfere=deaf), tmp_path / "before", scenarios("spin")).record
    assert verdicts(before) == {"spin/plain": "inconclusive"}
    opened = compare(machine(one()), tmp_path, scenarios("spin"), earlier=before)
    assert opened.record.cases[0].workers == before.cases[0].workers
    assert len(opened.record.cases[0].controls) > len(before.cases[0].controls)


@pytest.mark.parametrize("verdict", Verdict)
def test_decided_is_what_a_rule_has_proved(tmp_path: Path, verdict: Verdict) -> None:
    opened = Opened(record(kind="compare"), datasets={}, links=(), copies=(), scratch=tmp_path)
    assert not opened.is_decided(CASE)
    opened.put_compare(case_run(), absent_finding(CASE.id, verdict, "said"))
    assert opened.is_decided(CASE) is (verdict in {Verdict.REGRESSED, Verdict.IMPROVED, Verdict.UNCHANGED})
    assert verdict not in DECIDED or opened.is_decided(CASE)
    opened.put_compare(case_run(recall=(1.0, 1.0)), absent_finding(CASE.id, Verdict.INVALID, "said again"))
    assert [(run.recall, finding.reason) for run, finding in zip(opened.record.cases, opened.record.compare, strict=True)] == [
        ((1.0, 1.0), "said again")
    ]
    assert scenario().name == CASE.scenario

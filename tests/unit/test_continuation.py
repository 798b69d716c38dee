"""Only evidence about the same pair, questions and machine is added up."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fabricated import build
from fabricated_loads import compare as compare_load
from fabricated_loads import load, players
from simulated_machine import compare, machine, one, scenarios

from dualmem_cli.errors import ExitStatus, RecordError
from dualmem_cli.judge.continuation import check_same_question
from dualmem_cli.model.record import Record
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.model.workload import LoadScenario


def check(record: Record) -> None:
    made = one("a")
    builds = (build(made, digest="a" * 64), build(made, digest="b" * 64))
    check_same_question(record, path="r.json", builds=builds, scenarios=scenarios("a"), machine=record.machine, gate=record.gate)


def test_the_same_is_gone_on_with(tmp_path: Path) -> None:
    check(compare(machine(one("a")), tmp_path, scenarios("a")).record)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: replace(r, kind="bench"), "not a compare of two builds"),
        (lambda r: replace(r, builds=(r.builds[0], replace(r.builds[1], digest="c" * 64))), "its candidate is build ccccccc"),
        (lambda r: replace(r, builds=(replace(r.builds[0], digest="d" * 64), r.builds[1])), "its baseline is build ddddddd"),
        (lambda r: replace(r, scenarios=()), "a is not the scenario that it was"),
        (lambda r: replace(r, scenarios=(replace(r.scenarios[0], digest="0"),)), "a is not the scenario that it was"),
    ],
)
def test_anything_else_is_refused_in_a_line(tmp_path: Path, change: Callable[[Record], Record], said: str) -> None:
    record = compare(machine(one("a")), tmp_path, scenarios("a")).record
    with pytest.raises(RecordError, match=said):
        check(change(record))


def test_a_load_is_a_scenario_like_others(tmp_path: Path) -> None:
    asked = load()
    record = compare_load(players(), tmp_path, asked, budget_s=0.0)
    builds = (record.builds[0], record.builds[1])
    same: dict[str, Any] = {
        "path": "r.json",
        "builds": builds,
        "machine": record.machine,
        "gate": "another, which is that of kernels",
    }
    check_same_question(record, scenarios=(asked,), **same)
    others: tuple[tuple[Scenario | LoadScenario, ...], ...] = ((), (replace(asked, digest="0"),), (*scenarios("a"), asked))
    for other in others:
        with pytest.raises(RecordError, match="is not the scenario that it was"):
            check_same_question(record, scenarios=other, **same)


def test_another_machine_is_not_comparable(tmp_path: Path) -> None:
    record = compare(machine(one("a")), tmp_path, scenarios("a")).record
    builds = (record.builds[0], record.builds[1])
    with pytest.raises(RecordError, match="another machine") as caught:
        check_same_question(
            record,
            path="r.json",
            builds=builds,
            scenarios=record.scenarios,
            machine=replace(record.machine, microcode="0x9"),
            gate=record.gate,
        )
    assert caught.value.status is ExitStatus.NOT_COMPARABLE


@pytest.mark.parametrize("before", ["", "another"])
def test_another_gate_is_not_comparable(tmp_path: Path, before: str) -> None:
    """Workers that were sampled in another way must not count beside new ones."""
    record = replace(compare(machine(one("a")), tmp_path, scenarios("a")).record, gate=before)
    builds = (record.builds[0], record.builds[1])
    with pytest.raises(RecordError, match="another gate") as caught:
        check_same_question(record, path="r.json", builds=builds, scenarios=record.scenarios, machine=record.machine, gate="g")
    assert caught.value.status is ExitStatus.NOT_COMPARABLE

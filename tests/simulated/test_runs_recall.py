"""Recall and prepared files in whole compares."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fabricated import KERNEL, build, laboratory, library, scenario
from simulated_machine import verdicts

from dualmem_cli import pipeline
from dualmem_cli.measure.fake import FakeRunner
from dualmem_cli.model.kernel import Output
from dualmem_cli.model.plan import Role, WorkerRequest
from dualmem_cli.model.record import Record
from dualmem_cli.model.samples import Failure, FailureKind, WorkerRun
from dualmem_cli.model.verdict import Verdict

LOOKUP = replace(KERNEL, name="lookup", output=Output.NEIGHBOURS, needs_data=True, prepare=True)


class Lookup(FakeRunner):
    """Answers with the neighbours that it is told to have found: the first `k` rows shifted by `shift`, or whatever `answer` makes."""

    answer: Callable[[int], bytes | None] = staticmethod(lambda _side: b"")
    prepared_paths: tuple[str, ...] = ()

    def prepare(self, request: WorkerRequest, *, timeout_s: float) -> Failure | None:
        Path(request.path).write_bytes(b"prepared")
        self.prepared_paths = (*self.prepared_paths, request.path)
        return super().prepare(request, timeout_s=timeout_s)

    def measure(self, request: WorkerRequest, draw: object, *, timeout_s: float) -> WorkerRun:
        for index, arm in enumerate(request.arms):
            found = self.answer(index) if arm.output else None
            if found is not None:
                Path(arm.output).write_bytes(found)
        made = super().measure(request, draw, timeout_s=timeout_s)  # type: ignore[arg-type]
        assert made.check is not None
        return replace(made, check=replace(made.check, outputs=(50,) * len(request.arms)))


def look_up(folder: Path, answer: Callable[[int], bytes], *, floor: float = 0.9) -> Record:
    text = f'[data]\nsynthetic = "gaussian"\nrows = 40\nqueries = 5\ndim = 8\n[params]\nwork = 10\n[gate]\nrecall_floor = {floor}'
    runner = Lookup(library=library(LOOKUP), cost_ns={("", "lookup"): 5000.0}, seed=1)
    runner.answer = answer
    builds = (build(library(LOOKUP), digest="a" * 64), build(library(LOOKUP), digest="b" * 64))
    chosen = (scenario(text, name="lookup", kernel="lookup", path=str(folder / "lookup.toml")),)
    return pipeline.compare(laboratory(runner, folder), chosen, builds, name="main", budget_s=20.0, earlier=None).record


def exact(folder: Path, *, k: int = 10) -> bytes:
    """The exact answer, from the cached set."""
    from dualmem_cli.measure.data import materialise, read_matrix
    from dualmem_cli.model.scenario import GaussianData

    made = materialise(GaussianData("gaussian", 40, 5, 8, 1), directory=folder, cache=folder / "cache")
    cosine = read_matrix(made.queries).astype(np.float64) @ read_matrix(made.data).astype(np.float64).T
    return np.argsort(-cosine, axis=1)[:, :k].astype("<f8").tobytes()


def test_recall_is_measured_against_the_exact_answer(tmp_path: Path) -> None:
    right = exact(tmp_path)
    record = look_up(tmp_path, lambda _: right)
    assert record.cases[0].recall == (1.0, 1.0)
    assert verdicts(record) == {"lookup/plain/work=10": "unchanged"}
    assert record.data[0].rows == 40


NONSENSE: dict[str, Callable[[bytes], bytes]] = {
    "below the floor": lambda right: np.zeros(50).astype("<f8").tobytes(),
    "nothing": lambda right: b"",
    "fewer": lambda right: right[: 8 * 25],
    "not a multiple": lambda right: right[:-8],
    "half a number": lambda right: right[:-3],
    "not numbers": lambda right: b"\xff" * len(right),
    "rows that do not exist": lambda right: np.full(50, 40.0).astype("<f8").tobytes(),
}


@pytest.mark.parametrize("name", NONSENSE)
@pytest.mark.parametrize("side", [0, 1])
def test_a_side_whose_neighbours_are_wrong_is_invalid(tmp_path: Path, name: str, side: int) -> None:
    right = exact(tmp_path)
    record = look_up(tmp_path, lambda index: NONSENSE[name](right) if index == side else right)
    (finding,) = record.compare
    assert finding.verdict is Verdict.INVALID, finding.reason
    role = (Role.BASELINE, Role.CANDIDATE)[side]
    assert f"of {role} lookup/plain is below its floor 0.9" in finding.reason


def test_an_answer_of_the_case_before_is_not_this_ones(tmp_path: Path) -> None:
    """The first case answers, the second one writes nothing at all."""
    right = exact(tmp_path)
    text = (
        '[data]\nsynthetic = "gaussian"\nrows = 40\nqueries = 5\ndim = 8\n[params]\nwork = [10, 11]\n[gate]\nrecall_floor = 0.9'
    )
    runner = Lookup(library=library(LOOKUP), cost_ns={("", "lookup"): 5000.0}, seed=1)
    calls = 0

    def answer(_index: int) -> bytes | None:
        nonlocal calls
        calls += 1
        return right if calls <= 2 else None

    runner.answer = answer
    builds = (build(library(LOOKUP), digest="a" * 64), build(library(LOOKUP), digest="b" * 64))
    chosen = (scenario(text, name="lookup", kernel="lookup", path=str(tmp_path / "lookup.toml")),)
    record = pipeline.compare(laboratory(runner, tmp_path), chosen, builds, name="main", budget_s=20.0, earlier=None).record
    assert [run.recall for run in record.cases] == [(1.0, 1.0), (None, None)]
    assert verdicts(record)["lookup/plain/work=11"] == "invalid"


def test_a_prepared_file_is_made_once_per_build_and_shared_between_runs(tmp_path: Path) -> None:
    right = exact(tmp_path)
    look_up(tmp_path, lambda _: right)
    prepared = sorted((tmp_path / "cache" / "prepared").iterdir())
    assert len(prepared) == 2, "one for either build"
    before = [path.stat().st_mtime_ns for path in prepared]
    look_up(tmp_path, lambda _: right)
    assert [path.stat().st_mtime_ns for path in prepared] == before
    assert all(path.read_bytes() == b"prepared" for path in prepared)


def test_a_cache_that_cannot_be_written_costs_the_case_that_needs_it(tmp_path: Path) -> None:
    right = exact(tmp_path)
    (tmp_path / "cache" / "prepared").write_text("in the way")
    (finding,) = look_up(tmp_path, lambda _: right).compare
    assert finding.verdict is Verdict.INVALID
    assert finding.reason.startswith("baseline lookup/plain: prepare: ")
    assert finding.reason.endswith("prepared: File exists")


@pytest.mark.parametrize("side", [0, 1])
def test_a_prepare_that_fails_names_its_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int) -> None:
    """The worker prepares one arm alone and calls it arm 0."""
    right = exact(tmp_path)
    plain = Lookup.prepare

    def prepare(self: Lookup, request: WorkerRequest, *, timeout_s: float) -> Failure | None:
        if request.arms[0].library == side:
            return Failure(FailureKind.CRASHED, "prepare", 0, "the worker died of SIGSEGV in prepare")
        return plain(self, request, timeout_s=timeout_s)

    monkeypatch.setattr(Lookup, "prepare", prepare)
    (finding,) = look_up(tmp_path, lambda _: right).compare
    assert finding.reason == f"{('baseline', 'candidate')[side]} lookup/plain: the worker died of SIGSEGV in prepare"


def test_two_runs_that_prepare_at_once_do_not_disturb_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the first run has copied its prepared file and not yet renamed it, a second one does the same from start to end."""
    import shutil

    right = exact(tmp_path)
    plain = shutil.copyfile
    nested = False

    def copyfile(source: Path, target: Path) -> object:
        nonlocal nested
        copied = plain(source, target)
        if not nested:
            nested = True
            look_up(tmp_path, lambda _: right)
        return copied

    monkeypatch.setattr(shutil, "copyfile", copyfile)
    assert verdicts(look_up(tmp_path, lambda _: right)) == {"lookup/plain/work=10": "unchanged"}

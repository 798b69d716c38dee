"""A self-test on real workers, small: copies, inert builds and planted work of the kernels that are quick to judge."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from fabricated import MACHINE

from dualmem_cli.cli import setting
from dualmem_cli.errors import RecordError
from dualmem_cli.judge.continuation import check_same_selftest
from dualmem_cli.judge.curve import operating_curve
from dualmem_cli.laboratory import Laboratory, Silent
from dualmem_cli.measure.builds import copy_link
from dualmem_cli.measure.worker import WorkerProcesses
from dualmem_cli.model.samples import Samples
from dualmem_cli.model.selftest import Load, Pair, SelftestRecord
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.plan.trials import Block, Visit
from dualmem_cli.selftest import Selftest
from dualmem_cli.stats.pairs import paired_ratios
from dualmem_cli.store import raw_samples, selftests
from dualmem_cli.store.raw_samples import RawSamples


def laboratory(worker: WorkerProcesses, folder: Path) -> Laboratory:
    return Laboratory(
        runner=worker, copy_link=copy_link, machine=MACHINE, cpus=(), cache=folder / "cache", record_path=folder / "s.json",
        progress=Silent(), seconds=time.monotonic, now=lambda: "2026-11-25T00:00:00+00:00", seed=7, revision="",
    )  # fmt: skip


@contextlib.contextmanager
def unloaded(_load: Load, cpus: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    yield cpus


class Kept(RawSamples):
    """The file of raw samples, and the samples it was given."""

    given: ClassVar[list[tuple[int, Samples]]] = []

    def add(self, trial: int, samples: Samples) -> None:
        self.given.append((trial, samples))
        super().add(trial, samples)


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SelftestRecord, Path]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw_samples, "RawSamples", Kept)
        yield small_selftest(tmp_path_factory.mktemp("selftest"))


def small_selftest(folder: Path) -> tuple[SelftestRecord, Path]:
    worker = setting.runner()
    subjects = setting.selftest_subjects(worker=worker, reports=folder)
    lab = laboratory(worker, folder)
    test = Selftest(lab, subjects, loaded=unloaded, load_average=lambda: 0.5, quick=False, gate="g", earlier=None)
    visits = (
        Visit("compute", Pair.COPY, 0, trials=2),
        Visit("nanosecond", Pair.INERT, 0, trials=1),
        Visit("compute", Pair.PLANTED, 10, trials=2),
        Visit("nanosecond", Pair.PLANTED, 2, trials=1),
    )
    record = test.run((Block(Load.IDLE, visits),))
    assert test.unsaved == ""
    return record, folder


def test_an_earlier_run_is_gone_on_with(tested: tuple[SelftestRecord, Path], tmp_path: Path) -> None:
    """Its trials are taken over; the same builds are asked for."""
    record, folder = tested
    check_same_selftest(record, path="s.json", builds=record.builds, gate="g")
    with pytest.raises(RecordError, match=r"other builds.*Leave out --continue"):
        check_same_selftest(record, path="s.json", builds=record.builds[:-1], gate="g")
    with pytest.raises(RecordError, match=r"another gate \(g, this one is h\)"):
        check_same_selftest(record, path="s.json", builds=record.builds, gate="h")
    with pytest.raises(RecordError, match="another gate \\(not recorded"):
        check_same_selftest(replace(record, gate=""), path="s.json", builds=record.builds, gate="g")
    with pytest.raises(RecordError, match="quick"):
        check_same_selftest(replace(record, quick=True), path="s.json", builds=record.builds, gate="g")
    worker = setting.runner()
    lab = laboratory(worker, tmp_path)
    test = Selftest(
        lab, setting.selftest_subjects(worker=worker, reports=folder), loaded=unloaded, load_average=lambda: 0.5, quick=False, gate="g",
        earlier=record,
    )  # fmt: skip
    more = test.run((Block(Load.IDLE, (Visit("nanosecond", Pair.COPY, 0, trials=1),)),))
    assert more.trials[:-1] == record.trials
    assert len(more.trials) == len(record.trials) + 1
    assert more.seconds > record.seconds
    assert more.raw == f"{record.raw}, {lab.record_path.stem}.samples.npz"
    assert {trial.machine for trial in more.trials} == {0}
    assert more.machines == (MACHINE,)


def test_on_another_machine_every_trial_keeps_its_own(tested: tuple[SelftestRecord, Path], tmp_path: Path) -> None:
    record, folder = tested
    worker = setting.runner()
    subjects = setting.selftest_subjects(worker=worker, reports=folder)
    one = (Block(Load.IDLE, (Visit("nanosecond", Pair.COPY, 0, trials=1),)),)
    there = replace(MACHINE, cores=3)
    for place, cores in enumerate((3, MACHINE.cores, 3)):
        own = tmp_path / str(place)
        own.mkdir()
        lab = replace(laboratory(worker, own), machine=replace(MACHINE, cores=cores))
        test = Selftest(lab, subjects, loaded=unloaded, load_average=lambda: 0.5, quick=False, gate="g", earlier=record)
        record = test.run(one)
    assert record.machines == (MACHINE, there)
    assert [trial.machine for trial in record.trials[-3:]] == [1, 0, 1]
    assert selftests.load(lab.record_path) == record
    rates = operating_curve(record).machines
    assert [(each.machine, each.trials) for each in rates] == [(0, len(record.trials) - 2), (1, 2)]


def test_the_verdicts_are_the_true_ones(tested: tuple[SelftestRecord, Path]) -> None:
    record, _ = tested
    assert [(trial.pair, trial.verdict) for trial in record.trials] == [
        (Pair.COPY, Verdict.UNCHANGED), (Pair.COPY, Verdict.UNCHANGED), (Pair.INERT, Verdict.UNCHANGED),
        (Pair.PLANTED, Verdict.REGRESSED), (Pair.PLANTED, Verdict.REGRESSED), (Pair.PLANTED, Verdict.UNCHANGED),
    ]  # fmt: skip
    for trial in record.trials:
        assert trial.change == pytest.approx(trial.planted, abs=0.02)
        assert len(trial.workers) == len(trial.firsts) >= 6
        assert trial.problem == ""
        assert {name for name, _ in trial.rivals} >= {"pyperf", "criterion", "nanobench"}
    assert [bool(trial.in_turn) for trial in record.trials] == [False, True, False, False, True, False], "within a visit only"


def test_the_record_can_be_published_and_read_again(tested: tuple[SelftestRecord, Path]) -> None:
    record, folder = tested
    assert selftests.load(folder / "s.json") == record
    assert not record.interrupted
    assert str(folder) not in (folder / "s.json").read_text()
    assert sum(cell.trials for cell in operating_curve(record).sizes) == len(record.trials)


def test_the_raw_samples_are_those_of_the_workers(tested: tuple[SelftestRecord, Path]) -> None:
    """Every number that was timed, in its order; from them the log ratio of every worker can be had again."""
    record, folder = tested
    raw = np.load(folder / record.raw)
    given = Kept.given[: len(raw["0000/trial"])]
    assert [trial for trial, _ in given] == raw["0000/trial"].tolist()
    assert [trial for trial, _ in given] == [number for number, trial in enumerate(record.trials) for _ in trial.workers]
    logs = [log for trial in record.trials for log in trial.workers]
    ends = np.cumsum(raw["0000/length"]).tolist()
    assert ends[-1] == len(raw["0000/arm"]) == len(raw["0000/wall_ns"]) == len(raw["0000/cpu_ns"])
    for (_, samples), log, iterations, length, end in zip(
        given, logs, raw["0000/iterations"], raw["0000/length"], ends, strict=True
    ):
        own = slice(end - int(length), end)
        assert "".join(map(str, raw["0000/arm"][own])) == samples.schedule
        assert tuple(raw["0000/wall_ns"][own]) == samples.wall_ns
        assert tuple(raw["0000/cpu_ns"][own]) == samples.cpu_ns
        assert tuple(iterations) == samples.iterations
        assert paired_ratios(samples, arm=1, reference=0).value == pytest.approx(log, abs=1e-7)

"""The side that a compare judges against: a stored baseline, a library that was named, a git revision, or a record's numbers."""

import platform
from dataclasses import dataclass, replace
from pathlib import Path

from dualmem_cli.cli import setting
from dualmem_cli.errors import BuildError, DualmemError, RecordError
from dualmem_cli.judge.continuation import check_same_question
from dualmem_cli.measure import builds as binaries
from dualmem_cli.measure import revisions
from dualmem_cli.measure.data import cache_directory
from dualmem_cli.measure.machine import read_machine
from dualmem_cli.measure.provenance import gate_digest
from dualmem_cli.measure.worker import WorkerProcesses
from dualmem_cli.model.kernel import Build, Library
from dualmem_cli.model.record import Record, Since
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.model.workload import LoadScenario
from dualmem_cli.store import baselines as kept
from dualmem_cli.store import records


@dataclass(frozen=True, slots=True)
class Side:
    """A build to measure, and what to call it in the report. `since` is None for a library that was named: nobody knows its age."""

    name: str
    build: Build
    since: Since | None

    @property
    def library(self) -> Library:
        return self.build.library


@dataclass(frozen=True, slots=True)
class Stored:
    """A record whose build cannot be measured here: its numbers are all there is. `since.stored_only` says why."""

    name: str
    record: Record
    since: Since

    @property
    def library(self) -> Library:
        return self.record.builds[0].library


def both_sides(
    name: str, *, against: str, library: str, links: Path | None, baselines: Path, reports: Path, worker: WorkerProcesses
) -> tuple[Side | Stored, Build]:
    """The baseline's side and the candidate's build, as the options of compare name them."""
    if links is None:
        old = baseline_side(name, against=against, baselines=baselines, reports=reports, worker=worker)
        found = binaries.resolve(library, start=Path.cwd())
    else:
        if name or against or library:
            raise DualmemError("--links names both sides", hint="Leave out --library, --against and --baseline.")
        _want_parts(links)
        old = _library(links / "baseline", name=str(links / "baseline"), worker=worker, reports=reports)
        found = binaries.named(links / "candidate")
    return old, setting.keep_build(found, worker=worker, reports=reports)


def baseline_side(name: str, *, against: str, baselines: Path, reports: Path, worker: WorkerProcesses) -> Side | Stored:
    """What to judge against. A build is described afresh by a worker: what it supports depends on this machine, not on its own."""
    if name and against:
        raise DualmemError("--baseline and --against exclude each other", hint="Give one of them.")
    if not against:
        return _stored_baseline(kept.load(baselines, kept.choose(baselines, name)), worker=worker)
    path = Path(against)
    if path.is_file() and path.suffix == ".json":
        return _numbers(path)
    if path.is_file() or any(path.glob("*.so")):
        return _library(path, name=against, worker=worker, reports=reports)
    tree = binaries.source_tree(Path.cwd())
    if tree is None or path.suffix == ".so":
        return _library(path, name=against, worker=worker, reports=reports)  # which says that it is not there
    revision = revisions.find(against, tree=tree)
    build = setting.keep_build(revisions.built(revision, tree=tree, cache=cache_directory()), worker=worker, reports=reports)
    return Side(name=against, build=build, since=Since(created=revision.created, revision=revision.short, machine=None))


def _want_parts(folder: Path) -> None:
    for part in ("baseline", "candidate"):
        if not (folder / part).is_dir():
            raise BuildError(
                f"{folder / part}: no such folder",
                hint="--links DIR wants links of the old library in DIR/baseline and of the new one in DIR/candidate.",
            )


def _library(path: Path, *, name: str, worker: WorkerProcesses, reports: Path) -> Side:
    return Side(name=name, build=setting.keep_build(binaries.named(path), worker=worker, reports=reports), since=None)


def _stored_baseline(baseline: kept.Baseline, *, worker: WorkerProcesses) -> Side | Stored:
    """The baseline's build, or its numbers where the build cannot run here."""
    record = baseline.record
    since = Since(created=record.created, revision=record.revision, machine=record.machine)
    made_for, here = record.machine.architecture, platform.machine()
    if made_for != here:
        why = f'baseline "{baseline.name}" was built for {made_for}, this machine is {here}: its build cannot run here'
        return Stored(baseline.name, record, replace(since, stored_only=why))
    try:
        described = worker.describe(baseline.build.links[0].path)
    except BuildError as error:
        why = f'the build of baseline "{baseline.name}" cannot be loaded here ({error.what})'
        return Stored(baseline.name, record, replace(since, stored_only=why))
    library = replace(described, revision=described.revision or record.builds[0].library.revision)
    return Side(baseline.name, replace(baseline.build, library=library), since)


def _numbers(path: Path) -> Stored:
    """A record file: whose build it was, and whether that could run here, is not known."""
    record = records.load(path)
    if record.kind != "bench" or not record.builds:
        raise RecordError(
            f"{path}: a record of `dualmem {record.kind}`", hint="Give the record of a bench: its numbers are of one build."
        )
    why = f"{path} is a record, which holds numbers and no build"
    return Stored(str(path), record, Since(record.created, record.revision, record.machine, stored_only=why))


def earlier_of(path: Path | None, *, scenarios: list[str] | None) -> Record | None:
    """The record that a compare goes on with, None for a new one. Raises DualmemError."""
    if path is None:
        return None
    if scenarios:
        raise DualmemError("--continue goes on with the scenarios of its record", hint="Leave the scenarios out.")
    return records.load(path)


def check_continues(
    earlier: Record,
    *,
    path: str,
    old: Side | Stored,
    new: Build,
    scenarios: tuple[Scenario | LoadScenario, ...],
    worker: WorkerProcesses,
) -> None:
    """Raises RecordError unless the record is of this very pair, asked the same questions, by this gate, on this machine. Whether a load's
    trace is what it was is seen when it has been made (replayed.py)."""
    if isinstance(old, Stored):
        raise DualmemError("--continue needs both builds", hint="The baseline's cannot be measured here; leave --continue out.")
    check_same_question(
        earlier,
        path=path,
        builds=(old.build, new),
        scenarios=scenarios,
        machine=read_machine(),
        gate=gate_digest(worker.executable),
    )

"""The side that a compare judges against: a stored baseline, or a library that was named."""

import platform
from dataclasses import dataclass
from pathlib import Path

from dualmem_cli.cli import setting
from dualmem_cli.errors import BaselineError, DualmemError, ExitStatus
from dualmem_cli.measure import builds as binaries
from dualmem_cli.measure.worker import WorkerProcesses
from dualmem_cli.model.kernel import Build
from dualmem_cli.store import baselines as kept


@dataclass(frozen=True, slots=True)
class Side:
    """A build and what to call it in the report."""

    name: str
    build: Build


def baseline_side(name: str, *, against: str, baselines: Path, reports: Path, worker: WorkerProcesses) -> Side:
    """The build to judge against, described afresh by a worker: what it supports depends on this machine, not on its own."""
    if name and against:
        raise DualmemError("--baseline and --against exclude each other", hint="Give one of them.")
    if against:
        found = binaries.named(Path(against))
        return Side(name=against, build=setting.keep_build(found, worker=worker, reports=reports))
    baseline = kept.load(baselines, kept.choose(baselines, name))
    stored, here = baseline.record.machine.architecture, platform.machine()
    if stored != here:
        raise BaselineError(
            f'baseline "{baseline.name}" was built for {stored}, this machine is {here}: its build cannot run here',
            hint="Save a baseline on this kind of machine; times are never compared across machines.",
            status=ExitStatus.NOT_COMPARABLE,
        )
    build = baseline.build
    library = worker.describe(build.links[0].path)
    return Side(name=baseline.name, build=Build(digest=build.digest, origin=build.origin, library=library, links=build.links))

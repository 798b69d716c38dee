"""dualmem fleet errand: what a fleet's worker starts to measure one errand, which comes as a line of JSON; the record goes to stdout."""

import os
import signal
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dualmem_cli.measure.worker import WorkerProcesses
    from dualmem_cli.model.kernel import Build


def errand() -> int:
    """Measure the errand on stdin; end when stdin does."""
    from dualmem_cli import pipeline
    from dualmem_cli.cli import setting
    from dualmem_cli.errors import ExitStatus
    from dualmem_cli.fleet import parcels
    from dualmem_cli.fleet.errand import from_json
    from dualmem_cli.laboratory import Silent
    from dualmem_cli.model.scenario import FileData, Scenario
    from dualmem_cli.store import records

    asked = from_json(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="dualmem-errand-") as scratch:

        def placed(scenario: Scenario) -> Scenario:
            """The scenario with its data files in a folder of its own."""
            home = Path(scratch) / scenario.name
            data = scenario.data
            for file in (file for file in asked.files if file.scenario == scenario.name):
                assert isinstance(data, FileData), "only such have files"
                (home / file.key).mkdir(parents=True)
                (home / file.key / file.name).symlink_to(parcels.path_of(file.sha256))
                name = f"{file.key}/{file.name}"
                data = replace(data, file=name) if file.key == "file" else replace(data, queries_file=name)
            return replace(scenario, data=data, path=str(home / "scenario.toml"))

        worker = setting.runner()
        builds = tuple(_here(build, worker) for build in asked.builds)
        lab = setting.laboratory(
            worker=worker, kind="errand", reports=Path(scratch) / "reports", progress=Silent(), since=asked.since
        )
        lab = replace(lab, seed=asked.seed, revision=asked.revision)
        scenarios = tuple(map(placed, asked.scenarios))
        match builds:
            case (one,):
                opened = pipeline.bench(lab, scenarios, one, ceilings=False)
            case _:
                old, new = builds
                opened = pipeline.compare(lab, scenarios, (old, new), name=asked.baseline, budget_s=asked.budget_s, earlier=None)
        record = opened.record
    if record.interrupted:
        return ExitStatus.INTERRUPTED
    sys.stdout.buffer.write(records.to_json(replace(record, scenarios=asked.scenarios)))
    return ExitStatus.OK


def _here(build: "Build", worker: "WorkerProcesses") -> "Build":
    """The build as it lies here; what it supports depends on this machine."""
    from dualmem_cli.fleet import parcels

    links = tuple(replace(link, path=str(parcels.path_of(link.sha256))) for link in build.links)
    described = worker.describe(links[0].path)
    return replace(build, links=links, library=replace(described, path="", revision=build.library.revision))


def _end_with_input() -> None:
    """The worker holds our input: however it ends, so does the input, and what was begun for it is ended as by Ctrl-C."""
    while os.read(0, 1 << 16):
        pass
    os.kill(os.getpid(), signal.SIGTERM)

"""dualmem bench --fleet: the same scenarios on the machines of a fleet."""

import os
import re
import sys
from pathlib import Path

from dualmem_cli.cli.fleet_showing import show_gathered
from dualmem_cli.fleet.bench import FleetRun
from dualmem_cli.fleet.dispatch import check_versions, introduced
from dualmem_cli.fleet.engine import connected
from dualmem_cli.measure.machine import revision
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.record import Record
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.report import Level
from dualmem_cli.store import records


def bench_on_fleet(
    address: str,
    scenarios: tuple[Scenario, ...],
    build: Build,
    *,
    reports: Path,
    enforce_budgets: bool,
    json: bool,
    level: Level,
) -> int:
    """Send, gather, show. Returns the exit status."""
    paths: dict[str, Path] = {}

    def path_of(name: str, record: Record) -> Path:
        if name not in paths:
            paths[name] = records.new_path(reports, created=record.created, kind=f"fleet-{re.sub(r'[^A-Za-z0-9._]+', '-', name)}")
        return paths[name]

    def tell(line: str) -> None:
        if level > Level.QUIET:
            print(line, file=sys.stderr, flush=True)

    with connected(address) as client:
        machines, strange = introduced(client, address)
        check_versions(client, machines, strange, address=address)
        run = FleetRun(
            client,
            address,
            build,
            revision=revision(Path.cwd()),
            seed=int.from_bytes(os.urandom(4)),
            path_of=path_of,
            tell=tell,
        )
        gathered = run.bench(scenarios)
    return show_gathered(gathered, paths, enforce_budgets=enforce_budgets, json=json, level=level)

"""--fleet of dualmem bench and dualmem compare: the same scenarios on the machines of a fleet."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dualmem_cli.cli import showing
from dualmem_cli.cli.fleet_showing import show_gathered
from dualmem_cli.errors import DualmemError
from dualmem_cli.fleet.dispatch import check_versions, introduced
from dualmem_cli.fleet.engine import connected
from dualmem_cli.fleet.run import FleetRun
from dualmem_cli.judge.outcome import bench_status, compare_status
from dualmem_cli.measure.machine import revision
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.record import Record, Since
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.store import records


@dataclass(frozen=True)
class OnFleet:
    """A run on the fleet at `address`, as the options of the command say."""

    address: str
    reports: Path
    history: Path | None
    json: bool
    quiet: bool
    verbose: bool
    paths: dict[str, Path] = field(default_factory=dict)  # of the records, by machine

    def bench(self, scenarios: tuple[Scenario, ...], build: Build, *, enforce_budgets: bool) -> int:
        """Every scenario once, on a machine that can. Returns the exit status: the worst of all."""
        with self._run((build,)) as (run, _):
            gathered = run.bench(scenarios)
        return show_gathered(
            gathered, self.paths, history=self.history, json=self.json, level=showing.level_of(quiet=self.quiet, verbose=self.verbose),
            status_of=lambda record: bench_status(record, enforce_budgets=enforce_budgets),
        )  # fmt: skip

    def compare(
        self, scenarios: tuple[Scenario, ...], builds: tuple[Build, Build], *,
        name: str, since: Since | None, budget_s: float, allow_inconclusive: bool,
    ) -> int:  # fmt: skip
        """Every scenario on every machine that can: each judges on its own. Returns the exit status: the worst of all."""
        with self._run(builds) as (run, addresses):
            gathered = run.compare(scenarios, addresses, name=name, since=since, budget_s=budget_s)
        return show_gathered(
            gathered, self.paths, history=self.history, json=self.json, level=showing.level_of(quiet=self.quiet, verbose=self.verbose),
            status_of=lambda record: compare_status(record, allow_inconclusive=allow_inconclusive),
        )  # fmt: skip

    @contextmanager
    def _run(self, builds: tuple[Build, ...]) -> Iterator[tuple[FleetRun, dict[str, str]]]:
        """The run, and the address of every machine by its name."""
        with connected(self.address) as client:
            machines, strange = introduced(client, self.address)
            check_versions(client, machines, strange, address=self.address)
            run = FleetRun(
                client,
                self.address,
                builds,
                revision=revision(Path.cwd()),
                seed=int.from_bytes(os.urandom(4)),
                path_of=self._path_of,
                tell=self._tell,
            )
            yield run, {machine.name: machine.address for machine in machines}

    def _path_of(self, name: str, record: Record) -> Path:
        """Not named as a bench's or a compare's of this machine, so that none is taken for its newest."""
        if name not in self.paths:
            kind = f"{record.kind}-on-{re.sub(r'[^A-Za-z0-9._]+', '-', name)}"
            self.paths[name] = records.new_path(self.reports, created=record.created, kind=kind)
        return self.paths[name]

    def _tell(self, line: str) -> None:
        if not self.quiet:
            print(line, file=sys.stderr, flush=True)


def check_options(unfit: Sequence[tuple[str, object, str]]) -> None:
    """Raises DualmemError for an option that was given and does not go with --fleet: its name, its value, what to do instead."""
    for option, value, hint in unfit:
        if value:
            raise DualmemError(f"{option} does not go with --fleet", hint=hint)

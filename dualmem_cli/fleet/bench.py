"""The story of a bench on a fleet: an errand per scenario, a record per machine, the ceilings of each machine last."""

import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from dualmem_cli.fleet import parcels
from dualmem_cli.fleet.dispatch import Dispatch, Done, Job, Unmeasured
from dualmem_cli.fleet.errand import DataFile, Errand
from dualmem_cli.fleet.gather import merged
from dualmem_cli.fleet.service import MACHINE
from dualmem_cli.laboratory import INTERRUPTED
from dualmem_cli.measure.provenance import tool_digest
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.record import Record
from dualmem_cli.model.scenario import FileData, Scenario
from dualmem_cli.plan.cases import expand
from dualmem_cli.plan.ceilings import ceiling_scenarios
from dualmem_cli.plan.needs import Amounts, wanted_of
from dualmem_cli.store import records


@dataclass
class Gathered:
    """What came back: a record for each machine by its name, and what nobody measured."""

    records: dict[str, Record] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    unmeasured: list[Unmeasured] = field(default_factory=list)
    interrupted: bool = False


@dataclass(frozen=True)
class FleetRun:
    """A bench on a fleet. `path_of` is where the record of a machine goes, `tell` says a line to a person."""

    client: Any
    address: str
    build: Build
    revision: str
    seed: int
    path_of: Callable[[str, Record], Path]
    tell: Callable[[str], None]

    def bench(self, scenarios: tuple[Scenario, ...]) -> Gathered:
        """Measure every scenario once, on a machine that can. What is gathered is saved as it comes; Ctrl-C keeps it. Raises ScenarioError
        and DataError for what no machine could mend."""
        for scenario in scenarios:
            expand(scenario, self.build.library, data="")
        shipped = {scenario.name: _data_files(scenario) for scenario in scenarios}
        files = {link.sha256: Path(link.path) for link in self.build.links}
        files |= {file.sha256: path for found in shipped.values() for file, path in found}
        dispatch = Dispatch(self.client, self.address, files=files, tell=self.tell)
        gathered = Gathered()
        try:
            jobs = [self._job(scenario, [file for file, _ in shipped[scenario.name]]) for scenario in scenarios]
            self._gather(gathered, dispatch.run(jobs), of=len(jobs))
            ceilings = list(self._ceilings(gathered))
            self._gather(gathered, dispatch.run(ceilings), of=0)
        except KeyboardInterrupt:
            gathered.interrupted = True
        self._finish(gathered)
        return gathered

    def _job(self, scenario: Scenario, files: Sequence[DataFile]) -> Job:
        base = {MACHINE: 1.0, platform.machine(): 1.0}
        return Job(scenario.name, self._errand((scenario,), files), partial(_wanted, scenario, base))

    def _errand(self, scenarios: tuple[Scenario, ...], files: Sequence[DataFile]) -> Errand:
        return Errand(tool_digest(), scenarios, tuple(files), self.build, self.revision, self.seed)

    def _ceilings(self, gathered: Gathered) -> Iterator[Job]:
        """An errand for each machine, with what it reads and computes at most, where its kernels say what they do."""
        for name, record in gathered.records.items():
            ceilings = ceiling_scenarios(record.scenarios, record.builds[0].library)
            if ceilings:
                yield Job(
                    f"the ceilings of {name}", self._errand(ceilings, ()), lambda _: {MACHINE: 1.0}, gathered.addresses[name]
                )

    def _gather(self, gathered: Gathered, ends: Iterator[Done | Unmeasured], *, of: int) -> None:
        for number, end in enumerate(ends, 1):
            place = f"[{number}/{of}] " if of else ""
            if isinstance(end, Unmeasured):
                gathered.unmeasured.append(end)
                self.tell(f"{place}{end.label}: not measured: {end.why}")
                continue
            name = end.answer.name
            record = records.from_json(end.answer.record, path=f"record of {name}")
            gathered.records[name] = merged(gathered.records.get(name), record, build=self.build)
            gathered.addresses[name] = end.answer.address
            self.tell(f"{place}{end.job.label}: measured on {name}")
            path = self.path_of(name, gathered.records[name])
            records.save(replace(gathered.records[name], interrupted=True), path)  # as which it counts if this process is killed

    def _finish(self, gathered: Gathered) -> None:
        for name, record in gathered.records.items():
            if gathered.interrupted:
                gathered.records[name] = replace(record, interrupted=True, cautions=(*record.cautions, INTERRUPTED))
            records.save(gathered.records[name], self.path_of(name, record))


def _wanted(scenario: Scenario, base: Amounts, offers: Sequence[Amounts]) -> Amounts:
    return wanted_of(scenario, offers, base=base)


def _data_files(scenario: Scenario) -> list[tuple[DataFile, Path]]:
    """The data files of a scenario and where they lie here. Raises DataError."""
    data = scenario.data
    if not isinstance(data, FileData):
        return []
    found = []
    for key, name in (("file", data.file), ("queries_file", data.queries_file)):
        if name:
            path = Path(scenario.path).parent / name
            found.append((DataFile(scenario.name, key, Path(name).name, parcels.digest_of(path)), path))
    return found

"""The story of a run on a fleet. A bench is an errand per scenario, each on a machine that can, and the ceilings of each machine last. A
compare is an errand per machine: each judges on its own, and its error rates are those of one compare. Either has a record per machine."""

import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.record import Record, Since
from dualmem_cli.model.scenario import FileData, Scenario
from dualmem_cli.plan.cases import expand
from dualmem_cli.plan.ceilings import ceiling_scenarios
from dualmem_cli.plan.needs import Amounts, lacking_everywhere, required, satisfies, wanted_of
from dualmem_cli.plan.pairing import pair
from dualmem_cli.store import records

_NOWHERE = "nowhere"  # the address of a machine that was lost
# Every errand has its machine to itself, and a build runs on processors of its own kind.
_BASE = {MACHINE: 1.0, platform.machine(): 1.0}


@dataclass
class Gathered:
    """What came back: a record for each machine by its name, and what nobody measured."""

    records: dict[str, Record] = field(default_factory=dict)
    unmeasured: list[Unmeasured] = field(default_factory=list)
    interrupted: bool = False


@dataclass(frozen=True)
class FleetRun:
    """A bench or a compare on a fleet. `path_of` is where the record of a machine goes, `tell` says a line to a person."""

    client: Any
    address: str
    builds: tuple[Build, ...]
    revision: str
    seed: int
    path_of: Callable[[str, Record], Path]
    tell: Callable[[str], None]

    def bench(self, scenarios: tuple[Scenario, ...]) -> Gathered:
        """Measure every scenario once, on a machine that can. What is gathered is saved as it comes; Ctrl-C keeps it. Raises ScenarioError
        and DataError for what no machine could mend."""
        for scenario in scenarios:
            expand(scenario, self.builds[0].library, data="")
        dispatch, shipped = self._dispatch(scenarios)
        gathered = Gathered()
        with self._kept(gathered):
            jobs = [self._job(scenario, shipped[scenario.name]) for scenario in scenarios]
            self._gather(gathered, dispatch.run(jobs), of=len(jobs))
            self._gather(gathered, dispatch.run(list(self._ceilings(gathered, dispatch.addresses()))), of=0)
        return gathered

    def compare(
        self, scenarios: tuple[Scenario, ...], addresses: dict[str, str], *, name: str, since: Since | None, budget_s: float
    ) -> Gathered:
        """Judge every scenario on each of the machines that can measure it. Otherwise as `bench`."""
        for scenario in scenarios:
            pair(scenario, self.builds[0].library, self.builds[1].library, data="")
        dispatch, shipped = self._dispatch(scenarios)
        gathered = Gathered()
        offers = dispatch.offers()
        fit = {
            machine: tuple(s for s in scenarios if satisfies(offers.get(address, {}), {**_BASE, **required(s.needs)}))
            for machine, address in addresses.items()
        }
        for scenario in set(scenarios) - {each for chosen in fit.values() for each in chosen}:
            why = f"no machine has {lacking_everywhere(list(offers.values()), {**_BASE, **required(scenario.needs)})}"
            gathered.unmeasured.append(Unmeasured(scenario.name, why))
        with self._kept(gathered):
            jobs = []
            for machine, chosen in fit.items():
                errand = self._errand(chosen, [file for each in chosen for file in shipped[each.name]])
                errand = replace(errand, baseline=name, since=since, budget_s=budget_s)
                jobs += [Job(f"compare on {machine}", errand, lambda _: _BASE, addresses[machine])] if chosen else []
            self._gather(gathered, dispatch.run(jobs), of=len(jobs))
        return gathered

    def _dispatch(self, scenarios: tuple[Scenario, ...]) -> tuple[Dispatch, dict[str, list[DataFile]]]:
        """Whoever sends, with all files that may be asked for; and those of each scenario."""
        found = {scenario.name: _data_files(scenario) for scenario in scenarios}
        files = {link.sha256: Path(link.path) for build in self.builds for link in build.links}
        files |= {file.sha256: path for each in found.values() for file, path in each}
        shipped = {name: [file for file, _ in each] for name, each in found.items()}
        return Dispatch(self.client, self.address, files=files, tell=self.tell), shipped

    @contextmanager
    def _kept(self, gathered: Gathered) -> Iterator[None]:
        """Ctrl-C ends the run; what was gathered is saved either way."""
        try:
            yield
        except KeyboardInterrupt:
            gathered.interrupted = True
        self._finish(gathered)

    def _job(self, scenario: Scenario, files: Sequence[DataFile]) -> Job:
        return Job(scenario.name, self._errand((scenario,), files), partial(_wanted, scenario))

    def _errand(self, scenarios: tuple[Scenario, ...], files: Sequence[DataFile]) -> Errand:
        return Errand(scenarios, tuple(files), self.builds, self.revision, self.seed)

    def _ceilings(self, gathered: Gathered, addresses: dict[str, str]) -> Iterator[Job]:
        """An errand for each machine, with what it reads and computes at most, where its kernels say what they do."""
        for name, record in gathered.records.items():
            ceilings = ceiling_scenarios(record.scenarios, record.builds[0].library)
            if ceilings:
                yield Job(f"the ceilings of {name}", self._errand(ceilings, ()), lambda _: _BASE, addresses.get(name, _NOWHERE))

    def _gather(self, gathered: Gathered, ends: Iterator[Done | Unmeasured], *, of: int) -> None:
        for number, end in enumerate(ends, 1):
            place = f"[{number}/{of}] " if of else ""
            if isinstance(end, Unmeasured):
                gathered.unmeasured.append(end)
                self.tell(f"{place}{end.label}: not measured: {end.why}")
                continue
            name = end.answer.name
            record = records.from_json(end.answer.record, path=f"record of {name}")
            gathered.records[name] = merged(gathered.records.get(name), record, builds=self.builds)
            self.tell(f"{place}{end.job.label}: {'judged' if len(self.builds) > 1 else 'measured'} on {name}")
            path = self.path_of(name, gathered.records[name])
            records.save(replace(gathered.records[name], interrupted=True), path)  # as which it counts if this process is killed

    def _finish(self, gathered: Gathered) -> None:
        for name, record in gathered.records.items():
            if gathered.interrupted:
                gathered.records[name] = replace(record, interrupted=True, cautions=(*record.cautions, INTERRUPTED))
            records.save(gathered.records[name], self.path_of(name, record))


def _wanted(scenario: Scenario, offers: Sequence[Amounts]) -> Amounts:
    return wanted_of(scenario, offers, base=_BASE)


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

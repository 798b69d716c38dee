"""What travels: an errand to a machine, and what comes back. Files travel apart, by their content's digest (parcels.py)."""

from dataclasses import dataclass

from dualmem_cli.model.kernel import Build
from dualmem_cli.model.machine import Machine
from dualmem_cli.model.record import Since
from dualmem_cli.model.scenario import Scenario


@dataclass(frozen=True, slots=True)
class DataFile:
    """A data file of a scenario: which key of [data] names it, what it is called, what it contains."""

    scenario: str
    key: str  # "file" or "queries_file"
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Errand:
    """Scenarios to be measured in one run on one machine: with one build as a bench, with two as a compare, the baseline's first. Links go
    by their digests; their paths are of the machine that sends them. `seed` is the run's, so that the records of one run on one machine
    are one record."""

    scenarios: tuple[Scenario, ...]
    files: tuple[DataFile, ...]
    builds: tuple[Build, ...]
    revision: str
    seed: int
    baseline: str = ""  # compare: what it is called, what is known of it, and how long a case may take
    since: Since | None = None
    budget_s: float = 0.0

    @property
    def digests(self) -> frozenset[str]:
        """Of every file that must be there."""
        links = (link.sha256 for build in self.builds for link in build.links)
        return frozenset(links) | frozenset(file.sha256 for file in self.files)


def to_json(errand: Errand) -> bytes:
    """One line, as which an errand travels: Dask takes objects apart on the way."""
    from pydantic import TypeAdapter

    return TypeAdapter(Errand).dump_json(errand)


def from_json(text: bytes) -> Errand:
    """The errand in that line."""
    from pydantic import TypeAdapter

    return TypeAdapter(Errand).validate_json(text)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a machine made of an errand: the record as JSON, or the digests of files that it does not have yet, or why it could not."""

    address: str
    name: str
    record: bytes = b""
    lacking: frozenset[str] = frozenset()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a machine says of itself. `state`: "idle", or the scenarios it is measuring."""

    address: str
    name: str
    version: str
    tool: str
    engine: str  # version of distributed
    machine: Machine
    cores: int  # that a run may use
    state: str

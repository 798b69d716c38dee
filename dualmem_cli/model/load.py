"""A store under load: what a player was told to play, and what it brought back, raw and in time order."""

from dataclasses import dataclass
from enum import StrEnum

from dualmem_cli.model.plan import Arm
from dualmem_cli.model.samples import Clock, Failure, Histogram
from dualmem_cli.model.workload import ArrivalKind, LoadScenario, TraceFacts, Workload


class PlayMode(StrEnum):
    """When an operation of a play begins."""

    OPEN = "open"  # when the trace says so, or as soon as a thread is free then
    CLOSED = "closed"  # when its thread has finished the one before


@dataclass(frozen=True, slots=True)
class PlayerArm:
    """An arm as a player sees it: `library` indexes PlayerSetup.libraries."""

    library: int
    workload: str
    variant: str


@dataclass(frozen=True, slots=True)
class PlayerSetup:
    """One fresh player. Field for field the set-up of the player protocol, version 1 (docs/reference/player-protocol.md)."""

    libraries: tuple[str, ...]
    arms: tuple[PlayerArm, ...]
    trace: str
    threads: int
    parameters: tuple[tuple[str, float], ...] = ()
    seed: int = 1
    data: str = ""
    queries: str = ""
    placement: int = 0
    order: tuple[int, ...] = ()
    cpus: tuple[int, ...] = ()
    times: str = ""


@dataclass(frozen=True, slots=True)
class Play:
    """Operations [first, first + count) of the trace on one arm."""

    arm: int
    first: int
    count: int
    mode: PlayMode
    speed: float
    threads: int


@dataclass(frozen=True, slots=True)
class KindPlayed:
    """What the operations of one kind took in one play. `response` is from the scheduled time (None in a closed play), `service` from the
    begin. `result` is the digest of what they found."""

    name: str
    operations: int
    errors: int
    response: Histogram | None
    service: Histogram
    result: str


@dataclass(frozen=True, slots=True)
class Played:
    """The answer to one play: a kind each in the order of the trace's names, and what the process used meanwhile. `lateness` is begun -
    scheduled of operations that a thread waited for: the player's own (None in a closed play)."""

    play: Play
    scheduled_ns: int
    elapsed_ns: int
    kinds: tuple[KindPlayed, ...]
    lateness: Histogram | None
    cpu_ns: int
    minor_faults: int
    major_faults: int
    voluntary_switches: int
    involuntary_switches: int
    rss_bytes: int | None
    metrics: tuple[float | None, ...]

    @property
    def operations(self) -> int:
        return sum(kind.operations for kind in self.kinds)

    @property
    def errors(self) -> int:
        return sum(kind.errors for kind in self.kinds)


@dataclass(frozen=True, slots=True)
class Population:
    """What one arm's store holds: its metrics in declared order, and how many nodes have 0, 1, 2, ... bindings (None: not told)."""

    metrics: tuple[float | None, ...]
    fans: tuple[int, ...] | None


class Part(StrEnum):
    """What a play was for."""

    CHECK = "check"  # one thread: do both arms give the same results?
    WARMUP = "warm-up"
    STEADY = "steady"
    SEARCH = "search"  # for the highest rate


@dataclass(frozen=True, slots=True)
class PlayerRun:
    """One fresh player: in which order it set its arms up, and everything that it played, in time order. `links` are the layouts used, per
    build; `before` and `after` the populations after set-up and at the end; `began_s` when each play began, from the run's start."""

    order: tuple[int, ...]
    links: tuple[int, ...]
    clock: Clock | None
    before: tuple[Population, ...]
    plays: tuple[tuple[Part, Played], ...]
    began_s: tuple[float, ...]
    after: tuple[Population, ...]
    failure: Failure | None
    seconds: float = 0.0

    def of(self, part: Part, arm: int) -> tuple[Played, ...]:
        """The plays of one part on one arm, in time order."""
        return tuple(played for known, played in self.plays if known is part and played.play.arm == arm)

    def of_arm(self, arm: int) -> tuple[Played, ...]:
        """Everything that was played on one arm, in time order."""
        return tuple(played for _, played in self.plays if played.play.arm == arm)


@dataclass(frozen=True, slots=True)
class LoadRun:
    """All players of one variant of a load scenario. `workloads` are what the arms' libraries said of them, arm by arm. `times` is the file
    with the times of every operation, beside the record; "" where it was not asked for. `gate` is the digest of what sampled and decided
    (measure/provenance.py), of a compare only: players of another one must not count beside new ones."""

    scenario: LoadScenario
    variant: str
    arms: tuple[Arm, ...]
    workloads: tuple[Workload, ...]
    trace: TraceFacts
    players: tuple[PlayerRun, ...]
    failure: Failure | None
    times: str = ""
    soak_s: float = 0.0  # for how long the steady phase was to be repeated; 0: played once
    data: str = ""  # the digest of the data set, "" without one
    gate: str = ""

    @property
    def id(self) -> str:
        """Stable name across builds and machines: 'mixed/dual'."""
        return f"{self.scenario.name}/{self.variant}"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that the trace has operations of."""
        return tuple(name for name, count in self.trace.kinds if count)

    @property
    def open(self) -> bool:
        """Whether operations begin when the trace says so."""
        return self.scenario.measure.arrivals.kind is not ArrivalKind.CLOSED

    def steady(self, arm: int = 0) -> tuple[Played, ...]:
        """The measured sections of one arm, of all players in time order."""
        return tuple(played for player in self.players for played in player.of(Part.STEADY, arm))

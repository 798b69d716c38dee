"""Players without processes: an exact model of a queue in place of a store. It ships, because whoever tests a gate needs one.

Operations wait for a free thread, first come, first served; what one takes is its kind's cost with seeded noise. Nothing is measured, so a
test knows the latencies that the statistics must find.
"""

import contextlib
import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from dualmem_cli.measure.player import PlayerFailedError
from dualmem_cli.model.load import KindPlayed, Play, Played, PlayerSetup, PlayMode, Population
from dualmem_cli.model.samples import Clock, Failure, Histogram
from dualmem_cli.model.workload import WorkloadLibrary
from dualmem_cli.stats.histogram import bucket_of
from dualmem_cli.trace import Trace, decode

Noise = Callable[[Random], float]


def quiet(random: Random) -> float:
    """2 % of Gaussian noise per operation, on a log scale."""
    return random.gauss(0.0, 0.02)


@dataclass
class FakePlayers:
    """Answers like players.

    `library`: what every path describes as. `cost_ns`: of an operation by (library path, variant, kind); a path or a variant that is
    missing falls back to "". `stalls`: by operation's number, nanoseconds more. `failing`: numbers of operations that return an error.
    `population`: what arms hold, by (library path, variant), with the same fallback. `fails_at`: (plays, failure): the player dies in
    that play, in set-up before play 1. `wrong`: (library path, kind) whose results are others. `interfere` sees every answer.
    """

    library: WorkloadLibrary
    cost_ns: Mapping[tuple[str, str, str], float]
    population: Mapping[tuple[str, str], Population]
    seed: int = 1
    noise: Noise = quiet
    process_noise: float = 0.0
    stalls: Mapping[int, int] = field(default_factory=dict)
    failing: frozenset[int] = frozenset()
    fails_at: tuple[int, Failure] | None = None
    wrong: frozenset[tuple[str, str]] = frozenset()
    interfere: Callable[["FakePlayer", Played], Played] = field(default=lambda _player, played: played)
    started_players: int = 0
    open_players: int = 0

    def describe(self, path: str) -> WorkloadLibrary | None:
        return self.library

    @contextlib.contextmanager
    def started(self, setup: PlayerSetup, *, timeout_s: float) -> Iterator["FakePlayer"]:
        self.started_players += 1
        self.open_players += 1
        try:
            if self.fails_at is not None and self.fails_at[0] == 0:
                raise PlayerFailedError(self.fails_at[1])
            yield FakePlayer(self, setup, Random(f"{self.seed}/{self.started_players}"))
        finally:
            self.open_players -= 1


class FakePlayer:
    """One player of FakePlayers."""

    def __init__(self, players: FakePlayers, setup: PlayerSetup, random: Random) -> None:
        self._players = players
        self._setup = setup
        self._random = random
        self._trace: Trace = decode(Path(setup.trace).read_bytes(), path=setup.trace)
        self._slower = [math.exp(random.gauss(0.0, players.process_noise)) for _ in setup.arms]
        self.clock: Clock | None = Clock(name="none", source="fake", resolution_ns=1.0, cost_ns=25.0)
        self.before: tuple[Population, ...] = tuple(self._held(arm) for arm in range(len(setup.arms)))
        self.plays = 0

    def finish(self) -> tuple[Population, ...]:
        return self.before

    def play(self, play: Play, *, planned_s: float) -> Played:
        self.plays += 1
        if self._players.fails_at is not None and self.plays == self._players.fails_at[0]:
            raise PlayerFailedError(self._players.fails_at[1])
        return self._players.interfere(self, self._played(play))

    def _played(self, play: Play) -> Played:
        trace, opened = self._trace, play.mode is PlayMode.OPEN
        numbers = range(play.first, play.first + play.count)
        times = [round((int(trace.at_ns[i]) - int(trace.at_ns[play.first])) / play.speed) for i in numbers]
        free = [0.0] * play.threads
        response: dict[str, list[int]] = {name: [] for name in trace.names}
        service: dict[str, list[int]] = {name: [] for name in trace.names}
        errors: Counter[str] = Counter()
        last = 0.0
        for number, at in zip(numbers, times, strict=True):
            name = trace.names[int(trace.kinds[number])]
            begun = max(heapq.heappop(free), at if opened else 0.0)
            ended = begun + self._cost(play.arm, name) + self._players.stalls.get(number, 0)
            heapq.heappush(free, ended)
            last = max(last, ended)
            response[name].append(round(ended - at))
            service[name].append(round(ended - begun))
            errors[name] += number in self._players.failing
        path = self._setup.libraries[self._setup.arms[play.arm].library]
        kinds = tuple(
            KindPlayed(
                name=name,
                operations=len(service[name]),
                errors=errors[name],
                response=histogram_of(response[name]) if opened else None,
                service=histogram_of(service[name]),
                result="00000000000000bb" if (path, name) in self._players.wrong else "00000000000000aa",
            )
            for name in trace.names
        )
        return Played(
            play=play, scheduled_ns=times[-1], elapsed_ns=round(last), kinds=kinds, lateness=histogram_of([]) if opened else None,
            cpu_ns=round(last), minor_faults=1, major_faults=0, voluntary_switches=play.count, involuntary_switches=0,
            rss_bytes=16 << 20, metrics=self._held(play.arm).metrics,
        )  # fmt: skip

    def _cost(self, arm: int, kind: str) -> float:
        path, variant = self._setup.libraries[self._setup.arms[arm].library], self._setup.arms[arm].variant
        costs = self._players.cost_ns
        keys = ((path, variant, kind), (path, "", kind), ("", variant, kind), ("", "", kind))
        cost = next(costs[key] for key in keys if key in costs)
        return cost * self._slower[arm] * math.exp(self._players.noise(self._random))

    def _held(self, arm: int) -> Population:
        path, variant = self._setup.libraries[self._setup.arms[arm].library], self._setup.arms[arm].variant
        known = self._players.population
        return next(known[key] for key in ((path, variant), (path, ""), ("", variant), ("", "")) if key in known)


def histogram_of(values: list[int]) -> Histogram:
    """All values as a player counts them."""
    counts = Counter(map(bucket_of, values))
    return Histogram(count=len(values), sum_ns=sum(values), max_ns=max(values, default=0), buckets=tuple(sorted(counts.items())))

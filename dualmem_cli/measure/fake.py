"""A runner without processes: workers answer from a model of the machine. It ships, because whoever tests a gate needs one.

Costs are exact, noise is seeded, so a test knows the true answer that the statistics must find.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from dualmem_cli.model.kernel import Library
from dualmem_cli.model.plan import Draw, Task, WorkerRequest
from dualmem_cli.model.samples import (
    Check,
    Clock,
    Failure,
    Histogram,
    Latency,
    Resources,
    Samples,
    WorkerRun,
)
from dualmem_cli.stats.histogram import bucket_of

Noise = Callable[[Random], float]


def quiet(random: Random) -> float:
    """0.3 % of Gaussian noise per sample, none per worker."""
    return random.gauss(0.0, 0.003)


@dataclass
class FakeRunner:
    """Answers like a worker.

    `library`: what every path describes as. `cost_ns`: time of one operation by (library path, kernel); a path that is missing falls
    back to ("", kernel). `noise`: log-scale noise per sample. `worker_noise`: log-scale standard deviation between workers, per arm.
    `failures`: by kernel, instead of samples. `checksums`: by library path, to let a build return something else.
    """

    library: Library
    cost_ns: Mapping[tuple[str, str], float]
    seed: int
    noise: Noise = quiet
    worker_noise: float = 0.0
    failures: Mapping[str, Failure] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    requests: list[WorkerRequest] = field(default_factory=list)

    def describe(self, path: str) -> Library:
        return self.library

    def prepare(self, request: WorkerRequest, *, timeout_s: float) -> Failure | None:
        self.requests.append(request)
        return None

    def measure(self, request: WorkerRequest, draw: Draw, *, timeout_s: float) -> WorkerRun:
        self.requests.append(request)
        random = Random(f"{self.seed}/{len(self.requests)}")
        failure = next((self.failures[arm.kernel] for arm in request.arms if arm.kernel in self.failures), None)
        costs = [
            self._cost(request, index) * math.exp(random.gauss(0.0, self.worker_noise)) for index in range(len(request.arms))
        ]
        checksums = tuple(self.checksums.get(request.libraries[arm.library], "00000000000000aa") for arm in request.arms)
        timed = failure is None and request.task is Task.MEASURE
        clocked = failure is None and request.task is Task.LATENCY
        samples = self._samples(request, costs, checksums, random) if timed else None
        return WorkerRun(
            draw=draw,
            clock=Clock(name="monotonic", source="fake", resolution_ns=1.0, cost_ns=25.0),
            check=Check(checksums=checksums, outputs=(0,) * len(costs), differences=(None,) * len(costs)),
            samples=samples,
            latency=(self._latency(request, costs[0], random),) if clocked else (),
            metrics=tuple(self._metrics(arm.kernel, arm.variant) for arm in request.arms),
            resources=Resources(8 << 20, 500, 0, 0, 1, 0),
            failure=failure,
            seconds=0.005 + sum(1e-9 * nanoseconds for nanoseconds in samples.wall_ns) if samples else 0.005,
        )

    def _cost(self, request: WorkerRequest, index: int) -> float:
        arm = request.arms[index]
        path = request.libraries[arm.library]
        cost = self.cost_ns.get((path, arm.kernel), self.cost_ns.get(("", arm.kernel)))
        if cost is None:
            raise KeyError(f"the fake knows no cost of {arm.kernel} in {path}")
        return cost

    def _samples(self, request: WorkerRequest, costs: list[float], checksums: tuple[str, ...], random: Random) -> Samples:
        shared = request.iterations or max(1, round(request.target_ns / costs[0]))
        iterations = tuple(math.ceil(arm.work * shared) for arm in request.arms)
        wall = tuple(
            round(costs[int(digit)] * iterations[int(digit)] * math.exp(self.noise(random))) for digit in request.schedule
        )
        return Samples(
            schedule=request.schedule,
            iterations=iterations,
            wall_ns=wall,
            cpu_ns=wall,
            switches=(0,) * len(wall),
            checksums=checksums,
        )

    def _latency(self, request: WorkerRequest, cost: float, random: Random) -> Latency:
        passes = [[round(cost * math.exp(self.noise(random))) for _ in range(request.operations)] for _ in range(request.passes)]
        fastest = [min(values) for values in zip(*passes, strict=True)]
        return Latency(
            arm=0,
            operations=request.operations,
            every=_histogram([value for values in passes for value in values]),
            fastest=_histogram(fastest),
        )

    def _metrics(self, kernel: str, variant: str) -> tuple[float | None, ...]:
        known = self.library.kernel(kernel, variant)
        return tuple(1000.0 for _ in known.metrics) if known else ()


def _histogram(values: list[int]) -> Histogram:
    counts: dict[int, int] = {}
    for value in values:
        counts[bucket_of(value)] = counts.get(bucket_of(value), 0) + 1
    return Histogram(count=len(values), sum_ns=sum(values), max_ns=max(values), buckets=tuple(sorted(counts.items())))

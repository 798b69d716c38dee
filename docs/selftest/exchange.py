"""What the exchange of pages does to the scatter between workers (ADR 0011): equal code, workers with and without it in turn.

    python docs/selftest/exchange.py WORKERS FILE.csv       # after `make build`; a line per worker, a table at the end

Both sides are byte copies. What differs between the two ways is the line `exchange` of the request alone; warm-up and samples are those of
a noisy case. The values are log ratios in per cent, the deviation is taken over workers, the seconds are those of a whole worker.
"""

import csv
import math
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median, stdev

from dualmem_cli.measure.machine import read_machine, usable_cpus
from dualmem_cli.measure.worker import WorkerProcesses, native_path
from dualmem_cli.model.plan import Draw, Task, WorkerArm, WorkerRequest
from dualmem_cli.model.samples import Samples
from dualmem_cli.plan.draw import draw_worker
from dualmem_cli.plan.effort import NOISY_WARMUP_NS, effort
from dualmem_cli.plan.schedule import halfway, mirrored
from dualmem_cli.stats.pairs import paired_ratios

SAMPLE_NS = 100e3
SEED = 11


@dataclass(frozen=True)
class Subject:
    """A kernel of one of the libraries that come with the package."""

    library: str
    kernel: str
    variant: str = "plain"
    parameters: tuple[tuple[str, float], ...] = ()


SUBJECTS = (
    *(Subject("selftest/0", kernel) for kernel in ("memory", "latency", "millisecond", "compute")),
    Subject("links", "binding_update_by_id", "portable", (("concepts", 100_000.0),)),
    Subject("links", "fan_by_id", "portable", (("concepts", 100_000.0),)),
)


def main(workers: int, path: Path) -> int:
    """Measure every subject; print the table."""
    runner = WorkerProcesses(native_path("dualmem-worker"))
    cpu = read_machine().cpu
    with path.open("w", newline="") as file, tempfile.TemporaryDirectory() as scratch:
        writer = csv.writer(file)
        writer.writerow(["cpu", "kernel", "worker", "exchange", "value_percent", "seconds"])
        print("| kernel | scatter without | with | seconds a worker without | with | cost (variance x seconds), with / without |")
        print("|---|---|---|---|---|---|")
        for subject in SUBJECTS:
            found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
            plan = calibrated(runner, subject, Path(scratch))
            for index in range(workers):
                for exchange in (False, True) if index % 2 else (True, False):
                    value, seconds = _value(runner, plan, index, exchange=exchange)
                    found[exchange].append((value, seconds))
                    writer.writerow([cpu, subject.kernel, index, int(exchange), round(100 * value, 4), round(seconds, 4)])
            print(_row(subject.kernel, found[False], found[True]))
    return 0


def _row(kernel: str, without: list[tuple[float, float]], with_it: list[tuple[float, float]]) -> str:
    scatter = [stdev(value for value, _ in each) for each in (without, with_it)]
    seconds = [fmean(spent for _, spent in each) for each in (without, with_it)]
    cost = (scatter[1] / scatter[0]) ** 2 * seconds[1] / seconds[0]
    return f"| {kernel} | {scatter[0]:.2%} | {scatter[1]:.2%} | {seconds[0]:.3f} | {seconds[1]:.3f} | {cost:.2f} |".replace(
        "%", " %"
    )


@dataclass(frozen=True)
class Plan:
    """A request but for draw and schedule; the links of both sides."""

    request: WorkerRequest
    links: tuple[tuple[str, ...], tuple[str, ...]]
    samples: int


def calibrated(runner: WorkerProcesses, subject: Subject, scratch: Path) -> Plan:
    """The plan of a noisy case: the iterations of a sample of SAMPLE_NS, both sides byte copies."""
    links = sorted(native_path(subject.library).glob("*.so"))
    copies = scratch / f"{subject.kernel}"
    copies.mkdir()
    sides = (tuple(map(str, links)), tuple(str(shutil.copy(link, copies / link.name)) for link in links))
    arm = WorkerArm(0, subject.kernel, subject.variant)
    request = WorkerRequest(
        task=Task.MEASURE, libraries=(), arms=(arm, replace(arm, library=1)), parameters=subject.parameters, check=16,
        warmup_ns=int(NOISY_WARMUP_NS),
    )  # fmt: skip
    first = replace(request, target_ns=int(SAMPLE_NS), schedule=mirrored(arms=2, samples=12, seed=SEED))
    taken, _ = measure(runner, first, sides, 0)
    longer = SAMPLE_NS / median(taken.wall_ns)
    iterations = max(1, round(longer * taken.iterations[0]))
    count = effort(
        samples=None,
        warmup_ns=None,
        noise=math.inf,
        sample_ns=SAMPLE_NS,
        taken_ns=fmean(taken.wall_ns) * iterations / taken.iterations[0],
    ).samples
    return Plan(replace(request, iterations=iterations), sides, count)


def _value(runner: WorkerProcesses, plan: Plan, index: int, *, exchange: bool) -> tuple[float, float]:
    schedule = mirrored(arms=2, samples=plan.samples, seed=SEED * 1_000 + index)
    half = halfway(schedule, arms=2) if exchange else 0
    taken, seconds = measure(runner, replace(plan.request, schedule=schedule, exchange=half), plan.links, index)
    return paired_ratios(taken, arm=1, reference=0).value, seconds


def measure(
    runner: WorkerProcesses, request: WorkerRequest, links: tuple[tuple[str, ...], ...], index: int
) -> tuple[Samples, float]:
    """The samples of one worker, and the seconds that all of it took."""
    draw: Draw = draw_worker(index=index, seed=SEED, arms=2, cpus=usable_cpus(), links=tuple(map(len, links)))
    dealt = replace(
        request,
        libraries=tuple(paths[link] for paths, link in zip(links, draw.links, strict=True)),
        cpu=draw.cpu, stack=draw.stack, environment=draw.environment, placement=draw.placement, order=draw.order,
    )  # fmt: skip
    run = runner.measure(dealt, draw, timeout_s=60.0)
    if run.samples is None:
        raise SystemExit(f"{request.arms[0].kernel}: {run.failure.message if run.failure else 'no samples'}")
    return run.samples, run.seconds


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2])))

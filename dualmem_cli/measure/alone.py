"""Both builds once more, with one thread: what only several threads lose is not lost there.

An orientation after the verdict: few workers on the first link of each build, no sequential rule.
"""

import time
from dataclasses import replace

from dualmem_cli.errors import DualmemError, ExitStatus
from dualmem_cli.judge.limits import threads_of
from dualmem_cli.measure.runner import Runner
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.kernel import Kernel
from dualmem_cli.model.plan import Case, Task, WorkerRequest
from dualmem_cli.model.units import Unit
from dualmem_cli.plan.draw import draw_worker
from dualmem_cli.plan.schedule import halfway, mirrored
from dualmem_cli.stats.interval import change_of, median_interval
from dualmem_cli.stats.pairs import paired_ratios

THREADS = "threads"
_WORKERS = 40  # on a busy machine 16 left the interval too wide to say anything, every other time
_FEWEST = 6  # fewer medians have no interval
_SAMPLES = 60
_SAMPLE_NS = 300_000  # short beside a time slice: of longer ones most are interrupted on a busy machine
_WARMUP_NS = 20_000_000


def case_alone(case: Case, kernel: Kernel | None) -> Case | None:
    """The same case with one thread. None where it has one already, or where its kernel takes no fewer."""
    declared = next((parameter for parameter in kernel.parameters if parameter.name == THREADS), None) if kernel else None
    if threads_of(case) <= 1 or declared is None or declared.minimum > 1:
        return None
    return replace(case, parameters=tuple((name, 1.0 if name == THREADS else value) for name, value in case.parameters))


def change_of_two(
    runner: Runner, requests: tuple[WorkerRequest, WorkerRequest], *, cpus: tuple[int, ...], limit_s: float, timeout_s: float
) -> Estimate:
    """The candidate's time per operation by the baseline's, less one, from workers that run both in turns. No further worker is begun when
    `limit_s` is over. Raises DualmemError (MEASUREMENT_FAILED)."""
    first, second = requests
    began = time.monotonic()
    logs: list[float] = []
    for index in range(_WORKERS):
        if index >= _FEWEST and time.monotonic() - began > limit_s * index / (index + 1):
            break
        draw = draw_worker(index=index, seed=1, arms=2, cpus=cpus, links=(1, 1))
        schedule = mirrored(arms=2, samples=_SAMPLES, seed=index)
        request = replace(
            first,
            task=Task.MEASURE,
            libraries=(*first.libraries, *second.libraries),
            arms=(first.arms[0], replace(second.arms[0], library=1)),
            cpu=draw.cpu,
            stack=draw.stack,
            environment=draw.environment,
            placement=draw.placement,
            order=draw.order,
            warmup_ns=_WARMUP_NS,
            duration_ns=0,
            target_ns=_SAMPLE_NS,
            schedule=schedule,
            exchange=halfway(schedule, arms=2),
        )
        run = runner.measure(request, draw, timeout_s=timeout_s)
        if run.failure is not None or run.samples is None:
            words = run.failure.message if run.failure else "it measured nothing"
            raise DualmemError(f"with one thread: {words}", status=ExitStatus.MEASUREMENT_FAILED)
        logs.append(paired_ratios(run.samples, arm=1, reference=0).value)
    return change_of(median_interval(logs, unit=Unit.RATIO, method="median of workers that ran both builds, after the verdict"))

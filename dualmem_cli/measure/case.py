"""One case on real workers: preparation, calibration, then as many fresh workers as the pipeline asks for."""

import hashlib
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median
from zlib import crc32

from dualmem_cli.measure.data import Dataset
from dualmem_cli.measure.recall import recall
from dualmem_cli.measure.runner import Runner
from dualmem_cli.model.kernel import Kernel, Output
from dualmem_cli.model.plan import Arm, Case, Draw, Task, WorkerArm, WorkerRequest
from dualmem_cli.model.samples import Failure, FailureKind, WorkerRun
from dualmem_cli.model.scenario import Measure, Mode
from dualmem_cli.plan.draw import draw_worker
from dualmem_cli.plan.effort import FEWEST, QUIET_WARMUP_NS, Effort, effort
from dualmem_cli.plan.schedule import halfway, mirrored
from dualmem_cli.stats.pairs import pair_noise, per_operation

# Operations that every arm runs before its output is compared. Enough for a checksum over several results.
_CHECKED_OPERATIONS = 16
_CALIBRATION_SAMPLES = 12
# With fewer operations in a sample, the next whole number is more than 8 % more work.
_CONTROL_ITERATIONS = 13
_CONTROL_SAMPLES = 40
_LONGEST_CONTROL_SAMPLE_NS = 50e6


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a case is measured: the runner, the links of each build (absolute paths), the processors, and a scratch folder. `copies` are
    byte copies of the first build's links, for the controls of a compare; a bench has none."""

    runner: Runner
    links: tuple[tuple[str, ...], ...]
    copies: tuple[str, ...]
    digests: tuple[str, ...]
    cpus: tuple[int, ...]
    scratch: Path
    prepared: Path


class CaseSession:
    """Measures one case: `open` once, then `worker` for index 0, 1, 2, ...; `recall` per arm is known after `open`.

    `prepares` says of each arm whether its kernel has a prepare step.
    """

    def __init__(
        self,
        bench: Bench,
        case: Case,
        *,
        arms: tuple[Arm, ...],
        kernel: Kernel,
        measure: Measure,
        dataset: Dataset | None,
        prepares: tuple[bool, ...],
        seed: int,
    ) -> None:
        self._bench = bench
        self._case = case
        self._arms = arms
        self._kernel = kernel
        self._measure = measure
        self._dataset = dataset
        self._prepares = prepares
        self._seed = crc32(f"{seed}/{case.id}".encode())
        self._prepared: tuple[str, ...] = ("",) * len(arms)
        self._iterations = 0
        self._operation_ns = 0.0
        # Until the calibration knows better.
        self._effort = Effort(QUIET_WARMUP_NS if measure.warmup_ns is None else measure.warmup_ns, measure.samples or FEWEST)
        self.recall: tuple[float | None, ...] = (None,) * len(arms)

    def open(self) -> Failure | None:
        """Prepare what is costly, calibrate the shared iteration count, and read the outputs. A failure here fails the case."""
        for index, needed in enumerate(self._prepares):
            try:
                failure = self._prepare(index) if needed else None
            except OSError as error:  # a full or unwritable cache costs this case, not the run
                message = f"prepare: {error.filename or self._bench.prepared}: {error.strerror}"
                failure = Failure(FailureKind.REFUSED, "prepare", index, message)
            if failure is not None:
                return failure
        return self._calibrate()

    def worker(self, index: int, *, latency: bool) -> WorkerRun:
        """Run worker `index`. `latency`: clock every operation of arm 0 instead of blocks of all arms."""
        draw = self._draw(index)
        request = self._request(draw, Task.LATENCY if latency else Task.MEASURE, libraries=self._libraries(draw))
        if latency:
            request = replace(
                request, arms=request.arms[:1], order=(0,), operations=self._measure.operations, passes=self._measure.passes
            )
        else:
            schedule = mirrored(arms=len(self._arms), samples=self._effort.samples, seed=self._seed * 1_000_003 + index)
            exchange = halfway(schedule, arms=2) if len(self._arms) == 2 else 0
            request = replace(request, iterations=self._iterations, schedule=schedule, exchange=exchange)
        return self._bench.runner.measure(request, draw, timeout_s=self._measure.timeout_s)

    def control(self, index: int, arms: tuple[Arm, ...]) -> WorkerRun | None:
        """Run a control worker (plan/cases.py, control_arms); None when one operation takes so long that more work would take minutes."""
        iterations = max(self._iterations, _CONTROL_ITERATIONS)
        if iterations * self._operation_ns > _LONGEST_CONTROL_SAMPLE_NS:
            return None
        links = len(self._bench.copies)
        draw = draw_worker(index=index, seed=self._seed + 1, arms=len(arms), cpus=self._bench.cpus, links=(links,))
        link = draw.links[0]
        draw = replace(draw, links=(link, link))
        # The baseline's links on both sides: the candidate may have fewer.
        libraries = (self._bench.links[0][link], self._bench.copies[link])
        plain = self._request(draw, Task.MEASURE, libraries=libraries)
        schedule = mirrored(arms=len(arms), samples=min(self._effort.samples, _CONTROL_SAMPLES), seed=self._seed + index)
        request = replace(
            plain,
            arms=tuple(
                WorkerArm(library=arm.build, kernel=arm.kernel, variant=arm.variant, work=arm.work, prepared=self._prepared[0])
                for arm in arms
            ),
            iterations=iterations,
            schedule=schedule,
            exchange=halfway(schedule, arms=len(arms)),  # of the baseline and its copy, which come first
        )
        return self._bench.runner.measure(request, draw, timeout_s=self._measure.timeout_s)

    @property
    def has_latency(self) -> bool:
        return self._measure.mode is Mode.LATENCY

    def _draw(self, index: int) -> Draw:
        links = tuple(len(paths) for paths in self._bench.links)
        return draw_worker(index=index, seed=self._seed, arms=len(self._arms), cpus=self._bench.cpus, links=links)

    def _libraries(self, draw: Draw) -> tuple[str, ...]:
        return tuple(paths[draw.links[build]] for build, paths in enumerate(self._bench.links))

    def _request(self, draw: Draw, task: Task, *, libraries: tuple[str, ...]) -> WorkerRequest:
        return WorkerRequest(
            task=task,
            libraries=libraries,
            arms=tuple(
                WorkerArm(library=arm.build, kernel=arm.kernel, variant=arm.variant, work=arm.work, prepared=prepared)
                for arm, prepared in zip(self._arms, self._prepared, strict=True)
            ),
            parameters=self._case.parameters,
            data=str(self._dataset.data) if self._dataset else "",
            queries=str(self._dataset.queries) if self._dataset else "",
            cpu=draw.cpu,
            stack=draw.stack,
            environment=draw.environment,
            placement=draw.placement,
            order=draw.order,
            check=_CHECKED_OPERATIONS,
            warmup_ns=int(self._effort.warmup_ns),
        )

    def _prepare(self, index: int) -> Failure | None:
        """Write the prepared file of one arm, unless the same build and case wrote it before."""
        arm = self._arms[index]
        key = "/".join([self._bench.digests[arm.build], arm.kernel, arm.variant, repr(self._case.parameters), self._case.data])
        target = self._bench.prepared / hashlib.sha256(key.encode()).hexdigest()
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished = self._bench.scratch / f"prepared.{index}"
            unfinished.unlink(missing_ok=True)
            draw = self._draw(0)
            plain = self._request(draw, Task.PREPARE, libraries=self._libraries(draw))
            request = replace(plain, arms=(replace(plain.arms[index], prepared=""),), order=(0,), path=str(unfinished))
            failure = self._bench.runner.prepare(request, timeout_s=self._measure.timeout_s)
            if failure is not None:
                return replace(failure, arm=index)  # the worker knew this one only
            copied = target.with_suffix(f".{self._bench.scratch.name}")  # a name that no run beside this one has
            shutil.copyfile(unfinished, copied)
            copied.rename(target)
            unfinished.unlink()
        self._prepared = (*self._prepared[:index], str(target), *self._prepared[index + 1 :])
        return None

    def _calibrate(self) -> Failure | None:
        """A first worker finds the iteration count that all later ones share (separate calibration of the arms biased a ratio by
        1.2 % in the field), how long a sample of each arm takes and how noisy it is, and writes the outputs whose recall is computed."""
        draw = self._draw(0)
        request = self._request(draw, Task.MEASURE, libraries=self._libraries(draw))
        neighbours = self._kernel.output is Output.NEIGHBOURS
        outputs = [self._bench.scratch / f"output.{index}" if neighbours else None for index in range(len(self._arms))]
        for path in outputs:
            if path is not None:
                path.unlink(missing_ok=True)  # of the case before, which must not be taken for this one's
        request = replace(
            request,
            check=self._dataset.facts.queries if neighbours and self._dataset else _CHECKED_OPERATIONS,
            target_ns=int(self._measure.sample_ns),
            schedule=mirrored(arms=len(self._arms), samples=_CALIBRATION_SAMPLES, seed=self._seed),
            arms=tuple(replace(arm, output=str(path or "")) for arm, path in zip(request.arms, outputs, strict=True)),
        )
        run = self._bench.runner.measure(request, draw, timeout_s=self._measure.timeout_s)
        if run.failure is not None or run.samples is None:
            return run.failure
        # The worker calibrated on a cold arm, where two disturbed rounds are enough to find far too few iterations; the warm samples
        # that followed know better.
        self._operation_ns = max(1e-3, median(per_operation(run.samples, arm=0)))
        self._iterations = max(1, round(self._measure.sample_ns / self._operation_ns))
        # Of undisturbed samples: what the processor did for others meanwhile is no reason to take fewer.
        operation_ns = [median(per_operation(run.samples, arm=index)) * arm.work for index, arm in enumerate(self._arms)]
        self._effort = effort(
            samples=self._measure.samples,
            warmup_ns=self._measure.warmup_ns,
            noise=pair_noise(run.samples),
            sample_ns=self._measure.sample_ns,
            taken_ns=self._iterations * fmean(operation_ns),
        )
        self.recall = tuple(self._recall(path) for path in outputs)
        return None

    def _recall(self, output: Path | None) -> float | None:
        if output is None or self._dataset is None or not output.is_file():
            return None
        import numpy as np

        parameters = dict(self._case.parameters)
        rows = int(parameters.get("concepts", 0)) or self._dataset.facts.rows
        neighbours = np.fromfile(output, dtype="<f8")
        k = int(parameters.get("k", len(neighbours) / self._dataset.facts.queries))
        return recall(neighbours, data=self._dataset.data, queries=self._dataset.queries, rows=rows, k=k)

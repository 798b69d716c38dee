"""Whether the samples of a case may be believed at all. A case that fails here gets no number, only the reason."""

from statistics import median

from dualmem_cli.model.kernel import Kernel, Output
from dualmem_cli.model.plan import Arm, Role
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.samples import Check, Failure, Samples, WorkerRun
from dualmem_cli.model.units import significant

# A sample must span this many clock resolutions, or the clock's grain is larger than the effect that is judged.
_GRAINS_PER_SAMPLE = 200
_FLAT_SAMPLES = 8


def problem_of(run: CaseRun, kernel: Kernel, *, recall_floor: float) -> str:
    """One line that says why the case is invalid, or ""."""
    if run.failure is not None:
        return _failed(run.failure, run.arms)
    if not run.workers:
        return "no worker was run"
    for number, worker in enumerate(run.workers, start=1):
        problem = _worker_problem(worker, run.arms, kernel)
        if problem:
            return f"{problem} (worker {number} of {len(run.workers)})"
    return _recall_problem(run, recall_floor=recall_floor)


def _worker_problem(worker: WorkerRun, arms: tuple[Arm, ...], kernel: Kernel) -> str:
    if worker.failure is not None:
        return _failed(worker.failure, arms)
    if worker.samples is None and not worker.latency:
        return "the worker answered without samples"
    if worker.check is None:
        return "the worker answered without comparing the outputs"
    problem = _empty_store(worker, arms, kernel) or _outputs_differ(worker.check, arms, kernel)
    if not problem and worker.samples is not None:
        problem = _checksums_differ(worker.samples, arms, kernel) or _clock_problem(worker, worker.samples)
    return problem


def _failed(failure: Failure, arms: tuple[Arm, ...]) -> str:
    """The failure, and which of several arms it struck."""
    named = len(arms) > 1 and failure.arm is not None and failure.arm < len(arms)
    return f"{_name(arms[failure.arm or 0])}: {failure.message}" if named else failure.message


def _empty_store(worker: WorkerRun, arms: tuple[Arm, ...], kernel: Kernel) -> str:
    """`population` is what set-up really stored; the reference's "1M nodes" run was on an empty store."""
    names = [metric.name for metric in kernel.metrics]
    if "population" not in names:
        return ""
    for arm, values in zip(arms, worker.metrics, strict=False):
        if arm.kernel == kernel.name and len(values) == len(names) and values[names.index("population")] == 0:
            return f"{_name(arm)} ran on an empty store (population 0)"
    return ""


def _outputs_differ(check: Check, arms: tuple[Arm, ...], kernel: Kernel) -> str:
    """Arms that claim to do the same operation must return the same, else one of them is measured doing something else."""
    for index, arm in enumerate(arms[: len(check.checksums)]):  # a latency worker runs the first arm only
        if index == 0 or not _same_operation(arm, arms[0]):
            continue
        match kernel.output:
            case Output.VALUES:
                difference = check.differences[index]
                if difference is None:
                    return f"{_name(arm)} returned {check.outputs[index]} values, {_name(arms[0])} {check.outputs[0]}"
                if not difference <= kernel.tolerance:
                    return (
                        f"outputs differ: {_name(arm)} from {_name(arms[0])} by {significant(difference)} "
                        f"relative, tolerance {kernel.tolerance:g}"
                    )
            case Output.NEIGHBOURS:
                if check.outputs[index] != check.outputs[0]:
                    return f"{_name(arm)} returned {check.outputs[index]} neighbours, {_name(arms[0])} {check.outputs[0]}"
            case Output.NONE:
                if check.checksums[index] != check.checksums[0]:
                    return f"outputs differ: checksum of {_name(arm)} {check.checksums[index]}, of {_name(arms[0])} {check.checksums[0]}"
    return ""


def _checksums_differ(samples: Samples, arms: tuple[Arm, ...], kernel: Kernel) -> str:
    """The timed samples themselves: equal work in equal order has equal checksums wherever the kernel is exact."""
    if kernel.output is not Output.NONE and kernel.tolerance > 0:
        return ""
    if kernel.output is Output.NEIGHBOURS:
        return ""  # judged by recall: equally good neighbours may differ
    for index, arm in enumerate(arms):
        comparable = _same_operation(arm, arms[0]) and samples.iterations[index] == samples.iterations[0]
        if comparable and samples.checksums[index] != samples.checksums[0]:
            return f"outputs differ while timed: {_name(arm)} and {_name(arms[0])} returned other checksums"
    return ""


def _clock_problem(worker: WorkerRun, samples: Samples) -> str:
    middle = median(samples.wall_ns)
    if min(samples.wall_ns) <= 0:
        return "clock too coarse: a sample took no time at all; make [measure] sample_us larger"
    if worker.clock is not None and middle < _GRAINS_PER_SAMPLE * worker.clock.resolution_ns:
        return (
            f"clock too coarse: a sample of {significant(middle)} ns spans fewer than {_GRAINS_PER_SAMPLE} "
            f"steps of {significant(worker.clock.resolution_ns)} ns; make [measure] sample_us larger"
        )
    if len(samples.wall_ns) >= _FLAT_SAMPLES and len(set(samples.wall_ns)) == 1:
        return f"zero variance: {len(samples.wall_ns)} samples of exactly {samples.wall_ns[0]} ns were not measured"
    return ""


def _recall_problem(run: CaseRun, *, recall_floor: float) -> str:
    for arm, recall in zip(run.arms, run.recall, strict=False):
        if recall_floor and recall is None and arm.role in (Role.SUBJECT, Role.BASELINE, Role.CANDIDATE):
            return f"{_name(arm)} has no recall, and its floor is {recall_floor:g}"
        if recall is not None and not recall >= recall_floor:
            return f"recall {recall:.4f} of {_name(arm)} is below its floor {recall_floor:g}"
    return ""


def _same_operation(arm: Arm, other: Arm) -> bool:
    return arm.kernel == other.kernel and arm.work == other.work


def _name(arm: Arm) -> str:
    side = f"{arm.role} " if arm.role in (Role.BASELINE, Role.CANDIDATE) else ""
    return f"{side}{arm.kernel}/{arm.variant}"

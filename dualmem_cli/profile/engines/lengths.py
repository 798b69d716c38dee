"""Costs per operation as the difference of two lengths.

A run of n samples and one of 2 n prepare the same, so what is left over is n samples.
"""

from dataclasses import dataclass, replace

from dualmem_cli.profile.engines.answer import event, target_failure
from dualmem_cli.profile.engines.engine import TARGET_FAILED, refuse
from dualmem_cli.profile.process import Finished, run_child
from dualmem_cli.profile.target import Target, Work

LEAD_SHARE = 8  # before each sample the worker runs this part of it once more (Work.request)


@dataclass(frozen=True, slots=True)
class Length:
    """How long a sample is: operations, and nanoseconds without a tool."""

    operations: int
    wall_ns: float

    @property
    def executed(self) -> int:
        """Operations that one sample executes with its lead."""
        return self.operations + self.operations // LEAD_SHARE


def work_of(target: Target) -> Work:
    """The target's work in samples. Raises DualmemError where it has none."""
    if target.work is None:
        raise refuse("this target's work cannot be cut into samples", "--with perf or --with pyspy.")
    return target.work


def sample_length(target: Target, *, timeout_s: float) -> Length:
    """The length asked for, else one that takes some milliseconds, rounded down to a power of two: two builds or two runs then agree on it
    unless they lie on either side of one."""
    work = work_of(target)
    if not work.clocked:
        return Length(work.operations, 0.0)
    done = run_native(target, work.request(work.operations, 3), timeout_s=timeout_s)
    samples = event(done, "samples")
    try:
        operations, walls = int(samples["iterations"][0]), [float(ns) for ns in samples["wall_ns"]]
        wall_ns = min(walls)
    except (KeyError, IndexError, TypeError, ValueError):
        raise refuse("the target did not say what it ran", TARGET_FAILED) from None
    if work.operations:
        return Length(work.operations, wall_ns)
    rounded = 1 << (max(operations, 1).bit_length() - 1)
    return Length(rounded, wall_ns * rounded / max(operations, 1))


def run_native(target: Target, request: str, *, timeout_s: float, watch_s: float = 0.0) -> Finished:
    """The native target with a request, without a tool. Raises DualmemError when it fails."""
    done = run_child(
        target.native_argv,
        stdin=request,
        environment=dict(target.environment),
        timeout_s=timeout_s,
        cpus=target.cpus,
        watch_s=watch_s,
    )
    if done.status != 0:
        raise refuse(f"the target failed ({target_failure(done)})", TARGET_FAILED)
    return done


def with_operations(target: Target, operations: int) -> Target:
    """The same target with samples of that length."""
    return replace(target, work=replace(work_of(target), operations=operations))

"""Work beside a measurement, made on purpose: processes that keep processors or memory busy while trials run."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import assert_never

from dualmem_cli.errors import DualmemError, ExitStatus
from dualmem_cli.measure import protocol
from dualmem_cli.measure.interrupts import held_interrupts
from dualmem_cli.model.plan import LoadKind, Task, WorkerRequest
from dualmem_cli.model.selftest import Load


@contextlib.contextmanager
def loaded(load: Load, *, cpus: tuple[int, ...], executable: Path, seed: int, longest_s: float) -> Iterator[tuple[int, ...]]:
    """Keep `load` running inside of the with block; yields the processors (of `cpus`) that workers should be pinned to meanwhile.
    `executable` is the worker. Call it from a thread that outlives the block: the kernel ends the loads with the thread that started
    them. Whatever becomes of this process, they end after `longest_s` seconds. Raises DualmemError where there are too few
    processors or a load does not start."""
    measured, processes = placed(load, cpus=cpus)
    with contextlib.ExitStack() as stack:
        for number, (kind, cpu) in enumerate(processes):
            request = WorkerRequest(
                task=Task.LOAD, libraries=(), load=kind, cpu=cpu, seed=seed + number, duration_ns=round(longest_s * 1e9)
            )
            stack.enter_context(_running(request, executable))
        yield measured


def placed(load: Load, *, cpus: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[tuple[LoadKind, int], ...]]:
    """The processors to measure on, and which load runs on which processor. One is measured on where the load is on one side only:
    a worker that moved between the two would average over both."""
    if not cpus:
        raise DualmemError("no processor to measure on")
    first, last = cpus[0], cpus[-1]
    if load in (Load.OTHER_CORE, Load.BANDWIDTH) and first == last:
        raise DualmemError(
            f"the load {load} needs a second processor, and only {first} is allowed here",
            hint="Allow another one (`taskset -p $$` shows which there are).",
        )
    match load:
        case Load.IDLE:
            return cpus, ()
        case Load.OTHER_CORE:
            return (first,), ((LoadKind.SPIN, last),)
        case Load.SAME_CORE:
            return (first,), ((LoadKind.SPIN, first),)
        case Load.BURSTS:
            return cpus, tuple((LoadKind.BURSTS, cpu) for cpu in cpus)
        case Load.BANDWIDTH:
            return (first,), ((LoadKind.BANDWIDTH, last),)
        case _:
            assert_never(load)


@contextlib.contextmanager
def _running(request: WorkerRequest, executable: Path) -> Iterator[None]:
    """One load, from the moment it is felt to its end. It runs in a session of its own: Ctrl-C is for us to handle."""
    with tempfile.TemporaryFile() as requested:
        requested.write(protocol.encode(request).encode())
        requested.seek(0)
        with contextlib.ExitStack() as stack:
            with held_interrupts():
                process = subprocess.Popen(
                    [executable], stdin=requested, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
                )
                stack.callback(_end, process)
            _await_start(process)
            yield


def _end(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _await_start(process: "subprocess.Popen[bytes]") -> None:
    for line in process.stdout or ():
        event = json.loads(line)
        if event["event"] == "phase" and event["phase"] == "load":
            return
        if event["event"] == "error":
            raise DualmemError(f"the load does not start: {event['message']}", status=ExitStatus.MEASUREMENT_FAILED)
    raise DualmemError("the load ended before it began", status=ExitStatus.MEASUREMENT_FAILED)

"""What a machine does for a fleet. The functions here run over there, in Dask's worker: they are named by whoever sends them, so the same
dualmem must be installed there.

An errand is a process of its own, not a thread of Dask's worker: it measures as `dualmem bench` does, can be stopped, and dies with the
worker, because it ends when its input does.
"""

import asyncio
import contextlib
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from types import ModuleType
from typing import Any

import dualmem_cli
from dualmem_cli.fleet import parcels
from dualmem_cli.fleet.engine import QUIET, FleetError, distributed, quiet, unreachable
from dualmem_cli.fleet.errand import Answer, Introduction, from_json
from dualmem_cli.measure.machine import read_machine, usable_cpus
from dualmem_cli.measure.provenance import tool_digest
from dualmem_cli.plan.needs import offer_of

MACHINE = "machine"  # of which every machine has one, and every errand takes it
_LOOK_S = 1.0
_LAST_WORDS_S = 10.0
_ANSWER_S = 5.0
_TOOL = tool_digest()  # as it was when this worker began
_measuring: list[str] = []


def resources() -> dict[str, float]:
    """What Dask's scheduler is told of this machine."""
    cores = len(usable_cpus())
    return {MACHINE: 1.0, **offer_of(read_machine(), cores=cores)}


def _tool() -> str:
    """Which dualmem this worker is; an errand is a new process, and finds what is installed by then."""
    return _TOOL if tool_digest() == _TOOL else "changed since its worker was started"


def introduce(dask_worker: Any) -> Introduction:
    """Who this is."""
    return Introduction(
        address=str(dask_worker.address),
        name=str(dask_worker.name),
        version=dualmem_cli.__version__,
        tool=_tool(),
        engine=distributed().__version__,
        machine=read_machine(),
        cores=len(usable_cpus()),
        state=", ".join(_measuring) or "idle",
    )


def deposit(sha256: str, sender: str, chunk: bytes, *, last: bool) -> bool:
    """Take a piece of a file."""
    return parcels.receive(sha256, sender, chunk, last=last)


def carry_out(tool: str, line: bytes) -> Answer:
    """Measure the errand in `line`, in a process of its own; stopped when nobody waits for it any more. `tool` is the digest of the dualmem
    that sends it."""
    worker = distributed().get_worker()
    key = worker.get_current_task()
    address, name = str(worker.address), str(worker.name)
    if tool != _tool():
        return Answer(address, name, problem=f"machine {name} runs another dualmem ({dualmem_cli.__version__}, {_tool()})")
    errand = from_json(line)
    lacking = parcels.missing(errand.digests)
    if lacking:
        return Answer(address, name, lacking=lacking)
    parcels.used(errand.digests)
    _measuring[:] = [scenario.name for scenario in errand.scenarios]
    try:
        record, problem = _measured(line, lambda: _wanted(worker, key))
    finally:
        _measuring.clear()
    return Answer(address, name, record=record, problem=problem)


def _measured(line: bytes, wanted: Callable[[], bool]) -> tuple[bytes, str]:
    """The record, or why there is none. Output goes to files: a pipe that nobody empties would block the errand."""
    with tempfile.TemporaryFile() as answered, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "dualmem_cli", "fleet", "errand"],
            stdin=subprocess.PIPE,
            stdout=answered,
            stderr=said,
            start_new_session=True,
        )
        try:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # it ended before it had read; what it said comes below
                process.stdin.write(line + b"\n")
                process.stdin.flush()
            while wanted():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=_LOOK_S)
                    break
        finally:
            _end(process)
        answered.seek(0)
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
        if process.returncode:
            told = lines[-1].removeprefix("dualmem: ") if lines else f"it ended with status {process.returncode}"
            return b"", told
        return answered.read(), ""


def _wanted(worker: Any, key: str) -> bool:
    """Whether somebody still waits for the task: neither was it cancelled, nor did its client go, nor is the worker asked to end."""
    task = worker.state.tasks.get(key)
    return task is not None and task.state != "cancelled" and worker.status.name in ("running", "paused")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Close the input, which ends the errand as Ctrl-C ends a bench, and leave nothing behind."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(timeout=_LAST_WORDS_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def serve(address: str, *, name: str) -> None:
    """Work for the scheduler at `address` until a signal comes or the scheduler goes. Raises FleetError."""
    found = distributed()
    parcels.tidy()
    with quiet():
        asyncio.run(_served(found, address, name))


async def _served(found: ModuleType, address: str, name: str) -> None:
    try:
        worker = await asyncio.wait_for(
            found.Worker(address, nthreads=1, name=name, resources=resources(), memory_limit=0, dashboard=False), _ANSWER_S
        )
    except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as error:
        if "name taken" in f"{error} {error.__cause__}":
            raise FleetError(f'a machine called "{name}" works for {address} already', hint="Give this one a --name.") from None
        raise unreachable(address, error) from None
    print(f"{name} works for {address}; Ctrl-C ends it", file=sys.stderr, flush=True)
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    ended = asyncio.ensure_future(worker.finished())
    await asyncio.wait([ended, asyncio.ensure_future(asked.wait())], return_when=asyncio.FIRST_COMPLETED)
    if not asked.is_set():
        raise FleetError(f"the scheduler at {address} is gone", hint="Start this again when it is back.")
    await worker.close(reason="asked to end")


def command_line(address: str, *, name: str) -> str:
    """The command of Dask's own that offers the same, for whoever starts workers with other tools."""
    offered = " ".join(f"{resource}={amount:.0f}" for resource, amount in resources().items())
    quiet = " ".join(f"DASK_{key.upper().replace('.', '__').replace('-', '_')}={value}" for key, value in QUIET.items())
    options = ["--no-nanny", "--nthreads", "1", "--nworkers", "1", "--memory-limit", "0", "--name", name, "--resources", offered]
    return f"{quiet} {shlex.join(['dask', 'worker', address, *options])}"

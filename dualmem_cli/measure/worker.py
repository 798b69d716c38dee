"""Worker processes: started, fed, waited for, killed. A plug-in that crashes, hangs or lies costs one case, never the run."""

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import dualmem_cli
from dualmem_cli.errors import BuildError, ExitStatus
from dualmem_cli.measure import protocol
from dualmem_cli.measure.interrupts import held_interrupts
from dualmem_cli.model.kernel import Library
from dualmem_cli.model.plan import Draw, Task, WorkerRequest
from dualmem_cli.model.samples import Failure, WorkerRun

_DESCRIBE_TIMEOUT_S = 20.0
_LAST_WORDS_S = 0.5


def native_path(name: str) -> Path:
    """A file of the native part, wherever this package was installed: next to the sources, or in site-packages beside an editable
    install. Raises BuildError when it was never built."""
    for root in dualmem_cli.__path__:
        candidate = Path(root) / "_native" / name
        if candidate.exists():
            return candidate
    raise BuildError(
        f"{name} is not there: the native part was not built",
        hint="In a checkout run `make build`; else install the package again with pip.",
    )


class WorkerProcesses:
    """The real Runner: one fresh process per request."""

    def __init__(self, executable: Path) -> None:
        self.executable = executable

    def describe(self, path: str) -> Library:
        request = WorkerRequest(task=Task.DESCRIBE, libraries=(path,))
        events, failure = self._answer(request, timeout_s=_DESCRIBE_TIMEOUT_S)
        event = protocol.first(events, "library")
        if failure is not None or event is None:
            reason = failure.message if failure else "it described nothing"
            raise BuildError(reason if path in reason else f"{path}: {reason}", status=ExitStatus.USAGE)
        return protocol.library_of(event)

    def prepare(self, request: WorkerRequest, *, timeout_s: float) -> Failure | None:
        return self._answer(request, timeout_s=timeout_s)[1]

    def measure(self, request: WorkerRequest, draw: Draw, *, timeout_s: float) -> WorkerRun:
        began = time.monotonic()
        events, failure = self._answer(request, timeout_s=timeout_s)
        run = protocol.worker_run(events, draw, request, failure)
        return replace(run, seconds=time.monotonic() - began)

    def _answer(self, request: WorkerRequest, *, timeout_s: float) -> tuple[list[protocol.Event], Failure | None]:
        """Run one worker to its end. Its output goes to files, not pipes: a pipe that nobody empties would block the
        worker in the middle of a sample, and reading it here would compete for the processor."""
        timed_out = False
        with tempfile.TemporaryFile() as requested, tempfile.TemporaryFile() as answered, tempfile.TemporaryFile() as said:
            requested.write(protocol.encode(request).encode())
            requested.seek(0)
            with contextlib.ExitStack() as stack:
                with held_interrupts():
                    process = subprocess.Popen(
                        [self.executable],
                        stdin=requested,
                        stdout=answered,
                        stderr=said,
                        env=fixed_environment(request.environment),
                        start_new_session=True,  # Ctrl-C in the terminal is ours to handle; and a whole group can be killed
                    )
                    stack.callback(end_group, process)
                try:
                    _wait(process, timeout_s=timeout_s)
                except subprocess.TimeoutExpired:
                    timed_out = True
                    process.terminate()  # the worker's last words name the arm that hangs
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(timeout=_LAST_WORDS_S)
            answered.seek(0)
            said.seek(0)
            events = protocol.parse_events(answered.read().decode(errors="replace"))
            stderr = said.read(1 << 16).decode(errors="replace")
        failure = protocol.failure_of(
            events, returncode=process.returncode, timed_out=timed_out, timeout_s=timeout_s, stderr=stderr
        )
        return events, failure


def _wait(process: "subprocess.Popen[bytes]", *, timeout_s: float) -> None:
    """Wait for the end of a process without looking at it meanwhile. Popen.wait with a time-out sleeps up to 50 ms between looks: a worker
    of 30 ms then takes 65, and every look takes the processor from somebody. Raises subprocess.TimeoutExpired."""
    try:
        handle = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # Linux before 5.3, a Python that was built there, or a sandbox that forbids it
        process.wait(timeout=timeout_s)
        return
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        ended = poll.poll(timeout_s * 1e3)
    finally:
        os.close(handle)
    if not ended:
        raise subprocess.TimeoutExpired(process.args, timeout_s)
    process.wait()


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """Leave nothing of the worker's process group behind, whether it finished or not."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def fixed_environment(padding: int) -> dict[str, str]:
    """The worker's whole environment. Its size moves the stack (Mytkowicz et al. 2009), so it is dealt, not inherited."""
    return {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "DUALMEM_PADDING": "x" * padding,
    }

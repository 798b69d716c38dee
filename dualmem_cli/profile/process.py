"""Run a sampler and whatever it starts, and leave nothing behind.

Every child gets a session of its own: Ctrl-C then reaches dualmem alone, which ends the whole tree. Samplers do not pass signals on
reliably, and a traced process outlives a tracer that is killed.
"""

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dualmem_cli.errors import DualmemError, ExitStatus


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that ended by itself. `lines` are those of both streams with the monotonic second at which each was read; `status` is
    negative for a death by signal. Standard output that went to a file is not among the lines."""

    status: int
    lines: tuple[tuple[float, str], ...]
    seconds: float

    @property
    def text(self) -> str:
        return "\n".join(line for _, line in self.lines)


def run_child(
    argv: Sequence[str], *, stdin: str, environment: Mapping[str, str], timeout_s: float, stdout: Path | None = None
) -> Finished:
    """Run a command to its end. Raises DualmemError (MEASUREMENT_FAILED) when it cannot start or takes longer than `timeout_s`.

    However this returns or raises, KeyboardInterrupt included, no process of the child's session and no descendant is left.
    """
    started = time.monotonic()
    try:
        with contextlib.ExitStack() as files:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=files.enter_context(stdout.open("wb")) if stdout else subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **environment},
                start_new_session=True,
            )
    except OSError as error:
        raise DualmemError(
            f"{argv[0]} could not be started ({error.strerror})",
            hint="Check that it is there and may be run.",
            status=ExitStatus.MEASUREMENT_FAILED,
        ) from None
    lines: list[tuple[float, str]] = []
    threads = [threading.Thread(target=_read, args=(pipe, lines), daemon=True) for pipe in (child.stdout, child.stderr) if pipe]
    threads.append(threading.Thread(target=_write, args=(child.stdin, stdin), daemon=True))
    try:
        for thread in threads:
            thread.start()
        status = child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise DualmemError(
            f"{Path(argv[0]).name} did not end within {timeout_s:.0f} s",
            hint="Sample for a shorter time.",
            status=ExitStatus.MEASUREMENT_FAILED,
        ) from None
    finally:
        _end_session(child)
        for thread in threads:
            if thread.ident is not None:
                thread.join(5.0)
        for pipe in (child.stdout, child.stderr):
            if pipe:
                pipe.close()
    return Finished(status, tuple(sorted(lines, key=lambda entry: entry[0])), time.monotonic() - started)


def _read(pipe: IO[bytes], lines: list[tuple[float, str]]) -> None:
    for line in pipe:
        lines.append((time.monotonic(), line.decode("utf-8", "replace").rstrip("\r\n")))


def _write(pipe: IO[bytes] | None, text: str) -> None:
    """Feed the child. One that does not want its input says so itself, in better words than a broken pipe."""
    if pipe is not None:
        with contextlib.suppress(OSError):
            pipe.write(text.encode())
        with contextlib.suppress(OSError):
            pipe.close()


def _end_session(child: subprocess.Popen[bytes]) -> None:
    """Kill every descendant and every member of the child's session, then reap the child.

    Both are looked for, because either alone misses some: a grandchild whose parent has died is nobody's descendant, and one that
    made a session of its own is not in ours. Repeated, since a process may fork while the list is made.
    """
    import psutil

    for _ in range(5):
        found = {pid for pid in psutil.pids() if _session_of(pid) == child.pid}
        with contextlib.suppress(psutil.NoSuchProcess):
            found.update(process.pid for process in psutil.Process(child.pid).children(recursive=True))
        alive = []
        for pid in found:
            try:
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE:
                    process.kill()
                    alive.append(process)
            except psutil.NoSuchProcess:
                pass
        if not alive:
            break
        psutil.wait_procs([process for process in alive if process.pid != child.pid], timeout=2.0)
    child.wait()


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None

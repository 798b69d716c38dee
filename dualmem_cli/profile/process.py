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
from typing import IO, TYPE_CHECKING

from dualmem_cli.errors import DualmemError, ExitStatus

if TYPE_CHECKING:
    import psutil


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that ended by itself. `lines` are those of both streams with the monotonic second at which each was read; `status` is
    negative for a death by signal. Standard output that went to a file is not among the lines. `memory` is the resident memory of the child
    with all its descendants over time (monotonic second, bytes), where it was watched."""

    status: int
    lines: tuple[tuple[float, str], ...]
    seconds: float
    memory: tuple[tuple[float, int], ...] = ()

    @property
    def text(self) -> str:
        return "\n".join(line for _, line in self.lines)


def run_child(
    argv: Sequence[str],
    *,
    stdin: str,
    environment: Mapping[str, str],
    timeout_s: float,
    stdout: Path | None = None,
    cpus: Sequence[int] = (),
    watch_s: float = 0.0,
) -> Finished:
    """Run a command to its end, on the processors `cpus` (none: on all), reading its memory every `watch_s` seconds (0: never).

    Raises DualmemError (MEASUREMENT_FAILED) when it cannot start or takes longer than `timeout_s`.

    However this returns or raises, KeyboardInterrupt included, no process of the child's session and no descendant is left. Only a
    daemon that left both, its session and its parent, is out of reach.
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
    readers: list[threading.Thread] = []
    memory: list[tuple[float, int]] = []
    try:
        for pipe in (child.stdout, child.stderr):
            if pipe:
                readers.append(threading.Thread(target=_read, args=(pipe, lines), daemon=True))
                readers[-1].start()
        threading.Thread(target=_write, args=(child.stdin, stdin), daemon=True).start()
        if cpus:
            _keep_on(child.pid, cpus)
        if watch_s > 0:
            threading.Thread(target=_watch, args=(child, memory, watch_s), daemon=True).start()
        status = child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise DualmemError(
            f"{Path(argv[0]).name} did not end within {timeout_s:.0f} s",
            hint="Sample for a shorter time.",
            status=ExitStatus.MEASUREMENT_FAILED,
        ) from None
    finally:
        _end_session(child)
        for reader in readers:
            reader.join(2.0)  # not for ever: a daemon out of reach may hold the other end of the pipe
    told = tuple(sorted(lines.copy(), key=lambda entry: entry[0]))
    return Finished(status, told, time.monotonic() - started, tuple(memory.copy()))


def _keep_on(pid: int, cpus: Sequence[int]) -> None:
    """Before the child has threads or children, so that they inherit it: the time between its start and this is that of exec."""
    import psutil

    try:
        psutil.Process(pid).cpu_affinity(list(cpus))
    except psutil.NoSuchProcess:
        return
    except (OSError, ValueError, psutil.Error):
        raise DualmemError(
            f"nothing can run on processor {', '.join(map(str, cpus))}",
            hint="Choose among those that taskset -cp $$ shows.",
            status=ExitStatus.MEASUREMENT_FAILED,
        ) from None


def _watch(child: subprocess.Popen[bytes], memory: list[tuple[float, int]], every_s: float) -> None:
    """Resident memory of the whole tree, until the child has ended."""
    import psutil

    while child.returncode is None:
        total = 0
        with contextlib.suppress(psutil.Error):
            root = psutil.Process(child.pid)
            for process in (root, *root.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    total += process.memory_info().rss
        if total:
            memory.append((time.monotonic(), total))
        time.sleep(every_s)


def _read(pipe: IO[bytes], lines: list[tuple[float, str]]) -> None:
    with pipe:
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
        for pid in {child.pid, *found}:
            with contextlib.suppress(psutil.NoSuchProcess):
                found.update(process.pid for process in psutil.Process(pid).children(recursive=True))
        killed = [process for process in map(_running, found) if process]
        for process in killed:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if not killed:
            break
        # Zombies count as gone: whose children they have become reaps them, or never does (the first process of some containers).
        deadline = time.monotonic() + 2.0
        while any(_running(process.pid) for process in killed) and time.monotonic() < deadline:
            time.sleep(0.005)
    with contextlib.suppress(subprocess.TimeoutExpired):  # a process stuck in the kernel dies when the kernel lets it
        child.wait(5.0)


def _running(pid: int) -> "psutil.Process | None":
    import psutil

    try:
        process = psutil.Process(pid)
        return process if process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None

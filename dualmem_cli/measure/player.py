"""Players: started, told what to play, listened to, killed. A workload that crashes, hangs or lies costs one run, never what was
measured before."""

import contextlib
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

from dualmem_cli.errors import BuildError, ExitStatus
from dualmem_cli.measure import player_protocol, protocol
from dualmem_cli.measure.interrupts import held_interrupts
from dualmem_cli.measure.worker import end_group, fixed_environment
from dualmem_cli.model.load import Play, Played, PlayerSetup, Population
from dualmem_cli.model.samples import Clock, Failure, FailureKind
from dualmem_cli.model.workload import WorkloadLibrary

_DESCRIBE_TIMEOUT_S = 20.0
_LAST_WORDS_S = 0.5
_SYMBOL = "exports no dm_workload_library_get"  # as the player says it of a library that has kernels only
_CHUNK = 1 << 16


class PlayerFailedError(Exception):
    """A player that will answer no more."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Player(Protocol):
    """A player that has set its arms up. Each call may raise PlayerFailedError."""

    clock: Clock | None
    before: tuple[Population, ...]

    def play(self, play: Play, *, planned_s: float) -> Played:
        """Play what takes about `planned_s` seconds."""
        ...

    def finish(self) -> tuple[Population, ...]:
        """End well: what the stores hold at the end."""
        ...


class Players(Protocol):
    """Starts players, one at a time. The real one is below, the fake, which ships, in measure/fake_player.py."""

    def describe(self, path: str) -> WorkloadLibrary | None:
        """The workloads of a library; None when it has none. Raises BuildError when it cannot be used."""
        ...

    def started(self, setup: PlayerSetup, *, timeout_s: float) -> contextlib.AbstractContextManager[Player]:
        """A fresh player, its arms set up; nothing of it is left behind. Raises PlayerFailedError."""
        ...


class PlayerProcesses:
    """The real Players: a fresh process each."""

    def __init__(self, executable: Path) -> None:
        self.executable = executable

    def describe(self, path: str) -> WorkloadLibrary | None:
        try:
            with _running(self.executable, timeout_s=_DESCRIBE_TIMEOUT_S) as process:
                process.say(player_protocol.encode_describe(path))
                event = process.event("workloads", deadline=process.deadline())
        except PlayerFailedError as error:
            message = error.failure.message
            if error.failure.phase == "open" and _SYMBOL in message:
                return None
            raise BuildError(message if path in message else f"{path}: {message}", status=ExitStatus.USAGE) from None
        found = player_protocol.workloads_of(event)
        return found if found.workloads else None

    @contextlib.contextmanager
    def started(self, setup: PlayerSetup, *, timeout_s: float) -> Iterator[Player]:
        with _running(self.executable, timeout_s=timeout_s) as process:
            process.set_up(setup)
            yield process


class _Process:
    """One player, as far as it got. Between two answers it reads nothing and writes nothing."""

    def __init__(self, process: "subprocess.Popen[bytes]", said: IO[bytes], *, timeout_s: float) -> None:
        self._process = process
        self._said = said
        self._timeout_s = timeout_s
        self._unread = b""
        self._events: list[protocol.Event] = []
        self.clock: Clock | None = None
        self.before: tuple[Population, ...] = ()

    def deadline(self, planned_s: float = 0.0) -> float:
        """When something that should take `planned_s` is given up."""
        return time.monotonic() + planned_s + self._timeout_s

    def set_up(self, setup: PlayerSetup) -> None:
        """Tell what to set up, and wait until it is."""
        self.say(player_protocol.encode_setup(setup))
        event = self.event("ready", deadline=self.deadline())
        with self._checked():
            hello = protocol.first(self._events, "hello")
            self.clock = player_protocol.clock_of(hello) if hello else None
            self.before = player_protocol.populations_of(event)

    def play(self, play: Play, *, planned_s: float) -> Played:
        """Play, and wait for the answer: for `planned_s`, and the time-out more."""
        self.say(player_protocol.encode_play(play))
        event = self.event("played", deadline=self.deadline(planned_s))
        with self._checked():
            return player_protocol.played_of(event, play)

    def finish(self) -> tuple[Population, ...]:
        self.say(player_protocol.END)
        event = self.event("done", deadline=self.deadline())
        with self._checked():
            return player_protocol.populations_of(event)

    def say(self, text: str) -> None:
        """Write to the player; what it died of is found when its answer is waited for."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(text.encode())
            self._process.stdin.flush()

    def event(self, name: str, *, deadline: float) -> protocol.Event:
        """The next event of that name; what comes before it is remembered. Raises PlayerFailedError."""
        while True:
            line = self._line(deadline)
            if line is None:
                raise self._failed(timed_out=time.monotonic() >= deadline and self._process.poll() is None)
            for event in protocol.parse_events(line.decode(errors="replace")):
                if event["event"] == name:
                    return self._remembered(event)
                self._remembered(event)
                if event["event"] in ("error", "crash"):
                    raise self._failed(timed_out=False)

    def _remembered(self, event: protocol.Event) -> protocol.Event:
        """Keep what says where the player is; the histograms of hours of plays are not kept twice."""
        if event["event"] == "phase":
            self._events = [known for known in self._events if known["event"] != "phase"]
        if event["event"] != "played":
            self._events.append(event)
        return event

    def _line(self, deadline: float) -> bytes | None:
        """The next whole line, None at the end of the output or of the time."""
        assert self._process.stdout is not None
        handle = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        while b"\n" not in self._unread:
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1e3):
                return None
            chunk = os.read(handle, _CHUNK)
            if not chunk:
                return None
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _failed(self, *, timed_out: bool) -> PlayerFailedError:
        """Why no answer came, from the player's last words."""
        process = self._process
        if timed_out:
            process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_LAST_WORDS_S if timed_out else self._timeout_s)
        while (line := self._line(time.monotonic() + _LAST_WORDS_S)) is not None:
            self._events += protocol.parse_events(line.decode(errors="replace"))
        self._said.seek(0)
        stderr = self._said.read(_CHUNK).decode(errors="replace")
        returncode = process.poll()
        failure = protocol.failure_of(
            self._events,
            returncode=-9 if returncode is None else returncode,
            timed_out=timed_out,
            timeout_s=self._timeout_s,
            stderr=stderr,
        )
        return PlayerFailedError(failure or _broken("it ended before it was told to"))

    @contextlib.contextmanager
    def _checked(self) -> Iterator[None]:
        """An answer that is not the protocol's is a failure of the player."""
        try:
            yield
        except (KeyError, TypeError, ValueError) as error:
            told = f" ({error})" if isinstance(error, ValueError) else ""
            raise PlayerFailedError(_broken(f"the player's answer is not in the protocol of this dualmem{told}")) from None


def _broken(message: str) -> Failure:
    return Failure(FailureKind.BROKEN, "answer", None, message)


@contextlib.contextmanager
def _running(executable: Path, *, timeout_s: float) -> Iterator[_Process]:
    """A player process that nothing is left of afterwards. Its answers come through a pipe: it writes between plays only, and whoever
    waits for them sleeps meanwhile."""
    with tempfile.TemporaryFile() as said, contextlib.ExitStack() as stack:
        with held_interrupts():
            process = subprocess.Popen(
                [executable],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env=fixed_environment(0),
                start_new_session=True,  # Ctrl-C in the terminal is ours to handle; and a whole group can be killed
            )
            stack.callback(_closed, process)
            stack.callback(end_group, process)
        yield _Process(process, said, timeout_s=timeout_s)


def _closed(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(BrokenPipeError):
            if pipe is not None:
                pipe.close()

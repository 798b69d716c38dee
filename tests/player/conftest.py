"""A player to talk to, and traces for it."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trace_files import Operation, trace_bytes

Event = dict[str, Any]
WHOLE = "0 known whole"


@dataclass(frozen=True)
class Answer:
    """What a player left behind. Every line must have been valid JSON with an `event`."""

    returncode: int
    events: list[Event]
    stderr: str

    def all(self, name: str) -> list[Event]:
        return [event for event in self.events if event["event"] == name]

    def one(self, name: str) -> Event:
        found = self.all(name)
        assert len(found) == 1, f"{len(found)} {name} events in {[e['event'] for e in self.events]}; {self.all('error')}"
        return found[0]

    def refused(self, phase: str, arm: int | None, message: str) -> Event:
        """Assert that the player ended with exactly this kind of error."""
        error = self.one("error")
        assert (error["phase"], error["arm"]) == (phase, arm), error
        assert message in error["message"], error
        assert "\n" not in error["message"]
        assert self.returncode == (2 if phase == "request" else 3)
        assert not self.all("done")
        return error


class Player:
    """Starts `dualmem-player` with a request and reads its answer."""

    def __init__(self, build: Path, folder: Path) -> None:
        self.executable = build / "dualmem-player"
        self.library = str(build / "subjects" / "workloads.so")
        self.folder = folder
        self.trace = folder / "trace"
        self.times = folder / "times"

    def say(self, text: str | bytes, **environment: str) -> Answer:
        raw = text.encode() if isinstance(text, str) else text
        env = environment or None
        done = subprocess.run([self.executable], input=raw, capture_output=True, timeout=60, check=False, env=env)
        return self.read(done.returncode, done.stdout, done.stderr)

    @staticmethod
    def read(returncode: int, stdout: bytes, stderr: bytes = b"") -> Answer:
        lines = stdout.decode("ascii").split("\n")
        assert lines.pop() == "", "the last line was not ended"
        return Answer(returncode, [json.loads(line) for line in lines], stderr.decode(errors="replace"))

    def request(self, *lines: str, arms: Sequence[str] = (WHOLE,), libraries: Sequence[str] = ()) -> str:
        """The set-up, up to `begin`; the trace is `self.trace`."""
        first = ["dualmem-player 1", "task play", f"trace {self.trace}"]
        first += [f"library {path}" for path in libraries or (self.library,)]
        return "\n".join([*first, *(f"arm {arm}" for arm in arms), *lines, "begin", ""])

    def write(self, operations: Sequence[Operation], **options: Any) -> None:
        self.trace.write_bytes(trace_bytes(operations, **options))

    def play(self, operations: Sequence[Operation], plays: Sequence[str], *lines: str, arms: Sequence[str] = (WHOLE,)) -> Answer:
        """Play `plays` of a trace of `operations`, all of which must succeed; `times` is written."""
        self.write(operations)
        text = self.request(f"times {self.times}", *lines, arms=arms)
        answer = self.say(text + "".join(f"play {play}\n" for play in plays) + "end\n")
        assert answer.returncode == 0, answer
        assert len(answer.all("played")) == len(plays)
        return answer

    def read_times(self) -> np.ndarray[Any, Any]:
        """Begin and end of every operation played, in ns from the start of its play."""
        return np.fromfile(self.times, dtype="<u8").reshape(-1, 2).astype(np.int64)


@pytest.fixture
def player(native_build: Path, tmp_path: Path) -> Player:
    return Player(native_build, tmp_path)

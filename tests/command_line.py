"""The real command line in real processes, for tests/cli: a folder to work in, scenarios that are quick, workers that can be seen."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

QUICK = """question = "how long does a step take?"
kernel = "{kernel}"
variants = ["plain"]
{head}
[measure]
samples = {samples}
sample_us = 50
warmup_ms = 0.1
workers = 2
timeout_s = {timeout}
{tail}"""


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Dualmem:
    """Runs `python -m dualmem_cli` in `folder`. A traceback on stderr fails the test, whichever it is."""

    folder: Path
    environment: dict[str, str]
    subjects: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __call__(self, *arguments: str | Path, **environment: str) -> Done:
        return self.finish(self.start(*arguments, **environment))

    def start(self, *arguments: str | Path, stdout: Any = subprocess.PIPE, **environment: str) -> "subprocess.Popen[str]":
        """The command in a process group of its own, as a shell starts a job."""
        process = subprocess.Popen(
            [sys.executable, "-m", "dualmem_cli", *map(str, arguments)],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=stdout,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def finish(self, process: "subprocess.Popen[str]") -> Done:
        out, err = process.communicate(timeout=120)
        assert "Traceback" not in err, err
        assert "Exception ignored" not in err, err
        assert "internal error" not in err, err
        return Done(process.returncode, out or "", err)

    def subject(self, name: str) -> str:
        return str(self.subjects / f"{name}.so")

    def compare(self, name: str, *arguments: str | Path, against: str = "ok", **environment: str) -> Done:
        """A quick compare of one subject with another; what it finds is not explained, which takes seconds."""
        return self(
            *("compare", "-q", "--no-explain", *(arguments or (self.scenario(),))),
            *("--library", self.subject(name), "--against", self.subject(against)),
            **environment,
        )

    def scenario(
        self,
        name: str = "quick",
        *,
        kernel: str = "spin",
        head: str = "",
        tail: str = "",
        timeout: float = 10,
        samples: int = 10,
    ) -> Path:
        """A scenario whose workers take a few milliseconds; with more samples they take longer, and agree on a busy machine too."""
        path = self.folder / f"{name}.toml"
        path.write_text(QUICK.format(kernel=kernel, head=head, tail=tail, timeout=timeout, samples=samples))
        return path

    def record(self, kind: str = "") -> Any:
        """The newest record of that kind."""
        (*_, newest) = sorted((self.folder / "reports").glob(f"*-{kind}*.json"), key=lambda path: path.stat().st_mtime_ns)
        return json.loads(newest.read_text())

    def workers(self, process: "subprocess.Popen[str]") -> list[psutil.Process]:
        """The worker processes of a command."""
        try:
            children = psutil.Process(process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [child for child in children if is_worker(child)]

    def wait_for_measuring(self, process: "subprocess.Popen[str]", *, after: int = 0) -> psutil.Process:
        """A worker that measures: one that runs once the record is there and holds `after` cases."""
        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None:
            found = self.workers(process)
            if found and self._saved() >= after:
                return found[0]
            time.sleep(0.02)
        raise AssertionError(f"no worker was seen; the command has status {process.poll()}")

    def _saved(self) -> int:
        """How many cases the record holds; -1 while there is none."""
        written = [path for path in (self.folder / "reports").glob("*-*.json") if path.stat().st_size]
        return len(json.loads(written[0].read_text())["cases"]) if written else -1


def is_worker(process: psutil.Process) -> bool:
    try:
        return "dualmem-worker" in " ".join(process.cmdline())
    except psutil.Error:
        return False

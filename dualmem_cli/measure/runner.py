"""The seam between deciding and doing: whoever runs workers implements Runner. The real one is measure/worker.py, the fake, which
ships, measure/fake.py."""

from typing import Protocol

from dualmem_cli.model.kernel import Library
from dualmem_cli.model.plan import Draw, WorkerRequest
from dualmem_cli.model.samples import Failure, WorkerRun


class Runner(Protocol):
    """Runs workers, one at a time."""

    def describe(self, path: str) -> Library:
        """What the library at `path` says of itself. Raises BuildError when it cannot be used."""
        ...

    def prepare(self, request: WorkerRequest, *, timeout_s: float) -> Failure | None:
        """Carry out a `prepare` task; None when the file was written."""
        ...

    def measure(self, request: WorkerRequest, draw: Draw, *, timeout_s: float) -> WorkerRun:
        """Carry out a `measure` or `latency` task. Whatever the library does, this returns; only KeyboardInterrupt passes through."""
        ...

"""What a kernel's prepare writes, for a run that is not a bench: made once, by a worker of its own, and kept where a bench keeps it."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from dualmem_cli.errors import DualmemError, ExitStatus
from dualmem_cli.measure.runner import Runner
from dualmem_cli.model.plan import Case, Task, WorkerRequest


def prepared_file(runner: Runner, request: WorkerRequest, case: Case, *, build: str, cache: Path, timeout_s: float) -> Path:
    """The file that arm 0's kernel prepares for a request. `build` is the digest of its build: with it the name is that of
    measure/case.py, so that a bench of the same build finds the file. Raises DualmemError."""
    arm = request.arms[0]
    key = "/".join([build, arm.kernel, arm.variant, repr(request.parameters), case.data])
    target = cache / "prepared" / hashlib.sha256(key.encode()).hexdigest()
    if target.is_file():
        return target
    unfinished = target.with_suffix(f".{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            failure = runner.prepare(
                replace(request, task=Task.PREPARE, duration_ns=0, path=str(unfinished)), timeout_s=timeout_s
            )
            if failure is not None:
                raise DualmemError(f"prepare: {failure.message}", status=ExitStatus.MEASUREMENT_FAILED)
            unfinished.rename(target)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise DualmemError(
            f"prepare: {error.filename or target}: {error.strerror}", hint="Set DUALMEM_CACHE to a folder with room."
        ) from None
    return target

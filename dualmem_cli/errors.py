"""Errors that reach a user, and the only place that writes an exit status as a number."""

import contextlib
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path


class ExitStatus(IntEnum):
    """What the shell sees."""

    OK = 0
    REGRESSION = 1
    USAGE = 2
    MEASUREMENT_FAILED = 3
    INCONCLUSIVE = 4
    NOT_COMPARABLE = 5
    INTERRUPTED = 130


class DualmemError(Exception):
    """Something a user can act on: one line that says what and where, and one that says what to do next."""

    def __init__(self, what: str, *, hint: str = "", status: ExitStatus = ExitStatus.USAGE) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.status = status

    def __str__(self) -> str:
        return f"{self.what}. {self.hint}" if self.hint else self.what


class ScenarioError(DualmemError):
    """A scenario file that cannot be used."""


class DataError(DualmemError):
    """A data file that cannot be used."""


class TraceError(DualmemError):
    """A trace that cannot be used or made."""


class BuildError(DualmemError):
    """A build that failed or is not there."""


class BaselineError(DualmemError):
    """A baseline that is missing, damaged or made for another architecture."""


class RecordError(DualmemError):
    """A record that cannot be read."""


class HistoryError(DualmemError):
    """A history that cannot be read or written."""


class StoreError(DualmemError):
    """What the dual-memory store refuses (dualmem_cli.native), in the library's own sentence. A call that raised changed nothing."""


class StoreArgumentError(StoreError, ValueError):
    """An argument that the store cannot take: a shape, a number out of range, an id or a slot without a node."""


class StoreDataError(StoreError, ValueError):
    """Data that contradicts itself: NaN or infinity in an embedding, a damaged file."""


class StoreMemoryError(StoreError):
    """A capacity is reached, every spare row is kept by a reference, or the system has no memory."""


class StoreFileError(StoreError):
    """A file that could not be read or written."""


class StoreUnsupportedError(StoreError):
    """Something that this machine or this version of the library cannot do."""


class StoreClosedError(StoreError):
    """A store, a team or an index that was used after it was closed."""


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file or folder that is written: a disk that fills up says none."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise

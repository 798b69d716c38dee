"""One measurement at a time on a machine: runs take turns, whoever started them, in whichever folder they keep their records."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

_LOCK = "dualmem-measuring.lock"


def turn_path() -> Path:
    """The lock file: on a disk of this machine, because a home that several machines share would make them wait for each other."""
    return Path(tempfile.gettempdir()) / _LOCK


@contextlib.contextmanager
def turn(path: Path, *, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the machine while something is measured. `waiting` is called once, when another run has it. The lock ends with the process
    that holds it, however that ends. Where the file cannot be opened there is nobody to take turns with."""
    handle = _opened(path)
    if handle is None:
        yield
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _opened(path: Path) -> int | None:
    """A handle of the lock file, which may be another user's: for a lock reading is enough, and in a shared folder Linux refuses to make a
    file that somebody else has made."""
    for flags in (os.O_RDONLY, os.O_RDONLY | os.O_CREAT):
        with contextlib.suppress(OSError):
            return os.open(path, flags, 0o644)
    return None

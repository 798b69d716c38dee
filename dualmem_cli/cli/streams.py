"""stdout from its beginning to its end: characters that it lacks, a reader that left (`| head -1`), a full disk behind a redirection.
None is a regression, nor a traceback."""

import contextlib
import io
import os
import sys
from collections.abc import Callable

from dualmem_cli.errors import ExitStatus


def prepare() -> None:
    """Files and pipes get UTF-8, which the documents say of themselves, whatever the locale is; a terminal that lacks a character, its
    number."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")


def leave_stdout() -> None:
    """Point stdout at nothing: what could not be written must not be tried again when the interpreter ends, which would complain."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def printed(show: Callable[[], None]) -> None:
    """Print, and go on when nobody reads any more: neither the exit status nor the files of a run depend on its reader."""
    try:
        show()
        if sys.stdout is not None:
            sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # rich and click leave by SystemExit(1) then, which here would mean a regression
        leave_stdout()


def finished(status: int, *, last: str = "") -> int:
    """Print `last` and flush everything. Returns the exit status: that of the run, unless it was a success whose output is lost."""
    try:
        if sys.stdout is not None:
            sys.stdout.write(last)
            sys.stdout.flush()
    except BrokenPipeError:
        leave_stdout()
    except OSError as error:
        leave_stdout()
        print(f"dualmem: stdout: {error.strerror}", file=sys.stderr)
        return status or ExitStatus.USAGE
    return status

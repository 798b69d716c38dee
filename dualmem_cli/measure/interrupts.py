"""Ctrl-C at the one moment at which it would leave a process behind."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def held_interrupts() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait until the end of the block, which must be short. Between the fork of a child and the statement behind it
    nobody knows the child yet: an exception there would leave it running. A signal mask would do the same, but the child would inherit it
    and never hear SIGTERM again. Outside of the main thread signals do not strike, and nothing is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = {number: signal.signal(number, hold) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
    if came:
        signal.raise_signal(came[0])

"""Progress on a terminal: one line on stderr, redrawn between cases only. An animation would run beside the samples."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from dualmem_cli.laboratory import Progress, Silent

T = TypeVar("T")


def chosen(*, quiet: bool) -> Progress:
    """A line on a terminal, a plain line per case in a log, nothing with -q."""
    if quiet:
        return Silent()
    return Line() if sys.stderr.isatty() else Log()


class Line:
    """One line that is overwritten, with the time left as far as it can be known."""

    def track(self, items: Iterable[T], *, label: Callable[[T], str]) -> Iterator[T]:
        everything = list(items)
        began = time.monotonic()
        try:
            for done, item in enumerate(everything):
                left = (time.monotonic() - began) / done * (len(everything) - done) if done else 0.0
                rest = f", about {left:.0f} s left" if done else ""
                self._draw(f"[{done + 1}/{len(everything)}] {label(item)}{rest}")
                yield item
        finally:
            self._draw("")

    def _draw(self, text: str) -> None:
        print(f"\r\x1b[K{text[:100]}", end="", file=sys.stderr, flush=True)


class Log:
    """One line per case: what a CI log wants."""

    def track(self, items: Iterable[T], *, label: Callable[[T], str]) -> Iterator[T]:
        everything = list(items)
        for number, item in enumerate(everything, start=1):
            print(f"[{number}/{len(everything)}] {label(item)}", file=sys.stderr, flush=True)
            yield item

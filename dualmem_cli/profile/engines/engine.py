"""What a sampler is to the rest of the package."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable
from weakref import WeakKeyDictionary

from dualmem_cli.errors import DualmemError, ExitStatus
from dualmem_cli.profile.counts import Counts
from dualmem_cli.profile.folded import Profile
from dualmem_cli.profile.target import Target

TARGET_FAILED = "Run the case with dualmem bench: it fails the same way without a profiler."


@dataclass(frozen=True, slots=True)
class Available:
    """The engine works here. `detail` is its tool with version and what it will record."""

    detail: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The engine does not work here: one line each for why and for what to do."""

    reason: str
    remedy: str


E = TypeVar("E")
S = TypeVar("S")


def once(find: Callable[[E], S]) -> Callable[[E], S]:
    """Ask an engine what is here once for each PATH: trying a tool costs a second, and captures in turns would try it each time."""
    known: WeakKeyDictionary[E, dict[str | None, S]] = WeakKeyDictionary()

    @wraps(find)
    def remembered(engine: E) -> S:
        answers = known.setdefault(engine, {})
        path = os.environ.get("PATH")
        if path not in answers:
            answers[path] = find(engine)
        return answers[path]

    return remembered


class Engine(Protocol):
    """One way to find out where time goes. A new one is a class with these three and a row in engines.ENGINES."""

    @property
    def name(self) -> str:
        """What `--with` calls it; also part of file names."""
        ...

    def availability(self) -> Available | Unavailable:
        """Find out by trying, not by reading versions: containers refuse what the version promises. Found out `once`."""
        ...

    def capture(self, target: Target, *, rate: int, directory: Path) -> Profile:
        """Sample the target `rate` times a second. Raw files go to `directory`, which the caller removes.

        Raises DualmemError (MEASUREMENT_FAILED) with reason and remedy when it cannot, or when the target fails.
        """
        ...


@runtime_checkable
class Counter(Protocol):
    """One way to count what an operation costs. A new one is a class with these three and a row in engines.COUNTERS."""

    @property
    def name(self) -> str:
        """What `--with` calls it; also part of file names."""
        ...

    def availability(self) -> Available | Unavailable:
        """See Engine.availability."""
        ...

    def count(self, target: Target, *, directory: Path) -> Counts:
        """Count the target's work. Raw files go to `directory`, which the caller removes.

        Raises DualmemError (MEASUREMENT_FAILED) with reason and remedy when it cannot, or when the target fails.
        """
        ...


def refuse(reason: str, remedy: str) -> DualmemError:
    """The error of a capture that failed."""
    return DualmemError(reason, hint=remedy, status=ExitStatus.MEASUREMENT_FAILED)

"""The samplers: one file each, one row each in ENGINES."""

import difflib

from dualmem_cli.errors import DualmemError
from dualmem_cli.profile.engines.engine import Available, Engine, Unavailable
from dualmem_cli.profile.engines.perf import PerfEngine
from dualmem_cli.profile.engines.pyspy import PyspyEngine

__all__ = ["ENGINES", "Available", "Engine", "Unavailable", "find_engine"]

ENGINES: tuple[Engine, ...] = (PyspyEngine(), PerfEngine())


def find_engine(name: str) -> Engine:
    """Give the engine of that name; DualmemError (USAGE) with the nearest name otherwise."""
    names = [engine.name for engine in ENGINES]
    if name in names:
        return ENGINES[names.index(name)]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    raise DualmemError(
        f"{name!r} is not a profiler", hint=f"Did you mean {near[0]!r}?" if near else f"Choose from {', '.join(names)}."
    )

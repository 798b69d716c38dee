"""The samplers and the counting engines: one file each, one row each in ENGINES or COUNTERS."""

import difflib

from dualmem_cli.errors import DualmemError
from dualmem_cli.profile.engines.callgrind import CallgrindEngine
from dualmem_cli.profile.engines.counters import CountersEngine
from dualmem_cli.profile.engines.engine import Available, Counter, Engine, Unavailable
from dualmem_cli.profile.engines.memory import MemoryEngine
from dualmem_cli.profile.engines.perf import PerfEngine
from dualmem_cli.profile.engines.pyspy import PyspyEngine

__all__ = ["COUNTERS", "ENGINES", "Available", "Counter", "Engine", "Unavailable", "find_engine"]

ENGINES: tuple[Engine, ...] = (PyspyEngine(), PerfEngine())
COUNTERS: tuple[Counter, ...] = (CallgrindEngine(), CountersEngine(), MemoryEngine())


def find_engine(name: str) -> Engine | Counter:
    """Give the engine of that name; DualmemError (USAGE) with the nearest name otherwise."""
    engines: tuple[Engine | Counter, ...] = (*ENGINES, *COUNTERS)
    names = [engine.name for engine in engines]
    if name in names:
        return engines[names.index(name)]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    raise DualmemError(
        f"{name!r} is not a profiler", hint=f"Did you mean {near[0]!r}?" if near else f"Choose from {', '.join(names)}."
    )

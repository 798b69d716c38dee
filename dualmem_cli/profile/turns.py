"""Captures of two builds in turns: A B, B A, A B, ... so that what else the machine does meets both alike.

Several captures of each side also show how far captures of one build scatter, which is what tells a difference from chance.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from dualmem_cli.errors import DualmemError
from dualmem_cli.profile.counts import Counts
from dualmem_cli.profile.difference import pooled_pair, relabelled
from dualmem_cli.profile.engines import ENGINES, Available, Counter, Engine, Unavailable
from dualmem_cli.profile.engines.engine import refuse
from dualmem_cli.profile.engines.lengths import sample_length, with_operations
from dualmem_cli.profile.folded import Profile
from dualmem_cli.profile.session import Refusal
from dualmem_cli.profile.target import Target

ROUNDS = 4
_LENGTH_TIMEOUT_S = 120.0
PREFERRED = ("perf", "pyspy")
"""For two builds of a C library perf first: it sees every thread, and starts no interpreter for each turn."""


def best_engine(names: tuple[str, ...] = PREFERRED) -> tuple[Engine, tuple[Refusal, ...]]:
    """The first engine that is there, and why those before it are not. Raises DualmemError (MEASUREMENT_FAILED) when none is."""
    refusals: list[Refusal] = []
    for engine in sorted((engine for engine in ENGINES if engine.name in names), key=lambda engine: names.index(engine.name)):
        try:
            state = engine.availability()
        except DualmemError as error:
            state = Unavailable(error.what, error.hint)
        if isinstance(state, Available):
            return engine, tuple(refusals)
        refusals.append(Refusal(engine.name, state.reason, state.remedy))
    raise refuse(
        "; ".join(f"{refusal.engine}: {refusal.reason}" for refusal in refusals) or "no profiler was asked for",
        " ".join(f"Remedy for {refusal.engine}: {refusal.remedy.rstrip('.')}." for refusal in refusals)
        or "--with perf or --with pyspy",
    )


def capture_in_turns(
    targets: tuple[Target, Target],
    *,
    engine: Engine,
    rate: int,
    rounds: int,
    limit_s: float,
    announce: Callable[[str], None],
    labels: dict[str, str] | None = None,
) -> tuple[Profile, Profile]:
    """Sample both targets, `seconds` of the target each time, for `rounds` rounds or as many as fit into `limit_s`, but at least one.

    `labels` rename shared objects, by the names of their files: builds of one library lie in files of different names. Raises what the
    engine raises.
    """
    began = time.monotonic()
    taken: tuple[list[Profile], list[Profile]] = ([], [])
    for number in range(rounds):
        used = time.monotonic() - began
        if number and used * (number + 1) / number > limit_s:
            break
        announce(f"{engine.name}: both builds of {targets[0].title} in turns, round {number + 1} of {rounds}")
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            with tempfile.TemporaryDirectory(prefix="dualmem-profile-") as scratch:
                profile = engine.capture(targets[side], rate=rate, directory=Path(scratch))
            taken[side].append(replace(relabelled(profile, labels or {}), title=targets[0].title))
    return pooled_pair(*taken)


def count_both(targets: tuple[Target, Target], *, engine: Counter, divided: int = 1) -> tuple[Counts, Counts]:
    """Count as many operations of each target: those asked for, else those of some milliseconds of the first, `divided` where a person
    waits. Raises what the engine raises."""
    operations = max(1, sample_length(targets[0], timeout_s=_LENGTH_TIMEOUT_S).operations // divided)
    counts = []
    for target in targets:
        with tempfile.TemporaryDirectory(prefix="dualmem-profile-") as scratch:
            counts.append(engine.count(with_operations(target, operations), directory=Path(scratch)))
    return counts[0], counts[1]

"""Which tool it is, and which gate of it: what takes the samples, and what decides on them."""

import hashlib
import os
from pathlib import Path

import dualmem_cli

_DECIDING = (
    "contest.py",
    "judge/compare.py",
    "judge/sequential.py",
    "judge/validity.py",
    "measure/case.py",
    "measure/protocol.py",
    "plan/cases.py",
    "plan/draw.py",
    "plan/effort.py",
    "plan/schedule.py",
    "stats/beta.py",
    "stats/blocks.py",
    "stats/pairs.py",
    "stats/student.py",
)
# The same of a compare of loads; what makes traces is left out, since those are compared by their own digests.
_REPLAYING = (
    "loads.py",
    "replayed.py",
    "judge/compare.py",
    "judge/load.py",
    "judge/population.py",
    "judge/replay.py",
    "judge/sequential.py",
    "measure/player.py",
    "measure/player_protocol.py",
    "measure/playing.py",
    "plan/draw.py",
    "plan/schedule.py",
    "plan/sections.py",
    "stats/blocks.py",
    "stats/histogram.py",
    "stats/sections.py",
    "stats/student.py",
)


def gate_digest(worker: Path) -> str:
    """A digest of the worker executable and of the modules between a sample and a verdict: error rates of one gate say nothing about
    another. Equal for equal sources and compilers, wherever they lie."""
    return _digest(worker, _DECIDING)


def replay_digest(player: Path) -> str:
    """The same of the player and of the modules between a play and a verdict."""
    return _digest(player, _REPLAYING)


def _digest(executable: Path, modules: tuple[str, ...]) -> str:
    root = Path(dualmem_cli.__file__).parent
    digest = hashlib.sha256()
    for path in (executable, *(root / name for name in modules)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def tool_digest() -> str:
    """A digest of every module of this package: two machines with equal ones run the same dualmem, wherever it lies."""
    root = Path(dualmem_cli.__file__).parent
    digest = hashlib.sha256()
    found = (
        Path(folder) / name for folder, _, names in os.walk(root, followlinks=True) for name in names if name.endswith(".py")
    )
    for path in sorted(found, key=lambda path: path.relative_to(root).as_posix()):
        digest.update(f"{path.relative_to(root).as_posix()}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]

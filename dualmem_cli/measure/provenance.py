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


def gate_digest(worker: Path) -> str:
    """A digest of the worker executable and of the modules between a sample and a verdict: error rates of one gate say nothing about
    another. Equal for equal sources and compilers, wherever they lie."""
    root = Path(dualmem_cli.__file__).parent
    digest = hashlib.sha256()
    for path in (worker, *(root / name for name in _DECIDING)):
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

"""Which gate it is: what takes the samples, and what decides on them."""

import hashlib
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

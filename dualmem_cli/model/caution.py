"""Warnings. Each names its remedy."""

from dataclasses import dataclass
from enum import StrEnum


class CautionKind(StrEnum):
    """What to be careful about."""

    NOISY_MACHINE = "noisy machine"
    FEW_SAMPLES = "few samples"
    SAME_BUILD = "same build"
    ONE_LAYOUT = "one layout"
    LAYOUT_SENSITIVE = "layout-sensitive"
    UNSUPPORTED = "unsupported here"
    PREEMPTED = "preempted"
    INTERRUPTED = "interrupted"
    DIRTY_TREE = "dirty tree"
    OTHER_COMPILER = "other compiler"
    STORED_NUMBERS = "stored numbers"
    REPEATED = "repeated"
    SOAK = "soak"


@dataclass(frozen=True, slots=True)
class Caution:
    """`what` happened, and the `remedy`. `case` is the id of the case concerned, "" for the whole run."""

    kind: CautionKind
    what: str
    remedy: str
    case: str = ""

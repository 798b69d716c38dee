"""Metrics: what a number means and which direction is better."""

from dataclasses import dataclass
from enum import StrEnum


class Better(StrEnum):
    """The direction that is an improvement."""

    NEITHER = "neither"
    LOWER = "lower"
    HIGHER = "higher"


class Scope(StrEnum):
    """Whether a metric depends on the machine. Only `case` metrics are compared across machines."""

    CASE = "case"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that a kernel declares."""

    name: str
    unit: str
    better: Better
    scope: Scope
    meaning: str

"""A number with its uncertainty and its unit."""

from dataclasses import dataclass

from dualmem_cli.model.units import Unit


@dataclass(frozen=True, slots=True)
class Estimate:
    """`value` with the interval [low, high] at `confidence`. `count` is the number of independent units (workers) behind it;
    low == high == value and confidence 1 for a number that is counted, not estimated. With one unit the interval is unbounded."""

    # JSON has no infinity; written as a string it is read back as what it was.
    __pydantic_config__ = {"ser_json_inf_nan": "strings"}  # noqa: RUF012

    value: float
    low: float
    high: float
    confidence: float
    unit: Unit | str
    count: int
    method: str

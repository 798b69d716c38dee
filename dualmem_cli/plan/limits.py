"""Budgets as people write them: "<= 50 us", ">= 0.95", "< 5 %"."""

import re

from dualmem_cli.model.scenario import Budget

_SCALES = {
    "": 1.0, "%": 0.01,
    "ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9,
    "B": 1.0, "KiB": 1024.0, "MiB": 1024.0**2, "GiB": 1024.0**3,
    "/s": 1.0,
}  # fmt: skip
_LIMIT = re.compile(r"^\s*(<=|<|>=|>)\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z/%]*)\s*$")


def parse_limit(quantity: str, text: str) -> Budget:
    """A budget from its text. Times become nanoseconds, per cent a fraction. Raises ValueError with a sentence."""
    match = _LIMIT.match(text)
    if match is None or match[3] not in _SCALES:
        units = ", ".join(unit for unit in _SCALES if unit)
        raise ValueError(f'"{text}" is not a limit; write a comparison, a number and a unit, such as "<= 50 us" (units: {units})')
    return Budget(quantity=quantity, limit=float(match[2]) * _SCALES[match[3]], minimum=match[1].startswith(">"))

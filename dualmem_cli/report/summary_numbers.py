"""Numbers in the JSON document: what is not finite is null."""

import math

from dualmem_cli.model.estimate import Estimate

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def estimate_json(estimate: Estimate | None) -> Json:
    """The estimate with its interval, unit and method; null for none."""
    if estimate is None:
        return None
    return {
        "value": number_json(estimate.value),
        "low": number_json(estimate.low),
        "high": number_json(estimate.high),
        "confidence": estimate.confidence,
        "unit": str(estimate.unit),
        "count": estimate.count,
        "method": estimate.method,
    }


def number_json(value: float | None) -> float | None:
    """The number; null where it is not known or has no end."""
    return value if value is not None and math.isfinite(value) else None

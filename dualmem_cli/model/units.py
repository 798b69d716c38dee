"""Units of measured numbers, and how a number in a unit is written for a person."""

import math
from enum import StrEnum


class Unit(StrEnum):
    """The unit of a stored number. Times are stored in nanoseconds, ratios as fractions (0.05 is 5 %)."""

    NANOSECOND = "ns"
    RATIO = "1"
    COUNT = "count"
    BYTE = "B"
    PER_SECOND = "1/s"


_TIME_STEPS = ((1e9, "s"), (1e6, "ms"), (1e3, "us"), (1.0, "ns"))
_BYTE_STEPS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))


# Between these a reader can count the zeros; beyond them a number has an exponent, or 1e300 would have 300 digits.
_SMALLEST, _LARGEST = 1e-9, 1e15


def significant(value: float, digits: int = 3) -> str:
    """Write `value` with `digits` significant digits, and only from a quadrillion or below a billionth with an exponent: 0.414, 62.1, 1370,
    1e+300."""
    if value == 0:
        return "0"
    text = f"{value:.{digits}g}"
    if "e" in text and _SMALLEST <= abs(value) < _LARGEST:
        text = f"{float(text):.12f}".rstrip("0").rstrip(".") if abs(value) < 1 else f"{float(text):.0f}"
    return text


def whole(value: float) -> str:
    """Write a large number without its fraction: '12,345', '1e+300'."""
    return f"{value:,.0f}" if abs(value) < _LARGEST else significant(value)


def human(value: float, unit: Unit | str) -> str:
    """Write a number for a person: 414 ns, 0.05 as 5 %, 1536 B as 1.5 KiB. An unknown unit is appended as it is."""
    if math.isnan(value):
        return "not known"
    match unit:
        case Unit.NANOSECOND:
            for step, name in _TIME_STEPS:
                if abs(value) >= step:
                    return f"{significant(value / step)} {name}"
            return f"{significant(value, 2)} ns"
        case Unit.BYTE:
            for size, name in _BYTE_STEPS:
                if abs(value) >= size:
                    return f"{significant(value / size)} {name}"
            return f"{significant(value)} B"
        case Unit.RATIO:
            return significant(value)
        case Unit.COUNT:
            return whole(value) if float(value).is_integer() else significant(value)
        case Unit.PER_SECOND:
            return f"{significant(value)}/s"
        case _:
            return f"{significant(value)} {unit}"


def percent(ratio: float, *, signed: bool = True, digits: int = 1) -> str:
    """Write a fraction as per cent: 0.079 as '+7.9 %'."""
    style = f".{digits}f" if abs(ratio) < _LARGEST else ".3g"
    return f"{ratio * 100:{'+' if signed else ''}{style}} %"


def count_text(value: float) -> str:
    """A count per operation: four significant digits, whole where it is whole, and a zero only where it is one."""
    if float(value).is_integer() or abs(value) >= 1000:
        return whole(value)
    text = f"{value:.4g}"
    return f"{value:.2e}" if "e" in text else text


def signed_count(value: float) -> str:
    """A difference of counts, with its sign."""
    return f"{'+' if value > 0 else ''}{count_text(value)}"


def count_title(name: str) -> str:
    """A count's name as a heading: 'l1d_misses' as 'L1d misses'."""
    words = name.replace("_", " ")
    return words.replace("l1d", "L1d").replace("l1i", "L1i").replace("ll ", "LL ")

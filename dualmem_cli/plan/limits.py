"""Budgets as people write them: "<= 50 us", ">= 0.95", "< 5 %"."""

import re
from collections.abc import Mapping
from fractions import Fraction

from dualmem_cli.model.scenario import Budget
from dualmem_cli.plan.spelling import did_you_mean
from dualmem_cli.plan.toml_table import located

# Exact, because 95 times the float 0.01 is more than 0.95 and a recall of 0.95 would miss it.
_TIMES = {"ns": Fraction(1), "us": Fraction(10**3), "ms": Fraction(10**6), "s": Fraction(10**9)}
_RATIOS = {"": Fraction(1), "%": Fraction(1, 100)}
_SIZES = {"B": Fraction(1), "KiB": Fraction(1 << 10), "MiB": Fraction(1 << 20), "GiB": Fraction(1 << 30)}
_SCALES = {**_RATIOS, **_TIMES, **_SIZES, "/s": Fraction(1)}
# What every scenario may measure; the unit of a declared metric is its library's, and only the number is known here.
BLOCK_QUANTITIES = ("time",)
LATENCY_QUANTITIES = ("p50", "p95", "p99", "p99.9", "max", "p50_fastest", "p99_fastest")
LOAD_TIMES = ("time", "p50", "p95", "p99", "p99.9", "max")  # of all operations together, or of one kind: "lookup.p99"
LOAD_RATIOS = ("achieved", "errors", "overhead")
_OF_KINDS = (*LOAD_TIMES, "overhead")
_SHARES = ("recall", "speedup", *LOAD_RATIOS)
_SIZE = re.compile(r"^\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*$")
_LIMIT = re.compile(r"^\s*(<=|<|>=|>)\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z/%]*)\s*$")


def parse_most(quantity: str, text: str) -> float:
    """The fraction that a quantity may be at most, from "< 5 %". Raises ValueError with a sentence."""
    match = _LIMIT.match(text)
    if match is None or match[3] not in _RATIOS or match[1].startswith(">"):
        raise ValueError(f'"{text}" is not the most that {quantity} may be; write it as "< 5 %"')
    return _number(text, match[2], _RATIOS[match[3]])


def parse_limit(quantity: str, text: str) -> Budget:
    """A budget from its text. Times become nanoseconds, per cent a fraction. Raises ValueError with a sentence."""
    match = _LIMIT.match(text)
    if match is None or match[3] not in _SCALES:
        units = ", ".join(unit for unit in _SCALES if unit)
        raise ValueError(f'"{text}" is not a limit; write a comparison, a number and a unit, such as "<= 50 us" (units: {units})')
    times = (*BLOCK_QUANTITIES, *LATENCY_QUANTITIES)
    rest = operation_of(quantity)[1]
    fitting = _TIMES if rest in times else _RATIOS if rest in _SHARES else _SCALES
    if match[3] not in fitting:
        wanted = ", ".join(unit or "none" for unit in fitting)
        raise ValueError(f'"{text}" has the unit {match[3] or "none"}, and {quantity} is limited in one of: {wanted}')
    return Budget(quantity=quantity, limit=_number(text, match[2], _SCALES[match[3]]), minimum=match[1].startswith(">"))


def _number(text: str, digits: str, scale: Fraction) -> float:
    try:
        return float(Fraction(digits) * scale)
    except (OverflowError, ValueError):  # the latter of more digits than Python reads
        raise ValueError(f'"{text[:20]}..." is beyond every number') from None


def operation_of(quantity: str) -> tuple[str, str]:
    """("lookup", "p99.9") for "lookup.p99.9": the operation that a quantity is of, "" for all together, and what of it."""
    operation, dot, rest = quantity.partition(".")
    return (operation, rest) if dot and rest in _OF_KINDS else ("", quantity)


def nearest_quantity(quantity: str, known: tuple[str, ...]) -> str:
    """What a quantity that a load does not measure may have meant: one that is known, of all operations or of the one that it names."""
    operation, dot, _ = quantity.partition(".")
    return did_you_mean(quantity, (*known, *(f"{operation}.{each}" for each in _OF_KINDS if dot)))


def read_limits(table: Mapping[str, str], *, key: str, text: str, path: str) -> tuple[Budget, ...]:
    """The limits of a table of a scenario file. Raises ScenarioError."""
    found = []
    for quantity, limit in table.items():
        try:
            found.append(parse_limit(quantity, limit))
        except ValueError as error:
            raise located(text, path, (key, quantity), str(error)) from None
    return tuple(found)


def parse_size(text: str) -> int:
    """Bytes from "64 GiB". Raises ValueError with a sentence."""
    match = _SIZE.match(text)
    if match is None or match[2] not in _SIZES:
        raise ValueError(f'"{text}" is not a size; write a number and a unit, such as "64 GiB" (units: {", ".join(_SIZES)})')
    return int(Fraction(match[1]) * _SIZES[match[2]])

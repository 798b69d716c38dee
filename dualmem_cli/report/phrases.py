"""How numbers are worded in every report. A measured number keeps its three digits (62.0 us), a limit is written as short as it is
(50 us), an interval is written +- where it is nearly symmetric and [low, high] where a verdict hangs on its ends.
"""

import math
import re
from datetime import datetime

from dualmem_cli.model.curve import Rate
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.plan import Case
from dualmem_cli.model.units import Unit, human, percent, significant
from dualmem_cli.model.verdict import BudgetStanding, Quantity

# The quantities that the judge derives; every other name is a metric that a kernel declared.
TIME = "time"
RECALL = "recall"
OVERHEAD = "overhead"
SPEEDUP = "speedup"
OVER_PEER = "speedup over "
MEMORY_LIMIT = "memory_limit"
ARITHMETIC_LIMIT = "arithmetic_limit"
DISTANCE = "distance"
RATE = "rate"
LARGEST = "max"
# Of a load, of all operations together or of one kind: "lookup.overhead".
ACHIEVED, ERRORS, DRIFT = "achieved", "errors", "drift"
OFFERED, SATURATION = "offered", "saturation"
SERVICE = "service"
AT_RATE = "overhead_at_rate"
WORK_DRIFT = "work_drift"
_CHANGES = (OVERHEAD, AT_RATE, DRIFT, WORK_DRIFT)  # told in points of per cent

_NAMES = {
    TIME: "time per operation",
    OVERHEAD: "overhead over the single-type twin",
    AT_RATE: "overhead at the rate",
    "work": "work per operation",
    WORK_DRIFT: "drift of the work per operation",
    SPEEDUP: "speed-up",
    MEMORY_LIMIT: "least time by memory",
    ARITHMETIC_LIMIT: "least time by arithmetic",
    DISTANCE: "times the least time",
    ACHIEVED: "achieved of the offered rate",
    OFFERED: "offered rate",
    ERRORS: "operations that failed",
    DRIFT: "drift of the median over the run",
    SATURATION: "highest rate that held",
    "rss": "resident memory",
    "rss_growth": "growth of resident memory",
}

# Of the units that units.human chooses from; "" is a plain ratio.
_FACTORS = {"": 1.0, "ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
# Weeks and longer name an age from the second on: "9 days" says more than "1 week".
_AGES = (("year", 365 * 86400), ("month", 30 * 86400), ("week", 7 * 86400), ("day", 86400), ("hour", 3600), ("minute", 60))
_PERCENTILE = re.compile(r"^(?P<before>fastest[ _-])?p(?P<share>\d+(?:\.\d+)?)(?P<after>[ _-]fastest)?$")


def kind_of(name: str) -> tuple[str, str]:
    """("lookup", "service.p99") for a quantity of one kind of a load's operations, ("", name) for any other."""
    kind, dot, rest = name.partition(".")
    return (kind, rest) if dot and not _PERCENTILE.match(name) else ("", name)


def percentile_name(name: str) -> str:
    """'P99.9' for "p99.9" or "p999", 'max' for the largest of all, "" for a quantity that is no percentile."""
    if name == LARGEST:
        return name
    match = _PERCENTILE.match(name)
    if match is None:
        return ""
    share = match["share"]
    return f"P{share}" if "." in share or len(share) < 3 else f"P{share[:2]}.{share[2:]}"


def is_fastest(name: str) -> bool:
    """Whether a percentile is of the fastest pass of each item, not of every operation."""
    match = _PERCENTILE.match(name)
    return match is not None and bool(match["before"] or match["after"])


def quantity_name(name: str) -> str:
    """The name of a quantity for a person."""
    kind, rest = kind_of(name)
    if kind:
        inner, _, of_service = rest.partition(".") if rest.startswith(f"{SERVICE}.") else (rest, "", "")
        return f"{kind} {quantity_name(of_service)}, service" if of_service else f"{kind} {quantity_name(inner)}"
    share = percentile_name(name)
    if share:
        return f"{share}, fastest pass" if is_fastest(name) else share
    return _NAMES.get(name, name.replace("_", " "))


def amount(value: float, unit: Unit | str, name: str = "") -> str:
    """A measured number with its unit, three digits kept: '62.0 us', '+0.4 %' for an overhead, '24.1 x' for a speed-up."""
    if math.isnan(value):
        return "not known"
    name = kind_of(name)[1]
    if name in _CHANGES:
        return percent(value)
    if name in (ACHIEVED, ERRORS):
        return f"{significant(100 * value, 4)} %"
    if name in (SPEEDUP, DISTANCE) or name.startswith(OVER_PEER):
        return f"{three_digits(value)} x"
    if name == RECALL:
        return f"{value:.3f}"
    if unit in (Unit.NANOSECOND, Unit.RATIO) or (unit == Unit.BYTE and abs(value) >= 1024):
        suffix = human(value, unit).partition(" ")[2]
        return f"{three_digits(value / _FACTORS[suffix])} {suffix}".rstrip()
    return human(value, unit).removesuffix(f" {Unit.COUNT}")


def limit_text(quantity: Quantity) -> str:
    """The budget of a quantity: '<= 50 us', '>= 0.95', '<= 5 %'."""
    assert quantity.limit is not None
    sign = ">=" if quantity.minimum else "<="
    if kind_of(quantity.name)[1] in (*_CHANGES, ACHIEVED, ERRORS):
        return f"{sign} {significant(100 * quantity.limit, 4)} %"
    if quantity.name == SPEEDUP:
        return f"{sign} {significant(quantity.limit)} x"
    return f"{sign} {human(quantity.limit, quantity.estimate.unit)}"


def met_word(quantity: Quantity) -> str:
    """'ok' or 'MISSED'; '' without a budget. Capitals, so that the word stands out without any colour. 'NOT SHOWN' for an overhead whose
    interval holds its limit."""
    return {None: "", BudgetStanding.MET: "ok", BudgetStanding.MISSED: "MISSED", BudgetStanding.NOT_SHOWN: "NOT SHOWN"}[
        quantity.standing
    ]


def estimate_text(quantity: Quantity) -> str:
    """A quantity with its uncertainty: '412 ns +- 0.3 %' (relative), '+0.4 % +- 0.2 %' (points, for an overhead), '0.972' (counted)."""
    estimate = quantity.estimate
    text = amount(estimate.value, estimate.unit, quantity.name)
    half = half_width(estimate)
    if not half:
        return text
    if not math.isfinite(half):
        return f"{text} +- unknown"
    if kind_of(quantity.name)[1] in _CHANGES:
        return f"{text} +- {plain_percent(half)}"
    if not estimate.value:
        return f"{text} +- {amount(half, estimate.unit, quantity.name)}"
    return f"{text} +- {plain_percent(half / abs(estimate.value))}"


def interval_text(quantity: Quantity) -> str:
    """The interval's ends: '[410 ns, 414 ns]'; 'exact' for a number that was counted."""
    estimate = quantity.estimate
    if estimate.low == estimate.high:
        return "exact"
    if not math.isfinite(half_width(estimate)):
        return "unknown: one unit" if estimate.count else "unknown: too few"
    low, high = (amount(end, estimate.unit, quantity.name) for end in (estimate.low, estimate.high))
    return f"[{low}, {high}]"


def change_text(change: Estimate) -> str:
    """A change against the baseline: '+7.9 %'."""
    return percent(change.value)


def change_interval(change: Estimate) -> str:
    """The interval of a change, in per cent: '[+7.4, +8.3]', with a digit more where it is narrow: '[+5.98, +6.03]'."""
    if not math.isfinite(half_width(change)):
        return "unknown"
    digits = 1 if change.high - change.low >= 0.003 else 2
    return f"[{_points(change.low, digits)}, {_points(change.high, digits)}]"


def half_width(estimate: Estimate) -> float:
    """The longer arm of the interval, so that +- never promises more than the interval."""
    return max(estimate.high - estimate.value, estimate.value - estimate.low, 0.0)


def plain_percent(fraction: float) -> str:
    """An unsigned fraction as per cent with at most two digits: '0.3 %', '12 %', 'below 0.01 %'."""
    points = fraction * 100
    if 0 < points < 0.01:
        return "below 0.01 %"
    if points >= 10:
        return f"{significant(float(f'{points:.3g}'))} %"
    return f"{significant(points, 1 if points < 1 else 2)} %"


def growth_text(exponent: float) -> str:
    """What an exponent of growth means: 'ten times the size takes 3.2 times as long'."""
    factor = 10.0**exponent
    if 0.95 < factor < 1.05:
        return "does not grow with the size"
    return f"ten times the size takes {three_digits(factor)} times as long"


def three_digits(value: float) -> str:
    """Three significant digits, zeros kept, never an exponent: 62.0, 0.410, 1370."""
    if not math.isfinite(value):
        return str(value)
    text = f"{value:#.3g}".rstrip(".")
    return significant(value) if "e" in text else text


def counted(number: int, noun: str, plural: str = "") -> str:
    """'1 case', '22 cases'."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """A length of time in seconds for a person: '7.3 s', '41 s', '3 min 12 s'."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"


def age_text(created: str, *, now: str) -> str:
    """How long before `now` something was made, both ISO 8601: '2 days ago', 'just now'; "" when either is no time."""
    try:
        seconds = (_moment(now) - _moment(created)).total_seconds()
    except (ValueError, TypeError):  # no ISO 8601; or only one of them has a time zone
        return ""
    if seconds < -60:
        return "in the future"
    for unit, length in _AGES:
        if seconds >= 2 * length or (unit in ("day", "hour", "minute") and seconds >= length):
            return f"{counted(int(seconds // length), unit)} ago"
    return "just now"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def parameters_text(case: Case) -> str:
    """Every parameter with its value: 'count 16, dim 768'."""
    return ", ".join(f"{name} {value:,.15g}" for name, value in case.parameters) or "none"


def case_name(case: Case) -> str:
    """A case with its scenario, on one line: 'similarity count 16, avx2'."""
    return f"{case.scenario} {case.label}"


def confidence_text(confidence: float) -> str:
    """'99.9 %'."""
    return f"{significant(confidence * 100, 6)} %"


def share_text(rate: Rate) -> str:
    """A rate as per cent: '99.56 %'; '-' where nothing was decided."""
    return "-" if rate.share is None else f"{_share_points(rate.share)} %"


def rate_interval(rate: Rate) -> str:
    """Its interval, in per cent: '[98.4, 99.95]'."""
    return f"[{_share_points(rate.low)}, {_share_points(rate.high)}]" if rate.total else "-"


def _share_points(share: float) -> str:
    """Per cent, with two digits of what is left near the ends, where the promises are: '0', '0.0017', '52.3', '99.93', '100'."""
    points = share * 100
    if 0 < points < 1:
        return significant(points, 2)
    if 99 < points < 100:
        return significant(100 - float(significant(100 - points, 2)), 8)
    return f"{points:.0f}" if points in (0, 100) else f"{points:.1f}"


def _points(fraction: float, digits: int) -> str:
    return f"{fraction * 100:+.{digits}f}"

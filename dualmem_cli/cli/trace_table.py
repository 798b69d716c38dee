"""A trace for a person, and as JSON."""

import json
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape

from dualmem_cli.model.units import percent, significant
from dualmem_cli.model.workload import TraceFacts
from dualmem_cli.stats.traces import KindProfile, TraceProfile

_BARS = " ▁▂▃▄▅▆▇█"
_HEADS = ("operation", "count", "share", "per s", "keys", "from", "to", "hottest", "top 1 %")


def trace_json(profile: TraceProfile, facts: TraceFacts, note: dict[str, Any]) -> str:
    """One JSON document."""
    return json.dumps({"digest": facts.digest, **asdict(profile), "note": note}, indent=2, ensure_ascii=False)


def print_trace(profile: TraceProfile, facts: TraceFacts, note: dict[str, Any], *, file: str) -> None:
    """What it is, a line per kind, the rate over time."""
    console = Console(highlight=False, soft_wrap=True)
    length = f"{profile.operations:,} operations in {profile.duration_s:,.6g} s, {profile.rate:,.6g} per second"
    console.print(f"{escape(file)}  {length}; {facts.digest[:12]}")
    if source := note.get("source"):
        console.print(f"  {escape(str(source))}")
    rows = [_HEADS, *map(_row, profile.kinds)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *numbers in rows:
        cells = (f"{number:>{width}}" for number, width in zip(numbers, widths[1:], strict=True))
        console.print(escape("  ".join((f"{first:<{widths[0]}}", *cells))))
    rates = profile.rates
    top = max(rates)
    bars = "".join(_BARS[round(rate / top * (len(_BARS) - 1))] for rate in rates)
    each = profile.duration_s / len(rates)
    console.print(f"rate  {bars}  {significant(min(rates))} to {significant(top)} per s")
    console.print(
        f"      in parts of {significant(each)} s; dispersion {significant(profile.dispersion)} (0: constant, 1: Poisson)"
    )
    console.print("hottest, top 1 %: share of the operations on the most used key, and on the most used 1 % of the keys")


def _row(kind: KindProfile) -> tuple[str, ...]:
    return (
        kind.name,
        f"{kind.operations:,}",
        percent(kind.share, signed=False),
        significant(kind.rate),
        f"{kind.keys:,}",
        str(kind.smallest),
        str(kind.largest),
        percent(kind.hottest, signed=False),
        percent(kind.few, signed=False),
    )

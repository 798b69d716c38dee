"""OpenMetrics text (github.com/prometheus/OpenMetrics): how families of metrics are written."""

from collections.abc import Iterable
from dataclasses import dataclass

from dualmem_cli.report.layout import visible

Labels = dict[str, str]
CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_SUFFIX = {"info": "_info", "counter": "_total"}


@dataclass(frozen=True, slots=True)
class Family:
    """A metric family. The name of one with a unit ends in it; a state set's samples carry its own name as a label; those of a summary
    carry a quantile, or are its "sum" and "count"."""

    name: str
    kind: str
    unit: str
    meaning: str
    samples: tuple[tuple[Labels, float], ...]
    sums: tuple[tuple[Labels, float, float], ...] = ()  # of a summary: labels, sum, count


def exposition(families: Iterable[Family]) -> str:
    """The whole text, ending in # EOF. A family without samples is left out."""
    lines = [line for family in families if family.samples or family.sums for line in _lines(family)]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _lines(family: Family) -> Iterable[str]:
    yield f"# TYPE {family.name} {family.kind}"
    if family.unit:
        yield f"# UNIT {family.name} {family.unit}"
    yield f"# HELP {family.name} {_escaped(family.meaning)}"
    for labels, value in () if family.sums else family.samples:
        yield f"{family.name}{_SUFFIX.get(family.kind, '')}{_told(labels)} {_number(value)}"
    for labels, total, count in family.sums:  # what belongs together must stand together
        for own, value in family.samples:
            if {name: text for name, text in own.items() if name != "quantile"} == labels:
                yield f"{family.name}{_told(own)} {_number(value)}"
        yield f"{family.name}_count{_told(labels)} {_number(count)}"
        yield f"{family.name}_sum{_told(labels)} {_number(total)}"


def _told(labels: Labels) -> str:
    told = ",".join(f'{name}="{_escaped(visible(text))}"' for name, text in labels.items())
    return "{" + told + "}" if told else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1 << 53 else repr(float(value))

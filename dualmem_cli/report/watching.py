"""A load while it goes on: what was played so far, as OpenMetrics text for a scraper and as lines for a terminal. Added to after every
section, so that hours cost no more than minutes.
"""

import math
from dataclasses import dataclass, field

from dualmem_cli.judge.population import metric_of
from dualmem_cli.model.load import LoadRun, Part, Played
from dualmem_cli.model.samples import Histogram
from dualmem_cli.model.units import Unit
from dualmem_cli.report.exposition import Family, Labels, exposition
from dualmem_cli.report.phrases import amount, counted, duration
from dualmem_cli.stats.histogram import LATENCIES_FOR_P999, merge, percentile

_QUANTILES = (("0.5", 0.5), ("0.95", 0.95), ("0.99", 0.99), ("0.999", 0.999))
_EMPTY = Histogram(0, 0, 0, ())


@dataclass
class _Kind:
    """One kind of operation on one store."""

    operations: int = 0
    errors: int = 0
    response: Histogram = _EMPTY
    service: Histogram = _EMPTY


@dataclass
class LoadTally:
    """Everything that was played so far. Latencies are of the steady sections; operations and errors of all parts."""

    sections: dict[str, int] = field(default_factory=dict)
    kinds: dict[tuple[str, str, str], _Kind] = field(default_factory=dict)  # by load, store, operation
    faults: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    run: LoadRun | None = None
    last: Played | None = None
    part: Part | None = None

    def add(self, run: LoadRun, part: Part, played: Played) -> None:
        """Count one play."""
        self.run, self.part, self.last = run, part, played
        self.sections[part.value] = self.sections.get(part.value, 0) + 1
        self.seconds += played.elapsed_ns / 1e9
        for kind, count in (("minor", played.minor_faults), ("major", played.major_faults)):
            self.faults[kind] = self.faults.get(kind, 0) + count
        role = run.arms[played.play.arm].role.value
        for one in (one for one in played.kinds if one.operations):
            known = self.kinds.setdefault((run.id, role, one.name), _Kind())
            known.operations += one.operations
            known.errors += one.errors
            if part is Part.STEADY:
                known.service = merge((known.service, one.service))
                if one.response is not None:
                    known.response = merge((known.response, one.response))


def openmetrics(tally: LoadTally) -> str:
    """The text of what was played so far; empty but for its end before the first section."""
    return exposition((*_counters(tally), *_latencies(tally), *_last(tally)))


def lines(tally: LoadTally) -> list[str]:
    """What a person wants to see meanwhile: the section that was just played, then every kind so far."""
    run, last = tally.run, tally.last
    if run is None or last is None or tally.part is None:
        return []
    offered = f" of {_offered(last):,.0f}/s" if last.scheduled_ns else ""
    head = (
        f"{run.id}, {run.arms[last.play.arm].role.value}, {tally.part.value}: {_achieved(last):,.0f}/s{offered}, "
        f"{counted(last.errors, 'error')}; {counted(sum(tally.sections.values()), 'section')}, {duration(tally.seconds)} played"
    )
    if last.rss_bytes is not None:
        head += f", {amount(last.rss_bytes, Unit.BYTE)} resident"
    rows = [head]
    for (load, role, name), kind in tally.kinds.items():
        shown = kind.response if kind.response.count else kind.service
        if load == run.id and role in ("subject", "candidate") and shown.count:
            p50, p99 = (amount(percentile(shown, share), Unit.NANOSECOND) for share in (0.5, 0.99))
            worst = amount(shown.max_ns, Unit.NANOSECOND)
            rows.append(
                f"  {name:<20} {kind.operations:>10,}  P50 {p50:>8}  P99 {p99:>8}  max {worst:>8}  {kind.errors:,} failed"
            )
    return rows


def _counters(tally: LoadTally) -> tuple[Family, ...]:
    operations = tuple((_labels(key), float(kind.operations)) for key, kind in tally.kinds.items())
    errors = tuple((_labels(key), float(kind.errors)) for key, kind in tally.kinds.items())
    sections = tuple(({"part": part}, float(count)) for part, count in tally.sections.items())
    faults = tuple(({"kind": kind}, float(count)) for kind, count in tally.faults.items())
    return (
        Family("dualmem_load_sections", "counter", "", "Sections played, by what they were for.", sections),
        Family("dualmem_load_operations", "counter", "", "Operations played.", operations),
        Family("dualmem_load_errors", "counter", "", "Operations that failed.", errors),
        Family("dualmem_load_page_faults", "counter", "", "Page faults of the players during plays.", faults),
    )


def _latencies(tally: LoadTally) -> tuple[Family, ...]:
    """Never a percentile of percentiles: each is of everything so far."""
    told = (
        ("dualmem_load_response_seconds", "Latency from the scheduled time, of all steady sections so far.", "response"),
        ("dualmem_load_service_seconds", "Latency from the begin, of all steady sections so far.", "service"),
    )
    families = []
    for name, meaning, which in told:
        found: list[tuple[tuple[str, str, str], Histogram]] = [(key, getattr(kind, which)) for key, kind in tally.kinds.items()]
        filled = [(key, histogram) for key, histogram in found if histogram.count]
        samples = tuple(
            ({**_labels(key), "quantile": text}, percentile(histogram, share) / 1e9)
            for key, histogram in filled
            for text, share in _QUANTILES
            if share < 0.999 or histogram.count >= LATENCIES_FOR_P999
        )
        sums = tuple((_labels(key), histogram.sum_ns / 1e9, float(histogram.count)) for key, histogram in filled)
        families.append(Family(name, "summary", "seconds", meaning, samples, sums))
    return tuple(families)


def _last(tally: LoadTally) -> tuple[Family, ...]:
    """Levels: as they were after the last section."""
    run, last = tally.run, tally.last
    if run is None or last is None:
        return ()
    labels = {"load": run.id, "store": run.arms[last.play.arm].role.value}
    workload = run.workloads[last.play.arm]
    metrics = [(m, metric_of(workload, last.metrics, m.name)) for m in workload.metrics]
    known = tuple(
        ({**labels, "metric": m.name, "unit": str(m.unit)}, value)
        for m, value in metrics
        if value is not None and math.isfinite(value)
    )
    resident = () if last.rss_bytes is None else ((labels, float(last.rss_bytes)),)
    offered = ((labels, _offered(last)),) if last.scheduled_ns else ()
    return (
        Family("dualmem_load_offered_rate", "gauge", "", "Operations a second offered in the last section.", offered),
        Family("dualmem_load_achieved_rate", "gauge", "", "Operations a second achieved in it.", ((labels, _achieved(last)),)),
        Family("dualmem_load_resident_memory_bytes", "gauge", "bytes", "Resident memory of the player after it.", resident),
        Family("dualmem_load_store", "gauge", "", "What the store says of itself after it, cache hit rate and counts.", known),
    )


def _labels(key: tuple[str, str, str]) -> Labels:
    return {"load": key[0], "store": key[1], "operation": key[2]}


def _achieved(played: Played) -> float:
    return 1e9 * played.operations / max(1, played.elapsed_ns)


def _offered(played: Played) -> float:
    return 1e9 * max(1, played.operations - 1) / max(1, played.scheduled_ns)

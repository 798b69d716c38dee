"""Whether a load stays what it was: latencies that drift, memory that grows. What a soak is run for, and every long run says."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from dualmem_cli.judge.population import metric_of
from dualmem_cli.model.caution import Caution, CautionKind
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.load import LoadRun, Part, Played, PlayerRun
from dualmem_cli.model.samples import Histogram
from dualmem_cli.model.units import Unit, human, percent
from dualmem_cli.stats.histogram import merge
from dualmem_cli.stats.sections import smooth_percentile
from dualmem_cli.stats.trend import FEWEST, drift, growth

DRIFT = "drift"  # of the median response over the whole steady phase
RSS, RSS_GROWTH = "rss", "rss_growth"  # bytes; bytes per hour, without what the store says it holds more
CONFIDENCE = 0.95
MEMORY = "memory_bytes"
_LEAK_SHARE = 0.01  # of the resident memory, over the run: less is nobody's leak
_DRIFT_SHARE = 0.02


def steadiness(run: LoadRun) -> dict[str, Estimate]:
    """Drift of all operations and of each kind, and growth of memory; as far as the run is long enough to tell."""
    found = {}
    for kind in ("", *run.kinds):
        estimate = drift(_medians(run, kind), confidence=CONFIDENCE)
        if estimate is not None:
            found[f"{kind}.{DRIFT}" if kind else DRIFT] = estimate
    resident = [played.rss_bytes for played in run.steady() if played.rss_bytes is not None]
    if resident:
        most = max(resident)
        found[RSS] = Estimate(
            most, most, most, 1.0, Unit.BYTE, len(resident), "largest after any section, all arms in one process"
        )
    grown = _growth(run)
    return found | ({RSS_GROWTH: grown} if grown else {})


def soak_cautions(run: LoadRun, quantities: dict[str, Estimate]) -> tuple[Caution, ...]:
    """The verdict of a soak: what leaks or drifts, or the bound that was shown."""
    cautions = []
    grown, resident = quantities.get(RSS_GROWTH), quantities.get(RSS)
    hours = run_hours(run)
    if grown is not None and resident is not None:
        leak = grown.low > 0 and grown.value * hours > _LEAK_SHARE * resident.value
        rate = f"{human(grown.value, Unit.BYTE)} an hour [{human(grown.low, Unit.BYTE)}, {human(grown.high, Unit.BYTE)}]"
        what = f"resident memory grows by {rate} beyond what the store says it holds"
        bound = f"grows by less than {human(grown.high, Unit.BYTE)} an hour" if grown.high > 0 else "does not grow"
        shown = f"no leak: resident memory {bound} (95 %)"
        remedy = "Look for what is not freed: dualmem profile, valgrind."
        cautions.append(Caution(CautionKind.SOAK, what if leak else shown, remedy if leak else "", run.id))
    moved = quantities.get(DRIFT)
    if moved is not None:
        drifts = moved.low > 0 and moved.value > _DRIFT_SHARE
        interval = f"[{percent(moved.low)}, {percent(moved.high)}]"
        what = f"the median latency drifts by {percent(moved.value)} {interval} over the run"
        shown = f"no drift: the median latency moved by {percent(moved.value)} {interval} over the run"
        remedy = "Compare the first section's profile with the last one's."
        cautions.append(Caution(CautionKind.SOAK, what if drifts else shown, remedy if drifts else "", run.id))
    return tuple(cautions)


def run_hours(run: LoadRun) -> float:
    """How long the steady phase of the first player lasted, both arms."""
    return sum(_took(played) for part, played in run.players[0].plays if part is Part.STEADY) / 3.6e12 if run.players else 0.0


def _took(played: Played) -> int:
    return max(played.elapsed_ns, played.scheduled_ns)


def _growth(run: LoadRun) -> Estimate | None:
    """Of the first player: each has a memory of its own, and one series is enough to see a leak."""
    if not run.players:
        return None
    player = run.players[0]
    series = [(played.rss_bytes, _held(run, player, index)) for index, played in enumerate(player.of(Part.STEADY, 0))]
    values = [float(rss) - held for rss, held in series if rss is not None]
    found = growth(values, confidence=CONFIDENCE, unit=Unit.BYTE)
    hours = run_hours(run)
    if found is None or not hours:
        return None
    return replace(
        found,
        value=found.value / hours,
        low=found.low / hours,
        high=found.high / hours,
        unit="B/h",
        method=f"resident memory without {MEMORY} of the stores; {found.method}",
    )


def _held(run: LoadRun, player: PlayerRun, index: int) -> float:
    """What the stores of all arms say they hold after section `index`: growth by what the trace inserted is no leak."""
    held = 0.0
    for arm, workload in enumerate(run.workloads):
        sections = player.of(Part.STEADY, arm)
        if sections:
            held += metric_of(workload, sections[min(index, len(sections) - 1)].metrics, MEMORY) or 0.0
    return held


def _medians(run: LoadRun, kind: str) -> list[float]:
    """The median of every section, mean over the players; nothing while a section lacks the kind."""
    series = [[_median(played, kind) for played in player.of(Part.STEADY, 0)] for player in run.players]
    length = min((len(values) for values in series), default=0)
    if length < FEWEST:
        return []
    means = [fmean(values[index] for values in series) for index in range(length)]
    return means if min(means) > 0 else []


def _median(played: Played, kind: str) -> float:
    known: Sequence[Histogram] = [k.service if k.response is None else k.response for k in played.kinds if kind in ("", k.name)]
    pooled = merge(known)
    return smooth_percentile(pooled, 0.5) if pooled.count else 0.0

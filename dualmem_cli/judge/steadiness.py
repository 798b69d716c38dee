"""Whether a load stays what it was: latencies that drift, memory that grows. What a soak is run for, and every long run says. An operation
that has more to do at the end, because the store grew, is no drift of the machine: its work is counted, where the store counts it."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from dualmem_cli.judge.population import metric_of
from dualmem_cli.model.caution import Caution, CautionKind
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.load import LoadRun, Part, Played, PlayerRun, of_kind
from dualmem_cli.model.samples import Histogram
from dualmem_cli.model.units import Unit, human, percent
from dualmem_cli.model.workload import Workload
from dualmem_cli.stats.histogram import merge
from dualmem_cli.stats.interval import exact
from dualmem_cli.stats.sections import smooth_percentile
from dualmem_cli.stats.trend import FEWEST, drift, growth

DRIFT = "drift"  # of the median response over the whole steady phase
WORK, WORK_DRIFT = "work", "work_drift"  # of an operation, as the metric "<operation>_work" counts it; its change over the phase
RSS, RSS_GROWTH = "rss", "rss_growth"  # bytes; bytes per hour, without what the store says it holds more
CONFIDENCE = 0.95
MEMORY = "memory_bytes"
_LEAK_SHARE = 0.01  # of the resident memory, over the run: less is nobody's leak
_DRIFT_SHARE = 0.02
_WORK_SUFFIX = "_work"


def steadiness(run: LoadRun) -> dict[str, Estimate]:
    """Drift of all operations and of each kind, and growth of memory; as far as the run is long enough to tell."""
    found = {}
    for kind in ("", *run.kinds):
        estimate = drift(_medians(run, kind), confidence=CONFIDENCE)
        if estimate is not None:
            found[f"{kind}.{DRIFT}" if kind else DRIFT] = estimate
    found |= _work(run)
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
        what = f"the median latency drifts by {percent(moved.value)} {interval} over the run{_more_work(quantities)}"
        shown = f"no drift: the median latency moved by {percent(moved.value)} {interval} over the run"
        remedy = "Compare the first section's profile with the last one's."
        cautions.append(Caution(CautionKind.SOAK, what if drifts else shown, remedy if drifts else "", run.id))
    return tuple(cautions)


def _more_work(quantities: dict[str, Estimate]) -> str:
    """The part of a drift that is no drift."""
    grown = {name.partition(".")[0]: estimate.value for name, estimate in quantities.items() if is_more_work(name, estimate)}
    told = ", ".join(f"{kind} {percent(value)}" for kind, value in grown.items())
    return f"; operations have more to do at its end: {told}" if told else ""


def is_more_work(name: str, estimate: Estimate) -> bool:
    """Whether a quantity says that operations of a kind have surely more to do at the end of a run."""
    return name.endswith(f".{WORK_DRIFT}") and estimate.low > 0 and estimate.value > _DRIFT_SHARE


def is_work(workload: Workload, name: str) -> bool:
    """Whether a metric counts what the operations of a kind had to do since set-up (dm_workload.h)."""
    return name.endswith(_WORK_SUFFIX) and workload.operation(name.removesuffix(_WORK_SUFFIX)) is not None


def _work(run: LoadRun) -> dict[str, Estimate]:
    """Per operation of each kind that the store counts the work of: its mean, and its drift."""
    found = {}
    for kind in run.kinds:
        counted = [_work_of(run, player, kind) for player in run.players]
        sections = [pair for series in counted for pair in series]
        operations = sum(count for _, count in sections)
        if not operations:
            continue
        mean = sum(work for work, _ in sections) / operations
        found[f"{kind}.{WORK}"] = exact(
            mean, unit=Unit.COUNT, count=len(sections), method="per operation, as the store counts it"
        )
        length = min(len(series) for series in counted)
        each = [
            fmean(values)
            for place in range(length)
            if len(values := [work / count for work, count in (series[place] for series in counted) if count]) == len(counted)
        ]
        moved = drift(each, confidence=CONFIDENCE) if len(each) == length else None
        if moved is not None:
            found[f"{kind}.{WORK_DRIFT}"] = replace(moved, method=f"counted work of an operation; {moved.method}")
    return found


def _work_of(run: LoadRun, player: PlayerRun, kind: str) -> list[tuple[float, int]]:
    """What the operations of a kind had to do in each steady section, and how many they were; nothing where it is not counted."""
    before = metric_of(run.workloads[0], player.before[0].metrics, f"{kind}{_WORK_SUFFIX}") if player.before else None
    found = []
    for part, played in player.plays:
        if played.play.arm != 0:
            continue
        now = metric_of(run.workloads[0], played.metrics, f"{kind}{_WORK_SUFFIX}")
        if before is None or now is None:
            return []
        known = of_kind(played, kind)
        if part is Part.STEADY:
            found.append((now - before, known.operations if known else 0))
        before = now
    return found


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

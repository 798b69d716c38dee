"""What a load found: percentiles of each kind of operation and of all, what was achieved, what it costs over its twin, what drifts.

Percentiles are of all latencies of the steady sections pooled, each kind for itself and all together; never of percentiles. Their intervals
come from batches of sections (stats/sections.py). `response` counts from the scheduled time and is what a user waits for;
`service` from the begin, which is what a closed loop would have shown.
"""

from collections.abc import Sequence
from statistics import fmean

from dualmem_cli.judge.overhead import is_overhead, kinds_without, overheads, twin_limits
from dualmem_cli.judge.population import population_problem
from dualmem_cli.judge.saturation import saturation_estimate
from dualmem_cli.judge.steadiness import is_work, run_hours, steadiness
from dualmem_cli.model.caution import Caution, CautionKind
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.load import LoadRun, Part, Played, of_kind
from dualmem_cli.model.samples import Histogram
from dualmem_cli.model.scenario import Budget
from dualmem_cli.model.units import Unit, human, percent
from dualmem_cli.model.verdict import BenchFinding, Quantity
from dualmem_cli.stats.histogram import LATENCIES_FOR_P999, merge, percentile
from dualmem_cli.stats.interval import exact, mean_interval
from dualmem_cli.stats.sections import borders, midmean_of, percentile_interval

CONFIDENCE = 0.95
LATENESS = "lateness"  # P99 of the player's own
SERVICE = "service"  # "lookup.service.p99"
NOTHING = "no section was measured"
_SHARES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999))
_LATE_SHARE = 0.1  # of the P99 that it is in
_MOST_BATCHES = 10


def load_finding(run: LoadRun, *, whole: bool) -> BenchFinding:
    """All quantities of one load beside their budgets, or the problem that makes it invalid. Of one that is not `whole`, because somebody
    interrupted it, what was measured is told, and a budget on what was not is not judged."""
    problem = load_problem(run)
    if problem == NOTHING and not whole:
        problem = "interrupted before a section was measured"
    if problem:
        return BenchFinding(case=run.id, quantities=(), problem=problem)
    estimates = _estimates(run)
    limits = (*twin_limits(run, estimates), *run.scenario.budgets)
    budgets = {budget.quantity: budget for budget in limits if whole or budget.quantity in estimates}
    unmeasured = next((name for name in budgets if name not in estimates), None)
    if unmeasured is not None:  # a limit on nothing would always be met
        hint = f"; it takes {LATENCIES_FOR_P999:,} latencies" if unmeasured.endswith("p99.9") else ""
        return BenchFinding(case=run.id, quantities=(), problem=f"{unmeasured} has a budget and was not measured{hint}")
    quantities = tuple(_beside_budget(name, estimate, budgets.get(name)) for name, estimate in estimates.items())
    return BenchFinding(case=run.id, quantities=quantities, problem="")


def cut_caution(run: LoadRun, *, sections: int) -> Caution:
    """How far a load came that was interrupted, of its steady `sections` in all players."""
    steady, trials = len(run.steady()), sum(part is Part.SEARCH for player in run.players for part, _ in player.plays)
    searched = f", and of {trials} trial{'s' if trials != 1 else ''} of the search for the highest rate" if trials else ""
    control = run.scenario.control
    beside = f", and of {len(run.twins)} of {control.workers} processes beside its twin" if run.twins and control else ""
    asked = f"{run_hours(run):.2g} of {run.soak_s / 3600:.2g} hours" if run.soak_s else f"{steady} of {sections} steady sections"
    return Caution(
        CautionKind.INTERRUPTED, f"its figures are of {asked}{searched}{beside}; what was under way is not counted", "", run.id
    )


def load_cautions(run: LoadRun, finding: BenchFinding) -> tuple[Caution, ...]:
    """What to know before one believes the figures: what has no overhead, and how late the player itself began operations, which is the
    machine's doing."""
    return _without_overhead(run) + _late(run, finding)


def _without_overhead(run: LoadRun) -> tuple[Caution, ...]:
    """A limit that nothing was measured for must not look like one that was met."""
    kinds = kinds_without(run)
    if not kinds:
        return ()
    told = f"{', '.join(kinds)}: too rare to be played beside the twin, so the limit of [control] was not judged there"
    return (Caution(CautionKind.FEW_SAMPLES, told, "Give it a larger share in [mix], or raise [control] passes.", run.id),)


def _late(run: LoadRun, finding: BenchFinding) -> tuple[Caution, ...]:
    late, response = _lateness(run.steady()), finding.quantity("p99")
    if late is None or response is None or late.value <= _LATE_SHARE * response.estimate.value:
        return ()
    told = (
        f"operations began up to {human(late.value, Unit.NANOSECOND)} late (P99) although a thread was free: the machine was busy"
    )
    remedy = "It is in every latency from the scheduled time. Stop what else runs here, or use fewer [measure] threads."
    return (Caution(CautionKind.NOISY_MACHINE, told, remedy, run.id),)


def _lateness(steady: Sequence[Played]) -> Estimate | None:
    late = merge(played.lateness for played in steady if played.lateness is not None)
    method = "begun - scheduled of operations whose thread was free in time"
    return exact(percentile(late, 0.99), unit=Unit.NANOSECOND, count=len(steady), method=method) if late.count else None


def load_problem(run: LoadRun) -> str:
    """What makes every number of this load worthless, in one line; "" when nothing does."""
    failure = run.failure or next((player.failure for player in (*run.players, *run.twins) if player.failure), None)
    wrong = population_problem(run)
    if wrong:
        return wrong
    if failure is not None:
        return failure.message
    steady = run.steady()
    if not steady:
        return NOTHING
    beside = [played for player in run.twins for _, played in player.plays]
    return errors_problem(run, [*beside, *(played for arm in range(len(run.arms)) for played in run.steady(arm))])


def errors_problem(run: LoadRun, plays: Sequence[Played]) -> str:
    """Operations that fail are fast; more than the scenario allows make the others worthless."""
    operations, errors = sum(played.operations for played in plays), sum(played.errors for played in plays)
    allowed = run.scenario.gate.errors
    if errors <= allowed * operations:
        return ""
    failing = {kind.name for played in plays for kind in played.kinds if kind.errors}
    names = ", ".join(sorted(failing))
    return (
        f"{errors:,} of {operations:,} operations failed ({names}); at most {percent(allowed, signed=False, digits=2)} may: "
        "[gate] errors"
    )


def pooled_response(played: Played) -> Histogram:
    """The latencies of all kinds of one section, from the scheduled time (closed: from the begin)."""
    return merge(kind.service if kind.response is None else kind.response for kind in played.kinds)


def _beside_budget(name: str, estimate: Estimate, budget: Budget | None) -> Quantity:
    """A budget is met by the value, but an overhead by the upper end of its interval: what is promised of it must be shown."""
    if budget is None:
        return Quantity(name=name, estimate=estimate)
    value = estimate.high if is_overhead(name) and not budget.minimum else estimate.value
    met = value >= budget.limit if budget.minimum else value <= budget.limit
    return Quantity(name=name, estimate=estimate, limit=budget.limit, minimum=budget.minimum, met=met)


def _estimates(run: LoadRun) -> dict[str, Estimate]:
    steady = run.steady()
    found = _percentiles("", [pooled_response(played) for played in steady])
    found |= _throughput(run, steady)
    for kind in run.kinds:
        of = [known for played in steady if (known := of_kind(played, kind)) is not None]
        services = [known.service for known in of]
        found |= _percentiles(f"{kind}.", [known.response for known in of if known.response is not None] or services)
        if run.open:
            found |= _percentiles(f"{kind}.{SERVICE}.", services)
        errors = sum(known.errors for known in of)
        count = sum(known.operations for known in of)
        found[f"{kind}.time"] = _time([[(known.service, 1.0)] for known in of])
        found[f"{kind}.operations"] = exact(float(count), unit=Unit.COUNT, count=1, method="counted")
        found[f"{kind}.errors"] = exact(errors / count, unit=Unit.RATIO, count=1, method=f"{errors:,} of {count:,}")
    found["time"] = _time([[(k.service, 1.0 * k.operations) for k in played.kinds if k.operations] for played in steady])
    late = _lateness(steady)
    found |= {} if late is None else {LATENESS: late}
    found |= overheads(run)
    found |= saturation_estimate(run)
    found |= steadiness(run)
    return found | {name: metric for name, metric in _metrics(run).items() if name not in found}


def _percentiles(prefix: str, sections: Sequence[Histogram]) -> dict[str, Estimate]:
    """P99.9 from 10,000 latencies on only; the largest as it is."""
    sections = [section for section in sections if section.count]
    if not sections:
        return {}
    count = sum(section.count for section in sections)
    found = {
        f"{prefix}{name}": percentile_interval(sections, share, confidence=CONFIDENCE)
        for name, share in _SHARES
        if name != "p99.9" or count >= LATENCIES_FOR_P999
    }
    largest = float(max(section.max_ns for section in sections))
    found[f"{prefix}max"] = exact(largest, unit=Unit.NANOSECOND, count=len(sections), method=f"of {count:,} latencies")
    return found


def _time(sections: Sequence[Sequence[tuple[Histogram, float]]]) -> Estimate:
    """What an operation takes from its begin: the interquartile mean of each kind, kinds by their number; interval from batches in time."""
    values = []
    for low, high in borders(len(sections), most=_MOST_BATCHES):
        parts = [part for section in sections[low:high] for part in section]
        total = sum(weight for _, weight in parts)
        values.append(sum(midmean_of(service) * weight for service, weight in parts) / total)
    method = "interquartile mean from the begin, mean over batches in time"
    return mean_interval(values, confidence=CONFIDENCE, unit=Unit.NANOSECOND, method=method)


def _throughput(run: LoadRun, steady: Sequence[Played]) -> dict[str, Estimate]:
    """Operations a second, offered and achieved, and the share of operations that failed."""
    operations = sum(played.operations for played in steady)
    errors = sum(played.errors for played in steady)
    elapsed, scheduled = sum(_elapsed(p) for p in steady), sum(p.scheduled_ns for p in steady)
    method = f"{operations:,} operations"
    found = {
        "rate": exact(
            1e9 * (operations - len(steady)) / max(1.0, elapsed), unit=Unit.PER_SECOND, count=len(steady), method=method
        )
    }
    if run.open and scheduled:
        found["offered"] = exact(
            1e9 * (operations - len(steady)) / scheduled, unit=Unit.PER_SECOND, count=len(steady), method=method
        )
        told = "scheduled time / time until the last operation began"
        found["achieved"] = exact(min(1.0, scheduled / max(1.0, elapsed)), unit=Unit.RATIO, count=len(steady), method=told)
    found["errors"] = exact(errors / operations, unit=Unit.RATIO, count=1, method=f"{errors:,} of {operations:,}")
    return found


def _elapsed(played: Played) -> float:
    """Until the last operation began: its own time is no delay."""
    services = merge(kind.service for kind in played.kinds)
    return played.elapsed_ns - services.sum_ns / max(1, services.count)


def _metrics(run: LoadRun) -> dict[str, Estimate]:
    """Declared metrics of the subject as they were at the end, mean over the players."""
    found = {}
    for index, metric in enumerate(run.workloads[0].metrics):
        if is_work(run.workloads[0], metric.name):
            continue  # told per operation
        ends = [player.after[0].metrics if player.after else _last(player.of_arm(0)) for player in run.players]
        known = [value for values in ends if index < len(values) and (value := values[index]) is not None]
        if known:
            told = "at the end, read from the store"
            found[metric.name] = exact(fmean(known), unit=metric.unit, count=len(known), method=told)
    return found


def _last(plays: Sequence[Played]) -> tuple[float | None, ...]:
    return plays[-1].metrics if plays else ()

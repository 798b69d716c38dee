"""What a load found: percentiles of each kind of operation and of all, what was achieved, what it costs over its twin, what drifts.

Percentiles are of all latencies of the steady sections pooled, each kind for itself and all together; never of percentiles. Their intervals
come from batches of sections (stats/sections.py). `response` counts from the scheduled time and is what a user waits for;
`service` from the begin, which is what a closed loop would have shown.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import log
from statistics import fmean

from dualmem_cli.judge.population import population_problem
from dualmem_cli.judge.saturation import saturation_estimate
from dualmem_cli.judge.steadiness import run_hours, steadiness
from dualmem_cli.model.caution import Caution, CautionKind
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.load import KindPlayed, LoadRun, Part, Played
from dualmem_cli.model.plan import Role
from dualmem_cli.model.samples import Histogram
from dualmem_cli.model.scenario import Budget
from dualmem_cli.model.units import Unit, human, percent
from dualmem_cli.model.verdict import BenchFinding, Quantity
from dualmem_cli.stats.histogram import LATENCIES_FOR_P999, merge, percentile
from dualmem_cli.stats.interval import exact, log_ratio_interval, mean_interval
from dualmem_cli.stats.sections import midmean_of, percentile_interval

CONFIDENCE = 0.95
OVERHEAD_CONFIDENCE = 0.99
LATENESS = "lateness"  # P99 of the player's own
SERVICE = "service"  # "lookup.service.p99"
TWIN_LIMIT = "overhead"
NOTHING = "no section was measured"
_SHARES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999))
_LATE_SHARE = 0.1  # of the P99 that it is in
_FEWEST_GROUPS = 5  # of pairs of sections; a kind that cannot fill them has no overhead of its own
_FEWEST_PAIRED = 32  # operations of a kind in a pair of sections; neighbours are pooled until there are as many
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
    budgets = {budget.quantity: budget for budget in _budgets(run) if whole or budget.quantity in estimates}
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
    asked = f"{run_hours(run):.2g} of {run.soak_s / 3600:.2g} hours" if run.soak_s else f"{steady} of {sections} steady sections"
    return Caution(
        CautionKind.INTERRUPTED, f"its figures are of {asked}{searched}; what was under way is not counted", "", run.id
    )


def load_cautions(run: LoadRun, finding: BenchFinding) -> tuple[Caution, ...]:
    """What to know before one believes the latencies: how late the player itself began operations, which is the machine's doing."""
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
    failure = run.failure or next((player.failure for player in run.players if player.failure), None)
    wrong = population_problem(run)
    if wrong:
        return wrong
    if failure is not None:
        return failure.message
    steady = run.steady()
    if not steady:
        return NOTHING
    return errors_problem(run, [played for arm in range(len(run.arms)) for played in run.steady(arm)])


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


def of_kind(played: Played, name: str) -> KindPlayed | None:
    """What one kind of operation took in a play; None when the play had none."""
    return next((kind for kind in played.kinds if kind.name == name and kind.operations), None)


def pooled_response(played: Played) -> Histogram:
    """The latencies of all kinds of one section, from the scheduled time (closed: from the begin)."""
    return merge(kind.service if kind.response is None else kind.response for kind in played.kinds)


def _budgets(run: LoadRun) -> list[Budget]:
    control = run.scenario.control
    twin = [Budget(TWIN_LIMIT, control.limit, minimum=False)] if control and _twin(run) is not None else []
    return [*twin, *run.scenario.budgets]


def _beside_budget(name: str, estimate: Estimate, budget: Budget | None) -> Quantity:
    """A budget is met by the value, but an overhead by the upper end of its interval: what is promised of it must be shown."""
    if budget is None:
        return Quantity(name=name, estimate=estimate)
    value = estimate.high if name == TWIN_LIMIT and not budget.minimum else estimate.value
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
    found |= _overheads(run)
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
    borders = _borders(len(sections), most=_MOST_BATCHES)
    values = []
    for low, high in borders:
        parts = [part for section in sections[low:high] for part in section]
        total = sum(weight for _, weight in parts)
        values.append(sum(midmean_of(service) * weight for service, weight in parts) / total)
    method = "interquartile mean from the begin, mean over batches in time"
    return mean_interval(values, confidence=CONFIDENCE, unit=Unit.NANOSECOND, method=method)


def _borders(count: int, *, most: int) -> list[tuple[int, int]]:
    parts = min(most, count)
    ends = [round(number * count / parts) for number in range(parts + 1)]
    return list(pairwise(ends))


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


def _twin(run: LoadRun) -> int | None:
    return next((index for index, arm in enumerate(run.arms) if arm.role is Role.CONTROL), None)


def _overheads(run: LoadRun) -> dict[str, Estimate]:
    """What an operation takes / what its twin takes - 1, from pairs of sections that played the same operations side by side: of each kind,
    and of all kinds by their numbers."""
    twin = _twin(run)
    if twin is None:
        return {}
    pairs = [
        pair for player in run.players for pair in zip(player.of(Part.STEADY, 0), player.of(Part.STEADY, twin), strict=False)
    ]
    method = "mean over pairs of sections of the ratio of interquartile means of the service times"
    counts = {kind: sum(p.operations for played, _ in pairs if (p := of_kind(played, kind))) for kind in run.kinds}
    common = tuple(kind for kind, count in counts.items() if count >= _FEWEST_GROUPS * _FEWEST_PAIRED)
    rare = ", ".join(kind for kind in run.kinds if kind not in common)
    found = {}
    for kind in ("", *common) if common else ():
        of = (kind,) if kind else common
        groups = min(len(pairs), *(counts[name] // _FEWEST_PAIRED for name in of))
        logs = [log(cost[0] / cost[1]) for cost in _paired_costs(pairs, of, groups)]
        told = f"{method}; too rare to count: {rare}" if rare and not kind else method
        name = f"{kind}.{TWIN_LIMIT}" if kind else TWIN_LIMIT
        if logs:
            found[name] = log_ratio_interval(logs, confidence=OVERHEAD_CONFIDENCE, method=told)
    return found


def _paired_costs(pairs: Sequence[tuple[Played, Played]], kinds: Sequence[str], groups: int) -> list[tuple[float, float]]:
    """Per pair of sections (of neighbours together, where a kind is rare) the cost on either side: kinds by their number."""
    costs = []
    for low, high in _borders(len(pairs), most=groups):
        sides = []
        for side in (0, 1):
            known = [
                merge(k.service for pair in pairs[low:high] if (k := of_kind(pair[side], kind)) is not None) for kind in kinds
            ]
            sides.append(sum(midmean_of(histogram) * histogram.count for histogram in known if histogram.count))
        if all(sides):
            costs.append((sides[0], sides[1]))
    return costs


def _metrics(run: LoadRun) -> dict[str, Estimate]:
    """Declared metrics of the subject as they were at the end, mean over the players."""
    found = {}
    for index, metric in enumerate(run.workloads[0].metrics):
        ends = [player.after[0].metrics if player.after else _last(player.of_arm(0)) for player in run.players]
        known = [value for values in ends if index < len(values) and (value := values[index]) is not None]
        if known:
            told = "at the end, read from the store"
            found[metric.name] = exact(fmean(known), unit=metric.unit, count=len(known), method=told)
    return found


def _last(plays: Sequence[Played]) -> tuple[float | None, ...]:
    return plays[-1].metrics if plays else ()

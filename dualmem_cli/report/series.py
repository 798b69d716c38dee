"""From raw samples to what a plot draws: pure, and for display only. No number in here is judged or written in a table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dualmem_cli.model.load import KindPlayed, LoadRun, Part
from dualmem_cli.model.plan import Role
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.samples import Histogram
from dualmem_cli.model.verdict import FrontierFinding
from dualmem_cli.stats.histogram import merge, percentile
from dualmem_cli.stats.pairs import paired_ratios, per_operation


@dataclass(frozen=True, slots=True)
class WorkerPairs:
    """One worker of a compare: candidate / baseline - 1 of every pair that counts, in time order, and their interquartile mean, which is
    the worker's value for the judge."""

    worker: int
    changes: tuple[float, ...]
    value: float


@dataclass(frozen=True, slots=True)
class ArmTimes:
    """All times per operation of one arm, in nanoseconds, ascending."""

    name: str
    role: Role
    sorted_ns: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PercentileCurve:
    """Latency by rarity: `rarity` is 1 - p, descending from 0.5; `latency_ns` belongs to it."""

    name: str
    role: Role
    fastest: bool
    rarity: tuple[float, ...]
    latency_ns: tuple[float, ...]


def pairs_by_worker(run: CaseRun) -> tuple[WorkerPairs, ...]:
    """The paired changes of every worker that has both builds."""
    reference, arm = _arm_of(run, Role.BASELINE), _arm_of(run, Role.CANDIDATE)
    if reference is None or arm is None:
        return ()
    series = []
    for number, worker in enumerate(run.workers, 1):
        if worker.samples is None:
            continue
        ratios = paired_ratios(worker.samples, arm=arm, reference=reference)
        if ratios.logs:
            changes = tuple(math.expm1(log) for log in ratios.logs)
            series.append(WorkerPairs(number, changes, math.expm1(ratios.value)))
    return tuple(series)


def times_by_arm(run: CaseRun, roles: frozenset[Role]) -> tuple[ArmTimes, ...]:
    """Times per operation of the first arm of each role asked for, all workers pooled."""
    series = []
    for role in Role:
        arm = _arm_of(run, role) if role in roles else None
        if arm is None:
            continue
        times = [time for worker in run.workers if worker.samples for time in per_operation(worker.samples, arm=arm)]
        if times:
            series.append(ArmTimes(_arm_name(run, arm), role, tuple(sorted(times))))
    return tuple(series)


def percentile_curves(run: CaseRun) -> tuple[PercentileCurve, ...]:
    """Latency curves of every arm, of all operations and of the fastest pass, all workers pooled."""
    curves = []
    for index, arm in enumerate(run.arms):
        found = [latency for worker in run.workers for latency in worker.latency if latency.arm == index]
        for fastest in (False, True):
            histogram = merge(latency.fastest if fastest else latency.every for latency in found)
            if histogram.count:
                curves.append(_curve(histogram, name=_arm_name(run, index), role=arm.role, fastest=fastest))
    return tuple(curves)


def recall_lines(found: FrontierFinding, *, rate: bool) -> tuple[tuple[tuple[float, float], ...], ...]:
    """(recall, lookups a second) of an arm; or (recall, P50) and (recall, P99), nanoseconds. A line of what was not measured is empty."""
    if rate:
        return (tuple((point.recall, point.per_second) for point in found.points if point.per_second),)
    return (
        tuple((point.recall, point.p50_ns) for point in found.points if point.p50_ns),
        tuple((point.recall, point.p99_ns) for point in found.points if point.p99_ns),
    )


def quantiles(ascending: Sequence[float], *, most: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The cumulative distribution as at most `most` points: values, and the share of values at or below each."""
    count = len(ascending)
    step = max(1, math.ceil(count / most))
    indices = sorted({*range(0, count, step), count - 1})
    return tuple(ascending[index] for index in indices), tuple((index + 1) / count for index in indices)


def bulk(values: Sequence[float], *, share: float) -> tuple[float, float]:
    """The range that holds the middle `share` of the values: what an axis shows."""
    ascending = sorted(values)
    cut = int(len(ascending) * (1 - share) / 2)
    return ascending[cut], ascending[-1 - cut]


def _curve(histogram: Histogram, *, name: str, role: Role, fastest: bool) -> PercentileCurve:
    """Down to the rarity of one operation in all, eight points per factor of ten."""
    rarity = _rarities(histogram.count)
    return PercentileCurve(name, role, fastest, rarity, tuple(percentile(histogram, 1 - rare) for rare in rarity))


def _rarities(count: int) -> tuple[float, ...]:
    steps = math.ceil(8 * math.log10(max(count * 0.5, 1.0)))
    return tuple(0.5 * 10 ** (-step / 8) for step in range(steps + 1))


def _arm_of(run: CaseRun, role: Role) -> int | None:
    """The first arm of a role; in a compare the later ones are controls."""
    return next((index for index, arm in enumerate(run.arms) if arm.role is role and arm.work == 1.0), None)


def _arm_name(run: CaseRun, index: int) -> str:
    arm = run.arms[index]
    if arm.role in {Role.BASELINE, Role.CANDIDATE}:
        return arm.role.value
    if arm.role is Role.EMPTY:
        return "empty loop"
    if arm.kernel == run.case.kernel:
        return arm.variant
    return arm.kernel if arm.variant == run.case.variant else f"{arm.kernel} {arm.variant}"


@dataclass(frozen=True, slots=True)
class LoadCurve:
    """Latency by rarity of one kind of a load's operations ("": all together), from the scheduled time or (`service`) from the begin."""

    kind: str
    service: bool
    rarity: tuple[float, ...]
    latency_ns: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """One steady section: when it ended, seconds since the first process began, and what it took."""

    process: int
    at_s: float
    p50_ns: float
    p99_ns: float
    max_ns: float


def load_curves(run: LoadRun) -> tuple[LoadCurve, ...]:
    """Every kind, then all together; these from the begin as well where that is something else."""
    steady = run.steady()
    found = [(kind, False, [_latency(k) for p in steady for k in p.kinds if k.name == kind]) for kind in run.kinds]
    found.append(("", False, [_latency(k) for p in steady for k in p.kinds]))
    if run.open:
        found.append(("", True, [k.service for p in steady for k in p.kinds]))
    curves = []
    for kind, service, histograms in found:
        pooled = merge(histograms)
        if pooled.count:
            rarity = _rarities(pooled.count)
            curves.append(LoadCurve(kind, service, rarity, tuple(percentile(pooled, 1 - rare) for rare in rarity)))
    return tuple(curves)


def load_over_time(run: LoadRun) -> tuple[LoadPoint, ...]:
    """The steady sections of the subject, process after process."""
    points = []
    before_s = 0.0
    for number, player in enumerate(run.players):
        for (part, played), began_s in zip(player.plays, player.began_s, strict=True):
            pooled = merge(_latency(kind) for kind in played.kinds)
            if part is Part.STEADY and played.play.arm == 0 and pooled.count:
                at_s = before_s + began_s + max(played.elapsed_ns, played.scheduled_ns) / 1e9
                points.append(LoadPoint(number, at_s, percentile(pooled, 0.5), percentile(pooled, 0.99), float(pooled.max_ns)))
        before_s += player.seconds
    return tuple(points)


def _latency(kind: KindPlayed) -> Histogram:
    return kind.service if kind.response is None else kind.response

"""One number per worker, for tools that make their own statistics: a fresh process is one independent repetition.

The samples of one process are not independent; a tool that was given them all would take a hundred samples of one process for a
hundred repetitions. What a worker contributes is therefore what the judge takes from it: the median of its undisturbed samples, minus
its own empty loop's where the scenario names one, or a percentile of its own latencies.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

from dualmem_cli.judge.load import pooled_response
from dualmem_cli.model.load import LoadRun, Part, Played, of_kind
from dualmem_cli.model.plan import Case, Role
from dualmem_cli.model.record import CaseRun, Record
from dualmem_cli.model.samples import Histogram, Samples, WorkerRun
from dualmem_cli.model.verdict import BenchFinding, CompareFinding, Verdict
from dualmem_cli.report.phrases import TIME
from dualmem_cli.stats.histogram import merge, percentile
from dualmem_cli.stats.pairs import per_operation
from dualmem_cli.stats.sections import midmean_of, trimmed_mean_of

# What the gate measured. Of any other verdict no number is given away: it would look like a good one.
MEASURED = frozenset({Verdict.REGRESSED, Verdict.IMPROVED, Verdict.UNCHANGED, Verdict.INCONCLUSIVE})
# Rarer percentiles of a single worker are the maximum of a handful.
_SHARES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))


@dataclass(frozen=True, slots=True)
class Repetition:
    """What one worker found. Nanoseconds per operation; `operations` is how many were timed. `cpu_ns` is None where only wall time was
    taken (latencies). `metrics` are those that the worker read, by their declared names."""

    operations: int
    wall_ns: float
    cpu_ns: float | None
    metrics: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Repetitions:
    """All repetitions of one quantity ("time", "p50", "p95", "p99"; of a load also "lookup.p50", of one kind of operation) of one case, in
    the order the workers ran."""

    case: Case
    quantity: str
    repetitions: tuple[Repetition, ...]


def repetitions(record: Record, *, side: Role) -> tuple[Repetitions, ...]:
    """Every valid case of one side: Role.SUBJECT of a bench, Role.BASELINE or Role.CANDIDATE of a compare."""
    valid = valid_cases(record)
    cases = [found for run in record.cases if run.case.id in valid for found in _of_case(record, run, side)]
    loads = [found for load in record.loads if _load_is_valid(load, valid) for found in _of_load(load, side)]
    return (*cases, *loads)


def measured_side(record: Record) -> Role:
    """The side that a format with room for one shows: what was measured, or the new build of a compare."""
    return Role.SUBJECT if record.kind == "bench" else Role.CANDIDATE


def findings(record: Record) -> tuple[BenchFinding | CompareFinding, ...]:
    """The findings of either kind of record."""
    return record.bench if record.kind == "bench" else record.compare


def valid_cases(record: Record) -> frozenset[str]:
    """The ids of the cases whose numbers mean something."""
    if record.kind == "bench":
        return frozenset(finding.case for finding in record.bench if not finding.problem)
    return frozenset(finding.case for finding in record.compare if finding.verdict in MEASURED)


def _of_case(record: Record, run: CaseRun, side: Role) -> Iterator[Repetitions]:
    arm = _arm(run, side)
    if arm is None:
        return
    names = _metric_names(record, run, arm)
    empty = _arm(run, Role.EMPTY)
    timed = tuple(
        _block(worker.samples, arm, empty, _metrics(worker, arm, names)) for worker in run.workers if worker.samples is not None
    )
    if timed:
        yield Repetitions(run.case, TIME, timed)
    latencies = [(worker, found) for worker in run.workers for found in worker.latency if found.arm == arm and found.every.count]
    for quantity, share in _SHARES if latencies else ():
        yield Repetitions(
            run.case,
            quantity,
            tuple(
                Repetition(found.every.count, percentile(found.every, share), None, _metrics(worker, arm, names))
                for worker, found in latencies
            ),
        )


def _load_is_valid(load: LoadRun, valid: frozenset[str]) -> bool:
    """A bench has one finding of it; a compare one per kind and quantity, all valid or none."""
    return any(case == load.id or case.startswith(f"{load.id}/") for case in valid)


def _of_load(load: LoadRun, side: Role) -> Iterator[Repetitions]:
    """A player is a repetition: percentiles of all operations of its measured sections together and of each kind, as the judge takes them,
    and what an operation of a kind takes from its begin."""
    arm = next((index for index, arm in enumerate(load.arms) if arm.role is side), None)
    if arm is None:
        return
    case = Case(load.scenario.name, load.scenario.workload, load.variant, load.scenario.parameters, (), load.data)
    plays = [player.of(Part.STEADY, arm) for player in load.players]
    mean = midmean_of if side is Role.SUBJECT else trimmed_mean_of
    for kind in ("", *load.kinds):
        prefix = f"{kind}." if kind else ""
        if kind:
            services = [merge(k.service for played in steady if (k := of_kind(played, kind))) for steady in plays]
            yield from _repeated(case, f"{kind}.{TIME}", services, mean)
        waits = [merge(_waits(played, kind) for played in steady) for steady in plays]
        for quantity, share in _SHARES:
            yield from _repeated(case, f"{prefix}{quantity}", waits, partial(percentile, share=share))


def _waits(played: Played, kind: str) -> Histogram:
    """Latencies from the scheduled time (closed: from the begin); of all kinds, or of one."""
    if not kind:
        return pooled_response(played)
    known = of_kind(played, kind)
    return merge(()) if known is None else known.service if known.response is None else known.response


def _repeated(
    case: Case, quantity: str, found: Sequence[Histogram], value: Callable[[Histogram], float]
) -> Iterator[Repetitions]:
    timed = tuple(Repetition(one.count, value(one), None, ()) for one in found if one.count)
    if timed:
        yield Repetitions(case, quantity, timed)


def _block(samples: Samples, arm: int, empty: int | None, metrics: tuple[tuple[str, float], ...]) -> Repetition:
    processor = replace(samples, wall_ns=samples.cpu_ns)
    wall, cpu = (
        median(per_operation(taken, arm=arm)) - (median(per_operation(taken, arm=empty)) if empty is not None else 0.0)
        for taken in (samples, processor)
    )
    return Repetition(samples.iterations[arm] * samples.schedule.count(str(arm)), wall, cpu, metrics)


def _arm(run: CaseRun, role: Role) -> int | None:
    return next((index for index, arm in enumerate(run.arms) if arm.role is role), None)


def _metric_names(record: Record, run: CaseRun, arm: int) -> tuple[str, ...]:
    told = run.arms[arm]
    build = record.builds[told.build] if told.build < len(record.builds) else None
    kernel = build.library.kernel(told.kernel, told.variant) if build else None
    return tuple(metric.name for metric in kernel.metrics) if kernel else ()


def _metrics(worker: WorkerRun, arm: int, names: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    values = worker.metrics[arm] if arm < len(worker.metrics) else ()
    return tuple((name, value) for name, value in zip(names, values, strict=False) if value is not None)

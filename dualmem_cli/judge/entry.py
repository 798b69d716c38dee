"""From a record to what a history keeps of it. Pure."""

import hashlib
from datetime import UTC, datetime

from dualmem_cli.judge.direction import better_of_load, declared, split
from dualmem_cli.judge.load import LATENESS, SERVICE
from dualmem_cli.judge.replay import gated
from dualmem_cli.judge.steadiness import WORK, WORK_DRIFT
from dualmem_cli.model.history import Amount, Entry, Judged, Kept, Measured
from dualmem_cli.model.kernel import Library
from dualmem_cli.model.load import LoadRun
from dualmem_cli.model.machine import Machine
from dualmem_cli.model.metric import Better, Scope
from dualmem_cli.model.plan import Case
from dualmem_cli.model.record import Record
from dualmem_cli.model.units import Unit, significant
from dualmem_cli.model.verdict import BenchFinding, CompareFinding

_MACHINE_FACTS = (
    "architecture", "cpu", "cores", "isa", "caches", "microcode", "governor", "hypervisor", "kernel", "libc", "python", "clock_source",
    "huge_pages",
)  # fmt: skip
_MACHINE_DIGITS = 8
_HIGHER = ("recall", "speedup", "rate")
# Of a load: what its scenario says, the player's own, and the largest of all, which is the machine's worst moment and no course.
_NOT_KEPT = ("offered", "operations", "max", WORK, WORK_DRIFT, LATENESS)


def entry_of(record: Record, *, digest: str) -> Entry:
    """What is kept of a record whose file has that SHA-256. A case that was not valid has no numbers."""
    build = record.builds[-1] if record.kind == "compare" and record.builds else next(iter(record.builds), None)
    library = build.library if build else None
    cases = {run.case.id: run.case for run in record.cases}
    return Entry(
        record=Kept(
            digest=digest,
            command=record.kind,
            created=_moment(record.created),
            seed=record.seed,
            revision=record.revision.removesuffix("+"),
            dirty=record.revision.endswith("+"),
            machine=machine_name(record.machine),
            build=build.digest if build else "",
            library=f"{library.name} {library.version}".strip() if library else "",
            compiler=library.compiler if library else "",
            baseline=record.baseline,
            tool=record.tool,
            gate=record.gate,
            seconds=record.seconds,
            interrupted=record.interrupted,
        ),
        machine=record.machine,
        amounts=tuple(_bench_amounts(record, cases, library))
        if record.kind == "bench"
        else tuple(_compare_amounts(record, cases, library)),
        verdicts=tuple(_judged(finding, cases.get(finding.case), record.load_run(finding.case)) for finding in record.compare),
    )


def machine_name(machine: Machine) -> str:
    """A short name of a machine that follows from its facts, the same in every history: also when later versions know more facts. A
    kernel gives and takes some MiB of memory, so only GiB count."""
    facts = (*(getattr(machine, name) for name in _MACHINE_FACTS), round(machine.memory_bytes / 2**30))
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:_MACHINE_DIGITS]


def _bench_amounts(record: Record, cases: dict[str, Case], library: Library | None) -> list[Amount]:
    found = []
    for finding in record.bench:
        load = record.load_run(finding.case)
        found += _load_amounts(load, finding) if load else []
        case = cases.get(finding.case)
        for quantity in finding.quantities if case else ():
            assert case is not None
            better, shared = _meaning(quantity.name, case, library)
            estimate = quantity.estimate
            measured = _measured("bench", case, quantity.name, estimate.unit, better, shared=shared)
            found.append(Amount(measured, estimate.value, estimate.low, estimate.high, estimate.count))
    return found


def _compare_amounts(record: Record, cases: dict[str, Case], library: Library | None) -> list[Amount]:
    """The candidate's time, which a compare shows for orientation, without an interval, and the numbers that it counted."""
    found = []
    for finding in record.compare:
        load = record.load_run(finding.case)
        wanted = {f"{load.id}/{each.name}": f"{each.kind}.{each.quantity}" for each in gated(load)} if load else {}
        if load and finding.candidate_ns is not None and finding.case in wanted:
            measured = _of_load("compare", load, wanted[finding.case], Unit.NANOSECOND)
            found.append(Amount(measured, finding.candidate_ns, None, None, 1))
        case = cases.get(finding.case)
        if case is not None and finding.candidate_ns is not None:
            measured = _measured("compare", case, "time", Unit.NANOSECOND, Better.LOWER, shared=False)
            found.append(Amount(measured, finding.candidate_ns, None, None, 1))
        for metric in finding.metrics if case is not None else ():
            assert case is not None
            better, shared = _meaning(metric.name, case, library)
            measured = _measured("compare", case, metric.name, metric.unit, better, shared=shared)
            found.append(Amount(measured, metric.candidate, metric.candidate, metric.candidate, 1))
    return found


def _load_amounts(run: LoadRun, finding: BenchFinding) -> list[Amount]:
    """What users of the store saw, of all operations together and of each kind, and what the store says of itself."""
    return [
        Amount(_of_load("bench", run, quantity.name, estimate.unit), estimate.value, estimate.low, estimate.high, estimate.count)
        for quantity in finding.quantities
        for estimate in (quantity.estimate,)
        if (rest := split(run, quantity.name)[1]) not in _NOT_KEPT and not rest.startswith(f"{SERVICE}.")
    ]


def _of_load(command: str, run: LoadRun, quantity: str, unit: Unit | str) -> Measured:
    """Loads are one series as long as the same operations are offered, to stores of the same kind, as fast and by as many threads."""
    arrivals = run.scenario.measure.arrivals
    stated = {name: significant(value, 12) for name, value in run.scenario.parameters}
    stated |= {
        "threads": str(run.scenario.measure.threads),
        "arrivals": str(arrivals.kind),
        "rate": significant(arrivals.rate or 0, 12),
    }
    return Measured(
        command=command,
        scenario=run.scenario.name,
        kernel=run.scenario.workload,
        variant=run.variant,
        case=run.id,
        parameters=",".join(f"{name}={value}" for name, value in stated.items()),
        data="/".join(filter(None, (run.trace.digest, run.data))),
        quantity=quantity,
        unit=str(unit),
        better=better_of_load(run, quantity),
        shared=False,
    )


def _meaning(name: str, case: Case, library: Library | None) -> tuple[Better, bool]:
    """Which direction is better, and whether the number is the same on every machine."""
    metric = declared(library, case, name)
    if metric is not None:
        return metric.better, metric.scope is Scope.CASE
    return (Better.HIGHER if name.startswith(_HIGHER) else Better.LOWER), name == "recall"


def _measured(command: str, case: Case, quantity: str, unit: Unit | str, better: Better, *, shared: bool) -> Measured:
    return Measured(
        command=command,
        scenario=case.scenario,
        kernel=case.kernel,
        variant=case.variant,
        case=case.id,
        parameters=",".join(f"{name}={significant(value, 12)}" for name, value in case.parameters),
        data=case.data,
        quantity=quantity,
        unit=str(unit),
        better=better,
        shared=shared,
    )


def _judged(finding: CompareFinding, case: Case | None, load: LoadRun | None) -> Judged:
    """A case that was never run (new or gone) is named by its id alone."""
    parts = finding.case.split("/")
    change = finding.change
    return Judged(
        scenario=case.scenario if case else parts[0],
        kernel=case.kernel if case else load.scenario.workload if load else "",
        variant=case.variant if case else (parts[1] if len(parts) > 1 else ""),
        case=finding.case,
        verdict=finding.verdict,
        change=change.value if change else None,
        low=change.low if change else None,
        high=change.high if change else None,
        threshold=finding.threshold,
        reason=finding.reason,
    )


def _moment(created: str) -> datetime:
    """UTC, without saying so, as the database keeps it."""
    moment = datetime.fromisoformat(created.replace("Z", "+00:00"))
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment

"""Records made by hand for tests of the history: known levels, seeded noise, machines, revisions."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from random import Random

from fabricated import CASE, KERNEL, MACHINE, build, case_run, library, paired, record

from dualmem_cli.judge.course import course
from dualmem_cli.judge.entry import entry_of
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.history import Chronicle, Entry, Point, Series, Told
from dualmem_cli.model.machine import Machine
from dualmem_cli.model.record import Record
from dualmem_cli.model.units import Unit
from dualmem_cli.model.verdict import BenchFinding, CompareFinding, Quantity, Verdict
from dualmem_cli.store import records

OTHER = replace(MACHINE, cpu="another CPU")
BEGAN = datetime(2026, 1, 2, 3, 4, 5)


def estimate(value: float, *, spread: float = 0.0, unit: Unit | str = Unit.NANOSECOND) -> Estimate:
    return Estimate(value, value * (1 - spread), value * (1 + spread), 0.95 if spread else 1.0, unit, 8, "made by hand")


def bench_record(number: int, *, time_ns: float, machine: Machine = MACHINE, memory: float = 64.0, built: str = "a") -> Record:
    """The `number`th record, a day after the one before, of one case with a time, an overhead and its counted metrics."""
    quantities = (
        Quantity("time", estimate(time_ns, spread=0.01)),
        Quantity("overhead", estimate(0.01, spread=0.5, unit=Unit.RATIO)),
        Quantity("memory_bytes", estimate(memory, unit=Unit.BYTE)),
    )
    return record(
        created=f"{(BEGAN + timedelta(days=number)).isoformat()}+00:00",
        revision=f"{number:010x}" + ("+" if number % 5 == 4 else ""),
        machine=machine,
        seed=number,
        builds=(build(library(KERNEL), digest=built * 64),),
        cases=(case_run(paired(1.0)),),
        bench=(BenchFinding(CASE.id, quantities, ""),),
    )


def compare_record(number: int, verdict: Verdict, *, change: float | None = 0.08) -> Record:
    """A compare of one case."""
    finding = CompareFinding(
        CASE.id,
        verdict,
        0.05,
        None if change is None else estimate(change, spread=0.1, unit=Unit.RATIO),
        5000.0,
        5400.0,
        "41 workers agree",
    )
    made = bench_record(number, time_ns=1.0)
    builds = (build(library(), digest="b" * 64), build(library(), digest="c" * 64))
    return replace(made, kind="compare", baseline="main", bench=(), builds=builds, compare=(finding,))


def entry(made: Record) -> Entry:
    return entry_of(made, digest=hashlib.sha256(records.to_json(made)).hexdigest())


def noisy(levels: Sequence[float], *, seed: int, noise: float = 0.01) -> list[float]:
    """The levels, each times a noise of that size."""
    random = Random(seed)
    return [level * (1 + random.gauss(0, noise)) for level in levels]


def step_records(count: int, at: int, *, size: float, seed: int = 1, machine: Machine = MACHINE) -> list[Record]:
    """Records of 5 us until `at`, then slower; another build from there on."""
    times = noisy([5000.0 * (1 + size * (number >= at)) for number in range(count)], seed=seed)
    return [
        bench_record(number, time_ns=time, machine=machine, built="b" if number >= at else "a")
        for number, time in enumerate(times)
    ]


def course_of(series: Sequence[Series], quantity: str) -> Series:
    """The only series of a quantity."""
    (found,) = (one for one in series if one.measured.quantity == quantity)
    return found


def chronicle(records: list[Record]) -> Chronicle:
    """As the command line reads it from the store, without one."""
    entries = sorted((entry(made) for made in records), key=lambda one: one.record.created)
    points: dict[tuple[object, ...], list[Point]] = {}
    for one in entries:
        for amount in one.amounts:
            place = (amount.measured, "" if amount.measured.shared else one.record.machine)
            points.setdefault(place, []).append(Point(one.record, amount.value, amount.low, amount.high))
    series = [Series(measured, machine, tuple(found)) for (measured, machine), found in points.items()]  # type: ignore[arg-type]
    return Chronicle(
        records=tuple(one.record for one in entries),
        machines=tuple({one.record.machine: one.machine for one in entries}.items()),
        courses=tuple(course(one, last=20) for one in series),
        verdicts=tuple(Told(one.record, judged) for one in reversed(entries) for judged in one.verdicts),
    )


@cache
def usual() -> Chronicle:
    """A step on one machine, a level with a busy hour on another, memory that grew once, and three compares."""
    times = noisy([9000.0] * 12, seed=3)
    times[5] *= 1.4
    other = [
        bench_record(number + 40, time_ns=time, machine=OTHER, memory=64.0 if number < 8 else 72.0)
        for number, time in enumerate(times)
    ]
    verdicts = (Verdict.UNCHANGED, Verdict.REGRESSED, Verdict.INCONCLUSIVE)
    compares = [compare_record(number + 60, verdict) for number, verdict in enumerate(verdicts)]
    return chronicle([*step_records(24, 15, size=0.08), *other, *compares])

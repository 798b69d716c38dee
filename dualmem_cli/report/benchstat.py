"""The Go benchmark format (golang.org/design/14313-benchmark-format), for benchstat: one line per worker.

Both sides of a compare are in one file, told apart by the configuration key `side`, which benchstat can put into columns:

    benchstat -col side FILE

A name is BenchmarkDualmem/scenario=similarity/variant=avx2/count=16, of one kind of a load's operations BenchmarkDualmem/scenario=mixed/
variant=dual/operation=lookup, so that -filter, -row and -col can speak of its parts.
A case that is not valid has no line; it is named in a comment.
"""

import re
from collections.abc import Iterator

from dualmem_cli.model.metric import Better
from dualmem_cli.model.plan import Case, Role
from dualmem_cli.model.record import Record
from dualmem_cli.model.units import significant
from dualmem_cli.report.context import ReportContext
from dualmem_cli.report.phrases import RECALL, TIME, kind_of
from dualmem_cli.report.readings import readings, shown_name
from dualmem_cli.report.repetitions import Repetitions, findings, repetitions, valid_cases

_UNITS = {TIME: "ns/op", "p50": "p50-ns", "p95": "p95-ns", "p99": "p99-ns"}
# A name that ends like this would be read as run on so many processors.
_PROCESSORS = re.compile(r"-\d+$")


def render(record: Record, _context: ReportContext) -> str:
    """The file: configuration, units, results."""
    return "\n".join(_lines(record)) + "\n"


def _lines(record: Record) -> Iterator[str]:
    machine = record.machine
    yield f"tool: dualmem {shown_name(record.tool)}"
    yield "goos: linux"
    yield f"goarch: {_architecture(machine.architecture)}"
    if machine.cpu:
        yield f"cpu: {shown_name(machine.cpu)}"
    yield from _unit_lines(record)
    valid = valid_cases(record)
    for finding in findings(record):
        if finding.case not in valid:
            yield f"# not valid: {shown_name(finding.case)}"
    sides = (Role.SUBJECT,) if record.kind == "bench" else (Role.BASELINE, Role.CANDIDATE)
    for side in sides:
        found = repetitions(record, side=side)
        if found:
            yield ""
            yield f"side: {side}"
        for each in found:
            yield from _results(record, each, side)


def _results(record: Record, found: Repetitions, side: Role) -> Iterator[str]:
    recall = _recall(record, found.case.id, side)
    kind, quantity = kind_of(found.quantity)
    for repetition in found.repetitions:
        pairs = [(repetition.wall_ns, _UNITS[quantity])]
        if quantity == TIME:
            pairs += [(value, _unit(name)) for name, value in repetition.metrics]
            pairs += [(recall, RECALL)] if recall is not None else []
        values = " ".join(f"{value!r} {unit}" for value, unit in pairs)
        yield f"{_name(found.case, kind)} {repetition.operations} {values}"


def _unit_lines(record: Record) -> Iterator[str]:
    """Which way is better, once per unit; a metric is counted, not estimated, so benchstat need not test it."""
    told: dict[str, Better] = {}
    for reading in readings(record):
        metric = reading.quantity not in _UNITS and reading.better is not Better.NEITHER
        if metric and (reading.quantity == RECALL or _declared(record, reading.quantity)):
            told.setdefault(_unit(reading.quantity), reading.better)
    for unit, better in sorted(told.items()):
        yield f"Unit {unit} better={better}"


def _declared(record: Record, name: str) -> bool:
    return any(metric.name == name for build in record.builds for kernel in build.library.kernels for metric in kernel.metrics)


def _recall(record: Record, case_id: str, side: Role) -> float | None:
    run = record.case_run(case_id)
    arm = next((index for index, arm in enumerate(run.arms) if arm.role is side), None) if run else None
    return run.recall[arm] if run and arm is not None and arm < len(run.recall) else None


def _name(case: Case, operation: str) -> str:
    stated = [(name, significant(value, 12)) for name, value in case.parameters if name in case.stated]
    stated += [("operation", operation)] if operation else []
    parts = [("scenario", case.scenario), ("variant", case.variant), *stated]
    name = "/".join(["BenchmarkDualmem", *(f"{_word(key)}={_word(value)}" for key, value in parts)])
    return f"{name}-1" if _PROCESSORS.search(name) else name


def _word(text: str) -> str:
    """A part of a name: no space ends it, no slash divides it."""
    return re.sub(r"\s", "_", shown_name(text)).replace("/", "\\x2f")


def _unit(metric: str) -> str:
    return re.sub(r"\s", "_", shown_name(metric))


def _architecture(machine: str) -> str:
    """As Go names it."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, shown_name(machine))

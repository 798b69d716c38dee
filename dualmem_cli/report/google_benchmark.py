"""Google Benchmark's JSON, for its tools/compare.py and for everything else that reads it: one entry per repetition, a worker being one.

Of a compare `google-benchmark` is the new build's side and `google-benchmark-baseline` the old one's, under the same names.
A case that is not valid is not an entry: Google Benchmark marks a failed one with `error_occurred` and still writes its times, which
a reader that does not know the mark takes for good ones. Such cases are named in the context, as `not_valid`.
"""

import json

from dualmem_cli.model.plan import Role
from dualmem_cli.model.record import Record
from dualmem_cli.report.context import ReportContext
from dualmem_cli.report.phrases import TIME
from dualmem_cli.report.readings import shown_name
from dualmem_cli.report.repetitions import Repetition, Repetitions, findings, measured_side, repetitions, valid_cases

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
_RESERVED = frozenset(
    {
        "name", "family_index", "per_family_instance_index", "run_name", "run_type", "repetitions", "repetition_index",
        "threads", "iterations", "real_time", "cpu_time", "time_unit", "label", "aggregate_name", "error_occurred", "error_message",
    }
)  # fmt: skip


def render(record: Record, _context: ReportContext) -> str:
    """A bench, or the new build of a compare."""
    return _document(record, measured_side(record))


def render_baseline(record: Record, _context: ReportContext) -> str:
    """The baseline of a compare."""
    return _document(record, Role.BASELINE)


def _document(record: Record, side: Role) -> str:
    entries: list[Json] = []
    for family, found in enumerate(repetitions(record, side=side)):
        entries += [_entry(found, repetition, family=family, index=index) for index, repetition in enumerate(found.repetitions)]
    return json.dumps({"context": _context(record), "benchmarks": entries}, indent=1, allow_nan=False) + "\n"


def _entry(found: Repetitions, repetition: Repetition, *, family: int, index: int) -> Json:
    """Where only wall time was taken, the processor's is given the same: the tools divide by it and want both."""
    name = shown_name(found.case.id) + ("" if found.quantity == TIME else f"/{found.quantity}")
    counters: dict[str, Json] = {
        shown_name(metric): value for metric, value in repetition.metrics if shown_name(metric) not in _RESERVED
    }
    return {
        "name": name,
        "family_index": family,
        "per_family_instance_index": 0,
        "run_name": name,
        "run_type": "iteration",
        "repetitions": len(found.repetitions),
        "repetition_index": index,
        "threads": 1,
        "iterations": repetition.operations,
        "real_time": repetition.wall_ns,
        "cpu_time": repetition.wall_ns if repetition.cpu_ns is None else repetition.cpu_ns,
        "time_unit": "ns",
        **counters,
    }


def _context(record: Record) -> dict[str, Json]:
    machine = record.machine
    valid = valid_cases(record)
    bad = [finding.case for finding in findings(record) if finding.case not in valid]
    return {
        "date": record.created,
        "host_name": "",
        "executable": "dualmem",
        "num_cpus": machine.cores,
        "cpu_scaling_enabled": machine.governor not in ("", "performance"),
        "caches": [
            {"type": "Data" if name.endswith("d") else "Unified", "level": int(name[1]), "size": size, "num_sharing": 0}
            for name, size in machine.caches
            if name[1:2].isdigit()
        ],
        "load_avg": [],
        "library_version": shown_name(record.tool),
        "library_build_type": "release",
        "json_schema_version": 1,
        "cpu": shown_name(machine.cpu),
        "not_valid": ", ".join(map(shown_name, bad)),
    }

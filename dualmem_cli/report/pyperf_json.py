"""pyperf's JSON, made by pyperf's own classes, for `python -m pyperf compare_to OLD NEW`, `hist`, `stats`.

A worker is a Run, because both are a fresh process, and brings one value: pyperf pools the values of all runs as if they were
independent, so more than one per process would make it surer than it may be. A file of pyperf's is one side of a comparison;
of a compare `pyperf` is the new build's and `pyperf-baseline` the old one's.
"""

import io

from dualmem_cli.errors import DualmemError, ExitStatus
from dualmem_cli.model.plan import Role
from dualmem_cli.model.record import Record
from dualmem_cli.report.context import ReportContext
from dualmem_cli.report.phrases import TIME
from dualmem_cli.report.readings import shown_name
from dualmem_cli.report.repetitions import Repetitions, measured_side, repetitions


def render(record: Record, _context: ReportContext) -> str:
    """The suite of a bench, or of the new build of a compare."""
    return _suite(record, measured_side(record))


def render_baseline(record: Record, _context: ReportContext) -> str:
    """The suite of the baseline of a compare, under the same names."""
    return _suite(record, Role.BASELINE)


def _suite(record: Record, side: Role) -> str:
    """Times in seconds, as pyperf has them. A case with a value that is not positive (below its own empty loop) is no time to pyperf, and
    is left out. Raises DualmemError when nothing is left: pyperf has no empty suite."""
    import pyperf

    shown = [found for found in repetitions(record, side=side) if all(repetition.wall_ns > 0 for repetition in found.repetitions)]
    if not shown:
        raise DualmemError("pyperf JSON needs one valid case, and there is none", status=ExitStatus.MEASUREMENT_FAILED)
    benchmarks = [
        pyperf.Benchmark(
            [
                pyperf.Run(
                    [repetition.wall_ns / 1e9],
                    metadata={**_metadata(record, found), "loops": repetition.operations},
                    collect_metadata=False,  # the machine that measured, not the one that writes
                )
                for repetition in found.repetitions
            ]
        )
        for found in shown
    ]
    stream = io.StringIO()
    pyperf.BenchmarkSuite(benchmarks).dump(stream, compact=False)
    return stream.getvalue()


def _metadata(record: Record, found: Repetitions) -> dict[str, str | int]:
    suffix = "" if found.quantity == TIME else f" {found.quantity}"
    facts: dict[str, str | int] = {
        "name": f"{shown_name(found.case.id)}{suffix}",
        "unit": "second",
        "cpu_count": record.machine.cores,
        "cpu_model_name": shown_name(record.machine.cpu),
        "dualmem_version": shown_name(record.tool),
    }
    return {name: value for name, value in facts.items() if value != ""}

"""The one JSON document of `--json`: what was found and how it ends, without the samples. Its shape is summary-1.schema.json; the
record itself has a document of its own.
"""

import json
from collections import Counter
from collections.abc import Mapping
from importlib.resources import files

from dualmem_cli.judge.fingerprint import machine_changes
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.plan import Case
from dualmem_cli.model.record import Record
from dualmem_cli.model.verdict import (
    BenchFinding,
    CompareFinding,
    FrontierFinding,
    Quantity,
    RooflineFinding,
    ScalingFinding,
    Verdict,
)
from dualmem_cli.report.context import ReportContext
from dualmem_cli.report.summary_explanation import explanation_json
from dualmem_cli.report.summary_numbers import Json, estimate_json, number_json

SUMMARY_VERSION = 1


def render(record: Record, context: ReportContext) -> str:
    """The summary as one JSON document, ASCII only, the keys in the order of the schema."""
    return json.dumps(summary(record, context), indent=1, allow_nan=False) + "\n"


def json_schema() -> dict[str, Json]:
    """The published schema of this document."""
    text = files("dualmem_cli.report").joinpath(f"summary-{SUMMARY_VERSION}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Json] = json.loads(text)
    return schema


def summary(record: Record, context: ReportContext) -> dict[str, Json]:
    """The summary as plain data. Times in nanoseconds, ratios as fractions, a number that is not finite is null."""
    bench = record.kind == "bench"
    return {
        "schema": SUMMARY_VERSION,
        "kind": record.kind,
        "tool": record.tool,
        "created": record.created,
        "seconds": record.seconds,
        "interrupted": record.interrupted,
        "revision": record.revision,
        "exit": {"status": context.exit_status.value, "name": context.exit_status.name.lower().replace("_", " ")},
        "record": context.record_path or None,
        "page": context.page_path or None,
        "next": context.next_command or None,
        "machine": {"cpu": record.machine.cpu, "architecture": record.machine.architecture, "cores": record.machine.cores},
        "baseline": record.baseline or None,
        **_since(record),
        "builds": [_build(build) for build in record.builds],
        "counts": _bench_counts(record) if bench else _compare_counts(record),
        "cases": [_bench(record, f) for f in record.bench] if bench else [_compare(record, f) for f in record.compare],
        **({"overhead": _quantity(record.overhead)} if record.overhead else {}),
        **({"scaling": [_scaling(found) for found in record.scaling]} if record.scaling else {}),
        **({"frontier": [_frontier(found) for found in record.frontier]} if record.frontier else {}),
        **({"roofline": _roofline(record.roofline)} if record.roofline else {}),
        **({"explanations": [explanation_json(each) for each in record.explanations]} if record.explanations else {}),
        "controls": [
            {"name": c.name, "held": c.held, "passed": c.passed, "cases": c.cases, "change": estimate_json(c.change)}
            for c in record.controls
        ],
        "absent": [{"case": absent.case, "reason": absent.reason} for absent in record.absent],
        "cautions": [
            {"kind": caution.kind.value, "what": caution.what, "remedy": caution.remedy, "case": caution.case or None}
            for caution in record.cautions
        ],
    }


def _since(record: Record) -> dict[str, Json]:
    """The baseline's age, revision and machine, where they are known."""
    since = record.since
    if since is None:
        return {}
    changes = machine_changes(since.machine, record.machine) if since.machine else ()
    known: Json = {
        "created": since.created or None,
        "revision": since.revision or None,
        "stored_only": since.stored_only or None,
        "machine_changes": [{"field": change.name, "before": change.before, "after": change.after} for change in changes],
    }
    return {"since": known}


def _bench_counts(record: Record) -> dict[str, Json]:
    judged = [quantity for finding in record.bench for quantity in finding.quantities if quantity.met is not None]
    judged += [record.overhead] if record.overhead else []
    return {
        "cases": len(record.bench),
        "met": sum(quantity.met is True for quantity in judged),
        "missed": sum(quantity.met is False for quantity in judged),
        "invalid": sum(bool(finding.problem) for finding in record.bench),
    }


def _compare_counts(record: Record) -> dict[str, Json]:
    counts: Mapping[Verdict, int] = Counter(finding.verdict for finding in record.compare)
    return {"cases": len(record.compare), **{verdict.value: counts[verdict] for verdict in Verdict}}


def _bench(record: Record, finding: BenchFinding) -> Json:
    return {
        **_case(record, finding.case),
        "problem": finding.problem or None,
        "quantities": [_quantity(quantity) for quantity in finding.quantities],
    }


def _frontier(found: FrontierFinding) -> Json:
    return {
        "scenario": found.scenario,
        "series": found.series,
        "variant": found.variant,
        "build": found.build,
        "points": [
            {
                "case": point.case,
                "effort": point.effort,
                "recall": point.recall,
                "per_second": point.per_second,
                "p50_ns": point.p50_ns,
                "p99_ns": point.p99_ns,
                "p999_ns": point.p999_ns,
                "p50_fastest_ns": point.p50_fastest_ns,
                "p99_fastest_ns": point.p99_fastest_ns,
                "latencies": point.latencies,
                "metrics": dict(point.metrics),
            }
            for point in found.points
        ],
    }


def _roofline(found: RooflineFinding) -> Json:
    return {
        "roofs": [
            {
                "case": roof.case,
                "level": roof.level,
                "threads": roof.threads,
                "bytes_each": roof.bytes_each,
                "rate": estimate_json(roof.rate),
            }
            for roof in found.roofs
        ],
        "points": [
            {
                "case": point.case,
                "threads": point.threads,
                "flops_per_byte": point.intensity,
                "gflops": point.gflops,
                "gigabytes": point.gigabytes,
                "level": point.level,
                "share": point.share,
            }
            for point in found.points
        ],
    }


def _scaling(found: ScalingFinding) -> Json:
    return {
        "scenario": found.scenario,
        "series": found.series,
        "parameter": found.parameter,
        "cases": list(found.cases),
        "sizes": list(found.sizes),
        "costs_ns": list(found.costs_ns),
        "exponent": estimate_json(found.exponent),
    }


def _compare(record: Record, finding: CompareFinding) -> Json:
    return {
        **_case(record, finding.case),
        "verdict": finding.verdict.value,
        "reason": finding.reason,
        "threshold": finding.threshold,
        "change": estimate_json(finding.change),
        "baseline_ns": number_json(finding.baseline_ns),
        "candidate_ns": number_json(finding.candidate_ns),
        "layouts": [
            {"baseline": e.baseline, "candidate": e.candidate, "change": number_json(e.change), "workers": e.workers}
            for e in finding.layouts
        ],
        "metrics": [
            {
                "name": metric.name,
                "unit": str(metric.unit),
                "baseline": number_json(metric.baseline),
                "candidate": number_json(metric.candidate),
                "allowance": metric.allowance,
                "worsened": metric.worsened,
            }
            for metric in finding.metrics
        ],
    }


def _case(record: Record, case_id: str) -> dict[str, Json]:
    """A case that was never run has an id and nothing else."""
    load = record.load_run(case_id)
    if load is not None:
        return {
            "case": case_id,
            "scenario": load.scenario.name,
            "kernel": load.scenario.workload,
            "variant": load.variant,
            "parameters": {name: number_json(value) for name, value in load.scenario.parameters},
        }
    run = record.case_run(case_id)
    case: Case | None = run.case if run else None
    return {
        "case": case_id,
        "scenario": case.scenario if case else None,
        "kernel": case.kernel if case else None,
        "variant": case.variant if case else None,
        "parameters": {name: number_json(value) for name, value in case.parameters} if case else {},
    }


def _quantity(quantity: Quantity) -> Json:
    return {
        "name": quantity.name,
        "estimate": estimate_json(quantity.estimate),
        "limit": number_json(quantity.limit),
        "minimum": quantity.minimum,
        "met": quantity.met,
        "standing": quantity.standing,
    }


def _build(build: Build) -> Json:
    library = build.library
    return {
        "digest": build.digest,
        "origin": build.origin,
        "library": library.name,
        "version": library.version,
        "revision": library.revision,
        "compiler": library.compiler,
        "layouts": len(build.links),
    }

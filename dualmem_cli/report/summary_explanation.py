"""Why a case regressed, in the JSON document."""

from dualmem_cli.model.explanation import CountedChange, Explanation
from dualmem_cli.report.summary_numbers import Json, estimate_json, number_json


def explanation_json(each: Explanation) -> Json:
    """Without the stacks, which the record holds."""
    return {
        "case": each.case,
        "reason": each.reason,
        "alone": estimate_json(each.alone),
        "headline": each.headline,
        "lines": list(each.lines),
        "shifts": [
            {
                "name": shift.name,
                "place": shift.place,
                "samples": list(shift.samples),
                "change": shift.change,
                "low": shift.low,
                "high": shift.high,
                "direction": shift.direction,
            }
            for shift in each.shifts
        ],
        "hot": [
            {
                "function": shift.function,
                "file": shift.file,
                "line": shift.line,
                "source": shift.source,
                "samples": list(shift.samples),
                "added": shift.added,
                "low": shift.low,
                "high": shift.high,
            }
            for shift in each.hot
        ],
        "counted": [_counted(change) for change in each.counted],
    }


def _counted(change: CountedChange) -> Json:
    return {
        "engine": change.engine,
        "operations": change.operations,
        "headline": change.headline,
        "figures": [
            {
                "name": figure.name,
                "baseline": number_json(figure.baseline),
                "candidate": number_json(figure.candidate),
                "reason": figure.reason,
                "unit": figure.unit,
            }
            for figure in change.figures
        ],
        "costs": list(change.costs),
        "functions": [
            {
                "name": function.name,
                "place": function.place,
                "baseline": list(function.baseline),
                "candidate": list(function.candidate),
                "lines": [
                    {
                        "file": line.file,
                        "line": line.line,
                        "source": line.source,
                        "costs": list(line.costs),
                        "called": line.called,
                    }
                    for line in function.lines
                ],
            }
            for function in change.functions
        ],
        "notes": list(change.notes),
    }

"""The three JSON formats whose readers no package of PyPI brings: each by the contract that its documentation states.

- Google Benchmark: `google-benchmark` on PyPI is the C++ library's binding without tools/compare.py, so what compare.py and its gbench
  package (google/benchmark, tools/) take from a document is required here.
- Bencher Metric Format: the JSON Schema of bencher.dev/docs/reference/bencher-metric-format, stated as a check of our own.
- github-action-benchmark: the README of benchmark-action/github-action-benchmark, "customSmallerIsBetter".
"""

import json
import math
from collections import defaultdict
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from interchange.shown import AWKWARD, SEEN, SHOWN, context, invalid_ids, record_of, shown

from dualmem_cli.errors import ExitStatus
from dualmem_cli.report import RENDERERS
from dualmem_cli.report.readings import shown_name

FORMATS = ("google-benchmark", "google-benchmark-baseline", "bencher", "github-action-benchmark")
NUMBER = {"type": "number"}
BENCHER = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "propertyNames": {"minLength": 1, "maxLength": 64},
        "additionalProperties": {
            "type": "object",
            "required": ["value"],
            "properties": {"value": NUMBER, "lower_value": NUMBER, "upper_value": NUMBER},
            "additionalProperties": False,
        },
    },
    "propertyNames": {"minLength": 1, "maxLength": 1024},
}
TEXT = {"type": "string", "minLength": 1}
ACTION = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name", "unit", "value"],
        "properties": {"name": TEXT, "unit": TEXT, "value": NUMBER, "range": TEXT, "extra": TEXT},
        "additionalProperties": False,
    },
}


def document(name: str, format_: str) -> Any:
    return json.loads(shown(name, format_), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("format_", FORMATS)
def test_strict_json_that_every_parser_takes(name: str, format_: str) -> None:
    text = shown(name, format_)
    assert text.isascii()
    json.dumps(document(name, format_), ensure_ascii=False).encode("utf-8")  # no lone surrogate


# Google Benchmark


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("format_", FORMATS[:2])
def test_what_compare_py_takes_from_a_document(name: str, format_: str) -> None:
    found = document(name, format_)
    assert {"date", "num_cpus", "library_build_type", "caches", "json_schema_version"} <= set(found["context"])
    families: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in found["benchmarks"]:
        assert entry["run_type"] == "iteration"
        assert entry["time_unit"] == "ns"
        assert entry["name"] == entry["run_name"]
        for key in ("real_time", "cpu_time"):
            assert math.isfinite(entry[key]) and entry[key] > 0
        for key in ("iterations", "repetitions", "threads"):
            assert isinstance(entry[key], int) and entry[key] > 0
        assert "error_occurred" not in entry
        families[entry["name"]].append(entry)
    for number, repetitions in enumerate(families.values()):
        assert [entry["repetition_index"] for entry in repetitions] == list(range(repetitions[0]["repetitions"]))
        assert {entry["family_index"] for entry in repetitions} == {number}
    assert not invalid_ids(record_of(name)) & set(families)


def test_both_sides_have_the_same_names_and_a_repetition_is_a_worker() -> None:
    old, new = (document("compare", format_)["benchmarks"] for format_ in ("google-benchmark-baseline", "google-benchmark"))
    assert [entry["name"] for entry in old] == [entry["name"] for entry in new]
    finding, run = record_of("compare").compare[0], record_of("compare").cases[0]
    for entries, expected in ((old, finding.baseline_ns), (new, finding.candidate_ns)):
        times = [entry["real_time"] for entry in entries if entry["name"] == finding.case]
        assert len(times) == len(run.workers)
        assert math.fsum(times) / len(times) == pytest.approx(expected, rel=0.01)


def test_cases_that_are_not_valid_are_named_in_the_context() -> None:
    assert document("bench", "google-benchmark")["context"]["not_valid"] == "decay/avx2/bindings=10000000"


# Bencher


@pytest.mark.parametrize("name", SHOWN)
def test_bencher_metric_format(name: str) -> None:
    found = document(name, "bencher")
    jsonschema.Draft202012Validator(BENCHER).validate(found)
    assert not {shown_name(case) for case in invalid_ids(record_of(name))} & set(found)
    for measures in found.values():
        for metric in measures.values():
            assert metric.get("lower_value", -math.inf) <= metric["value"] <= metric.get("upper_value", math.inf)


def test_bencher_has_times_as_latency_and_the_change_of_a_compare() -> None:
    finding = record_of("compare").compare[0]
    assert finding.change
    measures = document("compare", "bencher")[finding.case]
    assert measures["latency"] == {"value": finding.candidate_ns}
    change = {"value": finding.change.value, "lower_value": finding.change.low, "upper_value": finding.change.high}
    assert measures["change"] == change
    assert document("bench", "bencher")["concept_lookup/graph/rows=10000"]["recall"] == {"value": 0.972}


def test_long_names_are_cut_and_stay_two() -> None:
    record = record_of("bench")
    long = tuple(replace(record.bench[0], case=f"{'x' * 2000}{end}") for end in "ab")
    found = json.loads(RENDERERS["bencher"](replace(record, bench=long), context(ExitStatus.OK)))
    jsonschema.Draft202012Validator(BENCHER).validate(found)
    assert len(found) == 2


def test_a_declared_metric_called_latency_does_not_hide_the_time() -> None:
    record = record_of("bench")
    first = record.bench[0]
    named = replace(first, quantities=(first.quantities[0], replace(first.quantities[1], name="latency")))
    found = json.loads(RENDERERS["bencher"](replace(record, bench=(named,)), context(ExitStatus.OK)))
    assert found[first.case]["latency"]["value"] == first.quantities[0].estimate.value
    assert found[first.case]["latency_"]["value"] == first.quantities[1].estimate.value


# github-action-benchmark


@pytest.mark.parametrize("name", SHOWN)
def test_github_action_benchmark(name: str) -> None:
    found = document(name, "github-action-benchmark")
    jsonschema.Draft202012Validator(ACTION).validate(found)
    names = [entry["name"] for entry in found]
    assert len(set(names)) == len(names)
    bad = {shown_name(case) for case in invalid_ids(record_of(name))}
    assert not [entry for entry in names if entry.rpartition(" ")[0] in bad]


def test_only_what_is_better_when_smaller() -> None:
    quantities = {entry["name"].rpartition(" ")[2] for entry in document("bench", "github-action-benchmark")}
    assert {"time", "p50", "p99"} <= quantities
    assert not {"recall", "speedup", "hit_rate", "overhead"} & quantities
    first = document("bench", "github-action-benchmark")[0]
    assert first["value"] == record_of("bench").bench[0].quantities[0].estimate.value
    assert first["range"].startswith("± ")


@pytest.mark.parametrize("format_", FORMATS)
def test_awkward_names_come_back(format_: str) -> None:
    wanted = AWKWARD.replace("\n\x1b[31m", SEEN)
    found = document("awkward-compare", format_)
    names = [entry["name"] for entry in found["benchmarks"]] if "benchmarks" in found else found
    names = [entry if isinstance(entry, str) else entry["name"] for entry in names]
    assert any(name.startswith(f"{wanted}/avx2/count=16,dim=768") for name in names)

"""OpenMetrics text as the Prometheus client's own strict parser reads it."""

import math

import pytest
from interchange.shown import AWKWARD, SEEN, SHOWN, STATUS, invalid_ids, record_of, shown
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from dualmem_cli.model.verdict import Verdict


def families(text: str) -> dict[str, Metric]:
    found = list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
    assert len({family.name for family in found}) == len(found)
    return {family.name: family for family in found}


def quantity(found: dict[str, Metric], name: str, **labels: str) -> float:
    (value,) = [s.value for s in found[name].samples if labels.items() <= s.labels.items()]
    return float(value)


@pytest.mark.parametrize("name", SHOWN)
def test_it_is_parsed_and_every_family_says_what_it_is(name: str) -> None:
    found = families(shown(name, "openmetrics"))
    for family in found.values():
        assert family.documentation
        assert family.type in ("gauge", "info", "stateset")
        assert family.unit == next((unit for unit in ("seconds", "ratio", "bytes") if family.name.endswith(f"_{unit}")), "")
        for sample in family.samples:
            assert math.isfinite(sample.value)
            assert sample.timestamp is None
    assert found["dualmem_exit_status"].samples[0].value == STATUS[name].value


def test_base_units() -> None:
    found = families(shown("bench", "openmetrics"))
    labels = {"case": "similarity/avx2/count=16,dim=768", "quantity": "time"}
    finding = record_of("bench").bench[0].quantities[0].estimate
    for name, value in (("", finding.value), ("_low", finding.low), ("_high", finding.high)):
        assert quantity(found, f"dualmem_quantity{name}_seconds", **labels) == pytest.approx(value * 1e-9, rel=1e-12)


def test_both_sides_and_the_verdict_of_a_compare() -> None:
    found, record = families(shown("compare", "openmetrics")), record_of("compare")
    first = record.compare[0]
    assert first.change and first.candidate_ns
    assert quantity(found, "dualmem_quantity_seconds", case=first.case, side="candidate") == first.candidate_ns / 1e9
    assert quantity(found, "dualmem_change_ratio", case=first.case) == first.change.value
    for finding in record.compare:
        states = [s for s in found["dualmem_verdict"].samples if s.labels["case"] == finding.case]
        assert [s.labels["dualmem_verdict"] for s in states if s.value] == [finding.verdict.value]
        assert len(states) == len(Verdict)


@pytest.mark.parametrize("name", SHOWN)
def test_a_case_that_is_not_valid_has_no_number(name: str) -> None:
    found, bad = families(shown(name, "openmetrics")), invalid_ids(record_of(name))
    for family in found.values():
        if family.name.startswith(("dualmem_quantity", "dualmem_change", "dualmem_budget")):
            assert not bad & {sample.labels["case"] for sample in family.samples}
    valid = found["dualmem_case_valid"].samples if "dualmem_case_valid" in found else []
    assert sum(sample.value == 0 for sample in valid) == len(bad)


@pytest.mark.parametrize("name", ["awkward-bench", "awkward-compare"])
def test_awkward_names_come_back(name: str) -> None:
    wanted = AWKWARD.replace("\n\x1b[31m", SEEN)
    samples = families(shown(name, "openmetrics"))["dualmem_case_valid"].samples
    assert wanted in {sample.labels["scenario"] for sample in samples}

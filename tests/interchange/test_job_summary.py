"""The job summary: all that fails, no details, and never more than GitHub takes."""

from dataclasses import replace

import pytest
from interchange.shown import SHOWN, context, record_of, shown

from dualmem_cli.errors import ExitStatus
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.report import RENDERERS
from dualmem_cli.report.job_summary import MOST_BYTES

LIMIT_OF_GITHUB = 1 << 20


@pytest.mark.parametrize("name", SHOWN)
def test_nothing_is_folded_and_the_verdict_comes_first(name: str) -> None:
    text = shown(name, "job-summary")
    assert "<details>" not in text.replace("\\<details\\>", "")
    assert text.startswith(f"## dualmem {record_of(name).kind}: ")


def test_every_reason_that_fails_is_in_it() -> None:
    text = shown("compare", "job-summary")
    for finding in record_of("compare").compare:
        if finding.verdict in (Verdict.REGRESSED, Verdict.INVALID, Verdict.INCONCLUSIVE):
            assert finding.reason.split(":")[0].replace("_", "\\_") in text


def test_it_fits_however_much_went_wrong() -> None:
    record = record_of("compare")
    worst = replace(record.compare[0], reason="é" * 20_000)
    many = replace(record, compare=tuple(replace(worst, case=f"similarity/v{index}") for index in range(500)))
    text = RENDERERS["job-summary"](many, context(ExitStatus.REGRESSION))
    assert len(text.encode()) <= MOST_BYTES < LIMIT_OF_GITHUB
    assert "it stands in the record" in text.splitlines()[-1]
    assert all(line.endswith("|") for line in text.splitlines() if line.startswith("|")), "no row is cut in the middle"
    fewer = replace(record, compare=tuple(replace(record.compare[0], case=f"similarity/v{index}") for index in range(500)))
    text = RENDERERS["job-summary"](fewer, context(ExitStatus.REGRESSION))
    assert "400 more rows" in text
    assert len([line for line in text.splitlines() if "REGRESSED" in line and line.startswith("|")]) == 100

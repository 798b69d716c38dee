"""`dualmem report` and `dualmem schema` with a self-test's record."""

import json
from pathlib import Path

import jsonschema
import pytest
from golden.selftest import selftest_record

from dualmem_cli.cli.report import report
from dualmem_cli.cli.schema import schema
from dualmem_cli.errors import DualmemError
from dualmem_cli.store import selftests


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "selftest.json"
    selftests.save(selftest_record(unchanged=1, each=1), path)
    return path


@pytest.mark.parametrize(
    ("format_", "start"),
    [("markdown", "## dualmem selftest: the contract"), ("html", "<!doctype html>"), ("json", "{"), ("text", "dualmem")],
)
def test_a_self_test_is_recognised(saved: Path, tmp_path: Path, format_: str, start: str) -> None:
    output = tmp_path / "out"
    assert report(saved, format_=format_, output=output, verbose=False) == 0
    assert output.read_text().lstrip().startswith(start)


def test_it_is_shown_on_the_terminal(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(saved, format_="text", output=None, verbose=True) == 0
    shown = capsys.readouterr().out
    assert "Every size and load" in shown
    assert "2026-11-22T10-14-03-selftest.samples.gz" in shown


def test_a_format_that_a_self_test_has_not(saved: Path) -> None:
    with pytest.raises(DualmemError, match=r'"junt" is not a format of a self-test'):
        report(saved, format_="junt", output=None, verbose=False)


def test_its_schema_is_offered(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert schema("selftest") == 0
    jsonschema.validate(json.loads(saved.read_bytes()), json.loads(capsys.readouterr().out))

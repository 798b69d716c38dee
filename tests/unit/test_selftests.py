"""Self-test records as files: nothing is lost, nothing damaged is believed, the two kinds are told apart."""

import json
import math
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from fabricated import record
from golden.selftest import selftest_record

from dualmem_cli.errors import RecordError
from dualmem_cli.model.selftest import SelftestRecord
from dualmem_cli.store import records, selftests

MADE = selftest_record(unchanged=1, each=1)


def test_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "selftest.json"
    selftests.save(MADE, path)
    assert selftests.load(path) == MADE
    assert any(math.isinf(trial.high) for trial in MADE.trials), "infinities are among what is not lost"
    assert [entry.name for entry in path.parent.iterdir()] == ["selftest.json"]


def test_the_file_obeys_its_schema(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    selftests.save(MADE, path)
    schema = selftests.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads(path.read_bytes())
    jsonschema.validate(document, schema)
    changes: list[dict[str, object]] = [{"kind": "compare"}, {"schema": 2}, {"trials": [{}]}]
    for change in changes:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**document, **change}, schema)


def test_kinds_are_told_apart(tmp_path: Path) -> None:
    path, other = tmp_path / "s.json", tmp_path / "r.json"
    selftests.save(MADE, path)
    records.save(record(), other)
    assert isinstance(selftests.load_either(path), SelftestRecord)
    assert selftests.load_either(other) == record()
    with pytest.raises(
        RecordError,
        match=r's\.json: a file of kind "selftest", where a record is wanted\. Give one of kind .bench. or .compare.\.$',
    ):
        records.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 9}, "schema 9; this dualmem reads self-test records of schema 1"),
        ({"schema": None}, "no schema number"),
        ({"trials": [{"kind": 3}]}, "trials.0.kind: .*The self-test record was damaged or edited"),
        ({"threshold": "wide"}, "threshold: "),
    ],
)
def test_what_is_damaged_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "s.json"
    selftests.save(replace(MADE, trials=()), path)
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **change}))
    with pytest.raises(RecordError, match=message):
        selftests.load_either(path)


@pytest.mark.parametrize(("text", "message"), [(b"{", "not JSON"), (b"[1]", "no schema number")])
def test_what_is_no_document(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(text)
    with pytest.raises(RecordError, match=message):
        selftests.load_either(path)
    with pytest.raises(RecordError, match="No such file"):
        selftests.load_either(tmp_path / "gone.json")

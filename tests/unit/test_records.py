"""Records as files: nothing is lost, nothing damaged is believed, no half of one is ever seen."""

import errno
import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fabricated import COMPARE_ARMS, case_run, paired, record, scenario, worker

from dualmem_cli.errors import RecordError
from dualmem_cli.judge.compare import absent_finding
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.record import Absent, DataFacts, Record
from dualmem_cli.model.samples import Failure, FailureKind, Histogram, Latency
from dualmem_cli.model.scenario import ClusteredData, FileData, GaussianData
from dualmem_cli.model.verdict import ControlFinding, LayoutCell, MetricChange, Verdict
from dualmem_cli.store import records
from dualmem_cli.store.documents import write_atomically

UNBOUNDED = Estimate(value=0.1, low=-math.inf, high=math.inf, confidence=0.999, unit="1", count=1, method="m")
BIG = Histogram(count=1, sum_ns=(1 << 64) - 1, max_ns=(1 << 64) - 1, buckets=((7423, 1),))


def full() -> Record:
    """A record with something in every corner."""
    finding = replace(
        absent_finding("s/plain", Verdict.REGRESSED, 'because \u2028 \x7f <b> \\ " é'),
        change=UNBOUNDED,
        layouts=(LayoutCell("0", "1", 0.08, 3),),
        metrics=(MetricChange("bytes", "B", 0.1, 1 / 3, 1e-300, True),),
    )
    failed = worker(
        None, failure=Failure(FailureKind.CRASHED, "run", None, "died"), clock=None, check=None, metrics=((None,), (1.0,))
    )
    latency = worker(None, latency=(Latency(0, 1, BIG, BIG),))
    kinds = (
        GaussianData("gaussian", 1, 2, 3, 4),
        ClusteredData("clustered", 1, 2, 3, 4, 5, 0.7, 6),
        FileData("file", "f", "", 0, 2, True),
        None,
    )
    return record(
        kind="compare",
        scenarios=tuple(replace(scenario(name=f"s{index}"), data=kind) for index, kind in enumerate(kinds)),
        cases=(case_run(paired(1.08), failed, latency, arms=COMPARE_ARMS, recall=(0.95, None), controls=(paired(1.0),)),),
        compare=(finding,),
        absent=(Absent("s/wide", "not here"),),
        data=(DataFacts("dd", "gaussian", 1, 2, 3, None, 0.7),),
        controls=(ControlFinding("baseline against itself", True, 1, 1, UNBOUNDED),),
    )


def test_nothing_is_lost(tmp_path: Path) -> None:
    made = full()
    path = tmp_path / "deep" / "r.json"
    records.save(made, path)
    assert records.load(path) == made
    assert records.to_json(records.load(path)) == path.read_bytes(), "and writing it again writes the same"
    assert [entry.name for entry in path.parent.iterdir()] == ["r.json"]


def test_a_record_is_standard_json_that_obeys_its_schema() -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    document = json.loads(records.to_json(full()), parse_constant=refuse)
    schema = json.loads(json.dumps(records.json_schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    document["cases"][0]["workers"][0]["samples"]["wall_ns"][0] = "x"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "no schema number"),
        (b"3", "no schema number"),
        (b"{}", "no schema number"),
        (b'{"schema": "1"}', "no schema number"),
        (b'{"schema": 2}', "schema 2; this dualmem reads records of schema 1"),
        (b'{"schema": 0}', "schema 0; this dualmem reads records of schema 1"),
        (b'{"schema": 1}', "kind: Field required"),
    ],
)
def test_what_is_no_record(content: bytes, said: str) -> None:
    with pytest.raises(RecordError) as caught:
        records.from_json(content, path="r.json")
    assert str(caught.value).startswith(f"r.json: {said}")


def edits() -> list[tuple[str, Any]]:
    return [
        ("seconds", "long"),
        ("interrupted", None),
        ("builds", [3]),
        ("cases", [{}]),
        ("machine", {}),
        ("scenarios", [{"name": "s"}]),
        ("compare", [{"case": "x", "verdict": "fine"}]),
    ]


@pytest.mark.parametrize(("key", "value"), edits())
def test_an_edited_record_names_the_place(key: str, value: object) -> None:
    document = json.loads(records.to_json(full()))
    document[key] = value
    with pytest.raises(RecordError) as caught:
        records.from_json(json.dumps(document).encode(), path="r.json")
    assert str(caught.value).startswith(f"r.json: {key}")
    assert str(caught.value).endswith("The record was damaged or edited.")


def test_a_record_cut_off_anywhere_is_never_believed() -> None:
    text = records.to_json(full())
    for end in range(0, len(text) - 1, 97):
        with pytest.raises(RecordError):
            records.from_json(text[:end], path="r.json")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"gone\.json: No such file or directory"):
        records.load(tmp_path / "gone.json")
    with pytest.raises(RecordError, match="Is a directory"):
        records.load(tmp_path)


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_full_disk_leaves_the_old_record_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
    path = tmp_path / "r.json"
    records.save(record(tool="old"), path)

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os if call == "fsync" else Path, call, fail)
    with pytest.raises(RecordError, match=os.strerror(number)):
        records.save(record(tool="new"), path)
    monkeypatch.undo()
    assert records.load(path).tool == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.json"], "the unfinished file is gone"


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """As root, a rename to /dev/stdout would put a file there."""
    read, write = os.pipe()
    write_atomically(Path(f"/dev/fd/{write}"), b"one")
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert pipe.read() == b"one"
    (tmp_path / "link").symlink_to(tmp_path / "there")
    write_atomically(tmp_path / "link", b"two")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there").read_bytes() == b"two"
    with pytest.raises(RecordError, match="Is a directory"):
        write_atomically(tmp_path, b"three")


def test_ctrl_c_leaves_no_unfinished_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", press)
    with pytest.raises(KeyboardInterrupt):
        records.save(record(), tmp_path / "r.json")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match=r"Not a directory.* Make room or choose another folder with --reports|File exists"):
        records.save(record(), tmp_path / "file" / "sub" / "r.json")
    with pytest.raises(RecordError, match="Choose another folder with --reports"):
        records.new_path(tmp_path / "file" / "sub", created="2026-01-02T03:04:05+00:00", kind="bench")


def test_new_paths_are_never_shared(tmp_path: Path) -> None:
    made = [records.new_path(tmp_path, created="2026-01-02T03:04:05+00:00", kind="bench") for _ in range(3)]
    assert [path.name for path in made] == [
        "2026-01-02T03-04-05-bench.json", "2026-01-02T03-04-05-bench-1.json", "2026-01-02T03-04-05-bench-2.json",
    ]  # fmt: skip


def test_the_newest_record_of_a_kind(tmp_path: Path) -> None:
    def put(name: str, content: str = "x") -> Path:
        path = tmp_path / name
        path.write_text(content)
        return path

    assert records.latest(tmp_path, kind="bench") is None
    old = put("2026-01-02T03-04-05-bench.json")
    assert records.latest(tmp_path, kind="bench") == old
    new = put("2026-01-02T03-04-06-bench.json")
    os.utime(new, (1, 1))
    put("2026-01-02T03-04-07-bench.json", "")  # killed before its first save
    put("2027-01-01T00-00-00-compare.json")
    put("2027-01-01T00-00-00-profile-bench.speedscope.json")  # of a scenario that is called bench
    put("2027-01-01T00-00-00-profile-x-bench.json")
    put("my-bench.json")
    put(".2027-01-01T00-00-00-bench.json.12.part")
    assert records.latest(tmp_path, kind="bench") == new
    second = put("2026-01-02T03-04-06-bench-1.json")
    assert records.latest(tmp_path, kind="bench") == second

"""`dualmem history` as a person types it, and what bench and compare add to it."""

import json
import shutil
from pathlib import Path

import jsonschema
import pytest
from chronicles import compare_record, entry, step_records
from command_line import Dualmem

from dualmem_cli.cli.app import run
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.report.history import json_schema
from dualmem_cli.store import records
from dualmem_cli.store.history import History

FILE = "reports/history.duckdb"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of reports: twenty-four records, 8 % slower from the fifteenth on, a compare, and their history."""
    folder = tmp_path_factory.mktemp("history") / "reports"
    with History(folder / "history.duckdb", write=True) as history:
        for number, made in enumerate([*step_records(24, 15, size=0.08), compare_record(30, Verdict.REGRESSED)]):
            records.save(made, folder / f"{number:02}.json")
            history.add(entry(made))
    return folder


@pytest.fixture
def filled(dualmem: Dualmem, kept: Path) -> Dualmem:
    shutil.copytree(kept, dualmem.folder / "reports")
    return dualmem


def test_the_list_the_kernel_the_files(filled: Dualmem) -> None:
    listed = filled("history")
    assert listed.status == 0, listed.err
    assert "between 000000000e+ of 01-16 03:04 and 000000000f of 01-17 03:04, 9 records ago" in listed.out
    assert "regressed" in listed.out
    kernel = filled("history", "spin", "--plot", "spin.png", "--page", "spin.html")
    assert kernel.out.count("us +- 1 %") == 25  # 24 records and the latest in the list
    assert "changed here" in kernel.out
    assert (filled.folder / "spin.png").read_bytes()[1:4] == b"PNG"
    assert "<svg" in (filled.folder / "spin.html").read_text()
    document = filled("history", "show", "--json", "--since", "2026-01-10").json
    jsonschema.Draft202012Validator(json_schema()).validate(document)
    assert len(document["records"]) == 17
    assert filled("schema", "history").json == json_schema()
    (filled.folder / FILE).unlink()
    again = filled("history", "add", "reports/03.json", "--all")
    assert again.out == f"{FILE}: 25 added, 1 already there; 25 records in all\nNext: dualmem history\n"


def test_records_export_and_remove(filled: Dualmem) -> None:
    listed = filled("history", "records").out.splitlines()
    assert len(listed) == 25
    assert listed[0].split()[3] == "compare"
    done = filled("history", "export", "--csv", "a.csv", "--parquet", "a.parquet", "--table", "records")
    assert done.out == "a.csv: 25 rows of records\na.parquet: 25 rows of records\n"
    assert len((filled.folder / "a.csv").read_text().splitlines()) == 26
    removed = filled("history", "remove", listed[0].split()[0], "reports/00.json")
    assert "2 records removed; 23 records in all" in removed.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("spim",), 'no kernel or scenario "spim"; did you mean "spin"'),
        (("--since", "yesterday"), '--since "yesterday" is no time. Give a day (2026-11-01) or how long ago (30d, 8w).'),
        (("--machine", "zz"), 'the history has no machine "zz"'),
        (("--machine", "here"), 'the history has no machine "here"'),
        (("--plot", "a.jpg"), "a.jpg: not a name of a picture"),
        (("--page", "a.txt"), "a.txt: not a name of a page"),
        (("remove", "abcdef"), 'has no record "abcdef"'),
        (("export",), "no file was named. Give --csv FILE or --parquet FILE."),
        (("export", "--csv", "a", "--table", "amonts"), 'there is no table "amonts"; did you mean "amounts"'),
        (("add",), "no record was named"),
        (("add", "missing.json"), "missing.json: No such file"),
        (("--database", "reports/00.json"), "reports/00.json: not a history of dualmem"),
        (("--page", "missing/a.html"), "missing/a.html"),
    ],
)
def test_mistakes_get_one_line(
    kept: Path, arguments: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process: thirteen of their own take longer than all else in here."""
    monkeypatch.chdir(kept.parent)
    monkeypatch.delenv("DUALMEM_HISTORY", raising=False)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["dualmem", "history", *arguments])
    before = (kept / "history.duckdb").read_bytes()
    assert run() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert (kept / "history.duckdb").read_bytes() == before


def test_no_history_yet(dualmem: Dualmem) -> None:
    done = dualmem("history")
    assert (done.status, done.out) == (2, "")
    assert done.err == f"dualmem: there is no history {FILE}. Begin one: dualmem history add --all.\n"
    assert "holds no record" in dualmem("history", "add", "--all").err
    assert not (dualmem.folder / FILE).exists()


def test_nothing_to_look_at_is_no_next_step(dualmem: Dualmem) -> None:
    (dualmem.folder / "r.json").write_text("{")
    done = dualmem("history", "add", "r.json")
    assert (done.status, done.out) == (2, f"{FILE}: nothing added; 0 records in all\n")


def test_a_damaged_record_is_left_out_and_told(filled: Dualmem) -> None:
    (filled.folder / "reports" / "99.json").write_text("{")
    done = filled("history", "add", "--all")
    assert done.status == 0
    assert "left out: reports/99.json: not JSON" in done.err
    assert "25 already there; 25 records in all" in done.out
    assert filled("history", "add", "reports/99.json").status == 2


@pytest.mark.parametrize("package", ["duckdb", "ruptures"])
def test_without_a_package_one_line_says_what_to_do(filled: Dualmem, package: str, tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "sitecustomize.py").write_text(f"import sys\nsys.modules[{package!r}] = None\n")
    path = f"{tmp_path / 'without'}:{filled.environment['PYTHONPATH']}"
    done = filled("history", PYTHONPATH=path)
    assert done.status == 2
    (line,) = done.err.splitlines()
    assert package in line
    assert line.endswith("pip install 'dualmem[history]'.")


def test_bench_and_compare_add_their_records(dualmem: Dualmem) -> None:
    ok = dualmem.subject("ok")
    done = dualmem("bench", "-q", dualmem.scenario(), "--library", ok, "--history", "kept.duckdb")
    assert done.status == 0, done.err
    done = dualmem.compare("slower_10", DUALMEM_HISTORY="kept.duckdb")
    assert done.status == 1
    document = dualmem("history", "--json", DUALMEM_HISTORY="kept.duckdb").json
    assert sorted(record["command"] for record in document["records"]) == ["bench", "compare"]
    assert [verdict["verdict"] for verdict in document["verdicts"]] == ["regressed"]
    added = dualmem("history", "add", "--all", "--database", "kept.duckdb")
    assert "2 already there" in added.out


def test_a_history_that_cannot_be_written_is_told_before_anything_is_measured(dualmem: Dualmem) -> None:
    (dualmem.folder / "kept.duckdb").write_text("something else entirely")
    done = dualmem("bench", dualmem.scenario(), "--library", dualmem.subject("ok"), "--history", "kept.duckdb")
    assert done.status == 2
    assert done.err == "dualmem: kept.duckdb: not a history of dualmem. Choose another file.\n"
    assert not list((dualmem.folder / "reports").glob("*.json")) if (dualmem.folder / "reports").exists() else True


def test_doctor_names_what_the_history_needs(dualmem: Dualmem) -> None:
    checks = {check["name"]: check for check in json.loads(dualmem("doctor", "--json").out)}
    assert checks["duckdb"]["ok"] and checks["ruptures"]["ok"]

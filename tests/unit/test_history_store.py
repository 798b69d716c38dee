"""The history's file: what goes in comes out, twice is once, and what is not a history or cannot be written is told in one line."""

import csv
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from chronicles import OTHER, bench_record, compare_record, course_of, entry
from fabricated import MACHINE

from dualmem_cli.errors import HistoryError
from dualmem_cli.judge.entry import machine_name
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.store import history as module
from dualmem_cli.store.history import History, Outcome
from dualmem_cli.store.history_schema import MIGRATIONS, VERSION


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reports" / "history.duckdb"


def filled(path: Path, count: int = 4) -> Path:
    with History(path, write=True) as history:
        for number in range(count):
            assert history.add(entry(bench_record(number, time_ns=100.0 + number))) is Outcome.ADDED
    return path


def test_what_goes_in_comes_out(path: Path) -> None:
    made = entry(bench_record(0, time_ns=100.0))
    judged = entry(compare_record(1, Verdict.REGRESSED))
    with History(path, write=True) as history:
        history.add(judged)
        history.add(made)
    with History(path, write=False) as history:
        assert history.records() == (made.record, judged.record)
        assert history.machines() == ((machine_name(MACHINE), MACHINE),)
        (point,) = next(s for s in history.series() if s.measured == made.amounts[0].measured).points
        (told,) = history.verdicts()
    assert (point.record, point.value, point.low, point.high) == (made.record, 100.0, 99.0, 101.0)
    assert (told.record, told.judged) == (judged.record, judged.verdicts[0])


def test_twice_is_once(path: Path) -> None:
    filled(path)
    with History(path, write=True) as history:
        assert history.add(entry(bench_record(2, time_ns=102.0))) is Outcome.KNOWN
        assert len(history.records()) == 4
        assert len(course_of(history.series(), "time").points) == 4


def test_a_run_that_went_on_gives_way_to_its_end_and_not_the_other_way(path: Path) -> None:
    whole = bench_record(0, time_ns=100.0)
    begun = replace(whole, interrupted=True, bench=())
    with History(path, write=True) as history:
        assert history.add(entry(begun)) is Outcome.ADDED
        assert history.add(entry(whole)) is Outcome.REPLACED
        assert history.add(entry(begun)) is Outcome.OLDER
        assert [kept.interrupted for kept in history.records()] == [False]
        assert history.add(entry(replace(whole, tool="another tool wrote it"))) is Outcome.ADDED


def test_series_are_of_one_machine_but_for_what_is_the_same_everywhere(path: Path) -> None:
    with History(path, write=True) as history:
        for number in range(6):
            history.add(entry(bench_record(number, time_ns=100.0, machine=OTHER if number % 2 else MACHINE)))
        series = history.series()
        here = history.series(machine=machine_name(MACHINE))
        since = history.series(since=datetime(2026, 1, 4))
    times = [one for one in series if one.measured.quantity == "time"]
    assert {one.machine for one in times} == {machine_name(MACHINE), machine_name(OTHER)}
    assert [[point.record.seed for point in one.points] for one in times if one.machine == machine_name(MACHINE)] == [[0, 2, 4]]
    memory = course_of(series, "memory_bytes")
    assert (memory.machine, len(memory.points)) == ("", 6)
    assert len(course_of(here, "memory_bytes").points) == 3
    assert len(course_of(since, "memory_bytes").points) == 4


def test_a_machine_with_a_little_less_memory_is_the_same(path: Path) -> None:
    rebooted = replace(MACHINE, memory_bytes=MACHINE.memory_bytes - (1 << 20))
    with History(path, write=True) as history:
        history.add(entry(bench_record(0, time_ns=1.0)))
        history.add(entry(bench_record(1, time_ns=1.0, machine=rebooted)))
        assert len(history.machines()) == 1
        assert len(course_of(history.series(), "time").points) == 2


def test_remove(path: Path) -> None:
    filled(path)
    with History(path, write=True) as history:
        digest = history.records()[1].digest
        assert history.digest_of(digest[:8]) == digest
        history.remove([digest])
        assert [kept.seed for kept in history.records()] == [0, 2, 3]
        assert len(course_of(history.series(), "time").points) == 3
        for wrong in (digest[:8], "", digest[:3], "%"):
            with pytest.raises(HistoryError, match="has no record"):
                history.digest_of(wrong)
        history.remove([kept.digest for kept in history.records()])
        assert history.machines() == ()


def test_exports(path: Path, tmp_path: Path) -> None:
    filled(path)
    with History(path, write=False) as history:
        assert history.export("amounts", tmp_path / "a.csv", parquet=False) == 12
        assert history.export("records", tmp_path / "r.parquet", parquet=True) == 4
        assert history.export("verdicts", tmp_path / "v.csv", parquet=False) == 0
        with pytest.raises(HistoryError, match=r"a\.csv/b\.csv: "):
            history.export("amounts", tmp_path / "a.csv" / "b.csv", parquet=False)
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert [float(row["value"]) for row in rows if row["quantity"] == "time"] == [100.0, 101.0, 102.0, 103.0]
    assert {row["cpu"] for row in rows} == {MACHINE.cpu}
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT count(*), max(cpu) FROM '{tmp_path / 'r.parquet'}'").fetchall()
    assert found == [(4, MACHINE.cpu)]
    assert sorted(found.name for found in tmp_path.iterdir()) == ["a.csv", "r.parquet", "reports", "v.csv"]


def junk(path: Path) -> None:
    path.write_bytes(b"this is no database at all" * 400)


def sqlite(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE x (y)")


def foreign(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE x (y INTEGER)")


def cut(path: Path) -> None:
    content = filled(path).read_bytes()
    path.write_bytes(content[:20000])


def scratched(path: Path) -> None:
    content = bytearray(filled(path).read_bytes())
    content[4096:12288] = b"\xff" * 8192
    path.write_bytes(content)


def newer(path: Path) -> None:
    filled(path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE dualmem_history SET version = 99")


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (junk, "not a history of dualmem"),
        (sqlite, "not a history of dualmem"),
        (foreign, "a database of another program"),
        (cut, "damaged: "),
        (scratched, "damaged: "),
        (newer, "version 99; this dualmem reads up to"),
        (Path.mkdir, "a folder"),
    ],
)
def test_what_is_no_history_is_told_and_left_alone(path: Path, damage: Callable[[Path], None], told: str, write: bool) -> None:
    path.parent.mkdir()
    damage(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(HistoryError, match=told) as raised:
        History(path, write=write)
    assert "\n" not in str(raised.value)
    assert raised.value.hint
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_nothing_there(path: Path) -> None:
    with pytest.raises(HistoryError, match="there is no history"):
        History(path, write=False)
    with pytest.raises(HistoryError, match="there is no history"):
        History(path, write=True, create=False)
    assert not path.parent.exists()
    path.parent.mkdir()
    path.touch()
    with pytest.raises(HistoryError, match="empty"):
        History(path, write=False)
    filled(path)


def test_a_folder_where_nothing_can_be_made() -> None:
    with pytest.raises(HistoryError, match=r"/proc/self/x") as raised:
        History(Path("/proc/self/x/history.duckdb"), write=True)
    assert "\n" not in str(raised.value)


def test_a_read_only_history_can_be_read() -> None:
    """By a child that is nobody where this process is root, who may write everywhere; it must get as far as the folder."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "history.duckdb"
        filled(path)
        path.chmod(0o444)
        folder.chmod(0o555)
        child = os.fork()
        if not child:
            os._exit(_reads_and_may_not_write(path))
        _, status = os.waitpid(child, 0)
        folder.chmod(0o755)
    assert os.waitstatus_to_exitcode(status) == 0


def _reads_and_may_not_write(path: Path) -> int:
    """0 where it is so. An exception must not reach the runner of the tests from a child."""
    try:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        with History(path, write=False) as history:
            if len(history.records()) != 4:
                return 1
        History(path, write=True)
    except HistoryError as error:
        return 0 if "ermission" in str(error) else 2
    except BaseException:
        return 3
    return 4


def test_a_full_disk_costs_nothing_that_was_there(path: Path) -> None:
    filled(path)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (256, 256))

    program = (
        "import sys; from pathlib import Path; from chronicles import bench_record, entry\n"
        "from dualmem_cli.store.history import History\n"
        "with History(Path(sys.argv[1]), write=True) as history:\n"
        "    history.add(entry(bench_record(9, time_ns=1.0)))\n"
    )
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        env={**os.environ, "PYTHONPATH": f"{tests}:{tests.parent}"},
        preexec_fn=limited,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "HistoryError" in done.stderr.splitlines()[-1], done.stderr
    with History(path, write=True) as history:
        assert [kept.seed for kept in history.records()] == [0, 1, 2, 3]


def test_another_process_is_waited_for_then_named(path: Path) -> None:
    filled(path)
    program = "import sys, duckdb; held = duckdb.connect(sys.argv[1]); print(1, flush=True); sys.stdin.readline()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        holder.stdout.readline()
        with pytest.raises(HistoryError, match=f"in use by process {holder.pid}"):
            History(path, write=True, wait_s=0.1)
        with pytest.raises(HistoryError, match="in use"):
            History(path, write=False, wait_s=0.0)
        holder.stdin.write("\n")
        holder.stdin.flush()
        with History(path, write=True, wait_s=60.0) as history:
            assert len(history.records()) == 4


def test_a_killed_writer_leaves_what_was_committed(path: Path) -> None:
    filled(path)
    program = (
        "import os, sys; from pathlib import Path; from chronicles import bench_record, entry\n"
        "from dualmem_cli.store.history import History\n"
        "history = History(Path(sys.argv[1]), write=True)\n"
        "history.add(entry(bench_record(8, time_ns=1.0)))\n"
        "history._connection.execute('BEGIN'); history._delete([kept.digest for kept in history.records()])\n"
        "os._exit(9)\n"
    )
    tests = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": f"{tests}:{tests.parent}"}
    done = subprocess.run([sys.executable, "-c", program, str(path)], env=environment, check=False)
    assert done.returncode == 9
    with History(path, write=False) as history:
        assert [kept.seed for kept in history.records()] == [0, 1, 2, 3, 8]


@pytest.mark.parametrize("write", [False, True])
def test_an_older_history_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch, write: bool) -> None:
    filled(path)
    monkeypatch.setattr(module, "MIGRATIONS", (*MIGRATIONS, "ALTER TABLE machines ADD COLUMN place VARCHAR;"))
    monkeypatch.setattr(module, "VERSION", VERSION + 1)
    with History(path, write=write) as history:
        assert len(history.records()) == 4
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("SELECT version FROM dualmem_history").fetchall() == [(VERSION + 1,)]
        assert connection.execute("SELECT place FROM machines").fetchall() == [(None,)]


def test_a_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path)
    with monkeypatch.context() as patched:
        broken = "ALTER TABLE machines ADD COLUMN place VARCHAR; SELECT nothing FROM nowhere;"
        patched.setattr(module, "MIGRATIONS", (*MIGRATIONS, broken))
        patched.setattr(module, "VERSION", VERSION + 1)
        with pytest.raises(HistoryError):
            History(path, write=True)
    with History(path, write=False) as history:
        assert len(history.records()) == 4

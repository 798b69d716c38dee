"""Ctrl-C, SIGTERM, killed workers, readers that leave, full disks, two runs at once."""

import os
import signal
from pathlib import Path

import psutil
import pytest
from command_line import Dualmem


def long_scenarios(dualmem: Dualmem) -> tuple[Path, Path]:
    """One case that is quick, and one whose workers take more than a second each."""
    slow = dualmem.scenario("slow", tail="[params]\nwork = 50000000", timeout=60)
    return dualmem.scenario("quick"), slow


def gone(processes: list[psutil.Process]) -> bool:
    return not [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(("kind", "number"), [("bench", signal.SIGTERM), ("compare", signal.SIGINT)])
def test_an_interruption_keeps_what_was_measured_and_leaves_no_worker(
    dualmem: Dualmem, number: signal.Signals, kind: str
) -> None:
    against = ("--against", dualmem.subject("ok")) if kind == "compare" else ()
    process = dualmem.start(kind, "-q", *long_scenarios(dualmem), "--library", dualmem.subject("ok"), *against)
    dualmem.wait_for_measuring(process, after=1)
    workers = dualmem.workers(process)
    os.kill(process.pid, number)  # to the command alone: its workers have groups of their own
    done = dualmem.finish(process)
    assert done.status == 130, done
    record = dualmem.record(kind)
    assert record["interrupted"] is True
    assert [case["case"]["scenario"] for case in record["cases"]] == ["quick"]
    assert gone(workers)
    assert not [found for found in psutil.process_iter() if str(dualmem.folder) in _arguments(found)]
    assert not list(Path(dualmem.folder / "reports").glob(".*")), "nothing half-made is left"
    save = dualmem("baseline", "save", "main", "--record", _newest(dualmem))
    assert save.status == 2
    assert "interrupted" in save.err or "cannot become a baseline" in save.err


def _newest(dualmem: Dualmem) -> Path:
    (record,) = (dualmem.folder / "reports").glob("*.json")
    return record


def _arguments(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_an_interruption_before_anything_was_measured(dualmem: Dualmem) -> None:
    process = dualmem.start("bench", "-q", long_scenarios(dualmem)[1], "--library", dualmem.subject("ok"))
    dualmem.wait_for_measuring(process)
    os.kill(process.pid, signal.SIGINT)
    done = dualmem.finish(process)
    assert done.status == 130, done
    assert dualmem.record("bench")["cases"] == []


def test_an_interruption_while_another_run_measures(dualmem: Dualmem) -> None:
    """It waits for its turn: nothing was measured, and nothing is left."""
    slow = dualmem.start("bench", "-q", long_scenarios(dualmem)[1], "--library", dualmem.subject("ok"))
    dualmem.wait_for_measuring(slow)
    waiting = dualmem.start("bench", dualmem.scenario("quick"), "--library", dualmem.subject("ok"))
    assert waiting.stderr is not None
    assert "waiting" in waiting.stderr.readline()
    os.kill(waiting.pid, signal.SIGINT)
    done = dualmem.finish(waiting)
    assert (done.status, done.err) == (130, "dualmem: interrupted\n")
    os.kill(slow.pid, signal.SIGINT)
    assert dualmem.finish(slow).status == 130
    assert len(list((dualmem.folder / "reports").glob("*.json"))) == 1


def test_a_worker_that_is_killed_costs_one_case(dualmem: Dualmem) -> None:
    quick, slow = long_scenarios(dualmem)
    process = dualmem.start("bench", "-q", slow, quick, "--library", dualmem.subject("ok"))
    dualmem.wait_for_measuring(process).kill()
    done = dualmem.finish(process)
    assert done.status == 3, done
    bad, good = dualmem.record("bench")["bench"]
    assert "the worker died of SIGKILL" in bad["problem"]
    assert good["problem"] == ""


def test_a_run_that_is_killed_leaves_a_record_that_is_no_baseline(dualmem: Dualmem) -> None:
    process = dualmem.start("bench", "-q", *long_scenarios(dualmem), "--library", dualmem.subject("ok"))
    dualmem.wait_for_measuring(process, after=1)
    workers = dualmem.workers(process)
    process.kill()
    process.communicate()
    for worker in workers:
        worker.kill()
    save = dualmem("baseline", "save", "main")
    assert save.status == 2
    assert "the record was interrupted and is not whole" in save.err


def read_one_line(dualmem: Dualmem, *arguments: str | Path) -> tuple[int, str]:
    """What `dualmem ... | head -1` does: one line is read, then the pipe is closed."""
    read, write = os.pipe()
    process = dualmem.start(*arguments, stdout=write)
    os.close(write)
    with os.fdopen(read) as pipe:
        line = pipe.readline()
    return dualmem.finish(process).status, line


def test_a_reader_that_leaves_is_no_regression(dualmem: Dualmem) -> None:
    status, line = read_one_line(dualmem, "kernels", dualmem.subject("ok"))
    assert (status, line[:4]) == (0, "spin")
    assert read_one_line(dualmem, "schema", "record") == (0, "{\n")
    compare = (
        "compare",
        "-q",
        "--no-explain",
        dualmem.scenario(samples=200),
        "--library",
        dualmem.subject("slower_10"),
        "--against",
        dualmem.subject("ok"),
    )
    assert read_one_line(dualmem, *compare)[0] == 1, "the verdict does not depend on who reads it"
    assert len(list((dualmem.folder / "reports").glob("*.html"))) == 1, "nor does the page"


def closed(dualmem: Dualmem, *arguments: str | Path) -> int:
    """A pipe that nobody reads from the start."""
    read, write = os.pipe()
    os.close(read)
    process = dualmem.start(*arguments, stdout=write)
    os.close(write)
    return dualmem.finish(process).status


def test_a_reader_that_was_never_there(dualmem: Dualmem) -> None:
    compare = ("bench", "-q", dualmem.scenario(), "--library", dualmem.subject("ok"))
    for arguments in (("--version",), ("--help",), ("schema",), ("baseline", "list"), compare, (*compare, "--json")):
        assert closed(dualmem, *arguments) == 0, arguments


def test_a_full_disk_behind_stdout_is_said_and_is_no_regression(dualmem: Dualmem) -> None:
    for arguments in (("--version",), ("schema",), ("baseline", "list"), ("kernels", dualmem.subject("ok"))):
        with Path("/dev/full").open("w") as full:
            done = dualmem.finish(dualmem.start(*arguments, stdout=full))
        assert done.status == 2, (arguments, done)
        assert "No space left on device" in done.err


def test_runs_at_once_in_one_folder(dualmem: Dualmem) -> None:
    """They share builds, data and prepared files, and each has a record of its own."""
    data = '[data]\nsynthetic = "gaussian"\nrows = 300\nqueries = 20\ndim = 16'
    scenario = dualmem.scenario("cosine", kernel="cosine", head=data)
    processes = [dualmem.start("bench", "-q", scenario, "--library", dualmem.subject("vectors")) for _ in range(3)]
    for process in processes:
        done = dualmem.finish(process)
        assert done.status == 0, done
    records = sorted((dualmem.folder / "reports").glob("*.json"))
    assert len(records) == 3
    for path in records:
        assert dualmem("report", path).status == 0
    assert len(list((dualmem.folder / "reports" / "builds").iterdir())) == 1
    assert dualmem("baseline", "save", "main").status == 0


def test_the_terminals_ctrl_c_reaches_the_command_once(dualmem: Dualmem) -> None:
    """A terminal sends SIGINT to the whole foreground group. Workers lead groups of their own, so only the command gets it."""
    process = dualmem.start("bench", "-q", long_scenarios(dualmem)[1], "--library", dualmem.subject("ok"))
    worker = dualmem.wait_for_measuring(process)
    assert os.getpgid(worker.pid) != os.getpgid(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    assert dualmem.finish(process).status == 130
    assert gone([worker])

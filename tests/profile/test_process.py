"""Children: their end, whatever way it comes, is the end of everything they started."""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest

from dualmem_cli.errors import DualmemError, ExitStatus
from dualmem_cli.profile.process import run_child

# A child that ignores polite signals, one in a session of its own, and an orphan whose parent is gone.
FAMILY = "trap '' INT TERM HUP; sleep 300 & setsid sleep 300 & (sleep 300 &) ; echo ready; "


def alive(mark: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("DUALMEM_MARK") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def mark() -> str:
    return uuid.uuid4().hex


def test_streams_status_and_input() -> None:
    done = run_child(["sh", "-c", "cat; echo two >&2; exit 7"], stdin="one\n", environment={}, timeout_s=30.0)
    assert done.status == 7
    assert sorted(line for _, line in done.lines) == ["one", "two"]
    assert [at for at, _ in done.lines] == sorted(at for at, _ in done.lines)


def test_output_to_a_file(tmp_path: Path) -> None:
    done = run_child(
        ["sh", "-c", "echo $GREETING"], stdin="", environment={"GREETING": "hello"}, timeout_s=30.0, stdout=tmp_path / "out"
    )
    assert done.lines == ()
    assert (tmp_path / "out").read_text() == "hello\n"


def test_input_nobody_reads_and_more_output_than_a_pipe_holds() -> None:
    done = run_child(["sh", "-c", "exec 0<&-; yes | head -c 300000"], stdin="x" * 300_000, environment={}, timeout_s=60.0)
    assert done.status == 0
    assert len(done.lines) == 150_000


def test_death_by_signal() -> None:
    assert run_child(["sh", "-c", "kill -SEGV $$"], stdin="", environment={}, timeout_s=30.0).status == -signal.SIGSEGV


@pytest.mark.parametrize("name", ["/nonexistent/tool", "/etc/passwd"])
def test_what_cannot_start(name: str) -> None:
    with pytest.raises(DualmemError, match="could not be started") as caught:
        run_child([name], stdin="", environment={}, timeout_s=1.0)
    assert caught.value.status is ExitStatus.MEASUREMENT_FAILED


def test_time_out_leaves_nothing(mark: str) -> None:
    with pytest.raises(DualmemError, match="did not end within 1 s"):
        run_child(["sh", "-c", FAMILY + "sleep 300"], stdin="", environment={"DUALMEM_MARK": mark}, timeout_s=1.0)
    assert alive(mark) == []


def test_a_child_that_leaves_others_behind(mark: str) -> None:
    # Without the one in a session of its own: once its parent has ended nothing tells that it was ours.
    done = run_child(
        ["sh", "-c", "sleep 300 & (sleep 300 &) ; exit 0"], stdin="", environment={"DUALMEM_MARK": mark}, timeout_s=30.0
    )
    assert done.status == 0
    assert alive(mark) == []


def test_a_daemon_out_of_reach_does_not_hold_us_up(mark: str) -> None:
    """Orphaned and in a session of its own, it is nobody's; all it shares with us is the pipe."""
    script = "echo said; setsid sh -c 'sleep 300 & echo $! >&2' & wait"
    started = time.monotonic()
    done = run_child(["sh", "-c", script], stdin="", environment={"DUALMEM_MARK": mark}, timeout_s=60.0)
    assert time.monotonic() - started < 60.0
    assert "said" in done.text
    for pid in alive(mark):
        os.kill(pid, signal.SIGKILL)


def test_ctrl_c_leaves_nothing(mark: str) -> None:
    program = (
        "from dualmem_cli.profile.process import run_child\n"
        f"run_child(['sh', '-c', {FAMILY + 'sleep 300'!r}], stdin='', environment={{'DUALMEM_MARK': {mark!r}}}, timeout_s=600.0)\n"
    )
    root = Path(__file__).parents[2]
    started = subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(root)}, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60.0
    while len(alive(mark)) < 5 and time.monotonic() < deadline:  # the shell, its three, and its own sleep
        time.sleep(0.05)
    assert len(alive(mark)) >= 5
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=60)
    assert b"KeyboardInterrupt" in said
    assert alive(mark) == []

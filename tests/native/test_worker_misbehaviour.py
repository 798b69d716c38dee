"""Libraries that lie, crash, hang or refuse, and requests that are wrong, seen from the caller of a worker."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from worker_requests import FIXED, SPIN

Worker = Any  # the class of conftest.py, which pytest does not let a test module import


# ---- correctness is a precondition


def test_a_liar_is_found(worker: Worker) -> None:
    checked = worker.measure(["ok", "lies"], [SPIN, "1 spin plain 1.0"], "iterations 3", "schedule 01").one("checked")
    assert checked["checksums"][0] != checked["checksums"][1]


@pytest.mark.parametrize(
    ("subject", "low", "high"),
    [
        ("ok", 0, 0),
        ("rounds_differently", 1e-16, 1e-6),
        ("wrong_output", 1e-4, 2),
        ("nan_output", 1e308, 1.8e308),
        ("silent_output", 1e308, 1.8e308),
    ],
)
def test_differences_of_outputs(worker: Worker, subject: str, low: float, high: float, tmp_path: Path) -> None:
    other = shutil.copy(worker.library(subject), tmp_path / "other.so")
    answer = worker.measure(
        ["ok", str(other)],
        ["0 spin_values plain 1.0", "1 spin_values plain 1.0"],
        "iterations 3",
        "schedule 01",
        f"output 0 {tmp_path / 'out 0'}",
        f"output 1 {tmp_path / 'out 1'}",
    )
    checked = answer.one("checked")
    assert checked["outputs"] == [8, 8]
    assert checked["differences"][0] == 0
    assert low <= checked["differences"][1] <= high
    if subject not in {"nan_output", "silent_output"}:
        a, b = (np.fromfile(tmp_path / f"out {arm}", dtype="<f8") for arm in (0, 1))
        expected = np.max(np.abs(a - b) / np.maximum(1, np.maximum(np.abs(a), np.abs(b))))
        assert checked["differences"][1] == pytest.approx(expected, rel=1e-12)


def test_an_output_that_cannot_be_written(worker: Worker, tmp_path: Path) -> None:
    answer = worker.measure(["ok"], ["0 spin_values plain 1.0"], *FIXED, f"output 0 {tmp_path}/no/where")
    error = answer.refused("check", 0, "No such file or directory")
    assert error["status"] == 4


def test_an_empty_store_says_so(worker: Worker) -> None:
    assert worker.measure(["empty_store"], [SPIN], *FIXED).one("metrics")["values"][0] == 0


def test_an_unknown_metric_is_null(worker: Worker) -> None:
    values = worker.measure(["nan_metric"], [SPIN], *FIXED).one("metrics")["values"]
    assert values[0] is None and values[1] > 0


# ---- libraries that misbehave


@pytest.mark.parametrize(
    ("subject", "lines", "phase", "arm", "number"),
    [
        ("crashes_in_setup", (), "setup", 0, signal.SIGSEGV),
        ("aborts_in_setup", (), "setup", 0, signal.SIGABRT),
        ("crashes_in_run", ("parameter after 0",), "check", 0, signal.SIGSEGV),
        ("crashes_in_run", ("parameter after 20",), "run", 0, signal.SIGSEGV),
        ("overflows_stack", ("parameter after 20",), "run", 0, signal.SIGSEGV),
    ],
)
def test_a_crash_is_told(worker: Worker, subject: str, lines: tuple[str, ...], phase: str, arm: int, number: int) -> None:
    answer = worker.measure([subject], [SPIN], "iterations 10", "schedule 0000", *lines)
    assert answer.returncode == -number
    assert answer.events[-1] == {"event": "crash", "signal": number, "phase": phase, "arm": arm}
    assert not answer.all("done") and not answer.all("samples")


def test_a_crash_names_the_arm_that_ran(worker: Worker) -> None:
    answer = worker.measure(
        ["ok", "crashes_in_run"],
        [SPIN, "1 spin plain 1.0"],
        "parameter after 25",
        "iterations 10",
        "schedule 0100011",
    )
    assert answer.events[-1] == {"event": "crash", "signal": signal.SIGSEGV, "phase": "run", "arm": 1}


def test_a_library_that_calls_exit(worker: Worker) -> None:
    answer = worker.measure(["exits_in_run"], [SPIN], "parameter after 20", "iterations 10", "schedule 0000")
    answer.refused("run", 0, "the library ended the process by calling exit()")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_hang_can_be_placed(worker: Worker, number: signal.Signals) -> None:
    request = worker.request("measure", ["ok", "hangs_in_run"], [SPIN, "1 spin plain 1.0"], "parameter after 25", "iterations 10")
    request = request.replace("end\n", "schedule 0101011\nend\n")
    process = subprocess.Popen([worker.executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin and process.stdout
    process.stdin.write(request.encode())
    process.stdin.close()
    lines = []
    for line in process.stdout:
        lines.append(line)
        if b'"run"' in line:
            break
    deadline = time.monotonic() + 30
    while _cpu_ticks(process.pid) < 5 and time.monotonic() < deadline:  # it has reached the endless loop: 50 ms of work
        time.sleep(0.01)
    process.send_signal(number)
    rest = process.stdout.read()
    assert process.wait(timeout=30) == -number
    process.stdout.close()
    assert process.stderr
    process.stderr.close()
    answer = worker.read(-number, b"".join(lines) + rest, b"")
    if number == signal.SIGTERM:
        assert answer.events[-1] == {"event": "crash", "signal": signal.SIGTERM, "phase": "run", "arm": 1}
    else:
        assert answer.events[-1] == {"event": "phase", "phase": "run", "arm": None}


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])


def test_forged_events_go_to_stderr(worker: Worker) -> None:
    answer = worker.measure(["noisy_stdout"], [SPIN], *FIXED)
    assert answer.returncode == 0
    assert answer.names.count("done") == 1 and answer.names[-1] == "done"
    assert answer.stderr.count('{"event":"done"}') >= 3


def test_a_refusal_in_setup(worker: Worker) -> None:
    """The library's sentence holds a quote, a backslash, a tab and a byte that is not text; the line is JSON all the same."""
    answer = worker.measure(["refuses_setup"], [SPIN], *FIXED)
    error = answer.refused("setup", 0, 'work: "1000" does not fit a \\ tab\t and a stray byte \ufffd')
    assert error["status"] == 1


def test_unsupported(worker: Worker) -> None:
    error = worker.measure(["unsupported"], [SPIN], *FIXED).refused("supported", 0, "needs a vector unit of 4096 bits")
    assert error["status"] == 3


def test_the_same_file_twice(worker: Worker, tmp_path: Path) -> None:
    """A path, a symbolic link and a hard link are one library to the loader; only a copy is another."""
    original = Path(shutil.copy(worker.library("ok"), tmp_path / "a.so"))
    (tmp_path / "symbolic.so").symlink_to(original)
    os.link(original, tmp_path / "hard.so")
    shutil.copy(original, tmp_path / "copy.so")
    arms = [SPIN, "1 spin plain 1.0"]
    for name in ("a.so", "symbolic.so", "hard.so"):
        answer = worker.measure([str(original), str(tmp_path / name)], arms, "iterations 3", "schedule 01")
        answer.refused("open", 1, "is the same file as another library of this request")
    copied = worker.measure([str(original), str(tmp_path / "copy.so")], arms, "iterations 3", "schedule 01")
    assert copied.returncode == 0
    other = str(shutil.copy(worker.library("witness"), tmp_path / "w.so"))
    ranks = worker.measure(["witness", other], arms, "iterations 3", "schedule 01")
    assert [event["values"][2] for event in ranks.all("metrics")] == [0, 0]  # two images, each with a counter of its own


def test_libraries_do_not_see_each_other(worker: Worker) -> None:
    answer = worker.measure(["global_1", "global_2"], [SPIN, "1 spin plain 1.0"], "iterations 3", "schedule 01")
    assert [event["values"] for event in answer.all("metrics")] == [[1], [2]]


def test_no_such_kernel(worker: Worker) -> None:
    worker.measure(["ok"], ["0 spin fast 1.0"], *FIXED).refused("open", 0, "has no kernel spin/fast")


# ---- requests


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ends without the line `end`"),
        ("hello\n", "the first line must be `dualmem-worker 1`"),
        ("dualmem-worker 1\ntask measure\n", "ends without the line `end`"),
        ("dualmem-worker 1\ntask measure\nseed -1\nend\n", "request line 3: `seed`: '-1' is not a whole number"),
        ("dualmem-worker 1\ntask describe\nlibary /x\nend\n", "request line 3: `libary` is not a key"),
        (b"dualmem-worker 1\n\xff\xfe \xff\nend\n", "request line 2: `\ufffd\ufffd` is not a key"),
    ],
)
def test_a_malformed_request(worker: Worker, text: str | bytes, message: str) -> None:
    worker.say(text).refused("request", None, message)


def test_a_caller_that_went_away(worker: Worker) -> None:
    """Standard output is closed at the other end: no signal kills the worker, it ends by itself."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    request = worker.request("measure", ["ok"], [SPIN], *FIXED).encode()
    done = subprocess.run([worker.executable], input=request, stdout=write_end, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(write_end)
    assert done.returncode == 3


def test_standard_input_that_is_closed(worker: Worker) -> None:
    done = subprocess.run(["sh", "-c", f'exec "{worker.executable}" <&-'], capture_output=True, timeout=60, check=False)
    answer = worker.read(done.returncode, done.stdout, done.stderr)
    answer.refused("request", None, "cannot read standard input")


def test_the_worker_ends_at_end(worker: Worker) -> None:
    """It answers while the caller still holds the pipe open."""
    process = subprocess.Popen([worker.executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin and process.stdout
    process.stdin.write(worker.request("describe", ["ok"], []).encode())
    process.stdin.flush()
    assert process.wait(timeout=60) == 0
    answer = worker.read(0, process.stdout.read(), b"")
    process.stdin.close()
    process.stdout.close()
    assert answer.names[-1] == "done"

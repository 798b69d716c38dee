"""The worker as a black box: nothing is known of it but its protocol (docs/reference/worker-protocol.md)."""

import os
import resource
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Worker = Any  # the class of conftest.py, which pytest does not let a test module import

SPIN = "0 spin plain 1.0"
FIXED = ("iterations 3", "schedule 0")  # the shortest measurement there is


def matrix_bytes(array: np.ndarray[Any, Any], *, version: int = 1, stride: int | None = None) -> bytes:
    """A matrix file, written from the document alone."""
    rows, columns = array.shape
    stride = stride if stride is not None else -(-columns // 16) * 16
    padded = np.zeros((rows, max(stride, columns)), dtype="<f4")
    padded[:, :columns] = array
    header = struct.pack("<8sIIQQQ", b"DMMATRIX", version, 0, rows, columns, stride)
    return header.ljust(64, b"\0") + padded[:, :stride].tobytes()


@pytest.fixture
def matrices(tmp_path: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], tuple[str, str]]:
    """50 x 20 data and 7 x 20 queries, float32 as float64, and the request lines that name their files."""
    rng = np.random.default_rng(5)
    data, queries = (rng.normal(size=(rows, 20)).astype(np.float32) for rows in (50, 7))
    (tmp_path / "data matrix").write_bytes(matrix_bytes(data))
    (tmp_path / "queries").write_bytes(matrix_bytes(queries))
    lines = (f"data {tmp_path / 'data matrix'}", f"queries {tmp_path / 'queries'}")
    return data.astype(float), queries.astype(float), lines


# ---- describe


def test_describe(worker: Worker) -> None:
    answer = worker.describe("ok")
    assert answer.returncode == 0
    assert answer.names[0] == "hello" and answer.names[-1] == "done"
    clock = answer.one("hello")["clock"]
    assert answer.one("hello")["protocol"] == 1
    assert clock["resolution_ns"] > 0 and clock["cost_ns"] > 0
    library = answer.one("library")
    assert library["path"] == worker.library("ok")
    assert library["abi"] == [1, 0]
    assert (library["name"], library["version"], library["revision"]) == ("spin", "1", "")
    spin, values = library["kernels"]
    assert (spin["name"], spin["variant"], spin["output"], spin["tolerance"]) == ("spin", "plain", "none", 0)
    assert (values["name"], values["output"], values["tolerance"]) == ("spin_values", "values", 1e-6)
    assert spin["supported"] is True and spin["reason"] == ""
    assert spin["needs_data"] is False and spin["prepare"] is False and spin["run_each"] is False
    assert spin["parameters"] == [
        {
            "name": "work",
            "default": 1000,
            "minimum": 1,
            "maximum": 1e9,
            "integer": True,
            "meaning": "dependent steps per operation",
        }
    ]
    assert [metric["name"] for metric in spin["metrics"]] == ["population", "memory_bytes"]
    assert spin["metrics"][1] == {
        "name": "memory_bytes",
        "unit": "B",
        "better": "lower",
        "scope": "case",
        "meaning": "bytes of one state",
    }


def test_describe_several(worker: Worker) -> None:
    answer = worker.describe("ok", "vectors", "latency_stall")
    assert [library["name"] for library in answer.all("library")] == ["spin", "vectors", "spin"]
    kernels = {kernel["name"]: kernel for kernel in answer.all("library")[1]["kernels"]}
    assert kernels["nearest"]["output"] == "neighbours"
    assert kernels["nearest"]["needs_data"] and kernels["nearest"]["run_each"] and not kernels["nearest"]["prepare"]
    assert kernels["cosine"]["prepare"] and not kernels["cosine"]["run_each"]


def test_describe_unsupported(worker: Worker) -> None:
    for kernel in worker.describe("unsupported").one("library")["kernels"]:
        assert kernel["supported"] is False
        assert kernel["reason"] == "needs a vector unit of 4096 bits"


def test_describe_a_big_table(worker: Worker) -> None:
    kernels = worker.describe("big_table").one("library")["kernels"]
    assert len({kernel["variant"] for kernel in kernels}) == len(kernels) == 256


def test_structs_that_grew_are_walked_with_their_own_size(worker: Worker) -> None:
    answer = worker.describe("newer_minor")
    library = answer.one("library")
    assert library["abi"] == [1, 7]
    (kernel,) = library["kernels"]
    assert [(p["name"], p["default"]) for p in kernel["parameters"]] == [("first", 1.5), ("second", 2.5), ("third", 3.5)]
    assert [m["name"] for m in kernel["metrics"]] == ["first", "second", "third"]
    measured = worker.measure(["newer_minor"], [SPIN], "parameter second 9.25", *FIXED)
    assert measured.one("metrics")["values"] == [1.5, 9.25, 3.5]


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        ("wrong_abi", "kernel table version 99.0, this dualmem reads 1.x"),
        ("no_symbol", "exports no dm_library_get"),
        ("no_run", "kernel spin/plain has no run"),
        ("no_size", "dm_kernel.size is 0"),
        ("bad_range", "parameter k has the default 500 outside of its range 1 to 100"),
        ("bad_tolerance", "kernel spin/plain: the tolerance must be 0 or a positive number"),
        ("twice", "kernel spin/plain is twice in the table"),
    ],
)
def test_a_library_that_cannot_be_used_says_why(worker: Worker, subject: str, message: str) -> None:
    error = worker.describe(subject).refused("open", None, message)
    assert error["status"] == 0
    assert worker.library(subject) in error["message"]
    worker.measure([subject], [SPIN], *FIXED).refused("open", 0, message)


def test_no_such_library(worker: Worker, tmp_path: Path) -> None:
    missing = tmp_path / "missing.so"
    worker.describe(str(missing)).refused("open", None, f"cannot load the library {missing}: No such file")
    text = tmp_path / "text.so"
    text.write_text("not a shared object")
    worker.describe(str(text)).refused("open", None, "cannot load the library")


# ---- measure


def test_measure(worker: Worker) -> None:
    arms = [SPIN, "1 spin plain 1.0", "0 spin plain 1.08"]
    answer = worker.measure(["ok", "slower_6"], arms, "iterations 100", "schedule 0110122001", "warmup 1000000")
    assert answer.returncode == 0
    assert answer.names[-1] == "done"
    checked, samples = answer.one("checked"), answer.one("samples")
    assert len(set(checked["checksums"])) == 1 and len(checked["checksums"][0]) == 16
    assert checked["outputs"] == [0, 0, 0] and checked["differences"] == [None, None, None]
    assert samples["iterations"] == [100, 100, 108]
    for key in ("wall_ns", "cpu_ns", "switches"):
        assert len(samples[key]) == 10
    assert all(wall > 10_000 for wall in samples["wall_ns"])  # 100 x 1000 dependent multiplications cannot be faster
    assert all(cpu > 10_000 for cpu in samples["cpu_ns"])
    # The same operations in as many samples: the same checksums, also after a warm-up of unknown length.
    assert samples["checksums"][0] == samples["checksums"][1] != samples["checksums"][2]
    assert [event["arm"] for event in answer.all("metrics")] == [0, 1, 2]
    assert answer.all("metrics")[0]["values"][0] == 1
    assert not answer.all("calibrated")


def test_phases_in_order(worker: Worker) -> None:
    answer = worker.measure(["ok", "slower_3"], [SPIN, "1 spin plain 1.0"], "target 20000", "schedule 01", "order 1 0")
    assert answer.phases == [
        ("open", None),
        ("open", 1),
        ("supported", 1),
        ("open", 0),
        ("supported", 0),
        ("setup", None),
        ("setup", 1),
        ("setup", 0),
        ("check", 0),
        ("check", 1),
        ("calibrate", None),
        ("warmup", None),
        ("run", None),
        ("metrics", 0),
        ("metrics", 1),
        ("teardown", 0),
        ("teardown", 1),
    ]
    assert answer.one("calibrated")["iterations"] == answer.one("samples")["iterations"][0] >= 1


def exchanging(worker: Worker, build: Path, kernel: str, *lines: str) -> Any:
    """Two builds' links of the self-test's library."""
    links = [str(build / f"selftest/0/selftest.{number}.so") for number in (0, 1)]
    arms = [f"0 {kernel} plain 1.0", f"1 {kernel} plain 1.0"]
    return worker.measure(links, arms, "iterations 50", "schedule 0110100101101001", "warmup 100000", *lines)


def test_two_arms_exchange_their_pages(worker: Worker, build: Path) -> None:
    answer = exchanging(worker, build, "memory", "parameter mebibytes 1", "exchange 8")
    after = [name for name, _ in answer.phases[answer.phases.index(("run", None)) :]]
    assert after[:5] == ["run", "exchange", "warmup", "run", "metrics"]
    samples = answer.one("samples")
    assert samples["exchanged"] >= (1 << 20) // os.sysconf("SC_PAGESIZE")
    assert len(samples["wall_ns"]) == 16 and min(samples["wall_ns"]) > 0
    assert samples["checksums"][0] == samples["checksums"][1]  # of the samples of both halves, and of the same operations


def test_the_checksum_covers_the_samples_before_the_exchange(worker: Worker, build: Path) -> None:
    """Without a warm-up every sample is of the same operations, exchange or not. (An exchange that happens warms up: for 0 ns here.)"""
    links = [str(build / f"selftest/0/selftest.{number}.so") for number in (0, 1)]
    arms = ["0 memory plain 1.0", "1 memory plain 1.0"]
    lines = ("iterations 50", "schedule 01101001", "parameter mebibytes 1")
    plain = worker.measure(links, arms, *lines).one("samples")
    exchanged = worker.measure(links, arms, *lines, "exchange 4").one("samples")
    assert (plain["exchanged"], exchanged["exchanged"] > 0) == (0, True)
    assert plain["checksums"] == exchanged["checksums"]


def test_arms_without_memory_have_nothing_to_exchange(worker: Worker, build: Path) -> None:
    answer = exchanging(worker, build, "compute", "exchange 8")
    assert answer.one("samples")["exchanged"] == 0
    after = [name for name, _ in answer.phases[answer.phases.index(("run", None)) :]]
    assert after[:4] == ["run", "exchange", "run", "metrics"]


def test_calibration_keeps_the_arms_together(worker: Worker) -> None:
    answer = worker.measure(["ok", "slower_10"], [SPIN, "1 spin plain 1.0"], "target 50000", "schedule 0110", "warmup 500000")
    samples = answer.one("samples")
    assert samples["checksums"][0] == samples["checksums"][1]
    assert samples["iterations"][0] == samples["iterations"][1]


def test_more_work_takes_more_time(worker: Worker) -> None:
    """The sizes of the subjects, from minima of interleaved samples: a factor of ten, so that noise cannot blur it."""
    answer = worker.measure(["ok"], [SPIN, "0 spin plain 10"], "iterations 20", "schedule " + "0110" * 10)
    walls = answer.one("samples")["wall_ns"]
    schedule = "0110" * 10
    fastest = [min(wall for wall, arm in zip(walls, schedule, strict=True) if arm == digit) for digit in "01"]
    assert 5 < fastest[1] / fastest[0] < 20


def test_checksums_depend_on_the_seed_and_on_nothing_else(worker: Worker) -> None:
    def checksums(*lines: str) -> Any:
        answer = worker.measure(["ok"], [SPIN], *FIXED, *lines)
        return answer.one("checked")["checksums"], answer.one("samples")["checksums"]

    assert checksums("seed 1") == checksums() == checksums("stack 5000", "placement 128", "cpu 0")
    assert checksums("seed 2") != checksums("seed 1")


def test_check_runs_as_many_operations_as_asked(worker: Worker) -> None:
    one = worker.measure(["ok"], [SPIN], *FIXED).one("checked")
    five = worker.measure(["ok"], [SPIN], *FIXED, "check 5").one("checked")
    assert one["checksums"] != five["checksums"]


def test_resources(worker: Worker) -> None:
    resources = worker.measure(["ok"], [SPIN], *FIXED).one("resources")
    assert 500_000 < resources["max_rss_bytes"] < 100_000_000
    assert resources["minor_faults"] > 0
    assert resources["voluntary_switches"] >= 0 and resources["involuntary_switches"] >= 0
    assert resources["steal_ticks"] is None or resources["steal_ticks"] >= 0


def test_memory_is_the_workers_own(worker: Worker) -> None:
    """ru_maxrss survives exec, so a caller with 300 MB would see them in every worker."""
    ballast = np.ones(300_000_000, dtype=np.uint8)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > ballast.nbytes
    assert worker.measure(["ok"], [SPIN], *FIXED).one("resources")["max_rss_bytes"] < 100_000_000


def test_a_leak_is_seen(worker: Worker) -> None:
    lean = worker.measure(["ok"], [SPIN], "parameter work 1", "iterations 20000", "schedule 00").one("resources")
    fat = worker.measure(["leaks"], [SPIN], "parameter work 1", "iterations 20000", "schedule 00")
    assert fat.returncode == 0
    assert fat.one("resources")["max_rss_bytes"] - lean["max_rss_bytes"] > 30_000_000


# ---- what the arms are dealt


def test_witness_sees_what_was_dealt(worker: Worker) -> None:
    allowed = sorted(os.sched_getaffinity(0))
    for cpu in (allowed[0], allowed[-1]):
        answer = worker.measure(["witness"], [SPIN, SPIN, SPIN], *FIXED, f"cpu {cpu}", "placement 448", "order 2 0 1")
        values = [event["values"] for event in answer.all("metrics")]
        assert [v[0] for v in values] == [448] * 3
        assert [v[1] for v in values] == [cpu] * 3
        assert [v[2] for v in values] == [1, 2, 0]  # rank: arm 2 was first


def test_the_stack_moves(worker: Worker) -> None:
    """The kernel adds up to 8 KiB at random between environment and stack; 512 KiB cannot be mistaken for that."""

    def depth(bytes_: int) -> float:
        return float(worker.measure(["witness"], [SPIN], *FIXED, f"stack {bytes_}").one("metrics")["values"][3])

    moved = depth(524288) - depth(0)
    assert 524288 - 8192 <= moved <= 524288 + 8192


def test_a_processor_that_is_not_there(worker: Worker) -> None:
    answer = worker.measure(["ok"], [SPIN], *FIXED, "cpu 60000")
    answer.refused("open", None, "cannot run on processor 60000: Invalid argument")
    assert "taskset" in answer.one("error")["message"]


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


# ---- parameters


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("parameter k 500", "k: 500 is above the maximum 100"),
        ("parameter k 0", "k: 0 is below the minimum 1"),
        ("parameter k -3", "k: -3 is below the minimum 1"),
        ("parameter k 2.5", "k: 2.5 is not a whole number"),
        ("parameter kk 5", "no kernel of this request declares the parameter kk"),
    ],
)
def test_parameters_out_of_range(worker: Worker, matrices: Any, line: str, message: str) -> None:
    answer = worker.measure(["vectors"], ["0 nearest plain 1.0"], *FIXED, *matrices[2], line)
    answer.refused("setup", None if "kk" in line else 0, message)


def test_a_parameter_is_for_the_arms_that_declare_it(worker: Worker, matrices: Any) -> None:
    arms = ["0 dot plain 1.0", "0 nearest plain 1.0"]
    answer = worker.measure(["vectors"], arms, "iterations 1", "schedule 01", "check 7", *matrices[2], "parameter k 3")
    assert answer.one("checked")["outputs"] == [50, 21]
    assert answer.one("checked")["differences"] == [0, None]


# ---- data


def test_outputs_against_numpy(worker: Worker, matrices: Any, tmp_path: Path) -> None:
    data, queries, lines = matrices
    answer = worker.measure(["vectors"], ["0 dot plain 1.0"], *FIXED, *lines, "check 3", f"output 0 {tmp_path / 'out'}")
    assert answer.returncode == 0
    np.testing.assert_allclose(np.fromfile(tmp_path / "out", dtype="<f8"), data @ queries[2], rtol=1e-12)


def test_neighbours_are_read_only_when_they_are_whole(worker: Worker, matrices: Any, tmp_path: Path) -> None:
    data, queries, lines = matrices
    arms = ["0 nearest plain 1.0", "1 nearest plain 1.0"]
    libraries = ["vectors", "fails_recall"]
    common = ("iterations 1", "schedule 01", *lines, "parameter k 4")
    assert worker.measure(libraries, arms, *common).one("checked")["outputs"] == [0, 0]
    assert worker.measure(libraries, arms, *common, "check 6").one("checked")["outputs"] == [0, 0]
    assert worker.measure(libraries, arms, *common, "check 7").one("checked")["outputs"] == [28, 28]
    asked = worker.measure(libraries, arms, *common, f"output 0 {tmp_path / 'best'}", f"output 1 {tmp_path / 'worst'}")
    assert asked.one("checked")["outputs"] == [28, 28]
    order = np.argsort(-(queries @ data.T), axis=1)
    np.testing.assert_array_equal(np.fromfile(tmp_path / "best").reshape(7, 4), order[:, :4])
    np.testing.assert_array_equal(np.fromfile(tmp_path / "worst").reshape(7, 4), order[:, :-5:-1])


def test_data_that_is_missing(worker: Worker, matrices: Any) -> None:
    arm = ["0 dot plain 1.0"]
    worker.measure(["vectors"], arm, *FIXED).refused("setup", 0, "dot/plain needs data, but no data is given")
    worker.measure(["vectors"], arm, *FIXED, matrices[2][0]).refused("setup", 0, "dot/plain needs queries beside its data")


def test_queries_without_rows_are_the_kernels_business(worker: Worker, matrices: Any, tmp_path: Path) -> None:
    (tmp_path / "none").write_bytes(matrix_bytes(np.empty((0, 20))))
    answer = worker.measure(["vectors"], ["0 dot plain 1.0"], *FIXED, matrices[2][0], f"queries {tmp_path / 'none'}")
    answer.refused("setup", 0, "the queries have no rows")


def test_columns_that_disagree(worker: Worker, matrices: Any, tmp_path: Path) -> None:
    (tmp_path / "wide").write_bytes(matrix_bytes(np.ones((3, 21))))
    answer = worker.measure(["vectors"], ["0 dot plain 1.0"], *FIXED, matrices[2][0], f"queries {tmp_path / 'wide'}")
    answer.refused("setup", 0, "the data has 20 columns, the queries have 21")


GOOD = matrix_bytes(np.ones((3, 20)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"DMMATRIX", "is not a matrix file"),
        (b"NUMPY" + GOOD[5:], "is not a matrix file"),
        (matrix_bytes(np.ones((3, 20)), version=2), "has matrix version 2"),
        (GOOD[:-1], "was cut off or damaged"),
        (GOOD + b"\0", "was cut off or damaged"),
        (GOOD[:64], "was cut off or damaged"),
        (matrix_bytes(np.ones((3, 20)), stride=20), "do not fit a stride of 20"),
        (matrix_bytes(np.ones((3, 20)), stride=16), "do not fit a stride of 16"),
        (matrix_bytes(np.ones((3, 0))), "do not fit a stride of 0"),
        (struct.pack("<8sIIQQQ", b"DMMATRIX", 1, 0, 2**62, 16, 16).ljust(64, b"\0"), "was cut off or damaged"),
        (struct.pack("<8sIIQQQ", b"DMMATRIX", 1, 0, 1, 16, 2**62).ljust(64, b"\0"), "do not fit a stride"),
    ],
)
def test_a_damaged_matrix(worker: Worker, tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(content)
    error = worker.measure(["ok"], [SPIN], *FIXED, f"data {path}").refused("open", None, message)
    assert str(path) in error["message"]
    assert error["status"] in {4, 5}


def test_no_such_matrix(worker: Worker, tmp_path: Path) -> None:
    worker.measure(["ok"], [SPIN], *FIXED, f"data {tmp_path / 'x'}").refused("open", None, "No such file or directory")
    worker.measure(["ok"], [SPIN], *FIXED, f"data {tmp_path}").refused("open", None, "is not a file")


# ---- prepare


def test_prepare_then_measure(worker: Worker, matrices: Any, tmp_path: Path) -> None:
    data, queries, lines = matrices
    arm = ["0 cosine plain 1.0"]
    path = tmp_path / "prepared file"
    prepared = worker.say(worker.request("prepare", ["vectors"], arm, *lines, f"path {path}"))
    assert prepared.returncode == 0 and prepared.names[-1] == "done"
    strange = worker.say(worker.request("prepare", ["vectors"], arm, *lines, "parameter k 3", f"path {path}"))
    assert strange.returncode == 0  # another arm of the same case may declare k
    assert ("prepare", 0) in prepared.phases and ("setup", 0) not in prepared.phases
    np.testing.assert_allclose(np.fromfile(path), np.linalg.norm(data, axis=1), rtol=1e-12)
    measured = worker.measure(["vectors"], arm, *FIXED, *lines, f"prepared 0 {path}", f"output 0 {tmp_path / 'out'}")
    assert measured.returncode == 0
    np.testing.assert_allclose(np.fromfile(tmp_path / "out"), data @ queries[0] / np.linalg.norm(data, axis=1), rtol=1e-12)


def test_prepared_files_that_do_not_fit(worker: Worker, matrices: Any, tmp_path: Path) -> None:
    lines, arm = matrices[2], ["0 cosine plain 1.0"]
    (tmp_path / "short").write_bytes(b"12345678")
    worker.measure(["vectors"], arm, *FIXED, *lines).refused("setup", 0, "needs the file that its prepare writes")
    worker.measure(["vectors"], arm, *FIXED, *lines, f"prepared 0 {tmp_path / 'short'}").refused(
        "setup", 0, "made for other data"
    )
    worker.measure(["vectors"], arm, *FIXED, *lines, f"prepared 0 {tmp_path / 'x'}").refused("setup", 0, "No such file")
    dot = ["0 dot plain 1.0"]
    worker.measure(["vectors"], dot, *FIXED, *lines, f"prepared 0 {tmp_path / 'short'}").refused("setup", 0, "has no prepare")
    request = worker.request("prepare", ["vectors"], dot, *lines, f"path {tmp_path / 'out'}")
    worker.say(request).refused("prepare", 0, "dot/plain has nothing to prepare")
    request = worker.request("prepare", ["vectors"], arm, *lines, f"path {tmp_path}/no/where")
    assert worker.say(request).refused("prepare", 0, "cannot write")["status"] == 4


# ---- latency


def bucket_value(index: int) -> int:
    """The smallest value of a bucket, by search through the definition."""

    def bucket(value: int) -> int:
        e = max(value.bit_length() - 8, 0)
        return (e << 7) + (value >> e)

    low, high = 0, 2**64
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if bucket(middle) < index else (low, middle)
    return low


def check_histogram(histogram: Any, *, count: int) -> None:
    buckets = histogram["buckets"]
    assert histogram["count"] == sum(number for _, number in buckets) == count
    assert [index for index, _ in buckets] == sorted({index for index, _ in buckets})
    low = sum(bucket_value(index) * number for index, number in buckets)
    assert low <= histogram["sum_ns"] <= low * (1 + 1 / 128) + count
    assert bucket_value(buckets[-1][0]) <= histogram["max_ns"] < bucket_value(buckets[-1][0] + 1)


def test_latency_of_a_kernel_that_stalls(worker: Worker) -> None:
    """Every hundredth operation takes 200 us longer, in every pass: at least that share of both histograms lies beyond."""
    request = worker.request("latency", ["latency_stall"], [SPIN], "parameter work 100", "operations 1000", "passes 4")
    answer = worker.say(request)
    assert answer.returncode == 0
    latency = answer.one("latency")
    assert (latency["arm"], latency["operations"]) == (0, 4000)
    check_histogram(latency["every"], count=4000)
    check_histogram(latency["fastest"], count=100)  # the kernel's own items: a hundred
    stalled = sum(number for index, number in latency["every"]["buckets"] if bucket_value(index + 1) > 200_000)
    assert 40 <= stalled < 400
    slow = [(index, number) for index, number in latency["fastest"]["buckets"] if bucket_value(index + 1) > 200_000]
    assert sum(number for _, number in slow) >= 1
    assert latency["every"]["max_ns"] >= latency["fastest"]["max_ns"] >= 200_000


def test_latency_without_run_each(worker: Worker) -> None:
    arms = [SPIN, "1 spin plain 1.0"]
    lines = ("parameter work 50", "operations 300", "passes 3", "warmup 100000")
    answer = worker.say(worker.request("latency", ["ok", "slower_8"], arms, *lines))
    assert [event["arm"] for event in answer.all("latency")] == [0, 1]
    for event in answer.all("latency"):
        check_histogram(event["every"], count=900)
        check_histogram(event["fastest"], count=300)
        assert event["fastest"]["sum_ns"] * 3 <= event["every"]["sum_ns"]
    assert [phase for phase in answer.phases if phase[0] == "latency"] == [("latency", 0), ("latency", 1)] * 3


def test_latency_that_is_miscounted(worker: Worker) -> None:
    request = worker.request("latency", ["miscounts"], [SPIN], "operations 10", "passes 1")
    worker.say(request).refused("latency", 0, "recorded 20 latencies for 10 operations")


# ---- spin


def test_spin(worker: Worker) -> None:
    answer = worker.say(worker.request("spin", ["ok"], [SPIN], "duration 30000000"))
    assert answer.returncode == 0
    spun = answer.one("spun")
    assert spun["operations"] > 0 and spun["wall_ns"] > 10_000_000 and spun["cpu_ns"] > 0
    assert ("spin", 0) in answer.phases


def test_spin_touches_arm_0_alone(worker: Worker) -> None:
    request = worker.request("spin", ["crashes_in_setup", "ok"], ["1 spin plain 1.0", SPIN], "order 1 0", "duration 1000000")
    answer = worker.say(request)
    assert answer.returncode == 0
    assert {arm for _, arm in answer.phases} == {None, 0}


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

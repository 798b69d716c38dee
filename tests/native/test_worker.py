"""The worker as a black box: nothing is known of it but its protocol (docs/reference/worker-protocol.md)."""

import os
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from worker_requests import FIXED, SPIN

Worker = Any  # the class of conftest.py, which pytest does not let a test module import


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

"""What a player plays, and what it says of it: every figure against numpy, from the times of single operations."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trace_files import Operation, evenly
from worker_requests import matrix_bytes

Player = Any  # the class of conftest.py, which pytest does not let a test module import

US, MS = 1_000, 1_000_000
WORD = 2**64


def bucket(value: int) -> int:
    e = max(value.bit_length() - 8, 0)
    return (e << 7) + (value >> e)


def histogram(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    buckets = np.array([bucket(int(value)) for value in values], dtype=np.int64)
    index, count = np.unique(buckets, return_counts=True)
    pairs = [[int(i), int(n)] for i, n in zip(index, count, strict=True)]
    return {"count": len(values), "sum_ns": int(values.sum()), "max_ns": int(values.max(initial=0)), "buckets": pairs}


def results(pairs: list[tuple[int, int]]) -> str:
    """The sum that stands for (number, result) of operations, from the document."""

    def h(a: int, b: int) -> int:
        x = (a ^ b) * 0x9E3779B97F4A7C15 % WORD
        return x ^ x >> 29

    return f"{sum(h(h(0, number), result) for number, result in pairs) % WORD:016x}"


def due(operations: list[Operation], first: int, count: int, speed: float) -> np.ndarray[Any, Any]:
    at = [when for when, _, _ in operations[first : first + count]]
    return np.array([int((when - at[0]) / speed) for when in at], dtype=np.int64)


def metrics(event: dict[str, Any]) -> dict[str, float | None]:
    names = ["population", "calls", "overlaps", "disorder", "most_at_once", "threads", "unknown"]
    return dict(zip(names, event["metrics"], strict=True))


# ---- order, results, counts


def test_operations_are_taken_in_order_of_the_trace(player: Player) -> None:
    answer = player.play(evenly(300, 10 * US, "ordered"), ["0 0 300 open 1 1"])
    assert metrics(answer.one("played"))["disorder"] == 0
    backwards = [(number, "ordered", 300 - number) for number in range(300)]
    assert metrics(player.play(backwards, ["0 0 300 closed 1 1"]).one("played"))["disorder"] == 300


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("mode", ["open", "closed"])
def test_results_are_those_of_the_trace_whatever_thread_did_it(player: Player, mode: str, threads: int) -> None:
    operations = [(number * US, ("echo", "fail")[number % 3 == 0], number**5 % 2**50) for number in range(500)]
    played = player.play(operations, [f"0 100 400 {mode} 1 {threads}"], f"threads {threads}").one("played")
    chosen = list(enumerate(operations))[100:]
    for kind in ("echo", "fail"):
        mine = [(number, key) for number, (_, name, key) in chosen if name == kind]
        good = [(number, key) for number, key in mine if kind == "echo" or key % 10 != 9]
        assert played["kinds"][kind]["operations"] == played["kinds"][kind]["service"]["count"] == len(mine)
        assert played["kinds"][kind]["errors"] == len(mine) - len(good)
        assert played["kinds"][kind]["results"] == results(good)
        bad = sorted({number for number, _ in mine} - {number for number, _ in good})
        assert played["kinds"][kind]["first_error"] == ({"number": bad[0], "status": 5} if bad else None)
    assert 0 < played["kinds"]["fail"]["errors"] < 50
    assert played["arm"] == 0 and (played["first"], played["count"], played["threads"]) == (100, 400, threads)


def test_a_kind_that_is_not_played_is_told_of_too(player: Player) -> None:
    operations = [*evenly(10, US, "echo"), (20 * US, "fail", 0)]
    played = player.play(operations, ["0 0 10 open 1 1"]).one("played")
    nothing = {"count": 0, "sum_ns": 0, "max_ns": 0, "buckets": []}
    assert played["kinds"]["fail"] == {
        "operations": 0,
        "errors": 0,
        "first_error": None,
        "results": "0" * 16,
        "response": nothing,
        "service": nothing,
    }


# ---- times


@pytest.mark.parametrize(
    ("mode", "speed", "threads"), [("open", 1.0, 1), ("open", 0.7, 3), ("closed", 1.0, 1), ("closed", 1.0, 2)]
)
def test_histograms_are_those_of_the_times(player: Player, mode: str, speed: float, threads: int) -> None:
    generator = np.random.default_rng(7)
    at = np.cumsum(generator.exponential(50 * US, 1000)).astype(np.int64)
    operations = [(int(when), ("echo", "fail", "spin")[i % 3], i) for i, when in enumerate(at)]
    plays = [f"0 0 600 {mode} {speed} {threads}", f"0 600 400 {mode} {speed} {threads}"]
    answer = player.play(operations, plays, f"threads {threads}", f"parameter pause {30 * US}")
    times = player.read_times()
    assert times.shape == (1000, 2)
    for played, (first, count) in zip(answer.all("played"), [(0, 600), (600, 400)], strict=True):
        begun, ended = times[first : first + count].T
        scheduled = due(operations, first, count, speed)
        assert played["mode"] == mode and played["speed"] == speed
        assert played["scheduled_ns"] == scheduled[-1]
        assert played["elapsed_ns"] == ended.max()
        assert np.all(begun <= ended)
        if mode == "open":
            assert np.all(begun >= scheduled), "an operation began before its time"
            if threads == 1:
                in_time = np.concatenate([[True], ended[:-1] <= scheduled[1:]])
                assert played["lateness"] == histogram((begun - scheduled)[in_time])
        else:
            assert "lateness" not in played
        kinds = np.arange(first, first + count) % 3
        for number, kind in enumerate(("echo", "fail", "spin")):
            told = played["kinds"][kind]
            assert told["service"] == histogram((ended - begun)[kinds == number])
            assert told.get("response") == (histogram((ended - scheduled)[kinds == number]) if mode == "open" else None)
    slow = (times[:, 1] - times[:, 0])[2::3]
    assert slow.min() >= 30 * US, "spin takes 30 us at least"


def test_twice_the_speed_is_half_the_span(player: Player) -> None:
    operations = evenly(101, MS, "echo")
    answer = player.play(operations, ["0 0 101 open 1.0 1", "0 0 101 open 2.0 1"])
    assert [played["scheduled_ns"] for played in answer.all("played")] == [100 * MS, 50 * MS]
    assert all(played["elapsed_ns"] >= played["scheduled_ns"] for played in answer.all("played"))
    begun = player.read_times()[101:, 0]
    assert np.all(begun >= np.arange(101) * (MS // 2))
    assert answer.all("played")[0]["kinds"]["echo"]["results"] == answer.all("played")[1]["kinds"]["echo"]["results"]


def test_a_closed_loop_does_not_wait(player: Player) -> None:
    """Operations an hour apart; each thread goes on when it has finished one."""
    played = player.play(evenly(20, 3600 * 10**9, "sleep"), ["0 0 20 closed 1 1"]).one("played")
    assert 20 * MS <= played["kinds"]["sleep"]["service"]["sum_ns"] <= played["elapsed_ns"]
    begun, ended = player.read_times().T
    assert np.all(begun[1:] >= ended[:-1])


def test_a_stall_is_charged_to_what_had_to_wait(player: Player) -> None:
    """A stall of 50 ms in every 200th operation, one operation a millisecond, one thread: those behind it wait, and do not serve long."""
    lines = ("parameter stall_every 200", f"parameter stall {50 * MS}")
    operations = evenly(600, MS, "stall")
    played = player.play(operations, ["0 0 600 open 1 1"], *lines).one("played")
    begun, ended = player.read_times().T
    response, service = ended - due(operations, 0, 600, 1.0), ended - begun
    assert np.all(service[199::200] >= 50 * MS)
    for stalled in (199, 399):
        behind = np.arange(1, 50)
        assert np.all(response[stalled + behind] >= (50 - behind) * MS), "the wait of those behind is part of their response"
        assert np.median(service[stalled + behind]) < MS
    told = played["kinds"]["stall"]
    assert told["response"] == histogram(response) and told["service"] == histogram(service)
    assert np.percentile(response, 97) >= 40 * MS > np.percentile(service, 97)


def test_more_threads_serve_past_a_stall(player: Player) -> None:
    """The thread that stalls holds up its own operation; the other one goes on."""
    lines = ("threads 2", "parameter stall_every 50", f"parameter stall {100 * MS}")
    player.play(evenly(60, MS, "stall"), ["0 0 60 open 1 2"], *lines)
    begun, ended = player.read_times().T
    slow = int(np.argmax(ended - begun))
    assert np.any(begun[slow + 1 :] < ended[slow])


# ---- threads, sections, arms


def test_threads_have_numbers_of_their_own(player: Player) -> None:
    plays = ["0 0 16 closed 1 4", "0 16 16 open 1 4", "0 0 6 closed 1 2"]
    pause = f"parameter pause {20 * MS}"
    answer = player.play(evenly(32, 100 * US, "sleep"), plays, "threads 4", pause)
    told = [metrics(played) for played in answer.all("played")]
    assert [metric["most_at_once"] for metric in told] == [4, 4, 4]
    assert all(metric["overlaps"] == 0 and metric["threads"] == 4 for metric in told)
    alone = player.play(evenly(32, 100 * US, "sleep"), ["0 0 32 open 1 1"], "threads 4").one("played")
    assert metrics(alone)["most_at_once"] == 1


def test_what_stores_say_before_and_after(player: Player, tmp_path: Path) -> None:
    """Two builds and a workload that has nothing to say, set up in another order than asked for."""
    copy = shutil.copy(player.library, tmp_path / "copy.so")
    player.write(evenly(30, US, "echo"))
    libraries = [player.library, str(copy)]
    text = player.request(
        "order 2 0 1", "parameter population 7", arms=["0 known whole", "1 known whole", "1 known bare"], libraries=libraries
    )
    answer = player.say(text + "play 0 0 10 open 1 1\nplay 1 0 10 open 1 1\nplay 2 0 10 open 1 1\nplay 0 10 20 open 1 1\nend\n")
    assert answer.returncode == 0
    ready, done = answer.one("ready")["arms"], answer.one("done")["arms"]
    assert [metrics(arm)["calls"] for arm in ready[:2]] == [0, 0] and [metrics(arm)["calls"] for arm in done[:2]] == [30, 10]
    assert all(metrics(arm)["population"] == 7 and metrics(arm)["unknown"] is None for arm in (*ready[:2], *done[:2]))
    assert [arm["fans"] for arm in ready] == [arm["fans"] for arm in done] == [[5, 3, 2], [5, 3, 2], None]
    assert ready[2]["metrics"] == done[2]["metrics"] == []
    phases = [(event["phase"], event["arm"]) for event in answer.all("phase")]
    assert [arm for phase, arm in phases if phase == "setup"] == [None, 2, 0, 1]
    assert [arm for phase, arm in phases if phase == "play"] == [0, 1, 2, 0]
    played = [event["kinds"]["echo"]["results"] for event in answer.all("played")]
    assert played[0] == played[1] == played[2] != played[3]


def test_many_sections_leak_nothing(player: Player) -> None:
    operations = evenly(4000, US, "echo")
    plays = [f"0 {number % 40 * 100} 100 closed 1 2" for number in range(400)]
    played = player.play(operations, plays, "threads 2").all("played")
    resident = [event["rss_bytes"] for event in played]
    assert resident[-1] - resident[40] < 100_000  # 400 bytes a play would be seen; 100 operations' times are 1,600
    assert player.read_times().shape == (40_000, 2)
    for counter in ("cpu_ns", "minor_faults", "voluntary_switches"):  # of each play, not since the beginning
        values = [event[counter] for event in played]
        assert np.median(values[300:]) <= 20 * (np.median(values[:5]) + 1), counter


def test_resources_are_those_of_the_play(player: Player) -> None:
    answer = player.play(evenly(40, US, "spin"), ["0 0 20 closed 1 1", "0 20 20 closed 1 1"], f"parameter pause {5 * MS}")
    for played in answer.all("played"):
        assert played["cpu_ns"] <= played["elapsed_ns"] + 50 * MS  # of one thread; the process has no other that works
        assert played["cpu_ns"] > 0
        assert 10**6 < played["rss_bytes"] < 10**9
        assert played["major_faults"] == 0
        assert played["steal_ticks"] is None or 0 <= played["steal_ticks"] < 1000
        assert played["minor_faults"] < 100 and played["involuntary_switches"] >= 0
    sleeping = player.play(evenly(20, US, "sleep"), ["0 0 20 closed 1 1"]).one("played")
    assert sleeping["voluntary_switches"] >= 20


def test_data_and_queries(player: Player, tmp_path: Path) -> None:
    player.write(evenly(1, 1, "echo"))
    arms = ["0 known needy"]
    player.say(player.request(arms=arms)).refused("setup", 0, "known/needy needs data, but no data is given")
    data = tmp_path / "data"
    data.write_bytes(matrix_bytes(np.ones((3, 4), dtype="<f4")))
    answer = player.say(player.request(f"data {data}", f"queries {data}", arms=arms) + "play 0 0 1 open 1 1\nend\n")
    assert answer.returncode == 0


def test_threads_run_where_they_are_told_to(player: Player) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    player.write(evenly(1, 1, "echo"))
    text = player.request("threads 3", f"cpu {cpus[0]} {cpus[-1]}")
    process = subprocess.Popen([player.executable], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin and process.stdout
    process.stdin.write(text.encode())
    process.stdin.flush()
    while b'"ready"' not in process.stdout.readline():
        pass
    tasks = sorted(int(task.name) for task in Path(f"/proc/{process.pid}/task").iterdir())
    allowed = [os.sched_getaffinity(task) for task in tasks]
    process.stdin.write(b"end\n")
    process.stdin.close()
    assert process.wait(timeout=30) == 0
    process.stdout.close()
    assert allowed == [set(cpus), {cpus[0]}, {cpus[-1]}, {cpus[0]}]


# ---- describe


def test_describe(player: Player) -> None:
    answer = player.say(f"dualmem-player 1\ntask describe\nlibrary {player.library}\nbegin\n")
    assert answer.returncode == 0 and answer.one("done")["arms"] == []
    told = answer.one("workloads")
    assert (told["path"], told["abi"], told["name"], told["version"], told["revision"]) == (
        player.library,
        [1, 0],
        "workloads",
        "1",
        "",
    )
    whole, bare, absent, needy = told["workloads"]
    assert [w["variant"] for w in told["workloads"]] == ["whole", "bare", "absent", "needy"]
    assert whole["supported"] and not absent["supported"] and absent["reason"] == "needs a store of 4096 terabytes"
    assert needy["needs_data"] and not whole["needs_data"]
    assert whole["operations"][0] == {"name": "echo", "meaning": "returns its key", "key": "query", "inserts": "none"}
    ordered = next(operation for operation in bare["operations"] if operation["name"] == "ordered")
    assert (ordered["key"], ordered["inserts"]) == ("data", "episode")
    assert whole["parameters"][2] == {
        "name": "stall_every",
        "default": 1000,
        "minimum": 1,
        "maximum": 1e9,
        "integer": True,
        "meaning": "calls from one stall to the next",
    }
    assert whole["metrics"][1] == {"name": "calls", "unit": "count", "better": "neither", "scope": "case", "meaning": "calls"}
    assert bare["metrics"] == []

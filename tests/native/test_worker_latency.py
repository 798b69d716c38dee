"""Latencies of single operations, seen from the caller of a worker."""

from typing import Any

from worker_requests import SPIN

Worker = Any  # the class of conftest.py, which pytest does not let a test module import


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

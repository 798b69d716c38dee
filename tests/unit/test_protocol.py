"""The worker protocol: requests as text, answers from JSON Lines, whatever comes back."""

import json
from dataclasses import replace
from typing import Any

import pytest
from fabricated import DRAW

from dualmem_cli.measure import protocol
from dualmem_cli.model.kernel import Output
from dualmem_cli.model.plan import Task, WorkerArm, WorkerRequest
from dualmem_cli.model.samples import Failure, FailureKind

REQUEST = WorkerRequest(
    task=Task.MEASURE,
    libraries=("/a b/old.so", "/new.so"),
    arms=(WorkerArm(0, "spin", "plain"), WorkerArm(1, "spin", "plain", work=1.08, prepared="/p q", output="/o")),
    parameters=(("work", 1000.0), ("share", 0.1)),
    seed=7, data="/d", queries="/q", cpu=1, stack=16, environment=5, placement=64, order=(1, 0), check=16, warmup_ns=5_000_000,
    iterations=123, target_ns=200_000, schedule="0110", exchange=2, operations=10, passes=3, duration_ns=9, path="/x",
)  # fmt: skip

HELLO = {"event": "hello", "protocol": 1, "clock": {"name": "tsc", "source": "rdtscp", "resolution_ns": 0.5, "cost_ns": 20.0}}
CHECKED = {"event": "checked", "checksums": ["aa", "aa"], "outputs": [8, 8], "differences": [0.0, None]}
SAMPLES = {
    "event": "samples", "iterations": [9, 9], "wall_ns": [5, 6, 7, 8], "cpu_ns": [5, 6, 7, 8], "switches": [0, 0, 1, 0],
    "checksums": ["aa", "aa"], "exchanged": 0,
}  # fmt: skip
HISTOGRAM = {"count": 2, "sum_ns": 30, "max_ns": 20, "buckets": [[10, 1], [20, 1]]}
RESOURCES = {
    "event": "resources", "max_rss_bytes": 1, "minor_faults": 2, "major_faults": 3, "steal_ticks": None, "voluntary_switches": 4,
    "involuntary_switches": 5,
}  # fmt: skip
METRICS = [{"event": "metrics", "arm": arm, "values": [1000.0, None]} for arm in (0, 1)]
DONE = {"event": "done"}
WHOLE: list[protocol.Event] = [HELLO, CHECKED, SAMPLES, *METRICS, RESOURCES, DONE]


def lines(*events: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(event)}\n" for event in events)


def failure(*events: dict[str, Any], returncode: int = 0, timed_out: bool = False, stderr: str = "") -> Failure | None:
    return protocol.failure_of(list(events), returncode=returncode, timed_out=timed_out, timeout_s=1.5, stderr=stderr)


def test_a_request_is_written_line_by_line() -> None:
    assert protocol.encode(REQUEST) == (
        "dualmem-worker 1\ntask measure\nlibrary /a b/old.so\nlibrary /new.so\narm 0 spin plain 1.0\narm 1 spin plain 1.08\n"
        "prepared 1 /p q\noutput 1 /o\nparameter work 1000.0\nparameter share 0.1\nseed 7\ndata /d\nqueries /q\ncpu 1\nstack 16\n"
        "placement 64\norder 1 0\ncheck 16\nwarmup 5000000\niterations 123\ntarget 200000\noperations 10\npasses 3\nduration 9\n"
        "schedule 0110\nexchange 2\npath /x\nend\n"
    )


def test_a_request_with_nothing_asked_for_is_short() -> None:
    assert protocol.encode(WorkerRequest(task=Task.DESCRIBE, libraries=("/a.so",))) == (
        "dualmem-worker 1\ntask describe\nlibrary /a.so\nseed 1\nstack 0\nplacement 0\ncheck 1\nend\n"
    )


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-300, 5e-324, 1.7976931348623157e308, 2.0**53 + 2, 123456789.123456789])
def test_parameters_arrive_bit_for_bit(value: float) -> None:
    text = protocol.encode(replace(REQUEST, parameters=(("x", value),)))
    (line,) = (line for line in text.splitlines() if line.startswith("parameter"))
    assert float(line.split()[2]) == value


@pytest.mark.parametrize("change", [{"data": "/a\nend"}, {"libraries": ("/a\nb",)}, {"path": "x\n"}])
def test_a_line_break_in_a_path_cannot_smuggle_in_a_line(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="line break"):
        protocol.encode(replace(REQUEST, **change))


def test_a_whole_answer() -> None:
    run = protocol.worker_run(protocol.parse_events(lines(*WHOLE)), DRAW, REQUEST, failure(*WHOLE))
    assert run.failure is None
    assert run.clock is not None
    assert run.clock.resolution_ns == 0.5
    assert run.check is not None
    assert run.check.differences == (0.0, None)
    assert run.samples is not None
    assert (run.samples.schedule, run.samples.wall_ns, run.samples.switches) == ("0110", (5, 6, 7, 8), (0, 0, 1, 0))
    assert run.metrics == ((1000.0, None), (1000.0, None))
    assert run.resources is not None
    assert run.resources.steal_ticks is None
    assert run.draw is DRAW


def test_an_exchange_counts_when_pages_were_exchanged() -> None:
    for pages, exchange in ((0, 0), (16, 2)):
        run = protocol.worker_run([{**SAMPLES, "exchanged": pages}, DONE], DRAW, REQUEST, None)
        assert run.samples is not None
        assert run.samples.exchange == exchange


def test_latencies() -> None:
    event = {"event": "latency", "arm": 0, "operations": 2, "every": HISTOGRAM, "fastest": HISTOGRAM}
    run = protocol.worker_run([HELLO, CHECKED, event, DONE], DRAW, replace(REQUEST, schedule="", exchange=0), None)
    assert run.samples is None
    assert run.latency[0].every.buckets == ((10, 1), (20, 1))


def test_an_answer_that_was_cut_off_anywhere_never_raises_and_is_never_whole() -> None:
    text = lines(*WHOLE)
    for end in range(0, len(text) - 2, 7):
        events = protocol.parse_events(text[:end])
        found = failure(*events)
        assert found is not None
        assert found.kind is FailureKind.BROKEN
        run = protocol.worker_run(events, DRAW, REQUEST, found)
        assert run.failure is found


@pytest.mark.parametrize(
    "garbage",
    [
        "", "\n\n", "garbage\n", "{\n", "[]\n", "null\n", "3\n", '{"event": 3}\n', '{"event": ["done"]}\n', '"done"\n', "\x00\xff\n",
        "[" * 100_000 + "\n", '{"no event": 1}\n', "9" * 5000 + "\n", "NaN\n",
    ],
)  # fmt: skip
def test_garbage_between_the_lines_is_passed_over(garbage: str) -> None:
    text = garbage + lines(HELLO) + garbage + lines(*WHOLE[1:]) + garbage
    assert protocol.parse_events(text) == WHOLE


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r"])
def test_a_librarys_own_words_may_hold_any_character(separator: str) -> None:
    """Raw U+2028 and U+0085 are legal inside of JSON strings, and str.splitlines breaks at them."""
    event = {"event": "error", "phase": "setup", "arm": 0, "status": 1, "message": f"one{separator}two"}
    (found,) = protocol.parse_events(json.dumps(event, ensure_ascii=separator < " ") + "\n")
    assert found["message"] == f"one{separator}two"


@pytest.mark.parametrize("name", ["hello", "checked", "samples", "metrics", "resources"])
@pytest.mark.parametrize("forged", [{}, {"clock": 3}, {"values": 3}, {"wall_ns": None}, {"checksums": 7}])
def test_an_event_with_other_fields_is_a_broken_worker_not_a_broken_run(name: str, forged: dict[str, Any]) -> None:
    events = [{"event": name, **forged}, *(event for event in WHOLE if event["event"] != name)]
    run = protocol.worker_run(events, DRAW, REQUEST, failure(*events))
    assert run.failure is not None
    assert (run.failure.kind, run.failure.phase, run.samples) == (FailureKind.BROKEN, "answer", None)


@pytest.mark.parametrize("key", ["wall_ns", "cpu_ns", "switches"])
def test_as_many_samples_as_were_asked_for(key: str) -> None:
    for wrong in ([5, 6, 7], [5, 6, 7, 8, 9], []):
        run = protocol.worker_run([HELLO, CHECKED, {**SAMPLES, key: wrong}, DONE], DRAW, REQUEST, None)
        assert run.failure is not None
        assert run.samples is None


PHASE = {"event": "phase", "phase": "run", "arm": 1}


def test_a_finished_worker_did_not_fail() -> None:
    assert failure(PHASE, DONE) is None


def test_the_last_phase_says_where_a_signal_struck() -> None:
    found = failure({"event": "phase", "phase": "setup", "arm": 0}, PHASE, returncode=-9)
    assert found == Failure(FailureKind.CRASHED, "run", 1, "the worker died of SIGKILL in run")


def test_a_crash_event_knows_better() -> None:
    crash = {"event": "crash", "signal": 11, "phase": "check", "arm": 0}
    for returncode in (-11, 0, 1):
        found = failure(PHASE, crash, returncode=returncode)
        assert found == Failure(FailureKind.CRASHED, "check", 0, "the worker died of SIGSEGV in check")


def test_a_worker_that_had_to_be_stopped() -> None:
    crash = {"event": "crash", "signal": 15, "phase": "run", "arm": 1}
    for events in ([PHASE], [PHASE, crash]):
        found = failure(*events, returncode=-9, timed_out=True)
        assert found is not None
        assert (found.kind, found.phase, found.arm) == (FailureKind.TIMED_OUT, "run", 1)
        assert found.message == "no answer within 1.5 s, stopped in run; raise [measure] timeout_s if it needs longer"


def test_a_refusal_is_passed_on_word_for_word() -> None:
    error = {"event": "error", "phase": "setup", "arm": 0, "status": 1, "message": "work does not fit"}
    assert failure(error, returncode=3) == Failure(FailureKind.REFUSED, "setup", 0, "setup: work does not fit")


def test_an_exit_without_an_answer() -> None:
    found = failure(PHASE, returncode=0, stderr="first\nlast words\n\n")
    assert found == Failure(FailureKind.BROKEN, "run", 1, "the worker exited with status 0 in run: last words")
    done = failure(DONE, returncode=7)
    assert done is not None
    assert "status 7 in start" in done.message
    long = failure(returncode=1, stderr="x" * 10_000)
    assert long is not None
    assert len(long.message) < 300


@pytest.mark.parametrize("name", ["phase", "crash", "error"])
def test_last_words_without_their_fields_are_still_last_words(name: str) -> None:
    found = failure({"event": name}, returncode=-6)
    assert found is not None
    assert found.kind is (FailureKind.REFUSED if name == "error" else FailureKind.CRASHED)


def test_signal_names() -> None:
    assert (protocol.signal_name(11), protocol.signal_name(99)) == ("SIGSEGV", "signal 99")


def test_a_described_library() -> None:
    kernel = {
        "name": "spin", "variant": "plain", "summary": "s", "tolerance": 0.5, "output": "neighbours", "needs_data": True,
        "prepare": False, "run_each": True, "supported": False, "reason": "no",
        "parameters": [{"name": "work", "default": 1, "minimum": 1, "maximum": 2, "integer": True, "meaning": "m", "later": 9}],
        "metrics": [{"name": "population", "unit": "count", "better": "neither", "scope": "case", "meaning": "m"}],
    }  # fmt: skip
    event = {
        "event": "library", "path": "/a.so", "abi": [1, 3], "name": "lib", "version": "2", "compiler": "gcc", "flags": "-O3",
        "revision": "", "kernels": [kernel],
    }  # fmt: skip
    found = protocol.library_of(event)
    assert (found.abi, found.kernels[0].output, found.kernels[0].reason) == ((1, 3), Output.NEIGHBOURS, "no")
    assert found.kernels[0].parameter("work") is not None
    assert found.kernel("spin", "plain") is found.kernels[0]
    assert found.kernel("spin", "other") is None
    assert found.kernels[0].parameter("other") is None

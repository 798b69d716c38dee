"""The worker protocol, version 1 (docs/reference/worker-protocol.md): requests as text, answers from JSON Lines. Pure."""

import json
from collections.abc import Iterable
from typing import Any

from dualmem_cli.model.kernel import Kernel, Library, Output, Parameter
from dualmem_cli.model.metric import Better, Metric, Scope
from dualmem_cli.model.plan import Draw, WorkerRequest
from dualmem_cli.model.samples import (
    Check,
    Clock,
    Failure,
    FailureKind,
    Histogram,
    Latency,
    Resources,
    Samples,
    WorkerRun,
)

Event = dict[str, Any]


def encode(request: WorkerRequest) -> str:
    """The request as the worker reads it. A path with a newline cannot be written down: ValueError."""
    lines = ["dualmem-worker 1", f"task {request.task}"]
    lines += [f"library {path}" for path in request.libraries]
    for index, arm in enumerate(request.arms):
        lines.append(f"arm {arm.library} {arm.kernel} {arm.variant} {arm.work!r}")
        if arm.prepared:
            lines.append(f"prepared {index} {arm.prepared}")
        if arm.output:
            lines.append(f"output {index} {arm.output}")
    lines += [f"parameter {name} {value!r}" for name, value in request.parameters]
    lines.append(f"seed {request.seed}")
    lines += [f"{key} {path}" for key, path in (("data", request.data), ("queries", request.queries)) if path]
    if request.cpu is not None:
        lines.append(f"cpu {request.cpu}")
    lines += [f"stack {request.stack}", f"placement {request.placement}"]
    if request.order:
        lines.append("order " + " ".join(map(str, request.order)))
    numbers = {
        "check": request.check,
        "warmup": request.warmup_ns,
        "iterations": request.iterations,
        "target": request.target_ns,
        "operations": request.operations,
        "passes": request.passes,
        "duration": request.duration_ns,
    }
    lines += [f"{key} {value}" for key, value in numbers.items() if value]
    if request.load is not None:
        lines.append(f"load {request.load}")
    if request.schedule:
        lines.append(f"schedule {request.schedule}")
    if request.exchange:
        lines.append(f"exchange {request.exchange}")
    if request.path:
        lines.append(f"path {request.path}")
    if any("\n" in line for line in lines):
        raise ValueError("a path with a line break cannot be given to a worker")
    return "\n".join([*lines, "end", ""])


def parse_events(text: str) -> list[Event]:
    """All complete events. A last line that was cut off by a crash is dropped. Lines end at \\n only: a library's own words may hold
    any of the other characters that str.splitlines breaks at, such as U+2028."""
    events: list[Event] = []
    for line in text.split("\n"):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict) and isinstance(event.get("event"), str):
            events.append(event)
    return events


def first(events: Iterable[Event], name: str) -> Event | None:
    """The first event of that name."""
    return next((event for event in events if event["event"] == name), None)


def library_of(event: Event) -> Library:
    """The Library that a `library` event describes."""
    return Library(
        path=event["path"],
        abi=(event["abi"][0], event["abi"][1]),
        name=event["name"],
        version=event["version"],
        compiler=event["compiler"],
        flags=event["flags"],
        revision=event["revision"],
        kernels=tuple(_kernel(kernel) for kernel in event["kernels"]),
    )


def _kernel(raw: dict[str, Any]) -> Kernel:
    return Kernel(
        name=raw["name"],
        variant=raw["variant"],
        summary=raw["summary"],
        tolerance=raw["tolerance"],
        output=Output(raw["output"]),
        needs_data=raw["needs_data"],
        prepare=raw["prepare"],
        run_each=raw["run_each"],
        supported=raw["supported"],
        reason=raw["reason"],
        parameters=tuple(Parameter(**{k: p[k] for k in Parameter.__dataclass_fields__}) for p in raw["parameters"]),
        metrics=tuple(
            Metric(name=m["name"], unit=m["unit"], better=Better(m["better"]), scope=Scope(m["scope"]), meaning=m["meaning"])
            for m in raw["metrics"]
        ),
    )


def worker_run(events: list[Event], draw: Draw, request: WorkerRequest, failure: Failure | None) -> WorkerRun:
    """What a worker answered, as far as it got. An answer that is not the protocol's is a failure of the worker, not of the run."""
    try:
        return _worker_run(events, draw, request, failure)
    except (KeyError, TypeError, ValueError):
        broken = Failure(FailureKind.BROKEN, "answer", None, "the worker's answer is not in the protocol of this dualmem")
        return WorkerRun(
            draw=draw, clock=None, check=None, samples=None, latency=(), metrics=(), resources=None, failure=failure or broken
        )


def _worker_run(events: list[Event], draw: Draw, request: WorkerRequest, failure: Failure | None) -> WorkerRun:
    return WorkerRun(
        draw=draw,
        clock=_clock(first(events, "hello")),
        check=_check(first(events, "checked")),
        samples=_samples(first(events, "samples"), request),
        latency=tuple(_latency(event) for event in events if event["event"] == "latency"),
        metrics=tuple(tuple(event["values"]) for event in events if event["event"] == "metrics"),
        resources=_resources(first(events, "resources")),
        failure=failure,
    )


def _clock(event: Event | None) -> Clock | None:
    return Clock(**{key: event["clock"][key] for key in Clock.__dataclass_fields__}) if event else None


def _check(event: Event | None) -> Check | None:
    if event is None:
        return None
    return Check(checksums=tuple(event["checksums"]), outputs=tuple(event["outputs"]), differences=tuple(event["differences"]))


def _samples(event: Event | None, request: WorkerRequest) -> Samples | None:
    if event is None:
        return None
    schedule = request.schedule
    if any(len(event[key]) != len(schedule) for key in ("wall_ns", "cpu_ns", "switches")):
        raise ValueError("a sample per entry of the schedule is wanted")
    return Samples(
        schedule=schedule,
        iterations=tuple(event["iterations"]),
        wall_ns=tuple(event["wall_ns"]),
        cpu_ns=tuple(event["cpu_ns"]),
        switches=tuple(event["switches"]),
        checksums=tuple(event["checksums"]),
        exchange=request.exchange if event["exchanged"] > 0 else 0,
    )


def _latency(event: Event) -> Latency:
    return Latency(
        arm=event["arm"],
        operations=event["operations"],
        every=_histogram(event["every"]),
        fastest=_histogram(event["fastest"]),
    )


def _histogram(raw: dict[str, Any]) -> Histogram:
    return Histogram(
        count=raw["count"],
        sum_ns=raw["sum_ns"],
        max_ns=raw["max_ns"],
        buckets=tuple((index, count) for index, count in raw["buckets"]),
    )


def _resources(event: Event | None) -> Resources | None:
    return Resources(**{key: event[key] for key in Resources.__dataclass_fields__}) if event else None


def failure_of(events: list[Event], *, returncode: int, timed_out: bool, timeout_s: float, stderr: str) -> Failure | None:
    """Why the worker failed, from its own last words, or None when it finished."""
    phases = [event for event in events if event["event"] == "phase"]
    crash, error = first(events, "crash"), first(events, "error")
    last: Event = crash or (phases[-1] if phases else {})
    phase: str = last.get("phase", "start")
    arm: int | None = last.get("arm")
    if timed_out:
        message = f"no answer within {timeout_s:g} s, stopped in {phase}; raise [measure] timeout_s if it needs longer"
        return Failure(FailureKind.TIMED_OUT, phase, arm, message)
    if error:
        refused = error.get("phase", phase)
        return Failure(FailureKind.REFUSED, refused, error.get("arm"), f"{refused}: {error.get('message', 'without a word')}")
    if returncode < 0 or crash:
        name = signal_name(crash.get("signal", -returncode) if crash else -returncode)
        return Failure(FailureKind.CRASHED, phase, arm, f"the worker died of {name} in {phase}")
    if first(events, "done") is None or returncode != 0:
        said = f": {stderr.strip().splitlines()[-1][:200]}" if stderr.strip() else ""
        return Failure(FailureKind.BROKEN, phase, arm, f"the worker exited with status {returncode} in {phase}{said}")
    return None


def signal_name(number: int) -> str:
    """SIGSEGV for 11."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

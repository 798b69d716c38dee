"""The player protocol, version 1 (docs/reference/player-protocol.md): set-up and plays as text, answers from JSON Lines. Pure."""

from typing import Any

from dualmem_cli.measure.protocol import Event
from dualmem_cli.model.kernel import Parameter
from dualmem_cli.model.load import (
    KindPlayed,
    Play,
    Played,
    PlayerSetup,
    Population,
)
from dualmem_cli.model.metric import Better, Metric, Scope
from dualmem_cli.model.samples import Clock, Histogram
from dualmem_cli.model.workload import KeySpace, Operation, Workload, WorkloadLibrary

END = "end\n"
_USED = ("cpu_ns", "minor_faults", "major_faults", "voluntary_switches", "involuntary_switches", "rss_bytes")


def encode_describe(path: str) -> str:
    """The question what workloads a library has."""
    return _text(["dualmem-player 1", "task describe", f"library {path}", "begin"])


def encode_setup(setup: PlayerSetup) -> str:
    """The set-up as the player reads it, up to `begin`. A path with a newline cannot be written down: ValueError."""
    lines = ["dualmem-player 1", "task play", *(f"library {path}" for path in setup.libraries)]
    lines += [f"arm {arm.library} {arm.workload} {arm.variant}" for arm in setup.arms]
    lines += [f"parameter {name} {value!r}" for name, value in setup.parameters]
    lines.append(f"seed {setup.seed}")
    lines += [f"{key} {path}" for key, path in (("data", setup.data), ("queries", setup.queries)) if path]
    lines.append(f"placement {setup.placement}")
    lines += [f"{key} {' '.join(map(str, numbers))}" for key, numbers in (("order", setup.order), ("cpu", setup.cpus)) if numbers]
    lines += [f"threads {setup.threads}", f"trace {setup.trace}"]
    if setup.times:
        lines.append(f"times {setup.times}")
    return _text([*lines, "begin"])


def encode_play(play: Play) -> str:
    """One play, as a line."""
    return f"play {play.arm} {play.first} {play.count} {play.mode} {play.speed!r} {play.threads}\n"


def _text(lines: list[str]) -> str:
    if any("\n" in line for line in lines):
        raise ValueError("a path with a line break cannot be given to a player")
    return "\n".join([*lines, ""])


def workloads_of(event: Event) -> WorkloadLibrary:
    """The workloads that a `workloads` event describes."""
    return WorkloadLibrary(
        path=event["path"],
        abi=(event["abi"][0], event["abi"][1]),
        name=event["name"],
        version=event["version"],
        revision=event["revision"],
        workloads=tuple(_workload(raw) for raw in event["workloads"]),
    )


def _workload(raw: dict[str, Any]) -> Workload:
    return Workload(
        name=raw["name"],
        variant=raw["variant"],
        summary=raw["summary"],
        needs_data=raw["needs_data"],
        supported=raw["supported"],
        reason=raw["reason"] or "",
        parameters=tuple(Parameter(**{key: p[key] for key in Parameter.__dataclass_fields__}) for p in raw["parameters"]),
        metrics=tuple(
            Metric(name=m["name"], unit=m["unit"], better=Better(m["better"]), scope=Scope(m["scope"]), meaning=m["meaning"])
            for m in raw["metrics"]
        ),
        operations=tuple(
            Operation(name=o["name"], meaning=o["meaning"], key=KeySpace(o["key"]), inserts=KeySpace(o["inserts"]))
            for o in raw["operations"]
        ),
    )


def clock_of(event: Event) -> Clock:
    """The clock in a `hello` event."""
    return Clock(**{key: event["clock"][key] for key in Clock.__dataclass_fields__})


def populations_of(event: Event) -> tuple[Population, ...]:
    """What every arm's store holds, from a `ready` or a `done` event."""
    return tuple(
        Population(metrics=tuple(arm["metrics"]), fans=None if arm["fans"] is None else tuple(arm["fans"]))
        for arm in event["arms"]
    )


def played_of(event: Event, play: Play) -> Played:
    """The answer to `play`. Raises ValueError when it answers something else."""
    if (event["arm"], event["first"], event["count"]) != (play.arm, play.first, play.count):
        raise ValueError("an answer to another play")
    kinds = tuple(_kind(name, raw) for name, raw in event["kinds"].items())
    if sum(kind.operations for kind in kinds) != play.count:
        raise ValueError("not every operation was played")
    return Played(
        play=play,
        scheduled_ns=event["scheduled_ns"],
        elapsed_ns=event["elapsed_ns"],
        kinds=kinds,
        lateness=_histogram(event["lateness"]) if "lateness" in event else None,
        metrics=tuple(event["metrics"]),
        **{key: event[key] for key in _USED},
    )


def _kind(name: str, raw: dict[str, Any]) -> KindPlayed:
    response = raw.get("response")
    return KindPlayed(
        name=name,
        operations=raw["operations"],
        errors=raw["errors"],
        response=_histogram(response) if response is not None else None,
        service=_histogram(raw["service"]),
        result=raw["results"],
    )


def _histogram(raw: dict[str, Any]) -> Histogram:
    return Histogram(
        count=raw["count"],
        sum_ns=raw["sum_ns"],
        max_ns=raw["max_ns"],
        buckets=tuple((index, count) for index, count in raw["buckets"]),
    )

"""The processor's and the system's counters per operation, of all threads of the native target.

What preparing costs is taken out by two lengths (lengths.py), which needs no cooperation of the target and leaves nothing of it in. The
hardware's counters come from `perf stat` on our own child, in groups of those that a trial found to be there: perf refuses a group of
which one member is not. Page faults and context switches come from getrusage, which knows them for everyone: where the kernel may not be
counted, perf says 0 for what happens in it.
"""

import re
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dualmem_cli.profile.counts import Counts, Figure
from dualmem_cli.profile.engines.answer import event, target_failure
from dualmem_cli.profile.engines.engine import TARGET_FAILED, Available, Unavailable, once, refuse
from dualmem_cli.profile.engines.lengths import Length, run_native, sample_length, work_of
from dualmem_cli.profile.process import Finished, run_child
from dualmem_cli.profile.target import Target

PAIRS = 3
# By group: what is to be divided by each other must run at the same time. Hence the name of each as other engines have it.
_GROUPS = (
    {"cycles": "cycles", "instructions": "instructions", "branches": "branches", "branch-misses": "branch_misses"},
    {"L1-dcache-loads": "l1d_loads", "L1-dcache-load-misses": "l1d_misses"},
    {"LLC-loads": "ll_loads", "LLC-load-misses": "ll_misses"},
    {"cpu-migrations": "migrations"},
)
_NAMES = {event: name for group in _GROUPS for event, name in group.items()}
_SOFTWARE = ("migrations",)
_USAGE = ("minor_faults", "major_faults", "voluntary_switches", "involuntary_switches")
_SETTINGS = {"PERF_CONFIG": "/dev/null", "LC_ALL": "C"}
_NOT_HERE = "the processor, or the virtual machine it is shown through, has no such counter"
_NO_PERF = "perf is not installed (Debian apt-get install linux-perf, Ubuntu linux-tools-$(uname -r), Fedora perf)"
_DENIED = re.compile(r"permission|not permitted|perf_event_paranoid|access to performance monitoring", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one run says of one counter; `value` None with a reason where it says nothing."""

    value: float | None
    reason: str = ""
    running: float = 1.0


Readings = dict[str, Reading]


class CountersEngine:
    """`perf stat` and getrusage on a C target."""

    name = "counters"

    def availability(self) -> Available | Unavailable:
        """See Engine.availability. Always there: without perf or its hardware, what the system itself counts is left."""
        trial = self._trial()
        known = [name for name, reading in trial.items() if reading.value is not None and name not in _SOFTWARE]
        if known:
            return Available(f"getrusage; perf stat with {', '.join(known)}")
        return Available(f"getrusage; no hardware counters: {trial['cycles'].reason}")

    @once
    def _trial(self) -> Readings:
        """What perf stat says of `true`, every event for itself: which are there."""
        tool = shutil.which("perf")
        if tool is None:
            return {name: Reading(None, _NO_PERF) for name in _NAMES.values()}
        with tempfile.TemporaryDirectory(prefix="dualmem-counters-") as scratch:
            out = Path(scratch, "stat")
            argv = _stat(tool, out, [[each] for each in _NAMES])
            done = run_child([*argv, "true"], stdin="", environment=_SETTINGS, timeout_s=30.0)
            if done.status != 0:
                return {name: Reading(None, _why_not(done, _text(out))) for name in _NAMES.values()}
            return parse_stat(_text(out))

    def count(self, target: Target, *, directory: Path) -> Counts:
        """See Counter.count."""
        work = work_of(target)
        length = sample_length(target, timeout_s=120.0)
        samples = samples_within(target.seconds, length)
        timeout_s = 60.0 + 20.0 * target.seconds
        trial = self._trial()
        pairs = []
        for _ in range(PAIRS):
            short, long = (
                _run(target, work.request(length.operations, count), trial, directory / "stat", timeout_s=timeout_s)
                for count in (samples, 2 * samples)
            )
            pairs.append((short, long))
        operations = samples * length.executed
        figures = tuple(_figure(name, pairs, operations) for name in (*_NAMES.values(), *_USAGE))
        return Counts(
            title=target.title,
            engine=self.name,
            tool="perf stat and getrusage",
            facts=f"perf stat and getrusage: {operations:,} operations, the difference of two lengths, {PAIRS} times",
            operations=operations,
            figures=figures,
            notes=_notes(figures),
        )


def samples_within(seconds: float, length: Length, *, runs: int = 3 * PAIRS) -> int:
    """So many samples that `runs` times as many take about `seconds`."""
    sample_s = length.wall_ns * 1e-9 * length.executed / length.operations
    return max(1, min(int(seconds / runs / max(sample_s, 1e-9)), 100_000))


def usage_of(done: Finished) -> Readings:
    """What the target's own getrusage says."""
    told = event(done, "resources")
    silent = Reading(None, "the target did not say")
    return {name: Reading(float(told[name])) if isinstance(told.get(name), int | float) else silent for name in _USAGE}


def _run(target: Target, request: str, trial: Readings, out: Path, *, timeout_s: float) -> Readings:
    tool = shutil.which("perf")
    groups = [
        present for group in _GROUPS if (present := [each for each, name in group.items() if trial[name].value is not None])
    ]
    if tool is None or not groups:
        return {**trial, **usage_of(run_native(target, request, timeout_s=timeout_s))}
    out.unlink(missing_ok=True)
    done = run_child(
        [*_stat(tool, out, groups), *target.native_argv],
        stdin=request,
        environment={**dict(target.environment), **_SETTINGS},
        timeout_s=timeout_s,
        cpus=target.cpus,
    )
    if event(done, "hello") and not event(done, "done"):
        raise refuse(f"the target failed under perf stat ({target_failure(done)})", TARGET_FAILED)
    if not event(done, "done"):
        reason = _why_not(done, _text(out))
        usage = usage_of(run_native(target, request, timeout_s=timeout_s))
        return {**{name: Reading(None, reason) for name in _NAMES.values()}, **usage}
    counted = parse_stat(_text(out))
    return {**{name: counted[name] if trial[name].value is not None else trial[name] for name in counted}, **usage_of(done)}


def _stat(tool: str, out: Path, groups: Sequence[Sequence[str]]) -> list[str]:
    """W: members run apart where the hardware has no room for all of a group."""
    written = [group[0] if len(group) == 1 else "{" + ",".join(group) + "}:W" for group in groups]
    return [tool, "stat", "-x", ";", "-o", str(out), *(word for events in written for word in ("-e", events)), "--"]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _why_not(done: Finished, told: str) -> str:
    text = f"{done.text}\n{told}"
    if _DENIED.search(text):
        return "not allowed: sudo sysctl kernel.perf_event_paranoid=1, or in a container --cap-add PERFMON"
    lines = [line.strip() for line in text.splitlines()]
    words = [line for line in lines if line and not line.startswith(("{", "#", "Error:"))]
    return f"perf stat failed ({words[0] if words else f'exit status {done.status}'})"


def parse_stat(text: str) -> Readings:
    """Read `perf stat -x ';'`: value; unit; event; time it ran; share of the time it ran, in per cent. Processors of two kinds have an
    event each (cpu_core/cycles/): they are added up."""
    found: Readings = {}
    for line in text.splitlines():
        fields = line.split(";")
        if line.startswith("#") or len(fields) < 5:
            continue
        base, _, modifiers = fields[2].partition("/")[2].rpartition("/") if "/" in fields[2] else fields[2].partition(":")
        name = _NAMES.get(base)
        if name is not None:
            reading = _reading(fields, kernel_hidden="u" in modifiers and name in _SOFTWARE)
            found[name] = _added(found[name], reading) if name in found else reading
    return {name: found.get(name, Reading(None, "perf stat said nothing about it")) for name in _NAMES.values()}


def _reading(fields: list[str], *, kernel_hidden: bool) -> Reading:
    if kernel_hidden:
        return Reading(None, "happens in the kernel, which may not be counted: sudo sysctl kernel.perf_event_paranoid=1")
    if "not supported" in fields[0]:
        return Reading(None, _NOT_HERE)
    try:
        return Reading(float(fields[0]), "", float(fields[4]) / 100)
    except ValueError:
        return Reading(None, "it never ran: others hold the processor's counters")


def _added(one: Reading, other: Reading) -> Reading:
    """Of two kinds of processor; a program that never ran on one of them was counted by the other alone."""
    if one.value is None or other.value is None:
        return other if one.value is None else one
    return Reading(one.value + other.value, "", min(1.0, one.running + other.running))


def _figure(name: str, pairs: Sequence[tuple[Readings, Readings]], operations: int) -> Figure:
    """The median of the pairs' differences per operation, with their smallest and largest."""
    readings = [(short[name], long[name]) for short, long in pairs]
    known = [
        (long.value - short.value) / operations for short, long in readings if short.value is not None and long.value is not None
    ]
    if len(known) < len(pairs):
        return Figure(name, "1/op", None, next(r.reason for pair in readings for r in pair if r.value is None), 0.0)
    running = min(r.running for pair in readings for r in pair)
    return Figure(name, "1/op", statistics.median(known), "", running, min(known), max(known))


def _notes(figures: tuple[Figure, ...]) -> tuple[str, ...]:
    shared = [figure for figure in figures if figure.value is not None and figure.running < 0.999]
    if not shared:
        return ()
    least = min(figure.running for figure in shared)
    names = ", ".join(figure.name for figure in shared)
    return (f"scaled up, since the counters were shared with others (they ran {least:.0%} of the time): {names}",)

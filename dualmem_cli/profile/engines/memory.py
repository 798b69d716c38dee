"""Memory: what the case takes, and whether its operations take more.

An operation that allocates may show up in three ways, and all are looked at: resident memory that grows while nothing but operations run,
page faults per operation (by two lengths: preparing is taken out), and the bytes that the kernel itself says it holds. Calls of the
allocator that reuse freed memory show in none of these; `--with callgrind` counts them.
"""

from pathlib import Path

from dualmem_cli.profile.counts import Counts, Figure
from dualmem_cli.profile.engines.answer import event, events
from dualmem_cli.profile.engines.counters import samples_within, usage_of
from dualmem_cli.profile.engines.engine import Available, Unavailable
from dualmem_cli.profile.engines.lengths import run_native, sample_length, work_of
from dualmem_cli.profile.process import Finished
from dualmem_cli.profile.target import Target

_EVERY_S = 0.02
_NOISE = 8  # page faults
_FAULTS = ("minor_faults", "major_faults")


class MemoryEngine:
    """Resident memory over time, page faults per operation, and the kernel's own bytes."""

    name = "memory"

    def availability(self) -> Available | Unavailable:
        """See Engine.availability."""
        import psutil

        return Available(f"psutil {psutil.__version__} and getrusage")

    def count(self, target: Target, *, directory: Path) -> Counts:
        """See Counter.count."""
        import psutil

        work = work_of(target)
        length = sample_length(target, timeout_s=120.0)
        samples = samples_within(target.seconds, length, runs=3)
        timeout_s = 60.0 + 20.0 * target.seconds
        short = run_native(target, work.request(length.operations, samples), timeout_s=timeout_s)
        long = run_native(target, work.request(length.operations, 2 * samples), timeout_s=timeout_s, watch_s=_EVERY_S)
        operations = samples * length.executed
        faults = _faults(short, long, operations)
        begin = next((at for at, line in long.lines if '"phase":"run"' in line), None)
        end = next((at for at, line in reversed(long.lines) if '"samples"' in line), None)
        while_running = [size for at, size in long.memory if begin is not None and end is not None and begin <= at <= end]
        series = tuple((at - long.memory[0][0], size) for at, size in long.memory)
        figures = (*_sizes(long, work.metrics), _growth(while_running), *faults)
        return Counts(
            title=target.title,
            engine=self.name,
            tool=f"psutil {psutil.__version__} and getrusage",
            facts=f"psutil {psutil.__version__} and getrusage: {operations:,} operations, {len(while_running)} looks at memory meanwhile",
            operations=operations,
            figures=figures,
            series=series,
            notes=(_verdict(faults, operations),),
        )


def _faults(short: Finished, long: Finished, operations: int) -> tuple[Figure, ...]:
    before, after = usage_of(short), usage_of(long)
    figures = []
    for name in _FAULTS:
        less, more = before[name], after[name]
        if less.value is None or more.value is None:
            figures.append(Figure(name, "1/op", None, less.reason or more.reason))
        else:
            figures.append(Figure(name, "1/op", (more.value - less.value) / operations))
    return tuple(figures)


def _sizes(done: Finished, metrics: tuple[str, ...]) -> tuple[Figure, ...]:
    peak = event(done, "resources").get("max_rss_bytes")
    values = dict(zip(metrics, next((e["values"] for e in events(done) if e.get("event") == "metrics"), ()), strict=False))
    own = values.get("memory_bytes")
    return (
        Figure("peak_resident", "B", float(peak)) if peak else Figure("peak_resident", "B", None, "the target did not say"),
        Figure("memory_bytes", "B", float(own))
        if own is not None
        else Figure("memory_bytes", "B", None, "the kernel has no metric of that name, or does not know it"),
    )


def _growth(while_running: list[int]) -> Figure:
    """From the first look while operations ran to the last."""
    if len(while_running) < 2:
        return Figure("resident_growth", "B", None, "it ran too short to look twice: --seconds")
    return Figure("resident_growth", "B", float(while_running[-1] - while_running[0]))


def _verdict(faults: tuple[Figure, ...], operations: int) -> str:
    """In one sentence, what was seen of operations that take memory. Two runs of the same length differ by a few faults too."""
    known = [figure.value * operations for figure in faults if figure.value is not None]
    if len(known) < len(faults):
        return "whether operations touch new memory is not known"
    seen = round(sum(known))
    told = f"{seen:,} page faults more in {operations:,} more operations"
    if seen < max(_NOISE, operations / 1000):
        return f"operations touch no new memory: {told} (calls of the allocator: --with callgrind)"
    return f"operations touch new memory: {told}"

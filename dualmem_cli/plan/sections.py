"""How a trace is cut into what is played without a pause."""

from dataclasses import dataclass

import numpy as np

from dualmem_cli.errors import TraceError
from dualmem_cli.model.workload import LoadScenario
from dualmem_cli.trace import Trace


@dataclass(frozen=True, slots=True)
class Stretch:
    """Operations [first, first + count) of a trace; `scheduled_s` is how long they take at the trace's own speed."""

    first: int
    count: int
    scheduled_s: float


@dataclass(frozen=True, slots=True)
class Sections:
    """What is played before it counts, and what counts."""

    warmup: Stretch
    steady: tuple[Stretch, ...]

    @property
    def all_steady(self) -> Stretch:
        """Everything that counts, as one."""
        return Stretch(self.steady[0].first, sum(s.count for s in self.steady), sum(s.scheduled_s for s in self.steady))


def sections(scenario: LoadScenario, trace: Trace, *, speed: float) -> Sections:
    """Warm-up and sections of a scenario's trace when it is played at `speed`. A last section that is shorter than half of one belongs
    to the one before it; one without any operation is none. Raises TraceError when nothing is left to measure."""
    measure = scenario.measure
    begin = round(measure.warmup_ns * speed)
    end = trace.duration_ns if measure.steady_ns is None else min(trace.duration_ns, begin + round(measure.steady_ns * speed))
    each = max(1, round(measure.section_ns * speed))
    whole = max(1, round((end - begin) / each))
    borders = [begin + number * each for number in range(whole)] + [end]
    places = np.searchsorted(trace.at_ns, np.array([0, *borders], dtype=np.uint64)).tolist()
    if end >= trace.duration_ns:
        places[-1] = len(trace)
    parts = [
        Stretch(low, high - low, (later - earlier) / 1e9 / speed)
        for low, high, earlier, later in zip(places, places[1:], [0, *borders], borders, strict=False)
    ]
    steady = tuple(part for part in parts[1:] if part.count)
    if end <= begin or not steady:
        lasts = trace.duration_ns / 1e9 / speed
        raise TraceError(
            f"{scenario.path}: the trace lasts {lasts:g} s and nothing of it is left after {measure.warmup_ns / 1e9:g} s of warm-up",
            hint="Lower [measure] warmup_s, or play a longer trace.",
        )
    return Sections(parts[0], steady)

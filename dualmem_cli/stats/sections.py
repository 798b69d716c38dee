"""Percentiles of latencies under load, with intervals that are valid for them.

Latencies under load are not independent: one that waits makes the next one wait. The order statistics' binomial interval takes n latencies
for n independent ones and covers the true P99 of a queue that is 80 % busy in two cases of three instead of 95 of 100 (tests/unit/
test_sections.py). What is independent, nearly, is what happens in stretches of time that are long against the queue's memory. So the run is
cut into batches of neighbouring sections; each gives a percentile of its own, and their scatter round that of all together, with
Student's t, is the interval (sectioning: Asmussen & Glynn, Stochastic Simulation, 2007, III.5a). On a logarithmic scale, where percentiles
of a skewed distribution scatter evenly. A batch must hold enough latencies beyond the percentile to have one; where fewer than five such
batches can be had, the interval is not known and says so.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from itertools import pairwise

from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.load import Part, Played, PlayerRun
from dualmem_cli.model.samples import Histogram
from dualmem_cli.model.units import Unit
from dualmem_cli.stats.histogram import PRECISION_BITS, bucket_range, merge, percentile
from dualmem_cli.stats.student import quantile

FEWEST_BATCHES = 5
MOST_BATCHES = 10
BEYOND = 20  # latencies above the percentile in every batch, on average
MOST_SECTIONS = 400  # of one player
_ADDED = (
    "scheduled_ns", "elapsed_ns", "cpu_ns", "minor_faults", "major_faults", "voluntary_switches", "involuntary_switches",
)  # fmt: skip
_BUCKET = 0.5 ** (PRECISION_BITS + 1)  # half a bucket's width, relative: no interval is known better


def batches(sections: Sequence[Histogram], share: float) -> tuple[Histogram, ...]:
    """The sections pooled into as many runs of neighbours as there may be for this percentile; none when they are too few."""
    filled = [section for section in sections if section.count]
    total = sum(section.count for section in filled)
    wanted = min(MOST_BATCHES, len(filled), math.floor(total * (1.0 - share) / BEYOND + 1e-9))
    if wanted < FEWEST_BATCHES:
        return ()
    return tuple(merge(filled[low:high]) for low, high in borders(len(filled), most=wanted))


def borders(count: int, *, most: int) -> list[tuple[int, int]]:
    """`count` neighbours in at most `most` groups, as even as whole numbers allow: where each begins and ends."""
    parts = min(most, count)
    ends = [round(number * count / parts) for number in range(parts + 1)]
    return list(pairwise(ends))


def percentile_interval(sections: Sequence[Histogram], share: float, *, confidence: float) -> Estimate:
    """The percentile of all sections together; its interval from batches of them. Raises ValueError when nothing was timed."""
    pooled = merge(sections)
    value = percentile(pooled, share)
    parts = batches(sections, share)
    low, high = 0.0, math.inf
    if parts:
        centre = math.log(max(value, 0.5))
        squares = math.fsum((math.log(max(percentile(part, share), 0.5)) - centre) ** 2 for part in parts)
        error = math.sqrt(squares / (len(parts) - 1) / len(parts))
        half = max(quantile((1.0 - confidence) / 2.0, len(parts) - 1) * error, _BUCKET)
        low, high = value * math.exp(-half), value * math.exp(half)
    return Estimate(
        value=value,
        low=low,
        high=high,
        confidence=confidence,
        unit=Unit.NANOSECOND,
        count=len(parts),
        method=f"of {pooled.count:,} latencies; interval from {len(parts)} batches in time, Student's t of their logarithms"
        if parts
        else f"of {pooled.count:,} latencies, too few for an interval",
    )


def midmean_of(histogram: Histogram) -> float:
    """The interquartile mean: what an operation takes when nothing else happens."""
    return _mean_between(histogram, 0.25, 0.75)


def trimmed_mean_of(histogram: Histogram) -> float:
    """The mean without the slowest twentieth: what somebody else's turn on the processor does to it stays out, all else is in."""
    return _mean_between(histogram, 0.0, 0.95)


def _mean_between(histogram: Histogram, low_share: float, high_share: float) -> float:
    """The mean of what lies between two shares of all values. Within a bucket, its middle."""
    least, most = low_share * histogram.count, high_share * histogram.count
    seen = total = kept = 0.0
    for index, count in histogram.buckets:
        low, high = max(seen, least), min(seen + count, most)
        if high > low:
            ends = bucket_range(index)
            total += (high - low) * (ends[0] + ends[1]) / 2
            kept += high - low
        seen += count
    if not kept:
        raise ValueError("an empty histogram has no mean")
    return total / kept


def smooth_percentile(histogram: Histogram, share: float) -> float:
    """The percentile, interpolated within its bucket: for ratios, in which a step of a bucket would be 0.8 %."""
    if histogram.count == 0:
        raise ValueError("an empty histogram has no percentiles")
    wanted = share * histogram.count
    seen = 0
    for index, count in histogram.buckets:
        if seen + count >= wanted:
            low, high = bucket_range(index)
            return min(low + (high + 1 - low) * max(wanted - seen, 0.0) / count, float(histogram.max_ns))
        seen += count
    return float(histogram.max_ns)


def thinned(run: PlayerRun) -> PlayerRun:
    """The run with neighbouring steady sections of each arm put together, two and two: half as many, nothing lost but when within them a
    latency was. A soak of hours would be a record of gigabytes."""
    waiting: dict[int, tuple[Played, float]] = {}
    plays: list[tuple[Part, Played]] = []
    began: list[float] = []
    for (part, played), began_s in zip(run.plays, run.began_s, strict=True):
        first = waiting.pop(played.play.arm, None) if part is Part.STEADY else None
        if part is Part.STEADY and first is None:
            waiting[played.play.arm] = (played, began_s)
        else:
            plays.append((part, together(first[0], played) if first else played))
            began.append(first[1] if first else began_s)
    for played, began_s in waiting.values():
        plays.append((Part.STEADY, played))
        began.append(began_s)
    return replace(run, plays=tuple(plays), began_s=tuple(began))


def pooled(run: PlayerRun) -> PlayerRun:
    """The run with all steady sections of each arm put together: for one that is a single unit of inference."""
    last = {played.play.arm: at for at, (part, played) in enumerate(run.plays) if part is Part.STEADY}
    whole = {arm: reduce(together, run.of(Part.STEADY, arm)) for arm in last}
    kept = [(at, part, played) for at, (part, played) in enumerate(run.plays) if part is not Part.STEADY or at in last.values()]
    plays = tuple((part, whole[played.play.arm] if part is Part.STEADY else played) for _, part, played in kept)
    return replace(run, plays=plays, began_s=tuple(run.began_s[at] for at, _, _ in kept))


def together(first: Played, second: Played) -> Played:
    """Two plays as one: numbers add up, what is a level is the later one's."""
    kinds = tuple(
        replace(
            one,
            operations=one.operations + two.operations,
            errors=one.errors + two.errors,
            response=None if one.response is None or two.response is None else merge((one.response, two.response)),
            service=merge((one.service, two.service)),
            result="",
        )
        for one, two in zip(first.kinds, second.kinds, strict=True)
    )
    added = {name: getattr(first, name) + getattr(second, name) for name in _ADDED}
    late = None if first.lateness is None or second.lateness is None else merge((first.lateness, second.lateness))
    play = replace(first.play, count=first.play.count + second.play.count)
    return replace(second, play=play, kinds=kinds, lateness=late, **added)

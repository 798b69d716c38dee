"""How long each worker of a case warms up, and how many samples it takes.

What a worker costs whatever it measures (start, set-up, warm-up: 15 to 50 ms) and what a sample costs (two arms of 0.1 ms) are to be
balanced. A kernel of arithmetic is warm after 3 ms and knows its ratio to 0.1 % after 40 samples. One that misses caches on a shared
machine scatters by 7 to 20 % from pair to pair: it needs more samples, and before them the time to walk through what it touches. So the
worker that calibrates also looks how noisy the case is.
"""

import math
from dataclasses import dataclass

WANTED_ERROR = 0.004  # of one worker's log ratio: below the scatter that workers have anyway
FEWEST, MOST = 40, 80
QUIET_WARMUP_NS, NOISY_WARMUP_NS = 3e6, 8e6
_ROOM_NS, _FEWEST_LONG = 32e6, 10  # operations longer than a sample: as many as fit this time per arm, but ten
_MIDMEAN = 1.093  # standard error of the interquartile mean of n normal values: this times deviation / sqrt(n)


@dataclass(frozen=True, slots=True)
class Effort:
    """What a worker spends: nanoseconds of warm-up, and samples per arm after it."""

    warmup_ns: float
    samples: int


def effort(*, samples: int | None, warmup_ns: float | None, noise: float, sample_ns: float, taken_ns: float) -> Effort:
    """`samples`, `warmup_ns`: chosen by the scenario, or None. `noise`: standard deviation of one pair's log ratio; `sample_ns`: the
    wanted length of a sample, `taken_ns`: the mean length that samples have. Where the scenario chose, the samples together last no
    longer than that many of the wanted length, except that there are ten."""
    by_noise = _by_noise(noise)
    count, room_ns = (by_noise, _ROOM_NS) if samples is None else (samples, samples * sample_ns)
    quiet = by_noise == FEWEST
    return Effort(
        warmup_ns=(QUIET_WARMUP_NS if quiet else NOISY_WARMUP_NS) if warmup_ns is None else warmup_ns,
        samples=max(_FEWEST_LONG, min(count, int(room_ns / max(1.0, taken_ns)))),
    )


def _by_noise(noise: float) -> int:
    exact = (_MIDMEAN * noise / WANTED_ERROR) ** 2
    return max(FEWEST, math.ceil(exact)) if exact < MOST else MOST

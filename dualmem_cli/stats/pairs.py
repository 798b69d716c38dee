"""From the samples of one worker to its one number.

On this kind of machine neighbouring windows differ by 8.7 % (standard deviation), and the median of 50 paired ratios by 0.4 %. So
arms are paired with the sample beside them. What counts is the wall time of both; where another process was let on the processor in
between, the processor time; and where it went elsewhere (stolen by the hypervisor, or waiting), the pair is dropped.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

from dualmem_cli.model.samples import Samples

# A sample whose wall time exceeds its processor time by more than this was interrupted by somebody else. The thread clock
# costs about 1 us to read, hence the constant.
_STOLEN_SHARE = 0.10
_STOLEN_NS = 5_000
_ENOUGH_CLEAN = 0.25  # of all pairs
_NORMAL = 1.4826  # standard deviation of a normal variable / its median absolute value


@dataclass(frozen=True, slots=True)
class PairedRatios:
    """Log ratios arm / reference of all pairs that count, in time order, and how many pairs were disturbed and not counted. The first
    `before` of them are from before the two arms exchanged their pages; 0, when they did not."""

    logs: tuple[float, ...]
    dropped: int
    before: int

    @property
    def value(self) -> float:
        """The worker's one number: the interquartile mean of the log ratios. A quarter of the pairs on either side may be disturbed, and
        it scatters less than the median where they are few (long operations) or have two levels. Before and after an exchange of
        pages weigh the same, so that what the pages did to the ratio cancels."""
        halves = [half for half in (self.logs[: self.before], self.logs[self.before :]) if half]
        return fmean(midmean(half) for half in halves)


def midmean(values: Sequence[float]) -> float:
    """The interquartile mean: of what is left when the lowest and the highest quarter are cut off; of three values the middle one."""
    cut = (len(values) + 1) // 4
    return fmean(sorted(values)[cut : len(values) - cut])


def undisturbed(samples: Samples, index: int) -> bool:
    """Whether the thread kept its processor during sample `index`."""
    wall, cpu = samples.wall_ns[index], samples.cpu_ns[index]
    return samples.switches[index] == 0 and wall - cpu <= _STOLEN_SHARE * cpu + _STOLEN_NS


def paired_ratios(samples: Samples, *, arm: int, reference: int) -> PairedRatios:
    """Pair every sample of `arm` with the nearest one of `reference` in the same mirrored block.

    The k-th sample of either arm form a pair: in a mirrored schedule (ABBA BAAB) they are at most one permutation apart. Iteration
    counts cancel, because they are shared; a control arm's larger count is what makes it slower, and is left in.
    Before and after an exchange of pages are looked at apart. Where fewer than a quarter of the pairs of a part are undisturbed, all of it
    are taken, by wall time: the kernel waits or has threads of its own, or the machine leaves no choice, and a wide interval is better
    than a few pairs that weigh as much as all others. The judge sees `dropped`.
    """
    arms = [index for index, digit in enumerate(samples.schedule) if digit == str(arm)]
    references = [index for index, digit in enumerate(samples.schedule) if digit == str(reference)]
    pairs = list(zip(arms, references, strict=True))
    border = sum(a < samples.exchange for a, _ in pairs) if samples.exchange else len(pairs)
    first, second = _counted(samples, pairs[:border]), _counted(samples, pairs[border:])
    return PairedRatios(
        logs=(*first.logs, *second.logs),
        dropped=first.dropped + second.dropped,
        before=len(first.logs) if samples.exchange else 0,
    )


def _counted(samples: Samples, pairs: Sequence[tuple[int, int]]) -> PairedRatios:
    clean = {pair for pair in pairs if undisturbed(samples, pair[0]) and undisturbed(samples, pair[1])}
    enough = len(clean) >= _ENOUGH_CLEAN * len(pairs)
    # Enough are undisturbed: all the kernel's time is its thread's, so processor time says the same where it was interrupted.
    interrupted = {pair for pair in pairs if enough and (samples.switches[pair[0]] or samples.switches[pair[1]])}
    kept = [pair for pair in pairs if pair in clean or pair in interrupted] if enough else pairs
    logs = tuple(_log_ratio(samples.cpu_ns if pair in interrupted else samples.wall_ns, pair) for pair in kept)
    return PairedRatios(logs=logs, dropped=len(pairs) - len(clean | interrupted), before=0)


def _log_ratio(times: Sequence[int], pair: tuple[int, int]) -> float:
    return math.log(max(1, times[pair[0]]) / max(1, times[pair[1]]))


def per_operation(samples: Samples, *, arm: int) -> tuple[float, ...]:
    """Nanoseconds per operation of every undisturbed sample of `arm`, in time order (all samples when none was)."""
    indices = [index for index, digit in enumerate(samples.schedule) if digit == str(arm)]
    clean = [index for index in indices if undisturbed(samples, index)] or indices
    return tuple(samples.wall_ns[index] / samples.iterations[arm] for index in clean)


def pair_noise(samples: Samples) -> float:
    """The standard deviation of the log ratio of two neighbouring samples of one arm, from the median absolute one, all arms pooled: what
    a pair scatters by when nothing differs. 0 where no arm has two samples."""
    steps: list[float] = []
    for arm in set(samples.schedule):
        times = [max(1, wall) for wall, digit in zip(samples.wall_ns, samples.schedule, strict=True) if digit == arm]
        steps += [abs(math.log(after / before)) for before, after in pairwise(times)]
    return _NORMAL * median(steps) if steps else 0.0


def dropped_share(samples: Samples) -> float:
    """The share of samples that lost the processor."""
    lost = sum(not undisturbed(samples, index) for index in range(len(samples.schedule)))
    return lost / len(samples.schedule)

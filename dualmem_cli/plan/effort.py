"""How many samples each worker of a case takes.

What a worker costs whatever it measures (start, set-up, warm-up: 15 to 50 ms) and what a sample costs (two arms of 0.1 ms) are to be
balanced: a kernel of arithmetic knows its ratio to 0.1 % after 40 samples, one that misses caches on a shared machine scatters by 7 to
20 % from pair to pair, and 80 samples leave each worker an error of 1 %, which more workers can only average away at the price of
their set-up. So the worker that calibrates also looks how noisy the case is.
"""

import math

WANTED_ERROR = 0.004  # of one worker's log ratio: below the scatter that workers have anyway
FEWEST, MOST = 40, 320
_FEWEST_LONG = 10  # of operations that are longer than a sample should be
_MEDIAN = math.sqrt(math.pi / 2)  # standard error of a median of n normal values: this times deviation / sqrt(n)


def samples_per_worker(chosen: int | None, *, noise: float, sample_ns: float, taken_ns: float) -> int:
    """Samples per worker and arm. `chosen` by the scenario, or None; `noise`: standard deviation of one pair's log ratio; `sample_ns`: the
    wanted length of a sample, `taken_ns`: the mean length that samples have. Together they may last as long as that many of the
    wanted length, except that there are ten."""
    most = chosen or MOST
    wanted = chosen or max(FEWEST, _wanted(noise))
    fitting = int(most * sample_ns / max(1.0, taken_ns))
    return max(_FEWEST_LONG, min(wanted, fitting))


def _wanted(noise: float) -> int:
    exact = (_MEDIAN * noise / WANTED_ERROR) ** 2
    return math.ceil(exact) if exact < MOST else MOST

"""The search for the highest rate that a store keeps up with: which rate to try next, and what is known when it ends.

The rate is doubled (or halved) until one holds and one does not; then the ratio between the two is halved, on a logarithmic scale, until it
is at most 5 %. Near the edge one trial may go either way, so both ends are tried once more: an end that does not repeat widens the bracket
to its neighbour that is beyond doubt. The answer is the highest rate that held; what is between it and the lowest that did not, is not
known.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

RESOLUTION = 1.05  # lowest failing rate / highest holding rate, at the end
MOST_TRIALS = 32
KEEPS_UP = 0.95  # of the offered rate: with less achieved, what waits grows without end whatever the percentile says yet


@dataclass(frozen=True, slots=True)
class Trial:
    """One rate that was tried, operations per second, and whether everything held."""

    rate: float
    held: bool


@dataclass(frozen=True, slots=True)
class Bracket:
    """The highest rate beyond doubt that held (0: none did) and the lowest that did not (infinite: all held)."""

    held: float
    failed: float

    @property
    def closed(self) -> bool:
        return 0 < self.held and self.failed <= self.held * RESOLUTION * (1 + 1e-9)


def bracket(trials: Sequence[Trial]) -> Bracket:
    """What the trials say. A rate that went both ways counts as neither; nothing above one that failed counts as held, and the other way
    round only what lies beyond all doubt does."""
    ways: dict[float, set[bool]] = {}
    for trial in trials:
        ways.setdefault(trial.rate, set()).add(trial.held)
    failed = min((rate for rate, seen in ways.items() if seen == {False}), default=math.inf)
    held = max((rate for rate, seen in ways.items() if seen == {True} and rate < failed), default=0.0)
    return Bracket(held, min((rate for rate, seen in ways.items() if seen == {False} and rate > held), default=math.inf))


def next_rate(trials: Sequence[Trial], *, start: float) -> float | None:
    """The rate to try next; None when the search has ended."""
    if not trials:
        return start
    if len(trials) >= MOST_TRIALS:
        return None
    known = bracket(trials)
    if math.isinf(known.failed):
        return 2 * max(trial.rate for trial in trials)
    if known.held == 0:
        return min(trial.rate for trial in trials) / 2
    if not known.closed:
        middle = math.sqrt(known.held * known.failed)
        doubtful = any(known.held < trial.rate < known.failed for trial in trials)
        return None if doubtful else middle
    for end in (known.held, known.failed):
        if sum(trial.rate == end for trial in trials) < 2:
            return end
    return None

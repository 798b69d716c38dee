"""The search for the highest rate that a store keeps up with: which rate to try next, and what is known when it ends.

The rate is doubled (or halved) until one holds and one does not, or it is 1,024 times the first or a 32nd of it. Then the ratio between the
two is halved, on a logarithmic scale, until it is at most 5 %. Near the edge one trial may go either way, so both ends are tried once more:
an end that does not repeat widens the bracket to its neighbour that is beyond doubt. The answer is the highest rate that held; what is
between it and the lowest that did not, is not known.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.load import LoadRun, Part, Played
from dualmem_cli.model.scenario import Budget
from dualmem_cli.model.units import Unit
from dualmem_cli.stats.histogram import merge, percentile

SATURATION = "saturation"
_TRIAL_S = 4.0
_FEWEST_OPERATIONS = 2_000
_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
RESOLUTION = 1.05  # lowest failing rate / highest holding rate, at the end
MOST_TRIALS = 32
SLOWEST = 1 / 32  # of the first rate: a store, or a machine, that cannot keep its limits then is not searched any further
FASTEST = 1024.0
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
        return self.held > 0 and self.failed <= self.held * RESOLUTION * (1 + 1e-9)


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
        higher = 2 * max(trial.rate for trial in trials)
        return higher if higher <= FASTEST * start else None
    if known.held == 0:
        lower = min(trial.rate for trial in trials) / 2
        return lower if lower >= SLOWEST * start else None
    if not known.closed:
        middle = math.sqrt(known.held * known.failed)
        doubtful = any(known.held < trial.rate < known.failed for trial in trials)
        return None if doubtful else middle
    for end in (known.held, known.failed):
        if sum(trial.rate == end for trial in trials) < 2:
            return end
    return None


def operations_for(rate: float) -> int:
    """How many operations a trial at that rate plays: four seconds of them, and never fewer than can have a P99."""
    return max(_FEWEST_OPERATIONS, math.ceil(_TRIAL_S * rate))


def trial_of(played: Played, limits: tuple[Budget, ...]) -> Trial:
    """Whether a play kept up with its rate and within its limits. Its rate is the play's speed, 1 being that of the trace."""
    last = merge(known.service for known in played.kinds)
    elapsed = played.elapsed_ns - last.sum_ns / max(1, last.count)  # the last operation's own time is no delay
    keeps_up = played.scheduled_ns >= KEEPS_UP * elapsed
    return Trial(played.play.speed, keeps_up and all(_kept(played, limit) for limit in limits))


def _kept(played: Played, limit: Budget) -> bool:
    kind = next((known.name for known in played.kinds if limit.quantity.startswith(f"{known.name}.")), "")
    quantity = limit.quantity.removeprefix(f"{kind}.")
    responses = [known.response for known in played.kinds if known.response is not None and kind in ("", known.name)]
    pooled = merge(responses)
    if not pooled.count:
        return True  # this stretch of the trace has none
    value = float(pooled.max_ns) if quantity == "max" else percentile(pooled, _SHARES[quantity])
    return value >= limit.limit if limit.minimum else value <= limit.limit


def search_is_cut(run: LoadRun) -> bool:
    """Whether the search had begun, and another trial would have followed."""
    trials = _trials(run)
    return bool(trials) and next_rate(trials, start=trials[0].rate) is not None


def _searched(run: LoadRun) -> list[Played]:
    return [played for player in run.players for played in player.of(Part.SEARCH, 0)]


def _trials(run: LoadRun) -> list[Trial]:
    return [trial_of(played, run.scenario.saturation) for played in _searched(run)]


def saturation_estimate(run: LoadRun) -> dict[str, Estimate]:
    """The highest rate that held, and the lowest that did not as the upper end of what is not known; empty without a search."""
    plays = _searched(run)
    if not plays:
        return {}
    known, rate = bracket(_trials(run)), run.trace.rate
    fewest = min(played.operations for played in plays)
    cut = "; the search was interrupted" if search_is_cut(run) else ""
    limits = ", ".join(limit.quantity for limit in run.scenario.saturation)
    end = f"{rate * known.failed:,.0f}/s did not hold" if math.isfinite(known.failed) else "no rate failed"
    return {
        SATURATION: Estimate(
            value=rate * known.held,
            low=rate * known.held,
            high=rate * known.failed,
            confidence=1.0,
            unit=Unit.PER_SECOND,
            count=len(plays),
            method=f"highest rate that kept {limits} and {KEEPS_UP:.0%} of itself; {end}; "
            f"{len(plays)} trial{'s' if len(plays) > 1 else ''} of {fewest:,} operations or more{cut}",
        )
    }

"""What two types of node cost a load: every kind of operation beside its single-type twin's.

Two estimates. `overhead`, which the limit is for, is of fresh processes that play the trace closed-loop on both, stretch beside stretch
(twinned.py): one log ratio a process, of the means without the slowest twentieth, and of all kinds by what they take together. `overhead
at the rate` is of the steady sections, as the operations came: a store that waits between two operations begins each with cold caches and
a slow clock, both of which come and go within seconds, so it scatters ten times as much or more. It is told, and not judged.
"""

from collections.abc import Sequence
from math import log

from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.load import LoadRun, Part, Played, PlayerRun, of_kind
from dualmem_cli.model.plan import Role
from dualmem_cli.model.samples import Histogram
from dualmem_cli.model.scenario import Budget
from dualmem_cli.stats.histogram import merge
from dualmem_cli.stats.interval import log_ratio_interval
from dualmem_cli.stats.sections import borders, midmean_of, trimmed_mean_of

OVERHEAD = "overhead"
AT_RATE = "overhead_at_rate"
CONFIDENCE = 0.99
_FEWEST_GROUPS = 5  # of pairs of sections; a kind that cannot fill them has no overhead at the rate
_FEWEST_PAIRED = 32  # operations of a kind in a pair of sections; neighbours are pooled until there are as many
_METHOD = "closed-loop beside its twin; mean over processes of the ratio of means without the slowest twentieth"
_AT_RATE_METHOD = "as operations came; mean over pairs of sections of the ratio of interquartile means of the service times"


def overheads(run: LoadRun) -> dict[str, Estimate]:
    """Both estimates of all operations together and of each kind, as far as they were measured."""
    return _closed(run) | (_at_rate(run) if run.open else {})


def twin_limits(run: LoadRun, estimates: dict[str, Estimate]) -> list[Budget]:
    """The limit of [control]: for all operations together, whether it was measured or not, and for each kind that was often enough to have
    an overhead (`kinds_without` names the others)."""
    control = run.scenario.control
    if control is None or _twin(run) is None:
        return []
    known = (name for name in _named(run) if name in estimates)
    return [Budget(name, control.limit, minimum=False) for name in (OVERHEAD, *known)]


def kinds_without(run: LoadRun) -> tuple[str, ...]:
    """The kinds of operation that were not played beside the twin, in a run that was."""
    known = _closed(run) if run.twins else {}
    return tuple(kind for kind, name in zip(run.kinds, _named(run), strict=True) if name not in known) if known else ()


def is_overhead(name: str) -> bool:
    """Whether a quantity is promised to be shown: its limit is for the upper end of its interval."""
    return name.rpartition(".")[2] == OVERHEAD


def _named(run: LoadRun) -> tuple[str, ...]:
    return tuple(f"{kind}.{OVERHEAD}" for kind in run.kinds)


def _twin(run: LoadRun) -> int | None:
    return next((index for index, arm in enumerate(run.arms) if arm.role is Role.CONTROL), None)


# --- side by side ---------------------------------------------------------------------------------------------------------


def _closed(run: LoadRun) -> dict[str, Estimate]:
    found = {}
    for name, kinds in ((OVERHEAD, run.kinds), *((name, (kind,)) for kind, name in zip(run.kinds, _named(run), strict=True))):
        costs = [cost for player in run.twins if (cost := _cost_of(player, kinds)) is not None]
        if costs:
            found[name] = log_ratio_interval(
                [log(dual / single) for dual, single in costs], confidence=CONFIDENCE, method=_METHOD
            )
    return found


def _cost_of(player: PlayerRun, kinds: Sequence[str]) -> tuple[float, float] | None:
    """What the operations of some kinds took in one process, on either side; None where it did not play the same on both."""
    sides = [[_pooled(player.of(Part.STEADY, arm), kind) for kind in kinds] for arm in (0, 1)]
    counts = [[histogram.count for histogram in side] for side in sides]
    if counts[0] != counts[1] or not any(counts[0]):
        return None
    dual, single = (sum(trimmed_mean_of(histogram) * histogram.count for histogram in side if histogram.count) for side in sides)
    return (dual, single) if dual and single else None


def _pooled(plays: Sequence[Played], kind: str) -> Histogram:
    return merge(known.service for played in plays if (known := of_kind(played, kind)) is not None)


# --- as operations came ---------------------------------------------------------------------------------------------------


def _at_rate(run: LoadRun) -> dict[str, Estimate]:
    """From pairs of steady sections that played the same operations one after the other."""
    twin = _twin(run)
    if twin is None:
        return {}
    pairs = [
        pair for player in run.players for pair in zip(player.of(Part.STEADY, 0), player.of(Part.STEADY, twin), strict=False)
    ]
    counts = {kind: sum(p.operations for played, _ in pairs if (p := of_kind(played, kind))) for kind in run.kinds}
    common = tuple(kind for kind, count in counts.items() if count >= _FEWEST_GROUPS * _FEWEST_PAIRED)
    rare = ", ".join(kind for kind in run.kinds if kind not in common)
    found = {}
    for kind in ("", *common) if common else ():
        of = (kind,) if kind else common
        groups = min(len(pairs), *(counts[name] // _FEWEST_PAIRED for name in of))
        logs = [log(cost[0] / cost[1]) for cost in _paired_costs(pairs, of, groups)]
        told = f"{_AT_RATE_METHOD}; too rare to count: {rare}" if rare and not kind else _AT_RATE_METHOD
        if logs:
            found[f"{kind}.{AT_RATE}" if kind else AT_RATE] = log_ratio_interval(logs, confidence=CONFIDENCE, method=told)
    return found


def _paired_costs(pairs: Sequence[tuple[Played, Played]], kinds: Sequence[str], groups: int) -> list[tuple[float, float]]:
    """Per pair of sections (of neighbours together, where a kind is rare) the cost on either side: kinds by their number."""
    costs = []
    for low, high in borders(len(pairs), most=groups):
        sides = []
        for side in (0, 1):
            known = [_pooled([pair[side] for pair in pairs[low:high]], kind) for kind in kinds]
            sides.append(sum(midmean_of(histogram) * histogram.count for histogram in known if histogram.count))
        if all(sides):
            costs.append((sides[0], sides[1]))
    return costs

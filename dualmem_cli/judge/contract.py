"""The contract of the gate, clause by clause, and how each stands after the trials of a self-test.

A clause is *met* or *violated* only where the one-sided 95 % bound of its rate says so: a rate seen below its limit in too few
trials is *not shown*. 300 decisions without an error show at most 1 %, and nothing about 0.1 %.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from dualmem_cli.judge.trials import at_least, at_most, judged, rate_of
from dualmem_cli.model.curve import CONFIDENCE, Clause, Rate, Standing
from dualmem_cli.model.selftest import Load, Pair, Trial
from dualmem_cli.model.units import significant
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.stats.binomial import decisions_to_show, lower_bound, upper_bound

FALSE_ALARMS = 0.001
DETECTION = 0.99
DETECTION_AIM = 0.999
INCONCLUSIVE = 0.01
CLEAN_SECONDS = 0.2
REGRESSED_SECONDS = 1.0
SUITE_SECONDS = 10.0
SUITE_CASES = 20
# The contract names times and no share of the decisions that must keep them; this one is taken.
IN_TIME = 0.95

_ERROR = 1.0 - CONFIDENCE


def clauses(trials: Sequence[Trial], *, silent: float, caught: float, cases: int) -> tuple[Clause, ...]:
    """Every clause over all loads together, then for each load that was run those that can be told for one. `silent` and `caught` are the
    ends of the zone in which the estimate decides, about which the contract promises no rate."""
    valid = [trial for trial in trials if judged(trial)]
    loads = [load for load in Load if any(trial.load is load for trial in valid)]
    found = _of_load(valid, None, silent=silent, caught=caught)
    suites = _suite_of(found[0].rate, cases=cases, silent=silent)
    aim = _minimum(
        f"{_slower_than(caught)}: REGRESSED, {_percent(DETECTION_AIM)} aimed at", None, found[1].rate, DETECTION_AIM, aim=True
    )
    found = [found[0], suites, found[1], aim, *found[2:], _suite_in_time(valid)]
    for load in loads if len(loads) > 1 else []:
        found += _of_load([trial for trial in valid if trial.load is load], load, silent=silent, caught=caught)
    return tuple(found)


def _of_load(valid: Sequence[Trial], load: Load | None, *, silent: float, caught: float) -> list[Clause]:
    quiet = [trial for trial in valid if at_most(trial.planted, silent)]
    loud = [trial for trial in valid if at_least(trial.planted, caught)]
    clean = [trial for trial in valid if trial.pair is not Pair.PLANTED]
    return [
        _maximum(
            f"slowdown <= {_percent(silent)}: REGRESSED in at most {_percent(FALSE_ALARMS)}",
            load,
            _share(trial.verdict is Verdict.REGRESSED for trial in quiet),
            FALSE_ALARMS,
        ),
        _minimum(
            f"{_slower_than(caught)}: REGRESSED in at least {_percent(DETECTION)}",
            load,
            _share(trial.verdict is Verdict.REGRESSED for trial in loud),
            DETECTION,
        ),
        _maximum(
            f"inconclusive in at most {_percent(INCONCLUSIVE)}",
            load,
            _share(trial.verdict is Verdict.INCONCLUSIVE for trial in valid),
            INCONCLUSIVE,
        ),
        _minimum(
            f"unchanged code decided in {significant(CLEAN_SECONDS)} s, {_percent(IN_TIME)} of it",
            load,
            _share(trial.seconds <= CLEAN_SECONDS for trial in clean),
            IN_TIME,
        ),
        _minimum(
            f"{_slower_than(caught)}: decided in {significant(REGRESSED_SECONDS)} s, {_percent(IN_TIME)} of it",
            load,
            _share(trial.seconds <= REGRESSED_SECONDS for trial in loud),
            IN_TIME,
        ),
    ]


def _suite_of(decisions: Rate, *, cases: int, silent: float) -> Clause:
    """The family-wise promise. Suites were not run; their rate is at most the number of cases times that of one decision."""
    limit = FALSE_ALARMS / max(1, cases)
    name = f"slowdown <= {_percent(silent)}: a suite of {cases} has a REGRESSED in at most {_percent(FALSE_ALARMS)}"
    clause = _maximum(name, None, decisions, limit)
    most = min(1.0, max(1, cases) * upper_bound(decisions.count, decisions.total, error=_ERROR))
    if clause.standing is Standing.VIOLATED or not decisions.total:
        return clause
    shown = f"at most {_percent(most)} of suites, {cases} times the bound of one decision"
    needed = "" if clause.standing is Standing.MET else _needed(decisions, limit)
    return Clause(clause.name, None, limit, False, decisions, clause.standing, shown + needed)


def _suite_in_time(valid: Sequence[Trial]) -> Clause:
    """Twenty decisions about unchanged code that followed one another under one load, again and again: did they fit into the time?"""
    seconds: dict[Load, list[float]] = defaultdict(list)
    for trial in valid:
        if trial.pair is not Pair.PLANTED:
            seconds[trial.load].append(trial.seconds)
    suites = [math.fsum(suite) for times in seconds.values() for suite in _suites(times)]
    name = f"{SUITE_CASES} unchanged kernels decided in {significant(SUITE_SECONDS)} s, {_percent(IN_TIME)} of such suites"
    return _minimum(name, None, _share(total <= SUITE_SECONDS for total in suites), IN_TIME)


def _suites(times: Sequence[float]) -> list[Sequence[float]]:
    return [times[start : start + SUITE_CASES] for start in range(0, len(times) - SUITE_CASES + 1, SUITE_CASES)]


def _share(events: Iterable[bool]) -> Rate:
    happened = list(events)
    return rate_of(sum(happened), len(happened))


def _maximum(name: str, load: Load | None, rate: Rate, limit: float) -> Clause:
    if not rate.total:
        return _untold(name, load, rate, limit, minimum=False)
    least, most = lower_bound(rate.count, rate.total, error=_ERROR), upper_bound(rate.count, rate.total, error=_ERROR)
    if most <= limit:
        return Clause(name, load, limit, False, rate, Standing.MET, f"at most {_percent(most)}")
    if least > limit:
        return Clause(name, load, limit, False, rate, Standing.VIOLATED, f"at least {_percent(least)}")
    return Clause(name, load, limit, False, rate, Standing.NOT_SHOWN, f"at most {_percent(most)}{_needed(rate, limit)}")


def _minimum(name: str, load: Load | None, rate: Rate, limit: float, *, aim: bool = False) -> Clause:
    if not rate.total:
        return _untold(name, load, rate, limit, minimum=True, aim=aim)
    least, most = lower_bound(rate.count, rate.total, error=_ERROR), upper_bound(rate.count, rate.total, error=_ERROR)
    if least >= limit:
        return Clause(name, load, limit, True, rate, Standing.MET, f"at least {_percent(least)}", aim)
    if most < limit:
        return Clause(name, load, limit, True, rate, Standing.VIOLATED, f"at most {_percent(most)}", aim)
    missed = rate_of(rate.total - rate.count, rate.total)
    shown = f"at least {_percent(least)}{_needed(missed, 1.0 - limit)}"
    return Clause(name, load, limit, True, rate, Standing.NOT_SHOWN, shown, aim)


def _untold(name: str, load: Load | None, rate: Rate, limit: float, *, minimum: bool, aim: bool = False) -> Clause:
    return Clause(name, load, limit, minimum, rate, Standing.NOT_SHOWN, "nothing: no such trial was judged", aim)


def _needed(events: Rate, limit: float) -> str:
    """What would show the rest, where no error was seen yet: only then is the number plain."""
    if events.count:
        return ""
    return f"; {decisions_to_show(limit, error=_ERROR):,} in a row would show it"


def _slower_than(change: float) -> str:
    return f"slowdown >= {_percent(change)}"


def _percent(share: float) -> str:
    """Three digits: '0.1 %', '98.6 %', '0.005 %'."""
    return f"{significant(share * 100)} %"

"""What a paired replay found: one verdict for every kind of operation and gated quantity.

Both builds play the same stretches of one trace in one process, side by side in a mirrored order, closed-loop. What a process contributes
for a kind and a quantity is one log ratio: of the means without the slowest twentieth ("time"), or of a percentile, each of all the
process's sections pooled. Processes are independent; the gate's own rule (judge/sequential.py) makes verdicts of them. The error of
a false alarm is shared by all kinds and quantities of all loads of the run.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from dualmem_cli.judge.compare import PASS_ERROR, SUITE_ERROR
from dualmem_cli.judge.load import errors_problem, of_kind
from dualmem_cli.judge.population import population_problem
from dualmem_cli.judge.sequential import FIRST_LOOK, Decision, Rule, Worker, decide, interval, next_look, workers_wanted
from dualmem_cli.model.load import LoadRun, Part, PlayerRun
from dualmem_cli.model.samples import Histogram
from dualmem_cli.model.units import percent, significant
from dualmem_cli.model.verdict import CompareFinding, Verdict
from dualmem_cli.stats.histogram import LATENCIES_FOR_P999, merge
from dualmem_cli.stats.sections import smooth_percentile, trimmed_mean_of

TIME = "time"
_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
_BEYOND = 10  # operations of a process above its percentile: with fewer it has none


@dataclass(frozen=True, slots=True)
class Gated:
    """One verdict to be found: a kind of operation, a quantity, and the threshold."""

    kind: str
    quantity: str
    threshold: float

    @property
    def name(self) -> str:
        return f"{self.kind} {self.quantity}"

    def case_of(self, run: LoadRun) -> str:
        """What its finding is called."""
        return f"{run.id}/{self.name}"


def gated(run: LoadRun) -> tuple[Gated, ...]:
    """What the scenario gates: a quantity of every kind ("p99"), or of one ("update.p99"), which has the last word on its threshold."""
    found: dict[tuple[str, str], float] = {}
    for own in (False, True):
        for quantity, threshold in run.scenario.gate.quantities:
            kind = next((name for name in run.kinds if quantity.startswith(f"{name}.")), "")
            if bool(kind) is own:
                rest = quantity.removeprefix(f"{kind}.")
                found |= {(name, rest): threshold for name in ((kind,) if kind else run.kinds)}
    known = (TIME, *_SHARES)
    return tuple(Gated(kind, quantity, threshold) for (kind, quantity), threshold in found.items() if quantity in known)


def replay_problem(run: LoadRun) -> str:
    """What forbids every verdict of this load; "" when nothing does, or no process was whole yet. Builds that do not mean the same cannot
    be compared."""
    failure = run.failure or next((player.failure for player in run.players if player.failure), None)
    wrong = population_problem(run) or (failure.message if failure else "") or _difference(run)
    if wrong or not run.players:
        return wrong
    plays = [played for player in run.players for _, played in player.plays]
    return errors_problem(run, plays) if plays else "no section was measured"


def _difference(run: LoadRun) -> str:
    for player in run.players:
        old, new = (player.of(Part.CHECK, arm) for arm in (0, 1))
        for before, after in zip(old, new, strict=False):
            wrong = [
                kind.name
                for kind in before.kinds
                if kind.operations and ((other := of_kind(after, kind.name)) is None or other.result != kind.result)
            ]
            if wrong:
                return f"the builds give different results: {', '.join(wrong)} (checked on {before.play.count} operations, one thread)"
    return ""


def replay_findings(run: LoadRun, wanted: Sequence[Gated], *, suite: int) -> tuple[CompareFinding, ...]:
    """A verdict for everything wanted; `suite` is how many there are in the whole run, reached in an earlier one or not."""
    problem = replay_problem(run)
    return tuple(
        _without_change(run, one, Verdict.INVALID, problem) if problem else _finding(run, one, _rule(one, suite))
        for one in wanted
    )


def players_missing(run: LoadRun, wanted: Sequence[Gated], *, suite: int) -> int:
    """How many more processes the next look wants; 0 when something is wrong, or every verdict that is wanted is found."""
    count = len(run.players)
    if replay_problem(run):
        return 0
    for one in wanted:
        workers = _workers(run, one)
        if len(workers) < count:
            continue  # it is too rare to be judged, however many processes there are
        decision = decide(workers, _rule(one, suite), final=False)
        if decision is None or decision.verdict is None:
            return next_look(count) - count
    return 0 if count else next_look(0)


def _rule(wanted: Gated, suite: int) -> Rule:
    return Rule(threshold=wanted.threshold, alarm_error=SUITE_ERROR / max(1, suite), miss_error=PASS_ERROR)


def _workers(run: LoadRun, wanted: Gated) -> tuple[Worker, ...]:
    """One log ratio new / old per process, with the arm that was set up first; of processes that have enough operations."""
    found = []
    for player in run.players:
        sides = [_value(_pooled(player, arm, wanted.kind), wanted.quantity) for arm in (0, 1)]
        if sides[0] and sides[1]:
            found.append(Worker(math.log(sides[1] / sides[0]), player.order[0]))
    return tuple(found)


def _pooled(player: PlayerRun, arm: int, kind: str) -> Histogram:
    known = (of_kind(played, kind) for played in player.of(Part.STEADY, arm))
    return merge(one.service for one in known if one is not None)


def _value(service: Histogram, quantity: str) -> float:
    """0 where there are too few operations."""
    if quantity == TIME:
        return trimmed_mean_of(service) if service.count >= _BEYOND else 0.0
    share = _SHARES[quantity]
    enough = service.count * (1.0 - share) >= _BEYOND and (quantity != "p99.9" or service.count >= LATENCIES_FOR_P999)
    return smooth_percentile(service, share) if enough else 0.0


def _finding(run: LoadRun, wanted: Gated, rule: Rule) -> CompareFinding:
    workers = _workers(run, wanted)
    if len(run.players) < 2:
        told = f"interrupted with {len(run.players)} of the {FIRST_LOOK} processes that the first look wants"
        return _without_change(run, wanted, Verdict.INCONCLUSIVE, told)
    if len(workers) < len(run.players):
        fewest = min((_pooled(player, 0, wanted.kind).count for player in run.players), default=0)
        told = (
            f"{fewest:,} operations in a process are too few for it; give {wanted.kind} a larger share, or gate another quantity"
        )
        return _without_change(run, wanted, Verdict.INCONCLUSIVE, told)
    decision = decide(workers, rule, final=True) or Decision(None, interval(workers, rule), by_estimate=False)
    change, verdict = decision.change, decision.verdict or Verdict.INCONCLUSIVE
    old, new = (fmean(_value(_pooled(player, arm, wanted.kind), wanted.quantity) for player in run.players) for arm in (0, 1))
    return CompareFinding(
        case=wanted.case_of(run),
        verdict=verdict,
        threshold=wanted.threshold,
        change=change,
        baseline_ns=old,
        candidate_ns=new,
        reason=_reason(verdict, decision, rule, each_s=median(player.seconds for player in run.players)),
    )


def _reason(verdict: Verdict, decision: Decision, rule: Rule, *, each_s: float) -> str:
    """`each_s`: what one more process takes."""
    limit = f"{significant(100 * rule.threshold, 2)} %"
    count = decision.change.count
    processes = f"{count} processes"
    if verdict is Verdict.REGRESSED:
        least = significant(100 * (rule.threshold - rule.margin), 2)
        told = (
            f"more than {least} % slower, and the estimate is above {limit}"
            if decision.by_estimate
            else f"more than {limit} slower"
        )
        return f"{told}; {processes}"
    if verdict is Verdict.IMPROVED:
        return f"faster by about {percent(-decision.change.value, signed=False)}; {processes}"
    if verdict is Verdict.UNCHANGED:
        most = significant(100 * (rule.threshold + rule.margin), 2)
        told = (
            f"less than {most} % slower, and the estimate is not above {limit}"
            if decision.by_estimate
            else f"less than {limit} slower"
        )
        return f"{told}; {processes}"
    if count < FIRST_LOOK:
        return f"interrupted with {count} of the {FIRST_LOOK} processes that the first look wants"
    more_s = max(1.0, each_s * (workers_wanted(decision.change, rule) - count))
    return f"the interval straddles {limit} after {processes}; about {more_s:.0f} s more would decide: --continue"


def _without_change(run: LoadRun, wanted: Gated, verdict: Verdict, reason: str) -> CompareFinding:
    return CompareFinding(
        case=wanted.case_of(run), verdict=verdict, threshold=wanted.threshold, change=None, baseline_ns=None, candidate_ns=None,
        reason=reason,
    )  # fmt: skip

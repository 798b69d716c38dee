"""From trials to the operating curve."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import median, stdev

from dualmem_cli.judge.contract import clauses
from dualmem_cli.judge.rivals import RIVALS
from dualmem_cli.judge.sequential import INDIFFERENCE
from dualmem_cli.judge.trials import ANSWERS, at_least, at_most, judged, rate_of
from dualmem_cli.model.curve import CONFIDENCE, Cell, Comparison, MachineRates, OperatingCurve, Rate, RivalRate
from dualmem_cli.model.selftest import Load, Pair, SelftestRecord, Trial
from dualmem_cli.model.units import Unit
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.stats.interval import mean_interval

OURS = "dualmem"
_SAYS = "mean over fresh workers of the interquartile mean of paired ratios; sequential interval beyond the threshold, or narrow round it"
_LOADS, _PAIRS = tuple(Load), tuple(Pair)
_Key = tuple[float | None, Pair | None, Load | None, str]


def operating_curve(record: SelftestRecord) -> OperatingCurve:
    """Everything that the report shows, computed from the trials alone. A record without trials has a curve without cells, whose clauses
    are not shown."""
    trials = record.trials
    silent, caught = (record.threshold * (1.0 + side * INDIFFERENCE) for side in (-1, 1))
    unchanged = [trial for trial in trials if trial.pair is not Pair.PLANTED]
    return OperatingCurve(
        threshold=record.threshold,
        silent=silent,
        caught=caught,
        cases=record.cases,
        points=_cells(trials, lambda t: (t.planted, None, t.load, "")),
        cells=_cells(trials, lambda t: (t.planted, t.pair, t.load, "")),
        kind_cells=_cells(trials, lambda t: (t.planted, t.pair, t.load, t.kind), rivals=False),
        kinds=_cells(trials, lambda t: (t.planted, None, None, t.kind), rivals=False),
        sizes=_cells(trials, lambda t: (t.planted, None, None, "")),
        copies=(
            *_cells(unchanged, lambda t: (t.planted, t.pair, t.load, "")),
            *_cells(unchanged, lambda t: (t.planted, t.pair, None, "")),
        ),
        comparisons=_comparisons(trials, silent=silent, caught=caught),
        clauses=clauses(trials, silent=silent, caught=caught, cases=record.cases),
        machines=tuple(
            _machine(number, [trial for trial in trials if trial.machine == number], silent=silent, caught=caught)
            for number in sorted({trial.machine for trial in trials})
        ),
    )


def _cells(trials: Sequence[Trial], key: Callable[[Trial], _Key], *, rivals: bool = True) -> tuple[Cell, ...]:
    groups: dict[_Key, list[Trial]] = defaultdict(list)
    for trial in trials:
        groups[key(trial)].append(trial)
    return tuple(_cell(name, groups[name], rivals=rivals) for name in sorted(groups, key=_order))


def _order(key: _Key) -> tuple[str, int, float, int]:
    planted, pair, load, kind = key
    return (
        kind,
        -1 if pair is None else _PAIRS.index(pair),
        -1.0 if planted is None else planted,
        -1 if load is None else _LOADS.index(load),
    )


def _cell(key: _Key, trials: Sequence[Trial], *, rivals: bool) -> Cell:
    planted, pair, load, kind = key
    valid = [trial for trial in trials if judged(trial)]
    counts = Counter(trial.verdict for trial in valid)
    errors = [trial.change - trial.planted for trial in valid if math.isfinite(trial.change)]
    seconds = sorted(trial.seconds for trial in valid)
    enough = len(errors) > 1
    return Cell(
        planted=planted,
        pair=pair,
        load=load,
        kind=kind,
        trials=len(trials),
        invalid=len(trials) - len(valid),
        by_estimate=sum(trial.by_estimate for trial in valid),
        verdicts=tuple((verdict, rate_of(counts[verdict], len(valid))) for verdict in ANSWERS),
        bias=mean_interval(errors, confidence=CONFIDENCE, unit=Unit.RATIO, method="mean of estimate minus planted")
        if enough
        else None,
        deviation=stdev(errors) if enough else None,
        seconds_median=median(seconds) if seconds else None,
        # The smallest that at least 95 % of the decisions do not exceed.
        seconds_p95=seconds[math.ceil(0.95 * len(seconds)) - 1] if seconds else None,
        workers_median=median(len(trial.workers) for trial in valid) if valid else None,
        workers_most=max((len(trial.workers) for trial in valid), default=0),
        rivals=_rival_rates(trials) if rivals else (),
    )


def _machine(number: int, trials: Sequence[Trial], *, silent: float, caught: float) -> MachineRates:
    valid = [trial for trial in trials if judged(trial)]
    return MachineRates(
        machine=number,
        trials=len(trials),
        false_alarms=_called([trial for trial in valid if at_most(trial.planted, silent)]),
        detection=_called([trial for trial in valid if at_least(trial.planted, caught)]),
        inconclusive=rate_of(sum(trial.verdict is Verdict.INCONCLUSIVE for trial in valid), len(valid)),
        seconds_median=median(trial.seconds for trial in valid) if valid else None,
    )


def _rival_rates(trials: Sequence[Trial]) -> tuple[RivalRate, ...]:
    """Every rule's rate among the trials in which it was replayed."""
    beside, in_turn = _answers(trial.rivals for trial in trials), _answers(trial.in_turn for trial in trials)
    names = [*RIVALS, *sorted((beside.keys() | in_turn.keys()) - RIVALS.keys())]
    return tuple(
        RivalRate(name, rate_of(sum(beside[name]), len(beside[name])), rate_of(sum(in_turn[name]), len(in_turn[name])))
        for name in names
        if name in beside or name in in_turn
    )


def _answers(replays: Iterable[tuple[tuple[str, bool], ...]]) -> dict[str, list[bool]]:
    answers: dict[str, list[bool]] = defaultdict(list)
    for replay in replays:
        for name, regressed in replay:
            answers[name].append(regressed)
    return answers


def _comparisons(trials: Sequence[Trial], *, silent: float, caught: float) -> tuple[Comparison, ...]:
    """dualmem's rule first, then the others in the order of their table."""
    quiet = [trial for trial in trials if at_most(trial.planted, silent)]
    loud = [trial for trial in trials if at_least(trial.planted, caught)]
    own = Comparison(OURS, _SAYS, "judge/sequential.py", _called(quiet), _called(loud), None, None)
    alarms, detections = ({rival.name: rival for rival in _rival_rates(group)} for group in (quiet, loud))
    rows = [own]
    nothing = rate_of(0, 0)
    for name in dict.fromkeys([*alarms, *detections]):
        rule = RIVALS.get(name)
        alarm = alarms.get(name, RivalRate(name, nothing, nothing))
        detection = detections.get(name, RivalRate(name, nothing, nothing))
        rows.append(
            Comparison(
                name,
                rule.says if rule else "",
                rule.source if rule else "",
                alarm.interleaved,
                detection.interleaved,
                alarm.in_turn,
                detection.in_turn,
            )
        )
    return tuple(rows)


def _called(trials: Sequence[Trial]) -> Rate:
    valid = [trial for trial in trials if judged(trial)]
    return rate_of(sum(trial.verdict is Verdict.REGRESSED for trial in valid), len(valid))

"""The operating curve: every trial is counted once and where it belongs; a clause says no more than the trials show."""

import math
from collections.abc import Iterable
from dataclasses import replace

import pytest
from golden.selftest import CASES, KINDS, SIZES, invalid_trial, selftest_record
from scipy import stats

from dualmem_cli.errors import ExitStatus
from dualmem_cli.judge.curve import operating_curve
from dualmem_cli.judge.outcome import selftest_status
from dualmem_cli.judge.rivals import RIVALS
from dualmem_cli.judge.trials import at_least, at_most
from dualmem_cli.model.curve import Cell, Clause, OperatingCurve, Standing
from dualmem_cli.model.selftest import Load, Pair, SelftestRecord, Trial
from dualmem_cli.model.verdict import Verdict

RECORD = selftest_record()
CURVE = operating_curve(RECORD)


def trial(
    verdict: Verdict, *, planted: float = 0.0, load: Load = Load.IDLE, seconds: float = 0.1, change: float | None = None
) -> Trial:
    return replace(
        RECORD.trials[0],
        pair=Pair.PLANTED if planted else Pair.COPY,
        planted=planted,
        load=load,
        verdict=verdict,
        seconds=seconds,
        change=planted if change is None else change,
    )


def curve_of(*trials: Trial, cases: int = CASES) -> OperatingCurve:
    return operating_curve(replace(RECORD, trials=trials, cases=cases))


def find(clauses: Iterable[Clause], start: str, load: Load | None = None) -> Clause:
    return next(clause for clause in clauses if clause.name.startswith(start) and clause.load is load)


@pytest.mark.parametrize("name", ["points", "cells", "kind_cells", "kinds", "sizes"])
def test_every_trial_is_in_one_cell(name: str) -> None:
    cells: tuple[Cell, ...] = getattr(CURVE, name)
    assert sum(cell.trials for cell in cells) == len(RECORD.trials)
    assert sum(cell.invalid for cell in cells) == 1
    keys = [(cell.planted, cell.pair, cell.load, cell.kind) for cell in cells]
    assert len(keys) == len(set(keys))
    for cell in cells:
        assert sum(rate.count for _, rate in cell.verdicts) == cell.trials - cell.invalid
        assert all(rate.total == cell.trials - cell.invalid for _, rate in cell.verdicts)


def test_cells_hold_what_they_say() -> None:
    for cell in CURVE.kind_cells:
        alike = [
            trial
            for trial in RECORD.trials
            if (trial.planted, trial.pair, trial.load, trial.kind) == (cell.planted, cell.pair, cell.load, cell.kind)
        ]
        assert cell.trials == len(alike)
        assert cell.regressed.count == sum(trial.verdict is Verdict.REGRESSED for trial in alike)
        assert cell.by_estimate == sum(trial.by_estimate for trial in alike)
    assert {cell.kind for cell in CURVE.kinds} == set(KINDS)
    assert [cell.planted for cell in CURVE.sizes] == [0.0, *SIZES]
    assert {(cell.pair, cell.load) for cell in CURVE.copies} == {(p, w) for p in (Pair.COPY, Pair.INERT) for w in (*Load, None)}


def test_intervals_are_exact() -> None:
    for cell in CURVE.points:
        rate = cell.regressed
        wanted = stats.binomtest(rate.count, rate.total).proportion_ci(0.95, method="exact")
        assert (rate.low, rate.high) == pytest.approx((wanted.low, wanted.high), abs=1e-9)


def test_times_workers_and_bias_of_a_cell() -> None:
    trials = [trial(Verdict.UNCHANGED, seconds=float(i), change=0.001 * i) for i in range(1, 21)]
    cell = curve_of(*trials).points[0]
    assert (cell.seconds_median, cell.seconds_p95) == (10.5, 19.0)
    assert cell.bias is not None
    changes = [0.001 * i for i in range(1, 21)]
    low, high = stats.t.interval(0.95, 19, loc=sum(changes) / 20, scale=stats.sem(changes))
    assert (cell.bias.low, cell.bias.high) == pytest.approx((low, high))
    assert cell.deviation == pytest.approx(stats.tstd(changes))


def test_bias_is_the_error_not_the_change() -> None:
    cell = curve_of(*(trial(Verdict.REGRESSED, planted=0.08, change=0.081) for _ in range(3))).points[0]
    assert cell.bias is not None
    assert cell.bias.value == pytest.approx(0.001)


def test_what_was_not_measured_is_counted_apart() -> None:
    broken = invalid_trial(kind="latency", load=Load.IDLE, problem="died")
    cell = curve_of(trial(Verdict.REGRESSED, planted=0.05), broken).points[0]
    assert (cell.trials, cell.invalid, cell.regressed.count, cell.regressed.total) == (2, 1, 1, 1)
    nothing = curve_of(broken)
    assert nothing.points[0].regressed.share is None
    assert nothing.points[0].seconds_median is None
    assert {clause.standing for clause in nothing.clauses} == {Standing.NOT_SHOWN}
    assert selftest_status(nothing, interrupted=False) is ExitStatus.MEASUREMENT_FAILED
    assert selftest_status(curve_of(), interrupted=False) is ExitStatus.MEASUREMENT_FAILED


def test_three_hundred_silent_decisions_show_one_per_cent_only() -> None:
    curve = curve_of(*(trial(Verdict.UNCHANGED) for _ in range(300)))
    clause = find(curve.clauses, "slowdown <= 4 %: REGRESSED")
    assert (clause.rate.count, clause.rate.total, clause.standing) == (0, 300, Standing.NOT_SHOWN)
    assert clause.shown == "at most 0.994 %; 2,995 in a row would show it"
    assert find(curve.clauses, "inconclusive").standing is Standing.MET
    assert find(curve.clauses, "slowdown >= 6 %: REGRESSED in").shown == "nothing: no such trial was judged"
    assert selftest_status(curve, interrupted=False) is ExitStatus.OK


def test_three_thousand_show_it_for_a_decision_but_not_for_a_suite() -> None:
    curve = curve_of(*(trial(Verdict.UNCHANGED) for _ in range(3_000)))
    assert find(curve.clauses, "slowdown <= 4 %: REGRESSED").standing is Standing.MET
    suite = find(curve.clauses, "slowdown <= 4 %: a suite of 20")
    assert suite.standing is Standing.NOT_SHOWN
    assert suite.shown == "at most 2 % of suites, 20 times the bound of one decision; 59,914 in a row would show it"


def test_one_error_in_a_few_hundred_violates_nothing() -> None:
    """The rate seen is three times the limit; a true rate within it is not excluded."""
    curve = curve_of(trial(Verdict.REGRESSED), *(trial(Verdict.UNCHANGED) for _ in range(299)))
    clause = find(curve.clauses, "slowdown <= 4 %: REGRESSED")
    assert clause.rate.share is not None and clause.rate.share > 0.003
    assert clause.standing is Standing.NOT_SHOWN


@pytest.mark.parametrize("per_cent", [1, 2, 3, 5, 7, 10, 15, 35])
def test_a_slowdown_written_as_a_decimal_lies_on_the_end_of_its_zone(per_cent: int) -> None:
    """0.35 x 1.2 is more than 0.42."""
    threshold = per_cent / 100
    assert at_most(float(f"{per_cent * 0.008:.6g}"), threshold * (1 - 0.2))
    assert at_least(float(f"{per_cent * 0.012:.6g}"), threshold * (1 + 0.2))


def test_a_violated_clause_fails_the_test() -> None:
    trials = [trial(Verdict.UNCHANGED) for _ in range(295)] + [trial(Verdict.REGRESSED) for _ in range(5)]
    curve = curve_of(*trials)
    clause = find(curve.clauses, "slowdown <= 4 %: REGRESSED")
    assert clause.standing is Standing.VIOLATED
    assert clause.shown == f"at least {stats.beta.ppf(0.05, 5, 296) * 100:.3g} %"
    assert selftest_status(curve, interrupted=False) is ExitStatus.REGRESSION
    assert selftest_status(curve, interrupted=True) is ExitStatus.INTERRUPTED


@pytest.mark.parametrize(
    ("caught", "total", "standing"),
    [
        (300, 300, Standing.MET),
        (298, 300, Standing.NOT_SHOWN),
        (200, 200, Standing.NOT_SHOWN),
        (295, 300, Standing.NOT_SHOWN),
        (270, 300, Standing.VIOLATED),
    ],
)
def test_detection(caught: int, total: int, standing: Standing) -> None:
    found = [Verdict.REGRESSED] * caught + [Verdict.INCONCLUSIVE] * (total - caught)
    curve = curve_of(*(trial(verdict, planted=0.06, seconds=0.5) for verdict in found))
    assert find(curve.clauses, "slowdown >= 6 %: REGRESSED in").standing is standing


def test_what_is_aimed_at_is_not_promised() -> None:
    found = [Verdict.REGRESSED] * 2_985 + [Verdict.UNCHANGED] * 15
    curve = curve_of(*(trial(verdict, planted=0.08, seconds=0.5) for verdict in found))
    aim = next(clause for clause in curve.clauses if clause.aim)
    assert aim.standing is Standing.VIOLATED
    assert find(curve.clauses, "slowdown >= 6 %: REGRESSED in at").standing is Standing.MET
    assert selftest_status(curve, interrupted=False) is ExitStatus.OK


@pytest.mark.parametrize("planted", [0.04, 0.06])
def test_the_ends_of_the_zone_belong_to_it(planted: float) -> None:
    """0.05 x 1.2 is not quite 0.06; the trials at 6 % must count all the same."""
    curve = curve_of(trial(Verdict.REGRESSED, planted=planted))
    silent, caught = find(curve.clauses, "slowdown <="), find(curve.clauses, "slowdown >=")
    assert (silent.rate.total, caught.rate.total) == ((1, 0) if planted == 0.04 else (0, 1))
    middle = curve_of(trial(Verdict.REGRESSED, planted=0.05))
    assert find(middle.clauses, "slowdown <=").rate.total == find(middle.clauses, "slowdown >=").rate.total == 0


def test_times_are_held_against_the_contract() -> None:
    slow = curve_of(*(trial(Verdict.UNCHANGED, seconds=0.6) for _ in range(100)))
    assert find(slow.clauses, "unchanged code decided in 0.2 s").standing is Standing.VIOLATED
    suites = find(slow.clauses, "20 unchanged kernels decided in 10 s")
    assert (suites.rate.count, suites.rate.total) == (0, 5)
    mixed = curve_of(*(trial(Verdict.UNCHANGED, seconds=0.2 if i < 40 else 0.6) for i in range(70)))
    assert (find(mixed.clauses, "20 unchanged").rate.count, find(mixed.clauses, "20 unchanged").rate.total) == (2, 3)


def test_each_load_has_its_clauses() -> None:
    trials = [trial(Verdict.UNCHANGED, load=load) for load in (Load.IDLE, Load.BURSTS) for _ in range(10)]
    curve = curve_of(*trials, trial(Verdict.REGRESSED, load=Load.BURSTS))
    alarms = {
        clause.load: clause.rate
        for clause in curve.clauses
        if "REGRESSED in at most 0.1 %" in clause.name and "suite" not in clause.name
    }
    assert {load: (rate.count, rate.total) for load, rate in alarms.items()} == {
        None: (1, 21),
        Load.IDLE: (0, 10),
        Load.BURSTS: (1, 11),
    }


def test_rules_side_by_side() -> None:
    assert [row.name for row in CURVE.comparisons] == ["dualmem", *RIVALS]
    own, *others = CURVE.comparisons
    assert own.false_alarms_in_turn is None
    quiet = [trial for trial in RECORD.trials if trial.planted <= 0.04]
    loud = [trial for trial in RECORD.trials if trial.planted >= 0.06]
    assert own.false_alarms.count == sum(trial.verdict is Verdict.REGRESSED for trial in quiet)
    for row in others:
        assert row.false_alarms_in_turn is not None and row.detection_in_turn is not None
        assert row.false_alarms.count == sum(dict(trial.rivals)[row.name] for trial in quiet)
        assert row.detection_in_turn.count == sum(dict(trial.in_turn)[row.name] for trial in loud)
        assert row.detection.total == len(loud)


def test_a_rule_that_was_not_replayed_everywhere() -> None:
    """Its rate is of the trials that have it; a name that this version does not know is told too."""
    some = replace(trial(Verdict.UNCHANGED), rivals=(("tango", True), ("oldtool", False)), in_turn=())
    none = replace(trial(Verdict.UNCHANGED), rivals=(), in_turn=())
    rows = {row.name: row for row in curve_of(some, none).comparisons}
    assert (rows["tango"].false_alarms.count, rows["tango"].false_alarms.total) == (1, 1)
    assert (rows["oldtool"].false_alarms.total, rows["oldtool"].says) == (1, "")
    assert "pyperf" not in rows


def test_another_threshold_moves_the_zone() -> None:
    curve = operating_curve(replace(RECORD, threshold=0.1))
    assert (curve.silent, curve.caught) == pytest.approx((0.08, 0.12))
    assert math.isclose(find(curve.clauses, "slowdown <= 8 %").rate.total, sum(t.planted <= 0.08 for t in RECORD.trials) - 1)


def test_a_whole_record_takes_no_time_to_speak_of() -> None:
    """15,000 trials; each rate's interval is searched for once."""
    big: SelftestRecord = replace(RECORD, trials=RECORD.trials * 12)
    assert sum(cell.trials for cell in operating_curve(big).sizes) == len(big.trials)

"""Whole benches of loads on players without processes, whose queue is known."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fabricated import ticking
from fabricated_loads import COST_NS, HELD, LIBRARY, POPULATION, WORKLOAD, bench, load, players

from dualmem_cli.errors import ExitStatus
from dualmem_cli.judge.outcome import bench_status
from dualmem_cli.judge.steadiness import is_more_work
from dualmem_cli.measure.fake_player import FakePlayer
from dualmem_cli.measure.player import PlayerFailedError
from dualmem_cli.model.caution import CautionKind
from dualmem_cli.model.load import Part, Played, PlayMode
from dualmem_cli.model.metric import Better, Metric, Scope
from dualmem_cli.model.plan import Role
from dualmem_cli.model.record import Record
from dualmem_cli.model.samples import Failure, FailureKind, Histogram
from dualmem_cli.model.verdict import BudgetStanding, Quantity
from dualmem_cli.offered import Extent
from dualmem_cli.report import RENDERERS, ReportContext
from dualmem_cli.stats.histogram import bucket_of
from dualmem_cli.store import records

TWIN = '[control]\nvariant = "single"\n'
CONTEXT = ReportContext(record_path="r.json", page_path="r.html", exit_status=ExitStatus.INTERRUPTED, next_command="")
CRASH = Failure(FailureKind.CRASHED, "play", 0, "the worker died of SIGSEGV in play")


def quantity(record: Record, name: str) -> Quantity:
    found = record.bench[0].quantity(name)
    assert found is not None, (name, record.bench[0])
    return found


def test_every_kind_has_its_percentiles_and_all_together_theirs(tmp_path: Path) -> None:
    record = bench(players(), tmp_path, load('[budget]\n"lookup.p99" = "<= 1 ms"\np99 = "<= 1 ms"\n'))
    assert bench_status(record, enforce_budgets=True) is ExitStatus.OK
    assert quantity(record, "lookup.service.p50").estimate.value == pytest.approx(200_000, rel=0.01)
    assert quantity(record, "update.service.p50").estimate.value == pytest.approx(50_000, rel=0.01)
    assert quantity(record, "update.time").estimate.value == pytest.approx(50_000, rel=0.01)
    assert quantity(record, "rate").estimate.value == pytest.approx(1000, rel=0.05)
    assert quantity(record, "achieved").estimate.value == pytest.approx(1.0, abs=0.002)
    # What waited for the one before it waited: from the scheduled time only.
    assert quantity(record, "update.p95").estimate.value > 2 * quantity(record, "update.service.p95").estimate.value
    # Pooled from the histograms: between the kinds, and not the larger of two percentiles.
    lookup, update, both = (
        quantity(record, f"{name}service.p50" if name else "p50").estimate for name in ("lookup.", "update.", "")
    )
    assert update.value < both.value
    assert lookup.low <= lookup.value <= lookup.high
    assert record.bench[0].quantity("lookup.p99.9") is None  # of some 2,800 latencies


def test_a_stall_is_charged_to_everything_that_had_to_wait(tmp_path: Path) -> None:
    """50 ms at 1,000 operations a second: fifty wait, one is slow. Of 11,000 that is beyond P99.9 only for the one and seen from the
    scheduled time by all."""
    scenario = load(measure="steady_s = 11\nsection_s = 1")
    record = bench(players(stalls={5000: 50_000_000}), tmp_path, scenario)
    quiet = bench(players(), tmp_path / "quiet", scenario)
    assert quantity(record, "p99.9").estimate.value > 40e6
    assert quantity(quiet, "p99.9").estimate.value < 3e6
    run = record.loads[0]
    services = [kind.service for played in run.steady() for kind in played.kinds]
    slow = sum(count for service in services for bucket, count in service.buckets if bucket > 2000)  # above 1 ms or so
    assert slow == 1  # in the service times of 11,000 operations: beyond their P99.9
    for name in ("lookup.service.p99", "update.service.p99"):
        assert quantity(record, name).estimate.value < 1e6


def test_the_overhead_over_the_twin_is_found(tmp_path: Path) -> None:
    costs = {**COST_NS, ("", "dual", "lookup"): 208_000.0}
    text = '[control]\nvariant = "single"\nlimit = 0.05\n'
    record = bench(players(costs), tmp_path, load(text))
    assert [arm.role for arm in record.loads[0].arms] == [Role.SUBJECT, Role.CONTROL]
    assert quantity(record, "lookup.overhead").estimate.value == pytest.approx(0.04, abs=0.004)
    assert quantity(record, "update.overhead").estimate.value == pytest.approx(0.0, abs=0.006)
    assert quantity(record, "overhead").met is True
    found = quantity(record, "overhead").estimate
    between = text.replace("0.05", f"{(found.value + found.high) / 2:.6f}")  # above the value, and not above its interval
    assert quantity(bench(players(costs), tmp_path / "between", load(between)), "overhead").met is False
    slower = bench(players({**COST_NS, ("", "dual", "lookup"): 220_000.0}), tmp_path / "slower", load(text))
    assert quantity(slower, "overhead").met is False
    assert bench_status(slower, enforce_budgets=True) is ExitStatus.REGRESSION
    assert bench_status(slower, enforce_budgets=False) is ExitStatus.OK


def standings(record: Record) -> dict[str, BudgetStanding | None]:
    return {q.name: q.standing for q in record.bench[0].quantities if q.name.endswith("overhead")}


def test_every_kind_is_judged_by_its_own_interval(tmp_path: Path) -> None:
    """Lookups cost 1 % more and updates 20 %; of the time of all, lookups are nine tenths."""
    costs = {**COST_NS, ("", "dual", "lookup"): 202_000.0, ("", "dual", "update"): 60_000.0}
    record = bench(players(costs), tmp_path, load(TWIN))
    met, missed = BudgetStanding.MET, BudgetStanding.MISSED
    assert standings(record) == {"overhead": met, "lookup.overhead": met, "update.overhead": missed}
    assert quantity(record, "update.overhead").estimate.value == pytest.approx(0.2, abs=0.005)
    pooled = (0.7 * 202 + 0.3 * 60) / (0.7 * 200 + 0.3 * 50) - 1
    assert quantity(record, "overhead").estimate.value == pytest.approx(pooled, abs=0.005)
    assert len(record.loads[0].twins) == quantity(record, "overhead").estimate.count == 8
    assert bench_status(record, enforce_budgets=True) is ExitStatus.REGRESSION
    allowed = load(f'{TWIN}[budget]\n"update.overhead" = "<= 25 %"\n')
    assert standings(bench(players(costs), tmp_path / "allowed", allowed))["update.overhead"] is met


def test_processes_that_scatter_show_nothing(tmp_path: Path) -> None:
    """No overhead at all, and 10 % between one process and the next: neither met nor missed."""
    record = bench(players(process_noise=0.1), tmp_path, load(TWIN))
    assert set(standings(record).values()) == {BudgetStanding.NOT_SHOWN}
    assert quantity(record, "overhead").met is False
    found = quantity(record, "overhead").estimate
    assert found.low < 0.0 < found.high


def test_the_twin_is_played_side_by_side_and_told_at_the_rate_too(tmp_path: Path) -> None:
    record = bench(players({**COST_NS, ("", "dual", "lookup"): 208_000.0}), tmp_path, load(f"{TWIN}workers = 3\n"))
    twins = record.loads[0].twins
    assert len(twins) == 3
    for player in twins:
        dual, single = (player.of(Part.STEADY, arm) for arm in (0, 1))
        assert len(dual) == len(single) == 1  # one unit of inference each
        assert [kind.operations for kind in dual[0].kinds] == [kind.operations for kind in single[0].kinds]
        assert all(kind.response is None for kind in dual[0].kinds)
    assert quantity(record, "lookup.overhead_at_rate").estimate.value == pytest.approx(0.04, abs=0.004)
    assert quantity(record, "lookup.overhead_at_rate").met is None
    more = bench(players(), tmp_path / "more", load(f"{TWIN}workers = 2\npasses = 3\n", measure="steady_s = 0.5"))
    played = [sum(p.operations for p in player.of(Part.STEADY, 0)) for player in more.loads[0].twins]
    once = more.loads[0].steady()[0].operations  # one section
    assert all(2.5 * once < count <= 3.5 * once for count in played)
    closed = bench(players(), tmp_path / "closed", load(TWIN, measure='arrivals = "closed"'))
    assert closed.bench[0].quantity("overhead_at_rate") is None
    assert quantity(closed, "overhead").met is True


def closed_without(kind: str) -> Callable[[FakePlayer, Played], Played]:
    """What is played closed-loop, beside the twin, has none of that kind."""

    def dropped(_player: FakePlayer, played: Played) -> Played:
        if played.play.mode is not PlayMode.CLOSED:
            return played
        return replace(played, kinds=tuple(known for known in played.kinds if known.name != kind))

    return dropped


def test_a_kind_that_was_not_played_beside_the_twin_is_not_called_met(tmp_path: Path) -> None:
    record = bench(players(interfere=closed_without("update")), tmp_path, load(TWIN))
    assert standings(record) == {"overhead": BudgetStanding.MET, "lookup.overhead": BudgetStanding.MET}
    told = [caution for caution in record.cautions if caution.kind is CautionKind.FEW_SAMPLES]
    assert [caution.what for caution in told] == [
        "update: too rare to be played beside the twin, so the limit of [control] was not judged there"
    ]
    whole = bench(players(), tmp_path / "whole", load(TWIN))
    assert not [caution for caution in whole.cautions if caution.kind is CautionKind.FEW_SAMPLES]


def test_a_limit_of_the_twin_that_nothing_was_measured_for_makes_the_load_invalid(tmp_path: Path) -> None:
    """Both sides never play the same number of operations: no cost of one is the other's."""

    def uneven(_player: FakePlayer, played: Played) -> Played:
        if played.play.mode is not PlayMode.CLOSED or played.play.arm == 0:
            return played
        return replace(played, kinds=played.kinds[:1])

    record = bench(players(interfere=uneven), tmp_path, load(TWIN))
    assert record.bench[0].problem == "overhead has a budget and was not measured"


def test_a_twin_that_dies_side_by_side_makes_the_load_invalid(tmp_path: Path) -> None:
    """Warm-up and eight sections of both arms are eighteen plays; the next process dies in its first."""

    def crash(player: FakePlayer, played: Played) -> Played:
        if played.play.mode is PlayMode.CLOSED:
            raise PlayerFailedError(CRASH)
        return played

    record = bench(players(interfere=crash), tmp_path, load(TWIN))
    assert record.bench[0].problem == CRASH.message
    assert [player.failure for player in record.loads[0].twins] == [CRASH]
    assert len(record.loads[0].steady()) == 8


@pytest.mark.parametrize(("processes", "standing"), [(0, None), (1, BudgetStanding.NOT_SHOWN), (3, BudgetStanding.MET)])
def test_an_interrupt_beside_the_twin_keeps_the_processes_that_were_whole(
    tmp_path: Path, processes: int, standing: BudgetStanding | None
) -> None:
    """One process alone has no interval, so nothing is shown."""
    fake = players()

    def interrupt(player: FakePlayer, played: Played) -> Played:
        if fake.started_players == 2 + processes and player.plays == 4:
            raise KeyboardInterrupt
        return played

    fake.interfere = interrupt
    record = bench(fake, tmp_path, load(TWIN))
    assert record.interrupted
    assert not record.bench[0].problem
    assert len(record.loads[0].twins) == processes
    assert quantity(record, "lookup.p50").estimate.value > 0
    assert standings(record).get("overhead") is standing
    told = next(caution.what for caution in record.cautions if "steady sections" in caution.what)
    assert (f", and of {processes} of 8 processes beside its twin; what" in told) == (processes > 0)
    assert fake.open_players == 0


def test_a_soak_has_no_twin(tmp_path: Path) -> None:
    record = bench(players(), tmp_path, load(TWIN), extent=Extent(soak_s=8.0), seconds=ticking(0.5))
    assert not record.loads[0].twins
    assert not standings(record)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((110.0, 99.0, *POPULATION.metrics[2:]), "episodes 100 is promised, 99 found"),
        ((0.0, 100.0, *POPULATION.metrics[2:]), "the store is empty (population 0)"),
        ((110.0, None, *POPULATION.metrics[2:]), "episodes 100 is promised and not known"),
        ((*POPULATION.metrics[:4], 0.1, 0.1, 1.0), "members of one concept are not more alike"),
        ((110.0, 100.0, 10.0, 70.0, *POPULATION.metrics[4:]), "200 ends of bindings, and there are 70 bindings"),
        ((111.0, *POPULATION.metrics[1:]), "the fan histogram counts 110 nodes, the population is 111"),
    ],
)
def test_a_wrong_store_is_invalid_and_nothing_is_played(tmp_path: Path, values: tuple[float | None, ...], told: str) -> None:
    fake = players()
    fake.population = {("", ""): replace(POPULATION, metrics=values)}
    record = bench(fake, tmp_path, load())
    assert told in record.bench[0].problem
    assert not record.bench[0].quantities
    assert not record.loads[0].players[0].plays
    assert bench_status(record, enforce_budgets=False) is ExitStatus.MEASUREMENT_FAILED


def test_the_twin_must_hold_what_it_promises_too(tmp_path: Path) -> None:
    fake = players()
    fake.population = {("", ""): POPULATION, ("", "single"): replace(POPULATION, metrics=(1.0, 1.0, *POPULATION.metrics[2:]))}
    record = bench(fake, tmp_path, load('[control]\nvariant = "single"\n'))
    assert record.bench[0].problem.startswith("control used/single does not hold what it promises")


def test_operations_that_fail_make_a_load_invalid_unless_they_are_allowed(tmp_path: Path) -> None:
    fake = players(failing=frozenset({1000, 1001}))
    record = bench(fake, tmp_path, load())
    assert "2 of 4," in record.bench[0].problem.replace("2 of 3,", "2 of 4,")
    allowed = bench(fake, tmp_path / "allowed", load("[gate]\nerrors = 0.01\n"))
    assert not allowed.bench[0].problem
    assert 0 < quantity(allowed, "errors").estimate.value < 0.001


def test_a_crash_in_the_middle_keeps_what_was_played(tmp_path: Path) -> None:
    record = bench(players(fails_at=(5, CRASH)), tmp_path, load())
    run = record.loads[0]
    assert record.bench[0].problem == CRASH.message
    assert run.players[0].failure == CRASH
    assert [part for part, _ in run.players[0].plays] == [Part.WARMUP, *[Part.STEADY] * 3]
    assert records.load(tmp_path / "reports" / "record.json") == record
    assert bench_status(record, enforce_budgets=False) is ExitStatus.MEASUREMENT_FAILED


def test_a_store_that_cannot_keep_up_achieves_less_than_was_offered(tmp_path: Path) -> None:
    """One thread and 2 ms an operation: half of 1,000 a second."""
    slow = {("", "", "lookup"): 2_000_000.0, ("", "", "update"): 2_000_000.0}
    record = bench(players(slow), tmp_path, load('[budget]\nachieved = ">= 0.99"\n'))
    achieved = quantity(record, "achieved")
    assert achieved.estimate.value == pytest.approx(0.5, abs=0.03)
    assert achieved.met is False
    assert quantity(record, "rate").estimate.value == pytest.approx(500, rel=0.03)


@pytest.mark.parametrize(("late_ns", "told"), [(1_000, False), (1_000_000, True)])
def test_a_player_that_was_late_itself_says_so(tmp_path: Path, late_ns: int, told: bool) -> None:
    """P99 is some 400 us; a tenth of it is not worth a word."""
    late = Histogram(buckets=((bucket_of(late_ns), 500),), count=500, sum_ns=500 * late_ns, max_ns=late_ns)
    record = bench(players(interfere=lambda _player, played: replace(played, lateness=late)), tmp_path, load())
    assert quantity(record, "lateness").estimate.value == pytest.approx(late_ns, rel=0.01)
    cautions = [caution.what for caution in record.cautions if "although a thread was free" in caution.what]
    assert cautions == (
        ["operations began up to 1 ms late (P99) although a thread was free: the machine was busy"] if told else []
    )


def test_a_crash_in_set_up_is_told_and_the_next_load_is_played(tmp_path: Path) -> None:
    record = bench(players(fails_at=(0, CRASH)), tmp_path, load(), load(name="next"))
    assert [finding.problem for finding in record.bench] == [CRASH.message] * 2
    assert [run.players[0].plays for run in record.loads] == [(), ()]
    assert bench_status(record, enforce_budgets=False) is ExitStatus.MEASUREMENT_FAILED


def test_an_interrupt_in_the_middle_keeps_and_judges_what_was_played(tmp_path: Path) -> None:
    def interrupt(player: FakePlayer, played: Played) -> Played:
        if player.plays == 6:
            raise KeyboardInterrupt
        return played

    fake = players(interfere=interrupt)
    record = bench(fake, tmp_path, load())
    assert record.interrupted
    assert len(record.loads[0].steady()) == 4
    assert quantity(record, "lookup.service.p50").estimate.value == pytest.approx(200_000, rel=0.01)
    assert bench_status(record, enforce_budgets=False) is ExitStatus.INTERRUPTED
    assert records.load(tmp_path / "reports" / "record.json") == record
    assert fake.open_players == 0


def interrupted_in_play(number: int, tmp_path: Path, text: str) -> Record:
    """A load that Ctrl-C ends in that play: one for the warm-up, eight of steady sections, then the search."""

    def interrupt(player: FakePlayer, played: Played) -> Played:
        if player.plays == number:
            raise KeyboardInterrupt
        return played

    fake = players(interfere=interrupt)
    record = bench(fake, tmp_path, load(text))
    assert record.interrupted
    assert fake.open_players == 0
    assert bench_status(record, enforce_budgets=True) is ExitStatus.INTERRUPTED
    return record


def test_an_interrupted_search_is_shown_as_far_as_it_came(tmp_path: Path) -> None:
    record = interrupted_in_play(1 + 8 + 3, tmp_path, '[saturation]\np99 = "<= 5 ms"\n')
    found = quantity(record, "saturation").estimate
    assert found.value == pytest.approx(2 * record.loads[0].trace.rate)
    assert found.high == float("inf")
    assert found.method.endswith("; the search was interrupted")
    shown = " ".join(RENDERERS["markdown"](record, CONTEXT).split())
    assert f"search interrupted: {found.value:,.0f}/s held, no rate failed yet" in shown
    assert "its figures are of 8 of 8 steady sections, and of 2 trials of the search for the highest rate" in shown
    whole = bench(players(), tmp_path / "whole", load('[saturation]\np99 = "<= 5 ms"\n'))
    assert "search interrupted" not in RENDERERS["markdown"](whole, CONTEXT)
    assert not [caution for caution in whole.cautions if "its figures are of" in caution.what]


def test_a_budget_on_what_was_not_reached_does_not_hide_what_was(tmp_path: Path) -> None:
    """P99.9 wants 10,000 latencies; a whole load without them is not valid, one that was ended before is."""
    record = interrupted_in_play(4, tmp_path, '[budget]\n"p99.9" = "<= 1 s"\np99 = "<= 1 ns"\n')
    assert record.bench[0].problem == ""
    assert [missed.name for missed in record.bench[0].missed] == ["p99"]
    assert "its figures are of 2 of 8 steady sections; what was under way is not counted" in {c.what for c in record.cautions}


def test_an_interrupt_in_the_warm_up_is_no_fault_of_the_store(tmp_path: Path) -> None:
    record = interrupted_in_play(1, tmp_path, "")
    assert record.bench[0].problem == "interrupted before a section was measured"


def test_the_highest_rate_is_found_where_the_queue_has_it(tmp_path: Path) -> None:
    """One thread, 155 us an operation on average: 6,450 operations a second at most."""
    record = bench(players(), tmp_path, load('[saturation]\np99 = "<= 5 ms"\n', measure="steady_s = 8\nsection_s = 1"))
    found = quantity(record, "saturation").estimate
    assert 4_500 < found.value < 6_450
    assert found.value < found.high < 1.06 * found.value
    slow = bench(
        players({key: cost * 8 for key, cost in COST_NS.items()}), tmp_path / "slow", load('[saturation]\np99 = "<= 5 ms"\n')
    )
    assert 200 < quantity(slow, "saturation").estimate.value < 806


def test_a_soak_repeats_until_its_time_is_up_and_says_what_drifts(tmp_path: Path) -> None:
    def leak(player: FakePlayer, played: Played) -> Played:
        return replace(played, rss_bytes=(16 << 20) + (player.plays << 18))

    scenario = load(measure="steady_s = 1\nsection_s = 0.25")
    leaking = bench(players(interfere=leak), tmp_path, scenario, extent=Extent(soak_s=60), seconds=ticking(0.5))
    assert len(leaking.loads[0].steady()) > 20
    assert any("resident memory grows by" in c.what for c in leaking.cautions if c.kind.value == "soak")
    steady = bench(players(), tmp_path / "steady", scenario, extent=Extent(soak_s=60), seconds=ticking(0.5))
    told = [caution.what for caution in steady.cautions if caution.kind.value == "soak"]
    assert [what.split(":")[0] for what in told] == ["no leak", "no drift"]

    def slow(player: FakePlayer, played: Played) -> Played:
        longer = []
        for kind in played.kinds:
            assert kind.response is not None
            moved = tuple((bucket + player.plays, count) for bucket, count in kind.response.buckets)
            longer.append(replace(kind, response=replace(kind.response, buckets=moved)))
        return replace(played, kinds=tuple(longer))

    drifting = bench(players(interfere=slow), tmp_path / "drift", scenario, extent=Extent(soak_s=60), seconds=ticking(0.5))
    assert any("the median latency drifts by" in caution.what for caution in drifting.cautions)


@pytest.mark.parametrize("more", [0.0, 0.02])
def test_more_work_is_told_apart_from_a_drift(tmp_path: Path, more: float) -> None:
    """Latencies that grow with what a lookup has to do, and as much without: only the first is explained. Counted since set-up,
    warm-up included, which is no part of it."""
    done = [0.0]

    def work(player: FakePlayer, played: Played) -> Played:
        lookups = next(kind.operations for kind in played.kinds if kind.name == "lookup")
        done[0] = (done[0] if player.plays > 1 else 0.0) + lookups * 10.0 * (1.0 + more * player.plays)
        longer = []
        for kind in played.kinds:
            assert kind.response is not None
            moved = tuple((bucket + 2 * player.plays, count) for bucket, count in kind.response.buckets)
            longer.append(replace(kind, response=replace(kind.response, buckets=moved)))
        return replace(played, kinds=tuple(longer), metrics=(*HELD, done[0]))

    counting = replace(WORKLOAD, metrics=(*WORKLOAD.metrics, Metric("lookup_work", "count", Better.NEITHER, Scope.CASE, "steps")))
    fake = players(interfere=work)
    fake.library = replace(LIBRARY, workloads=(counting,))
    fake.population = {("", ""): replace(POPULATION, metrics=(*HELD, 0.0))}
    record = bench(fake, tmp_path, load(measure="steady_s = 20\nsection_s = 0.5"))
    assert quantity(record, "lookup.drift").estimate.low > 0.1
    grown = quantity(record, "lookup.work_drift").estimate
    mean = 10.0 * (1.0 + more * (2 + 41) / 2)  # plays 2 to 41 are steady
    assert quantity(record, "lookup.work").estimate.value == pytest.approx(mean, rel=0.01)
    assert grown.value == pytest.approx(math.expm1(2 * math.log((1 + more * 31.5) / (1 + more * 11.5))), abs=0.02)
    assert [is_more_work(q.name, q.estimate) for q in record.bench[0].quantities].count(True) == (more > 0)
    assert record.bench[0].quantity("lookup_work") is None  # a sum since set-up says nothing
    assert record.bench[0].quantity("update.work") is None  # not counted
    soaked = bench(fake, tmp_path / "soak", load(measure="steady_s = 20"), extent=Extent(soak_s=20), seconds=ticking(0.5))
    told = next(caution.what for caution in soaked.cautions if "the median latency drifts" in caution.what)
    assert ("; operations have more to do at its end: lookup +" in told) == (more > 0)


def test_memory_that_the_store_says_it_holds_is_no_leak(tmp_path: Path) -> None:
    """Insertions make a store grow; what it tells of is not lost."""

    def grow(player: FakePlayer, played: Played) -> Played:
        more = player.plays << 18
        return replace(played, rss_bytes=(16 << 20) + more, metrics=(*HELD[:6], HELD[6] + more))

    scenario = load(measure="steady_s = 1\nsection_s = 0.25")
    record = bench(players(interfere=grow), tmp_path, scenario, extent=Extent(soak_s=60), seconds=ticking(0.5))
    told = [caution.what for caution in record.cautions if "resident" in caution.what]
    assert told == ["no leak: resident memory does not grow (95 %)"]


def test_a_long_soak_keeps_a_short_record(tmp_path: Path) -> None:
    scenario = load(measure="rate = 100\nsteady_s = 1\nsection_s = 0.25\nwarmup_s = 0")
    record = bench(players(), tmp_path, scenario, extent=Extent(soak_s=1200), seconds=ticking(0.5))
    steady = record.loads[0].steady()
    assert len(steady) < 420
    assert sum(played.operations for played in steady) > 10_000


def test_a_budget_on_what_was_not_measured_is_no_pass(tmp_path: Path) -> None:
    record = bench(players(), tmp_path, load('[budget]\n"p99.9" = "<= 1 s"\n'))
    assert record.bench[0].problem == "p99.9 has a budget and was not measured; it takes 10,000 latencies"


def test_a_closed_load_has_service_times_only(tmp_path: Path) -> None:
    record = bench(players(), tmp_path, load(measure='arrivals = "closed"'))
    assert record.bench[0].quantity("offered") is None
    assert record.bench[0].quantity("lookup.service.p50") is None
    assert quantity(record, "lookup.p50").estimate.value == pytest.approx(200_000, rel=0.01)


def test_old_records_without_loads_are_read(tmp_path: Path) -> None:
    record = bench(players(), tmp_path, load())
    text = records.to_json(replace(record, loads=()))
    assert records.from_json(text.replace(b',"loads":[]', b""), path="old").loads == ()

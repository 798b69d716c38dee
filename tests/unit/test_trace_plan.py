"""What a trace is made of, against scipy, brute force and the definitions."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.stats
from fabricated_load import POPULATIONS, SCENARIO, WORKLOAD
from numpy.typing import NDArray

from dualmem_cli.errors import TraceError
from dualmem_cli.model.workload import ArrivalKind, Arrivals, Burst, KeyChoice, KeySpace, Operation, OperationMix
from dualmem_cli.plan.trace import arrival_times, choose_keys, make_trace, scattered, zipf_ranks
from dualmem_cli.stats.traces import profile_of
from dualmem_cli.trace import encode

SECOND = 10**9
_SURE = 1e-3  # seeds are fixed: a test that holds once holds always


def chance(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def fits(counts: NDArray[np.int64], shares: NDArray[np.floating[Any]]) -> float:
    """P of chi-squared, after what is rare was put together: at least ten are expected in each group."""
    expected = shares / shares.sum() * counts.sum()
    groups = [[0.0, 0.0]]
    for place in np.argsort(-expected, kind="stable"):
        if groups[-1][1] >= 10:
            groups.append([0.0, 0.0])
        groups[-1][0] += counts[place]
        groups[-1][1] += expected[place]
    if len(groups) > 1 and groups[-1][1] < 10:
        found, wanted = groups.pop()
        groups[-1] = [groups[-1][0] + found, groups[-1][1] + wanted]
    return float(scipy.stats.chisquare(*zip(*groups, strict=True)).pvalue) if len(groups) > 1 else 1.0


# --- when -----------------------------------------------------------------------------------------------------------------


def test_constant_arrivals() -> None:
    at_ns = arrival_times(Arrivals(ArrivalKind.CONSTANT, 8.0, None), SECOND, chance())
    assert at_ns.tolist() == [i * SECOND // 8 for i in range(8)]
    assert len(arrival_times(Arrivals(ArrivalKind.CONSTANT, 0.75, None), 4 * SECOND, chance())) == 3
    assert len(arrival_times(Arrivals(ArrivalKind.CONSTANT, 1000.0, None), SECOND // 3, chance())) == 334


def test_poisson_arrivals_have_exponential_gaps() -> None:
    at_ns = arrival_times(Arrivals(ArrivalKind.POISSON, 1000.0, None), 20 * SECOND, chance())
    gaps = np.diff(at_ns.astype(np.float64)) / SECOND
    assert scipy.stats.kstest(gaps, "expon", args=(0, 1e-3)).pvalue > _SURE
    assert scipy.stats.kstest(at_ns / (20 * SECOND), "uniform").pvalue > _SURE, "given their number they are uniform"
    counts = np.bincount((at_ns // (SECOND // 10)).astype(np.int64), minlength=200)
    assert counts.var(ddof=1) / counts.mean() == pytest.approx(1.0, abs=0.25)
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 0.03


def test_the_number_of_poisson_arrivals_varies_as_it_should() -> None:
    arrivals = Arrivals(ArrivalKind.POISSON, 50.0, None)
    counts = [len(arrival_times(arrivals, SECOND, chance(seed))) for seed in range(2000)]
    assert np.mean(counts) == pytest.approx(50.0, abs=3 * (50 / 2000) ** 0.5)
    assert np.var(counts) == pytest.approx(50.0, rel=0.12)


def test_bursts_keep_the_mean_rate_and_come_in_bursts() -> None:
    burst = Burst(factor=20.0, burst_s=0.05, calm_s=0.45)
    at_ns = arrival_times(Arrivals(ArrivalKind.BURSTY, 500.0, burst), 400 * SECOND, chance(3))
    assert len(at_ns) / 400 == pytest.approx(500.0, rel=0.05)
    counts = np.bincount((at_ns // (SECOND // 100)).astype(np.int64), minlength=40_000)
    calm_rate = 500.0 / (0.1 * 20 + 0.9)
    assert np.median(counts) == pytest.approx(calm_rate / 100, abs=1)
    assert (counts > 20 * calm_rate / 100 / 2).mean() == pytest.approx(0.1, abs=0.02), "a tenth of the time is burst"
    assert counts.var(ddof=1) / counts.mean() > 10


def test_bursts_are_the_process_that_is_stated() -> None:
    """Its variance of counts in a window, by the formula for a Markov-modulated Poisson process of two states."""
    burst, rate, window = Burst(factor=5.0, burst_s=0.2, calm_s=0.3), 200.0, 1.0
    counts = [
        len(arrival_times(Arrivals(ArrivalKind.BURSTY, rate, burst), int(window * SECOND), chance(seed))) for seed in range(4000)
    ]
    share, leave = 0.4, 1 / 0.2 + 1 / 0.3
    calm = rate / (share * 5 + 1 - share)
    spread = (calm * 4) ** 2 * share * (1 - share)
    wanted = rate * window + 2 * spread * (window / leave - (1 - np.exp(-leave * window)) / leave**2)
    assert np.mean(counts) == pytest.approx(rate, rel=0.02)
    assert np.var(counts) == pytest.approx(wanted, rel=0.1)


@pytest.mark.parametrize("kind", [ArrivalKind.CONSTANT, ArrivalKind.POISSON, ArrivalKind.BURSTY])
def test_arrivals_are_in_order_and_within(kind: ArrivalKind) -> None:
    burst = Burst(10.0, 0.1, 0.9) if kind is ArrivalKind.BURSTY else None
    for seed in range(30):
        at_ns = arrival_times(Arrivals(kind, 300.0, burst), SECOND, chance(seed))
        assert (np.diff(at_ns.astype(np.int64)) >= 0).all()
        assert at_ns[-1] < SECOND


def test_too_many_operations_are_refused_before_they_are_made() -> None:
    with pytest.raises(TraceError, match="too many for one trace"):
        arrival_times(Arrivals(ArrivalKind.CONSTANT, 1e8, None), 86_400 * SECOND, chance())


# --- which ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theta", [0.2, 0.99, 1.0, 1.0 + 1e-9, 1.5, 4.0])
@pytest.mark.parametrize("n", [1, 2, 3, 100, 5000])
def test_ranks_are_zipfian(theta: float, n: int) -> None:
    ranks = zipf_ranks(theta, np.full(100_000, n, np.uint64), chance(n))
    assert ranks.max() < n
    shares = np.arange(1, n + 1) ** -theta
    assert fits(np.bincount(ranks.astype(np.int64), minlength=n), shares) > _SURE


def test_ranks_among_more_than_tables_could_hold() -> None:
    """The share of the first thousand of 10^12 at theta 0.99: the zeta sums by Euler and Maclaurin."""
    n, theta = 10**12, 0.99

    def zeta(n: int) -> float:
        first = float((np.arange(1, 1001) ** -theta).sum())
        return (
            first + (n ** (1 - theta) - 1000 ** (1 - theta)) / (1 - theta) + (n**-theta - 1000**-theta) / 2 if n > 1000 else first
        )

    ranks = zipf_ranks(theta, np.full(100_000, n, np.uint64), chance())
    wanted = zeta(1000) / zeta(n)
    assert (ranks < 1000).mean() == pytest.approx(wanted, abs=4 * (wanted / 100_000) ** 0.5)
    assert ranks.max() < n


def test_scattering_is_a_bijection_that_parts_neighbours() -> None:
    for n in (*range(1, 300), *range(1200, 9000, 101), 2**20, 10**6 + 3):
        keys = scattered(np.arange(n, dtype=np.uint64), n)
        assert len(np.unique(keys)) == n
        assert keys.max() == n - 1
        if n >= 1200:
            hot = np.sort(keys[:10].astype(np.int64))
            assert np.diff(hot).min() > n / 40, "the ten hottest lie far apart"


def test_uniform_keys() -> None:
    keys = choose_keys(KeyChoice.UNIFORM, 0.99, 50, np.full(50_000, 50, np.uint64), chance())
    assert fits(np.bincount(keys.astype(np.int64), minlength=50), np.ones(50)) > _SURE


def test_zipfian_keys_are_among_the_first_ones() -> None:
    keys = choose_keys(KeyChoice.ZIPFIAN, 0.99, 50, np.full(50_000, 80, np.uint64), chance())
    counts = np.bincount(keys.astype(np.int64), minlength=80)
    assert counts[50:].sum() == 0
    assert fits(counts[scattered(np.arange(50, dtype=np.uint64), 50).astype(np.int64)], np.arange(1, 51) ** -0.99) > _SURE


def test_latest_keys_follow_the_newest() -> None:
    there = np.repeat(np.arange(1, 101, dtype=np.uint64), 1000)
    keys = choose_keys(KeyChoice.LATEST, 0.99, 1, there, chance())
    assert (keys < there).all()
    for n in (1, 2, 10, 100):
        back = (there - np.uint64(1) - keys)[there == n].astype(np.int64)
        assert fits(np.bincount(back, minlength=n), np.arange(1, n + 1) ** -0.99) > _SURE


# --- all of it ------------------------------------------------------------------------------------------------------------


def test_kinds_come_by_their_shares() -> None:
    made = make_trace(SCENARIO, WORKLOAD, POPULATIONS)
    counts = np.bincount(made.kinds, minlength=len(made.names))
    assert made.names == tuple(mixed.name for mixed in SCENARIO.mix)
    assert fits(counts, np.array([mixed.share for mixed in SCENARIO.mix])) > _SURE
    assert made.duration_ns == SCENARIO.measure.warmup_ns + (SCENARIO.measure.steady_ns or 0)
    assert made.note["populations"] == {"data": 500, "episode": 100, "query": 20}


def test_keys_are_below_what_is_there_by_brute_force() -> None:
    """Playing it, one operation after the other: every key names something that is there already, and inserted ones are used."""
    made = make_trace(SCENARIO, WORKLOAD, POPULATIONS)
    there = dict(POPULATIONS)
    fresh = 0
    for kind, key in zip(made.kinds.tolist(), made.keys.tolist(), strict=True):
        operation = WORKLOAD.operation(made.names[kind])
        assert operation is not None
        if operation.key is KeySpace.NONE:
            assert key == 0
        else:
            assert key < there[operation.key], made.names[kind]
            fresh += operation.key is KeySpace.EPISODE and key >= POPULATIONS[KeySpace.EPISODE]
        if operation.inserts is not KeySpace.NONE:
            there[operation.inserts] += 1
    assert there[KeySpace.EPISODE] > 500
    assert fresh > 500


def test_the_same_scenario_makes_the_same_bytes() -> None:
    one, other = (encode(make_trace(SCENARIO, WORKLOAD, POPULATIONS)) for _ in range(2))
    assert one == other
    measure = replace(SCENARIO.measure, seed=2)
    assert encode(make_trace(replace(SCENARIO, measure=measure), WORKLOAD, POPULATIONS)) != one


CHANGES: dict[str, Callable[[OperationMix], OperationMix]] = {
    "keys": lambda mixed: replace(mixed, keys=KeyChoice.UNIFORM),
    "theta": lambda mixed: replace(mixed, theta=0.5),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_keys_leaves_the_rest(name: str) -> None:
    first, *rest = SCENARIO.mix
    one = make_trace(SCENARIO, WORKLOAD, POPULATIONS)
    other = make_trace(replace(SCENARIO, mix=(CHANGES[name](first), *rest)), WORKLOAD, POPULATIONS)
    assert (one.at_ns == other.at_ns).all()
    assert (one.kinds == other.kinds).all()
    assert (one.keys[one.kinds > 0] == other.keys[one.kinds > 0]).all()
    assert (one.keys[one.kinds == 0] != other.keys[one.kinds == 0]).any()


def test_an_operation_cannot_use_what_it_is_to_insert() -> None:
    copying = replace(WORKLOAD, operations=(Operation("copy", "copy one", KeySpace.EPISODE, KeySpace.EPISODE),))
    scenario = replace(SCENARIO, mix=(OperationMix("copy", 1.0, KeyChoice.LATEST, 3.0),))
    keys = make_trace(scenario, copying, {KeySpace.EPISODE: 1}).keys
    assert (keys <= np.arange(len(keys))).all()
    assert (keys == np.arange(len(keys))).mean() > 0.5


def test_two_kinds_draw_keys_of_their_own() -> None:
    alike = tuple(Operation(name, name, KeySpace.QUERY, KeySpace.NONE) for name in ("one", "two"))
    mix = tuple(OperationMix(name, 0.5, KeyChoice.UNIFORM, 0.99) for name in ("one", "two"))
    made = make_trace(replace(SCENARIO, mix=mix), replace(WORKLOAD, operations=alike), POPULATIONS)
    one, two = (made.keys[made.kinds == kind][:1000] for kind in (0, 1))
    assert (one == two).mean() == pytest.approx(1 / 20, abs=0.03)


def test_what_no_trace_can_be_made_of() -> None:
    with pytest.raises(TraceError, match="the keys of read count episodes, and the scenario promises none"):
        make_trace(SCENARIO, WORKLOAD, POPULATIONS | {KeySpace.EPISODE: 0})
    measure = replace(SCENARIO.measure, arrivals=Arrivals(ArrivalKind.CONSTANT, 1e-3, None), warmup_ns=0, steady_ns=0)
    with pytest.raises(TraceError, match=r"no operation arrives. Raise \[measure\] rate or steady_s"):
        make_trace(replace(SCENARIO, measure=measure), WORKLOAD, POPULATIONS)


def test_its_profile() -> None:
    made = make_trace(SCENARIO, WORKLOAD, POPULATIONS)
    profile = profile_of(made)
    assert profile.operations == sum(kind.operations for kind in profile.kinds) == len(made)
    assert sum(kind.share for kind in profile.kinds) == pytest.approx(1.0)
    assert sum(profile.rates) / len(profile.rates) == pytest.approx(profile.rate)
    assert profile.dispersion == pytest.approx(1.0, abs=0.7)
    for place, kind in enumerate(profile.kinds):
        uses = Counter(made.keys[made.kinds == place].tolist())
        assert (kind.keys, kind.smallest, kind.largest) == (len(uses), min(uses), max(uses))
        assert kind.hottest == uses.most_common(1)[0][1] / uses.total()
        most = max(1, round(len(uses) / 100))
        assert kind.few == sum(count for _, count in uses.most_common(most)) / uses.total()
    constant = replace(SCENARIO.measure, arrivals=Arrivals(ArrivalKind.CONSTANT, 1000.0, None))
    assert profile_of(make_trace(replace(SCENARIO, measure=constant), WORKLOAD, POPULATIONS)).dispersion < 0.01

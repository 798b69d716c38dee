"""From a load scenario to its trace: when operations arrive, which they are and on which keys. Pure: the same scenario makes the same
bytes. Only uniform numbers are taken from the generator, because those alone are promised to stay the same between numpy's versions.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.errors import TraceError
from dualmem_cli.model.workload import ArrivalKind, Arrivals, Burst, KeyChoice, KeySpace, LoadScenario, OperationMix, Workload
from dualmem_cli.trace import Trace, trace

Floats = NDArray[np.float64]
Counts = NDArray[np.uint64]
Populations = Mapping[KeySpace, int]

_MOST = 2**26  # operations of one trace: a file of 1 GiB, and several times as much memory while it is made
_ARRIVALS, _KINDS, _KEYS = range(3)  # each has its own stream, so that a change of one leaves the others as they were


def make_trace(scenario: LoadScenario, workload: Workload, populations: Populations) -> Trace:
    """The trace of a scenario with a [mix]; `populations`: how many things there are of each kind after set-up. Raises TraceError."""
    measure = scenario.measure
    duration_ns = measure.warmup_ns + (measure.steady_ns or 0)
    at_ns = arrival_times(measure.arrivals, duration_ns, _stream(measure.seed, _ARRIVALS))
    if not len(at_ns):
        raise TraceError(f"{scenario.path}: no operation arrives", hint="Raise [measure] rate or steady_s.")
    shares = np.array([mixed.share for mixed in scenario.mix])
    kinds = _kinds(shares, _stream(measure.seed, _KINDS).random(len(at_ns)))
    keys = _keys(scenario, workload, populations, kinds)
    return trace(
        tuple(mixed.name for mixed in scenario.mix),
        at_ns,
        kinds,
        keys,
        duration_ns=duration_ns,
        note=_note(scenario, populations),
    )


# --- when -----------------------------------------------------------------------------------------------------------------


def arrival_times(arrivals: Arrivals, duration_ns: int, stream: np.random.Generator) -> Counts:
    """When operations arrive, in nanoseconds before `duration_ns`."""
    rate = arrivals.rate or 0.0
    if rate * duration_ns / 1e9 > _MOST:
        raise TraceError(
            f"{rate:g} operations per second for {duration_ns / 1e9:g} s are too many for one trace: {_MOST:,} are the most",
            hint="Lower [measure] rate or steady_s.",
        )
    seconds = duration_ns / 1e9
    if arrivals.kind in (ArrivalKind.CONSTANT, ArrivalKind.CLOSED):
        found = np.arange(math.ceil(rate * seconds)) / rate
    elif arrivals.burst:
        found = _bursty(rate, arrivals.burst, seconds, stream)
    else:
        found = _poisson(rate * seconds, stream) / rate
    at_ns = np.floor(found * 1e9).astype(np.uint64)
    return at_ns[at_ns < duration_ns]


def _poisson(length: float, stream: np.random.Generator) -> Floats:
    """The events of a Poisson process of rate 1 in [0, length)."""
    enough = math.ceil(length + 10 * math.sqrt(length) + 10)  # beyond it with less than 1e-20
    events = np.cumsum(-np.log1p(-stream.random(enough)))
    return events[events < length]


def _bursty(rate: float, burst: Burst, seconds: float, stream: np.random.Generator) -> Floats:
    """A Markov-modulated Poisson process of two states: the events of a Poisson process of rate 1, moved to when the integral of the rate
    reaches them. It begins in the state that it is in on average."""
    share = burst.burst_s / (burst.burst_s + burst.calm_s)
    calm_rate = rate / (share * burst.factor + 1.0 - share)
    bursting = bool(stream.random() < share)
    ends, reached = [0.0], [0.0]
    while ends[-1] < seconds:
        mean, now = (burst.burst_s, calm_rate * burst.factor) if bursting else (burst.calm_s, calm_rate)
        length = -mean * math.log1p(-stream.random())
        ends.append(ends[-1] + length)
        reached.append(reached[-1] + length * now)
        bursting = not bursting
    return np.interp(_poisson(reached[-1], stream), reached, ends)


# --- what -----------------------------------------------------------------------------------------------------------------


def _kinds(shares: Floats, chance: Floats) -> NDArray[np.uint8]:
    """Each operation's kind, drawn on its own."""
    edges = np.cumsum(shares / shares.sum())[:-1]
    return np.searchsorted(edges, chance, side="right").astype(np.uint8)


def _keys(scenario: LoadScenario, workload: Workload, populations: Populations, kinds: NDArray[np.uint8]) -> Counts:
    spaces = [_spaces(scenario, workload, mixed) for mixed in scenario.mix]
    keys = np.zeros(len(kinds), np.uint64)
    for kind, mixed in enumerate(scenario.mix):
        space = spaces[kind][0]
        if space is KeySpace.NONE:
            continue
        first = populations.get(space, 0)
        if not first:
            raise TraceError(f"{scenario.path}: the keys of {mixed.name} count {_PLURAL[space]}, and the scenario promises none")
        mine = kinds == kind
        inserts = np.isin(kinds, [other for other, (_, added) in enumerate(spaces) if added is space])
        there = (first + np.cumsum(inserts) - inserts)[mine]  # what was inserted before
        keys[mine] = choose_keys(
            mixed.keys, mixed.theta, first, there.astype(np.uint64), _stream(scenario.measure.seed, _KEYS, kind)
        )
    return keys


_PLURAL = {
    KeySpace.QUERY: "queries of [data]", KeySpace.EPISODE: "episodes", KeySpace.CONCEPT: "concepts", KeySpace.BINDING: "bindings",
    KeySpace.DATA: "rows of [data]",
}  # fmt: skip


def _spaces(scenario: LoadScenario, workload: Workload, mixed: OperationMix) -> tuple[KeySpace, KeySpace]:
    operation = workload.operation(mixed.name)
    if operation is None:
        raise TraceError(
            f'{scenario.path}: "{mixed.name}" is not an operation of {workload.name}'
        )  # load_check.py says it better
    return operation.key, operation.inserts


# --- which ----------------------------------------------------------------------------------------------------------------


def choose_keys(keys: KeyChoice, theta: float, first: int, there: Counts, stream: np.random.Generator) -> Counts:
    """One key for each entry of `there`, which is how many things there are at that moment; `first` is how many there were after set-up.

    uniform: any of those that are there. zipfian: rank r of the first ones with a chance in proportion to 1 / (r + 1)^theta, ranks
    scattered over the keys. latest: rank r counted back from the newest that is there, with the same chances."""
    newest: Counts = there - np.uint64(1)
    if keys is KeyChoice.UNIFORM:
        return np.minimum((stream.random(len(there)) * there).astype(np.uint64), newest)
    if keys is KeyChoice.ZIPFIAN:
        return scattered(zipf_ranks(theta, np.full(len(there), first, np.uint64), stream), first)
    newest -= zipf_ranks(theta, there, stream)
    return newest


def scattered(ranks: Counts, n: int) -> Counts:
    """Ranks 0..n-1 as keys 0..n-1, each once, neighbours far apart: multiplication by a number near n / golden ratio that has no common
    divisor with n. YCSB hashes instead, which leaves keys that no rank hits and lets others collide."""
    step = max(1, round(n / ((1 + math.sqrt(5)) / 2)))
    while math.gcd(step, n) != 1:
        step += 1
    keys: Counts = (ranks * np.uint64(step) + np.uint64(n // 2)) % np.uint64(n)
    return keys


def zipf_ranks(theta: float, n: Counts, stream: np.random.Generator) -> Counts:
    """Ranks r in [0, n) with a chance in proportion to 1 / (r + 1)^theta, exactly, for each n, without tables: rejection-inversion
    (Hoermann & Derflinger 1996, "Rejection-inversion to generate variates from monotone discrete distributions")."""
    found = np.empty(len(n), np.uint64)
    left = np.arange(len(n))
    highest = n.astype(np.float64)
    lowest_area = _area(theta, np.array([1.5]))[0] - 1.0
    highest_area = _area(theta, highest + 0.5)
    accepted = 2.0 - _inverse_area(theta, _area(theta, np.array([2.5])) - np.array([2.0]) ** -theta)[0]
    while len(left):
        spread = highest_area[left]
        area = spread + stream.random(len(left)) * (lowest_area - spread)
        x = _inverse_area(theta, area)
        k = np.clip(np.rint(x), 1.0, highest[left])
        good = (k - x <= accepted) | (area >= _area(theta, k + 0.5) - k**-theta)
        found[left[good]] = k[good].astype(np.uint64) - np.uint64(1)
        left = left[~good]
    return found


def _area(theta: float, x: Floats) -> Floats:
    """The integral of 1 / t^theta from 1 to x; its limit, the logarithm, where theta is 1 or near."""
    log = np.log(x)
    away = (1.0 - theta) * log
    near = np.abs(away) < 1e-8
    return np.where(near, log * (1.0 + away / 2), log * np.expm1(away) / np.where(near, 1.0, away))


def _inverse_area(theta: float, area: Floats) -> Floats:
    away = np.maximum((1.0 - theta) * area, -1.0 + 1e-16)
    near = np.abs(away) < 1e-8
    return np.exp(np.where(near, area * (1.0 - away / 2), area * np.log1p(away) / np.where(near, 1.0, away)))


def _stream(seed: int, *purpose: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=purpose)))


def _note(scenario: LoadScenario, populations: Populations) -> dict[str, Any]:
    arrivals = scenario.measure.arrivals
    burst = arrivals.burst
    return {
        "source": f"scenario {scenario.name}",
        "workload": scenario.workload,
        "seed": scenario.measure.seed,
        "arrivals": {"kind": str(arrivals.kind), "rate": arrivals.rate}
        | ({"factor": burst.factor, "burst_s": burst.burst_s, "calm_s": burst.calm_s} if burst else {}),
        "mix": {
            mixed.name: {"share": mixed.share, "keys": str(mixed.keys)}
            | ({} if mixed.keys is KeyChoice.UNIFORM else {"theta": mixed.theta})
            for mixed in scenario.mix
        },
        "populations": {str(space): count for space, count in sorted(populations.items()) if count},
    }

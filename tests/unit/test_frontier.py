"""Recall against time: which arms of which cases make a line, and that every point is of its own arm's samples."""

import random
from dataclasses import replace

import numpy as np
import pytest
from fabricated import KERNEL, build, library, samples, worker

from dualmem_cli.judge.frontier import frontier_findings
from dualmem_cli.model.metric import Better, Metric, Scope
from dualmem_cli.model.plan import Arm, Case, Role
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.samples import Histogram, Latency
from dualmem_cli.model.verdict import BenchFinding, FrontierFinding
from dualmem_cli.stats.histogram import LATENCIES_FOR_P999, bucket_of

EFFORT = Metric("effort", "count", Better.NEITHER, Scope.CASE, "how hard it searched")
OURS = replace(KERNEL, name="near", variant="ours", metrics=(EFFORT,))
THEIRS = replace(KERNEL, name="near", variant="theirs", metrics=(*KERNEL.metrics, EFFORT))
BUILDS = (build(library(OURS)), build(library(THEIRS), digest="e" * 64))
ARMS = (
    Arm(Role.SUBJECT, 0, "near", "ours"), Arm(Role.CONTROL, 0, "near_single", "ours"), Arm(Role.PEER, 1, "near", "theirs"),
)  # fmt: skip


def histogram(values: list[int]) -> Histogram:
    buckets: dict[int, int] = {}
    for value in values:
        buckets[bucket_of(value)] = buckets.get(bucket_of(value), 0) + 1
    return Histogram(len(values), sum(values), max(values), tuple(sorted(buckets.items())))


def latency(arm: int, values: list[int]) -> Latency:
    return Latency(arm, len(values), histogram(values), histogram([value // 2 for value in values]))


def case(asked: float, **others: float) -> Case:
    parameters = (("recall", asked), *others.items())
    return Case("s", "near", "ours", parameters, tuple(name for name, _ in parameters), "")


def run(case: Case, *, recall: tuple[float | None, ...], clocked: tuple[tuple[int, list[int]], ...] = ()) -> CaseRun:
    """Blocks in which the subject takes 1 us, its twin 2 and the peer 4 an operation; latencies of the arms that are named."""
    schedule = "012210" * 4
    wall = [(1_000, 2_000, 4_000)[int(digit)] * 100 for digit in schedule]
    timed = samples(schedule, wall, iterations=(100, 100, 100), checksums=("a", "a", "a"))
    blocks = worker(timed, arms=3, metrics=((46.0,), (), (1000.0, 64.0, 90.0)))
    alone = [worker(None, arms=1, latency=(latency(arm, values),), metrics=((),) * arm) for arm, values in clocked]
    return CaseRun(case, ARMS, (blocks, *alone), recall, None)


def frontier(*runs: CaseRun, invalid: tuple[str, ...] = ()) -> tuple[FrontierFinding, ...]:
    bench = [BenchFinding(each.case.id, (), "broken" if each.case.id in invalid else "") for each in runs]
    return frontier_findings(runs, bench, BUILDS)


def test_every_point_is_of_its_own_arm() -> None:
    dealer = random.Random(1)
    ours, theirs = ([round(dealer.lognormvariate(9, 0.4)) for _ in range(LATENCIES_FOR_P999)] for _ in range(2))
    theirs = [4 * value for value in theirs]
    half = len(ours) // 2
    clocked = ((0, ours[:half]), (2, theirs), (0, ours[half:]))
    low = run(case(0.9), recall=(0.93, 0.93, 0.91), clocked=clocked)
    high = run(case(0.99), recall=(0.991, 0.991, 0.992))
    mine, peer = frontier(high, low)
    assert (mine.variant, mine.build, peer.variant, peer.build) == ("ours", 0, "theirs", 1)
    assert [point.recall for point in mine.points] == [0.93, 0.991]
    assert [point.effort for point in peer.points] == ["recall 0.9", "recall 0.99"]
    for found, values, rate, effort in ((mine.points[0], ours, 1e6, 46.0), (peer.points[0], theirs, 2.5e5, 90.0)):
        assert found.per_second == pytest.approx(rate)
        assert found.latencies == len(values)
        assert found.metric("effort") == effort
        for share, value, scale in (
            (0.5, found.p50_ns, 1), (0.99, found.p99_ns, 1), (0.999, found.p999_ns, 1),
            (0.5, found.p50_fastest_ns, 0.5), (0.99, found.p99_fastest_ns, 0.5),
        ):  # fmt: skip
            assert value == pytest.approx(np.quantile(values, share, method="inverted_cdf") * scale, rel=1 / 128)
    assert mine.points[1].p50_ns is None, "no latency was clocked there"


def test_few_latencies_have_no_rare_percentile() -> None:
    few = run(case(0.9), recall=(0.9, None, 0.9), clocked=((0, [1000] * (LATENCIES_FOR_P999 - 1)),))
    mine, _ = frontier(few, run(case(0.95), recall=(0.95, None, 0.95)))
    assert mine.points[0].p99_ns == 1000
    assert mine.points[0].p999_ns is None


def test_other_parameters_make_other_lines() -> None:
    runs = [run(case(asked, k=k), recall=(asked, None, asked)) for k in (1.0, 10.0) for asked in (0.8, 0.9)]
    found = frontier(*runs)
    assert [(line.series, line.variant, len(line.points)) for line in found] == [
        ("k 1", "ours", 2), ("k 1", "theirs", 2), ("k 10", "ours", 2), ("k 10", "theirs", 2),
    ]  # fmt: skip


def test_a_peer_beside_two_variants_counts_once() -> None:
    runs = []
    for variant in ("ours", "other"):
        for asked in (0.9, 0.95):
            made = run(case(asked), recall=(asked, None, asked + 0.01))
            arms = (replace(ARMS[0], variant=variant), *ARMS[1:])
            runs.append(replace(made, case=replace(made.case, variant=variant), arms=arms))
    found = frontier(*runs)
    assert [(line.variant, len(line.points)) for line in found] == [("ours", 2), ("other", 2), ("theirs", 2)]


def test_what_says_nothing_is_left_out() -> None:
    exact = [run(case(asked), recall=(1.0, 1.0, 1.0)) for asked in (0.9, 0.95)]
    assert frontier(*exact) == (), "all find everything"
    lone = run(case(0.9), recall=(0.9, None, None))
    assert frontier(lone) == (), "one point is no line"
    bad = run(case(0.8), recall=(0.8, None, 0.8))
    good = [run(case(asked), recall=(asked, None, asked)) for asked in (0.9, 0.95)]
    points = [point.effort for line in frontier(bad, *good, invalid=(bad.case.id,)) for point in line.points]
    assert points == ["recall 0.9", "recall 0.95"] * 2, "a case that is not valid has no numbers"

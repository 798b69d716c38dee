"""A hand-made record of two loads: one whole, one whose store was not what it promised. Its latencies are drawn, its findings are judged by
the judge: to write two hundred quantities by hand would test the hand."""

import math
from dataclasses import replace
from random import Random

from golden.parts import CLOCK, MACHINE, build

from dualmem_cli.judge.load import load_cautions, load_finding
from dualmem_cli.measure.fake_player import histogram_of
from dualmem_cli.model.kernel import Parameter
from dualmem_cli.model.load import KindPlayed, LoadRun, Part, Play, Played, PlayerRun, PlayMode, Population
from dualmem_cli.model.metric import Better, Metric, Scope
from dualmem_cli.model.plan import Arm, Role
from dualmem_cli.model.record import Record
from dualmem_cli.model.workload import KeySpace, Operation, TraceFacts, Workload
from dualmem_cli.plan.load_scenario import parse_load_scenario

_TEXT = """question = "Does a store in use keep its budget at 1,000 operations a second?"
workload = "mixed"

[params]
episodes = 1000
concepts = 100

[measure]
mode = "load"
rate = 1000
threads = 2
steady_s = 12
section_s = 1
workers = 1

[mix]
lookup = { share = 0.8, keys = "zipfian" }
update = { share = 0.2 }

[saturation]
p99 = "<= 5 ms"

[budget]
p99 = "<= 1 ms"
"lookup.p99" = "<= 500 us"
errors = "<= 0"

[control]
variant = "single"
"""
_SECTIONS, _EACH = 12, 1000
_WORKLOAD = Workload(
    name="mixed",
    variant="dual",
    summary="a dual store in use",
    needs_data=False,
    supported=True,
    reason="",
    parameters=tuple(Parameter(name, 1.0, 0.0, 1e9, True, name) for name in ("episodes", "concepts")),
    metrics=tuple(
        Metric(name, unit, Better.NEITHER, Scope.CASE, name)
        for name, unit in (("population", "count"), ("episodes", "count"), ("concepts", "count"), ("memory_bytes", "B"))
    ),
    operations=(
        Operation("lookup", "looks for a concept", KeySpace.CONCEPT, KeySpace.NONE),
        Operation("update", "changes an episode", KeySpace.EPISODE, KeySpace.NONE),
    ),
)
_HELD = Population((1100.0, 1000.0, 100.0, 25e6), (0, 1000, 99, 1))


def load_record() -> Record:
    """A bench of a load that misses a budget, and of one that could not be measured."""
    scenario = parse_load_scenario(_TEXT, path="scenarios/load/mixed.toml", name="mixed")
    arms = (Arm(Role.SUBJECT, 0, "mixed", "dual"), Arm(Role.CONTROL, 0, "mixed", "single"))
    kinds = (("lookup", 9600), ("update", 2400))
    whole = LoadRun(
        scenario=scenario, variant="dual", arms=arms, workloads=(_WORKLOAD, replace(_WORKLOAD, variant="single")),
        trace=TraceFacts("ab" * 32, _SECTIONS * _EACH, _SECTIONS * 10**9, kinds, "{}"), players=(_player(Random(7)),), failure=None,
    )  # fmt: skip
    lost = replace(_HELD, metrics=(1099.0, 999.0, 100.0, 25e6))
    wrong = replace(
        whole,
        scenario=replace(scenario, name="lost"),
        players=(replace(whole.players[0], before=(lost, _HELD), plays=(), began_s=(), after=()),),
    )
    findings = tuple(load_finding(run, whole=True) for run in (whole, wrong))
    return Record(
        schema=1, kind="bench", tool="0.1.0", created="2026-11-22T10:14:03+00:00", seconds=31.0, interrupted=False, revision="3f2a91c",
        machine=MACHINE, baseline="", builds=(build(digest="3f2a91c0", origin="working tree", kernels=(), revision="3f2a91c"),),
        scenarios=(), data=(), cases=(), absent=(), bench=findings, compare=(), cautions=load_cautions(whole, findings[0]),
        loads=(whole, wrong),
    )  # fmt: skip


def _player(random: Random) -> PlayerRun:
    plays = [(Part.STEADY, _played(random, arm=arm, rate=1000)) for _ in range(_SECTIONS) for arm in (0, 1)]
    plays += [
        (Part.SEARCH, _played(random, arm=0, rate=1000 * speed, speed=speed))
        for speed in (1, 2, 4, 8, 16, 11.9, 12.4, 11.9, 12.4)
    ]
    return PlayerRun(
        order=(0, 1), links=(0,), clock=CLOCK, before=(_HELD, _HELD), plays=tuple(plays),
        began_s=tuple(2.0 + index for index in range(len(plays))), after=(_HELD, _HELD), failure=None, seconds=31.0,
    )  # fmt: skip


def _played(random: Random, *, arm: int, rate: float, speed: float = 1.0) -> Played:
    """Lookups of 60 us, updates of 3 us; from the scheduled time a few wait, and nothing keeps up with more than 11,500 a second."""
    behind = max(0.0, rate / 11_500 - 1.0) * _EACH / rate * 1e9
    kinds = []
    for name, count, cost in (("lookup", 800, 60_000 if arm == 0 else 58_000), ("update", 200, 3_000)):
        service = [round(cost * math.exp(random.gauss(0.0, 0.2))) for _ in range(count)]
        waits = [
            behind * index / count + (random.expovariate(1 / 400_000) if random.random() < 0.05 else 0.0)
            for index in range(count)
        ]
        response = [round(wait + took) for wait, took in zip(waits, service, strict=True)]
        kinds.append(KindPlayed(name, count, 0, histogram_of(response), histogram_of(service), "00000000000000aa"))
    scheduled = round(_EACH / rate * 1e9)
    return Played(
        play=Play(arm, 0, _EACH, PlayMode.OPEN, speed, 2), scheduled_ns=scheduled, elapsed_ns=scheduled + round(behind) + 50_000,
        kinds=tuple(kinds), lateness=histogram_of([500] * 99 + [90_000]), cpu_ns=70_000_000, minor_faults=12, major_faults=0,
        voluntary_switches=980, involuntary_switches=3, rss_bytes=64 << 20, metrics=_HELD.metrics,
    )  # fmt: skip

"""A self-test made by hand: the gate's own rule on seeded workers, with other noise for every kind and load. Nothing in it was measured."""

import math
from random import Random

from golden.parts import MACHINE, build, kernel

from dualmem_cli.judge.rivals import RIVALS
from dualmem_cli.judge.sequential import Decision, Rule, Worker, decide, interval
from dualmem_cli.model.selftest import Load, Pair, SelftestRecord, Trial
from dualmem_cli.model.verdict import Verdict

KINDS = ("compute", "memory", "latency", "nanosecond", "millisecond")
SIZES = (0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.10)
CASES = 20
_MOST_WORKERS = 60
_NOISE = {"compute": 0.003, "memory": 0.006, "latency": 0.005, "nanosecond": 0.003, "millisecond": 0.004}
_LOUDER = {Load.IDLE: 1.0, Load.OTHER_CORE: 1.2, Load.SAME_CORE: 2.0, Load.BURSTS: 1.7, Load.BANDWIDTH: 1.6}
_RULE = Rule(threshold=0.05, alarm_error=0.001 / CASES, miss_error=0.001)


def fabricated_trial(random: Random, *, kind: str, pair: Pair, planted: float, load: Load) -> Trial:
    """One decision of the gate's rule about workers that scatter round the planted slowdown."""
    noise = _NOISE[kind] * _LOUDER[load]
    workers: list[Worker] = []
    decision: Decision | None = None
    while (decision is None or decision.verdict is None) and len(workers) < _MOST_WORKERS:
        workers.append(Worker(math.log1p(planted) + random.gauss(0, noise), first=len(workers) % 2))
        decision = decide(workers, _RULE, final=False)
    change = interval(workers, _RULE)
    answer = decision.verdict if decision is not None else None
    mean = planted + random.gauss(0, 0.006)
    drift = mean + random.gauss(0, 0.03)
    return Trial(
        kind=kind,
        pair=pair,
        planted=planted,
        load=load,
        verdict=answer or Verdict.INCONCLUSIVE,
        by_estimate=decision is not None and decision.by_estimate and answer is not None,
        change=change.value,
        low=change.low,
        high=change.high,
        workers=tuple(worker.log for worker in workers),
        firsts=tuple(worker.first for worker in workers),
        seconds=round(0.022 * len(workers) * random.uniform(0.9, 1.3), 3),
        load_average=round(random.uniform(0.1, 0.4) + (load is not Load.IDLE), 2),
        rivals=tuple((name, mean > 0.05 + 0.004 * place) for place, name in enumerate(RIVALS)),
        in_turn=tuple((name, drift > 0.05 + 0.004 * place) for place, name in enumerate(RIVALS)),
    )


def invalid_trial(*, kind: str, load: Load, problem: str) -> Trial:
    return Trial(
        kind=kind,
        pair=Pair.PLANTED,
        planted=0.05,
        load=load,
        verdict=Verdict.INVALID,
        by_estimate=False,
        change=0.0,
        low=-math.inf,
        high=math.inf,
        workers=(),
        firsts=(),
        seconds=0.4,
        load_average=1.1,
        problem=problem,
    )


def selftest_record(*, seed: int = 1, unchanged: int = 8, each: int = 3, quick: bool = True) -> SelftestRecord:
    """`unchanged` copies and as many inert pairs, and `each` trials of every size, per kind and load; one invalid trial."""
    random = Random(seed)
    trials = []
    for load in Load:
        for kind in KINDS:
            for pair in (Pair.COPY, Pair.INERT):
                trials += [fabricated_trial(random, kind=kind, pair=pair, planted=0.0, load=load) for _ in range(unchanged)]
            for size in SIZES:
                trials += [fabricated_trial(random, kind=kind, pair=Pair.PLANTED, planted=size, load=load) for _ in range(each)]
    trials.append(invalid_trial(kind="latency", load=Load.BURSTS, problem="worker 3 died of signal 11"))
    kernels = tuple(kernel(kind, "plain", f"a {kind}-bound loop") for kind in KINDS)
    builds = tuple(
        build(digest=f"{index:x}" * 8, origin=origin, kernels=kernels, revision="")
        for index, origin in enumerate(("subject", "subject, copied", "subject, +6 %"), 1)
    )
    return SelftestRecord(
        schema=1,
        kind="selftest",
        tool="0.1.0",
        created="2026-11-22T10:14:03Z",
        seconds=math.fsum(trial.seconds for trial in trials) + 4.0,
        interrupted=False,
        quick=quick,
        revision="3f2a91c",
        machine=MACHINE,
        builds=builds,
        threshold=0.05,
        cases=CASES,
        seed=seed,
        raw="2026-11-22T10-14-03-selftest.samples.gz",
        trials=tuple(trials),
    )

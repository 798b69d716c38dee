"""The story of a run: scenario -> plan -> samples -> findings -> record. Read this first.

Deciding is pure (plan, stats, judge), doing is in measure, keeping in store; this file connects them and saves after every case.
"""

from collections.abc import Iterator

from dualmem_cli.benching import measured
from dualmem_cli.contest import Contest, contend
from dualmem_cli.judge.bench import bench_finding
from dualmem_cli.judge.cautions import bench_cautions, build_cautions, repeated_caution
from dualmem_cli.judge.compare import absent_finding
from dualmem_cli.judge.controls import control_rounds, control_work, control_workers
from dualmem_cli.laboratory import Laboratory, Opened, Planned
from dualmem_cli.model.caution import Caution
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.plan import Arm, Case
from dualmem_cli.model.record import Record
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.model.workload import LoadScenario
from dualmem_cli.offered import ONCE, Extent, bench_loads
from dualmem_cli.plan.cases import bench_arms, compare_arms, control_arms, expand
from dualmem_cli.plan.ceilings import ceiling_scenarios
from dualmem_cli.plan.pairing import pair
from dualmem_cli.plan.peers import peer_arms
from dualmem_cli.replayed import compare_loads, replays_of
from dualmem_cli.store import records

_RECORDS_LOOKED_AT = 10


def bench(
    lab: Laboratory,
    scenarios: tuple[Scenario, ...],
    build: Build,
    peers: tuple[Build, ...] = (),
    *,
    ceilings: bool = True,
    loads: tuple[LoadScenario, ...] = (),
    extent: Extent = ONCE,
) -> Opened:
    """Measure every case of every scenario on one build, with the kernels of the same name that peers offer beside it; then the ceilings
    of the machine, if the library has them; then the loads, as far as `extent` says."""
    if ceilings:
        scenarios += ceiling_scenarios(scenarios, build.library, caches=lab.machine.caches, cores=len(lab.cpus))
    with lab.opened("bench", scenarios, (build, *peers), baseline="", loads=loads) as opened:
        planned = []
        for scenario in scenarios:
            expansion = expand(scenario, build.library, data=opened.digest(scenario))
            opened.add_absent(expansion.absent)
            for case in lab.fitting(opened, scenario, expansion.cases):
                beside, lacking = peer_arms(case, [peer.library for peer in peers])
                opened.add_absent(lacking)
                planned.append(_planned(scenario, case, build, (*bench_arms(scenario, case, build.library), *beside)))
        for plan in lab.progress.track(planned, label=lambda plan: plan.label):
            run = measured(lab, opened, plan)
            finding = bench_finding(plan.scenario, plan.kernel, run)
            opened.add_bench(run, finding)
            opened.add_cautions(bench_cautions(run, finding))
            opened.judge_together()
            lab.save(opened)
        bench_loads(lab, opened, loads, build, extent)
    return opened


def compare(
    lab: Laboratory,
    scenarios: tuple[Scenario, ...],
    builds: tuple[Build, Build],
    *,
    name: str,
    budget_s: float,
    earlier: Record | None,
    loads: tuple[LoadScenario, ...] = (),
) -> Opened:
    """Judge the second build against the first, interleaved on this machine, for at most about `budget_s` seconds a case. `earlier` is a
    record of this very pair: what it decided stands, what it left open is gone on with."""
    with lab.opened("compare", scenarios, builds, baseline=name, loads=loads) as opened:
        planned = [plan for scenario in scenarios for plan in _paired(lab, scenario, builds, opened)]
        replays = replays_of(lab, opened, loads, builds, earlier=earlier)
        if earlier is not None:
            opened.take_over(earlier)
        else:
            opened.add_cautions(_repeated(lab, builds))
        contests = [
            Contest(
                plan,
                lab.session(opened, plan),
                builds=builds,
                cases=len(planned),
                budget_s=budget_s,
                seconds=lab.seconds,
                earlier=opened.record.case_run(plan.case.id),
            )
            for plan in planned
            if not opened.is_decided(plan.case)
        ]
        contend(lab, opened, contests)
        _controls(opened, [contest for contest in contests if contest.valid])
        opened.judge_controls()
        compare_loads(lab, opened, replays, budget_s=budget_s)
        opened.add_cautions(build_cautions(builds))
    return opened


def _repeated(lab: Laboratory, builds: tuple[Build, Build]) -> tuple[Caution, ...]:
    """What earlier records beside this one say of the same two builds."""
    found = records.of_pair(lab.record_path.parent, digests=(builds[0].digest, builds[1].digest), most=_RECORDS_LOOKED_AT)
    known = [(path, record) for path, record in found if path != lab.record_path and record.compare]
    return repeated_caution([record for _, record in known], path=str(known[0][0])) if known else ()


def _planned(scenario: Scenario, case: Case, build: Build, arms: tuple[Arm, ...]) -> Planned:
    kernel = build.library.kernel(case.kernel, case.variant)
    assert kernel is not None, "expand makes cases of kernels that the library has"
    return Planned(scenario, case, kernel, arms)


def _paired(lab: Laboratory, scenario: Scenario, builds: tuple[Build, Build], opened: Opened) -> Iterator[Planned]:
    """The cases that both builds have; those without a pair are listed, never silently dropped."""
    pairing = pair(scenario, builds[0].library, builds[1].library, data=opened.digest(scenario))
    opened.add_absent(pairing.absent)
    for lost in pairing.unpaired:
        opened.put_finding(absent_finding(lost.label, lost.verdict, lost.reason))
    kernels = dict(pairing.cases)
    for case in lab.fitting(opened, scenario, tuple(kernels)):
        yield Planned(scenario, case, kernels[case], compare_arms(case))


def _controls(opened: Opened, contests: list[Contest]) -> None:
    """Rounds of one control worker per case until both controls hold, or have had their chances."""
    for number in range(control_rounds(len(contests))):
        for contest in contests:
            work = control_work(contest.plan.scenario)
            worker = contest.session.control(number, control_arms(contest.plan.case, work=work))
            if worker is not None:
                opened.add_control(contest.plan.case, worker)
        if number + 1 >= control_workers(len(contests)) and opened.controls_settled():
            return

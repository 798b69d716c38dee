"""The story of a run: scenario -> plan -> samples -> findings -> record. Read this first.

Deciding is pure (plan, stats, judge), doing is in measure, keeping in store; this file only connects them. After every case the
record is saved, so whatever ends a run, what was measured is there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from dualmem_cli.judge.bench import bench_finding
from dualmem_cli.judge.cautions import bench_cautions, build_cautions, compare_cautions
from dualmem_cli.judge.compare import absent_finding, compare_finding, undecided
from dualmem_cli.judge.controls import control_work, control_workers
from dualmem_cli.judge.validity import problem_of
from dualmem_cli.laboratory import Laboratory, Opened
from dualmem_cli.measure.case import CaseSession
from dualmem_cli.model.kernel import Build, Kernel
from dualmem_cli.model.plan import Arm, Case
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.samples import WorkerRun
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.plan.cases import bench_arms, compare_arms, control_arms, expand


@dataclass(frozen=True, slots=True)
class Planned:
    """One case with everything that measuring and judging it needs."""

    scenario: Scenario
    case: Case
    kernel: Kernel
    arms: tuple[Arm, ...]


def bench(lab: Laboratory, scenarios: tuple[Scenario, ...], build: Build) -> Opened:
    """Measure every case of every scenario on one build."""
    with lab.opened("bench", scenarios, (build,), baseline="") as opened:
        planned = []
        for scenario in scenarios:
            expansion = expand(scenario, build.library, data=opened.digest(scenario))
            opened.add_absent(expansion.absent)
            planned += [_planned(scenario, case, build, bench_arms(scenario, case, build.library)) for case in expansion.cases]
        for plan in lab.progress.track(planned, label=_label):
            session = lab.session(opened, plan.case, plan.arms, plan.kernel, plan.scenario)
            run = _run(session, plan, _bench_workers(session, plan))
            finding = bench_finding(plan.scenario, plan.kernel, run)
            opened.add_bench(run, finding)
            opened.add_cautions(bench_cautions(run, finding))
            lab.save(opened)
    return opened


def compare(
    lab: Laboratory, scenarios: tuple[Scenario, ...], builds: tuple[Build, Build], *, name: str, budget_s: float
) -> Opened:
    """Judge the second build against the first, interleaved on this machine, for at most about `budget_s` seconds a case."""
    with lab.opened("compare", scenarios, builds, baseline=name) as opened:
        planned = [plan for scenario in scenarios for plan in _on_both_sides(scenario, builds, opened)]
        for plan in lab.progress.track(planned, label=_label):
            session = lab.session(opened, plan.case, plan.arms, plan.kernel, plan.scenario)
            run = _run(session, plan, _compare_workers(lab, session, plan, cases=len(planned), budget_s=budget_s))
            run = replace(run, controls=_controls(session, plan, run, cases=len(planned)))
            opened.add_compare(run, compare_finding(plan.scenario, plan.kernel, run, builds, cases=len(planned)))
            opened.add_cautions(compare_cautions(run))
            lab.save(opened)
        opened.judge_controls()
        opened.add_cautions(build_cautions(builds))
    return opened


def _label(plan: Planned) -> str:
    return f"{plan.scenario.name} {plan.case.label}"


def _planned(scenario: Scenario, case: Case, build: Build, arms: tuple[Arm, ...]) -> Planned:
    kernel = build.library.kernel(case.kernel, case.variant)
    assert kernel is not None, "expand makes cases of kernels that the library has"
    return Planned(scenario, case, kernel, arms)


def _on_both_sides(scenario: Scenario, builds: tuple[Build, Build], opened: Opened) -> Iterator[Planned]:
    """The cases that both builds have; those on one side only are listed, never silently dropped."""
    kernels = [{(k.name, k.variant): k for k in build.library.kernels} for build in builds]
    if not any(name == scenario.kernel for side in kernels for name, _ in side):
        expand(scenario, builds[1].library, data="")  # raises: nobody knows this kernel
    for variant in scenario.variants:
        old, new = (side.get((scenario.kernel, variant)) for side in kernels)
        label = f"{scenario.name}/{variant}"
        if old is None and new is None:
            opened.add_finding(absent_finding(label, Verdict.MISSING, "neither build has this variant"))
        elif old is None:
            opened.add_finding(absent_finding(label, Verdict.MISSING, "new: the baseline does not have it"))
        elif new is None:
            opened.add_finding(absent_finding(label, Verdict.MISSING, "gone: only the baseline has it"))
        elif not (old.supported and new.supported):
            reason = f"not supported here: {old.reason or new.reason}"
            opened.add_finding(absent_finding(label, Verdict.INCOMPARABLE, reason))
        elif unknown := [name for name, _ in scenario.parameters if new.parameter(name) and not old.parameter(name)]:
            reason = f"the baseline's {scenario.kernel} has no parameter {', '.join(unknown)}"
            opened.add_finding(absent_finding(label, Verdict.INCOMPARABLE, reason))
        else:
            one = replace(scenario, variants=(variant,))
            for case in expand(one, builds[1].library, data=opened.digest(scenario)).cases:
                shared = tuple((name, value) for name, value in case.parameters if old.parameter(name) is not None)
                both = replace(case, parameters=shared)  # one that is new has its default on the new side
                yield Planned(scenario, both, new, compare_arms(both))


def _run(session: CaseSession, plan: Planned, workers: Iterator[CaseRun]) -> CaseRun:
    """Open the case and let the workers run; the last state of the case is the result."""
    failure = session.open()
    run = CaseRun(case=plan.case, arms=plan.arms, workers=(), recall=session.recall, failure=failure)
    if failure is None:
        for state in workers:
            run = state
    return run


def _bench_workers(session: CaseSession, plan: Planned) -> Iterator[CaseRun]:
    """A fixed number of workers; none after one that failed. A latency case with a twin beside it needs blocks as well."""
    run = CaseRun(case=plan.case, arms=plan.arms, workers=(), recall=(), failure=None)
    for index in range(plan.scenario.measure.workers):
        for latency in (True, False) if session.has_latency else (False,):
            if latency or not session.has_latency or len(plan.arms) > 1:
                run = replace(run, workers=(*run.workers, session.worker(index, latency=latency)), recall=session.recall)
                yield run
                if run.workers[-1].failure is not None:
                    return


def _compare_workers(lab: Laboratory, session: CaseSession, plan: Planned, *, cases: int, budget_s: float) -> Iterator[CaseRun]:
    """Workers until the rule decides or the time is used up."""
    run = CaseRun(case=plan.case, arms=plan.arms, workers=(), recall=(), failure=None)
    began = lab.seconds()
    while not run.workers or (undecided(plan.scenario, plan.kernel, run, cases=cases) and lab.seconds() - began < budget_s):
        run = replace(run, workers=(*run.workers, session.worker(len(run.workers), latency=False)), recall=session.recall)
        yield run


def _controls(session: CaseSession, plan: Planned, run: CaseRun, *, cases: int) -> tuple[WorkerRun, ...]:
    """Control workers of one case: few, because they are pooled over the suite. None for an invalid case: it must not speak for others."""
    if problem_of(run, plan.kernel, recall_floor=plan.scenario.gate.recall_floor):
        return ()
    arms = control_arms(plan.case, work=control_work(plan.scenario))
    made = (session.control(len(run.workers) + index, arms) for index in range(control_workers(cases)))
    return tuple(worker for worker in made if worker is not None)

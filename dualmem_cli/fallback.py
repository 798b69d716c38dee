"""A compare with stored numbers, where the baseline's build cannot run: the candidate is measured alone, by few workers, for what is
counted. Its times are shown beside the stored ones and never judged: a time of another machine, or of another day, carries no 5 % gate."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from dualmem_cli.judge.cautions import stored_caution
from dualmem_cli.judge.compare import absent_finding
from dualmem_cli.judge.stored import StoredCase, stored_case, stored_finding
from dualmem_cli.laboratory import Laboratory, Opened, Planned
from dualmem_cli.model.kernel import Build, Kernel
from dualmem_cli.model.plan import Arm, Case, Role
from dualmem_cli.model.record import CaseRun, Record
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.plan.cases import expand

# Counts and recall are the same in every worker; the second one shows whether that is so, and gives the time a spread.
_WORKERS = 2


@dataclass(frozen=True, slots=True)
class _Pair:
    scenario: Scenario
    case: Case
    kernel: Kernel
    stored: StoredCase


def compare_stored(
    lab: Laboratory, scenarios: tuple[Scenario, ...], stored: Record, build: Build, *, name: str, reason: str
) -> Opened:
    """Judge what is counted of `build` against the bench record `stored`. `reason` says why nothing better was possible."""
    with lab.opened("compare", scenarios, (build,), baseline=name) as opened:
        opened.add_cautions((stored_caution(reason),))
        pairs = [pair for scenario in scenarios for pair in _pairs(scenario, build, stored, opened)]
        for pair in lab.progress.track(pairs, label=lambda pair: f"{pair.scenario.name} {pair.case.label}"):
            run = _measured(lab, opened, pair)
            opened.put_compare(run, stored_finding(pair.scenario, pair.kernel, run, pair.stored, reason=reason))
            lab.save(opened)
    return opened


def _pairs(scenario: Scenario, build: Build, stored: Record, opened: Opened) -> Iterator[_Pair]:
    """The cases that both have; the others become findings, never silently dropped."""
    library = build.library
    known = {run.case.variant for run in stored.cases if run.case.scenario == scenario.name}
    gone = tuple(v for v in scenario.variants if v in known and library.kernel(scenario.kernel, v) is None)
    for variant in gone:
        label = f"{scenario.name}/{variant}"
        opened.put_finding(absent_finding(label, Verdict.MISSING, "gone: only the baseline has it"))
    rest = replace(scenario, variants=tuple(variant for variant in scenario.variants if variant not in gone))
    if not rest.variants:
        return
    expansion = expand(rest, library, data=opened.digest(scenario))
    opened.add_absent(expansion.absent)
    for case in expansion.cases:
        kernel = library.kernel(case.kernel, case.variant)
        assert kernel is not None, "expand makes cases of kernels that the library has"
        match stored_case(stored, case):
            case StoredCase() as found:
                yield _Pair(scenario, case, kernel, found)
            case finding:
                opened.put_finding(finding)


def _measured(lab: Laboratory, opened: Opened, pair: _Pair) -> CaseRun:
    """The candidate's case: one arm, few workers, none after one that failed."""
    arms = (Arm(Role.CANDIDATE, build=0, kernel=pair.case.kernel, variant=pair.case.variant),)
    session = lab.session(opened, Planned(pair.scenario, pair.case, pair.kernel, arms))
    run = CaseRun(case=pair.case, arms=arms, workers=(), recall=(), failure=session.open())
    run = replace(run, recall=session.recall)
    while run.failure is None and len(run.workers) < _WORKERS and not any(worker.failure for worker in run.workers):
        run = replace(run, workers=(*run.workers, session.worker(len(run.workers), latency=False)))
    return run

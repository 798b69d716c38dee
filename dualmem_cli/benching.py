"""The workers of one case of a bench, one after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dualmem_cli.laboratory import Laboratory, Opened, Planned
from dualmem_cli.measure.case import CaseSession
from dualmem_cli.model.plan import Role
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.samples import WorkerRun


def measured(lab: Laboratory, opened: Opened, plan: Planned) -> CaseRun:
    """Open the case and let its workers run; the last state of the case is the result."""
    session = lab.session(opened, plan)
    failure = session.open()
    run = CaseRun(case=plan.case, arms=plan.arms, workers=(), recall=session.recall, failure=failure)
    if failure is None:
        for state in _workers(session, plan, _peers(lab, opened, plan)):
            run = state
    return run


def _workers(session: CaseSession, plan: Planned, peers: Sequence[tuple[int, CaseSession]]) -> Iterator[CaseRun]:
    """A fixed number of workers; none after one that failed. A latency case with a twin beside it needs blocks as well, and workers that
    clock its peers: one of each in turn, so that what else the machine does meets them all."""
    run = CaseRun(case=plan.case, arms=plan.arms, workers=(), recall=(), failure=None)
    for index in range(plan.scenario.measure.workers):
        for latency in (True, False) if session.has_latency else (False,):
            if latency or not session.has_latency or len(plan.arms) > 1:
                run = replace(run, workers=(*run.workers, session.worker(index, latency=latency)), recall=session.recall)
                yield run
                if run.workers[-1].failure is not None:
                    return
        for arm, peer in peers if session.has_latency else ():
            failure = peer.open() if index == 0 else None
            if failure is not None:
                yield replace(run, failure=replace(failure, arm=arm))
                return
            run = replace(run, workers=(*run.workers, _of_arm(arm, peer.worker(index, latency=True))))
            yield run
            if run.workers[-1].failure is not None:
                return


def _peers(lab: Laboratory, opened: Opened, plan: Planned) -> tuple[tuple[int, CaseSession], ...]:
    """The place and the session of every peer, to be clocked alone."""
    arms = [(index, arm) for index, arm in enumerate(plan.arms) if arm.role is Role.PEER]
    return tuple((index, lab.peer_session(opened, plan, arm)) for index, arm in arms)


def _of_arm(arm: int, worker: WorkerRun) -> WorkerRun:
    """What a worker of one arm alone answered, under that arm's number in the case."""
    failure = replace(worker.failure, arm=arm) if worker.failure else None
    latency = tuple(replace(latency, arm=arm) for latency in worker.latency)
    return replace(worker, latency=latency, metrics=((),) * arm + worker.metrics, failure=failure)

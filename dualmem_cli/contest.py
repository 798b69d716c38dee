"""The cases of a compare on their way to a verdict, one by one and all together."""

from collections.abc import Callable
from dataclasses import replace

from dualmem_cli.judge.cautions import compare_cautions
from dualmem_cli.judge.compare import compare_finding, workers_missing
from dualmem_cli.judge.validity import problem_of
from dualmem_cli.laboratory import Laboratory, Opened, Planned
from dualmem_cli.measure.case import CaseSession
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.verdict import CompareFinding, Verdict

# So many workers run every pair of four by four links once: fewer cannot say whether all layouts agree.
_LAYOUT_WORKERS = 16


class Contest:
    """Adds workers to a case until the rule ends it, or it has used up its time. The caller goes round all contests that are open, so that
    a noisy second strikes many cases a little and none of them wholly.

    `cases` is the size of the suite, which shares one error budget. `earlier` is the run of an earlier record that is gone on with; its
    workers count.
    """

    def __init__(
        self,
        plan: Planned,
        session: CaseSession,
        *,
        builds: tuple[Build, Build],
        cases: int,
        budget_s: float,
        seconds: Callable[[], float],
        earlier: CaseRun | None,
    ) -> None:
        self.plan = plan
        self.session = session
        self._builds = builds
        self._cases = cases
        self._budget_s = budget_s
        self._seconds = seconds
        self._spent_s = 0.0
        self._begun = False
        self.run = earlier or CaseRun(case=plan.case, arms=plan.arms, workers=(), recall=(), failure=None)

    @property
    def open(self) -> bool:
        """Whether there is something left to measure, and time for it."""
        return not self._begun or (self._missing() > 0 and self._spent_s < self._budget_s)

    @property
    def valid(self) -> bool:
        """Whether the case can be believed at all: an invalid one must not speak for others in the controls."""
        return not problem_of(self.run, self.plan.kernel, recall_floor=self.plan.scenario.gate.recall_floor)

    def advance(self) -> None:
        """Measure up to the next look."""
        began = self._seconds()
        if not self._begun:
            self._begun = True
            self.run = replace(self.run, failure=self.session.open(), recall=self.session.recall)
        if self.run.failure is None:
            self._measure(self._missing())
        self._spent_s += self._seconds() - began

    def explain_layouts(self) -> bool:
        """Measure a regressed case until every pair of links has spoken; True if that took more workers. The verdict stands: it is the one
        of the look that reached it. A case that was judged because its time was up has no such look, and no time either."""
        rotated = all(build.rotated for build in self._builds)
        wanted = _LAYOUT_WORKERS - len(self.run.workers)
        ended = self.valid and self._missing() == 0
        if wanted <= 0 or not rotated or not ended or self.finding().verdict is not Verdict.REGRESSED:
            return False
        self._measure(wanted)
        return True

    def finding(self) -> CompareFinding:
        """The verdict as things stand."""
        return compare_finding(self.plan.scenario, self.plan.kernel, self.run, self._builds, cases=self._cases)

    def _missing(self) -> int:
        if self.run.failure is not None:
            return 0
        return workers_missing(self.plan.scenario, self.plan.kernel, self.run, cases=self._cases)

    def _measure(self, count: int) -> None:
        for _ in range(count):
            worker = self.session.worker(len(self.run.workers), latency=False)
            self.run = replace(self.run, workers=(*self.run.workers, worker))
            if worker.failure is not None:
                return


def contend(lab: Laboratory, opened: Opened, contests: list[Contest]) -> None:
    """Go round the open contests, each to its next look, until none is open. Each is announced once; a later round as a whole."""
    for contest in lab.progress.track(contests, label=lambda contest: contest.plan.label):
        _advance(lab, opened, contest)
    number = 1
    while going := [contest for contest in contests if contest.open]:
        number += 1
        for _, open_ in lab.progress.track(((number, going),), label=_round_label):
            for contest in open_:
                _advance(lab, opened, contest)
    for contest in contests:
        if contest.explain_layouts():
            opened.put_compare(contest.run, contest.finding())
        opened.add_cautions(compare_cautions(contest.run))


def _advance(lab: Laboratory, opened: Opened, contest: Contest) -> None:
    contest.advance()
    opened.put_compare(contest.run, contest.finding())
    lab.save(opened)


def _round_label(numbered: tuple[int, list[Contest]]) -> str:
    number, going = numbered
    names = ", ".join(contest.plan.scenario.name for contest in going[:3])
    return f"round {number}: {len(going)} still open ({names}{', ...' if len(going) > 3 else ''})"

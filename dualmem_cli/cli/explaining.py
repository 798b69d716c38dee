"""After a compare has found regressions: both builds of the worst cases are profiled in turns, and the report says what grew.

Everything here happens after the verdict and touches neither it nor the record. Whatever goes wrong, Ctrl-C included, becomes a
sentence of the report.
"""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType

from dualmem_cli.cli.differing import shifts_of, targets_of
from dualmem_cli.cli.sides import Side, Stored
from dualmem_cli.errors import DualmemError
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.record import CaseRun, Record
from dualmem_cli.model.verdict import CompareFinding, Verdict
from dualmem_cli.profile.difference import Difference, difference
from dualmem_cli.profile.difference_files import keep_sides
from dualmem_cli.profile.difference_page import render_difference
from dualmem_cli.profile.engines import Engine
from dualmem_cli.profile.flamegraph import script_source
from dualmem_cli.profile.sentences import headline, sampled, signed
from dualmem_cli.profile.session import Refusal
from dualmem_cli.profile.shares import difference_interval
from dualmem_cli.profile.target import Target
from dualmem_cli.profile.turns import best_engine, capture_in_turns
from dualmem_cli.report.explanation import Explanation

MOST_CASES = 3
_TURN_S = 1.0
_RATE = 999
_ROUNDS = 3
_WANTED_S = 9.0  # no further round is begun that would not end by then
_LONGEST_S = 15.0  # a profiler that hangs is ended
_SHOWN = 8

Columns = tuple[tuple[str, ...], dict[str, tuple[str, ...]]]
"""Titles of columns beside the shares, and for each function one text per title."""


def builds_of(old: Side | Stored, new: Build) -> tuple[Build, Build] | None:
    """Both builds, or None where the baseline is numbers only."""
    return (old.build, new) if isinstance(old, Side) else None


def of(
    record: Record, *, builds: tuple[Build, Build] | None, page: Path, quiet: bool
) -> Callable[[], tuple[Explanation, ...]] | None:
    """Something to call once the verdicts are shown: it explains the worst cases. None where there is nothing to explain."""
    worst = worst_cases(record)
    if not worst or builds is None:
        return None
    return lambda: explanations(record, worst, builds, page=page, quiet=quiet)


def worst_cases(record: Record) -> tuple[tuple[CaseRun, CompareFinding], ...]:
    """The regressed cases that became slower, the worst first. One that only forgot more, or grew, is not explained by where time goes."""
    found = [(record.case_run(finding.case), finding) for finding in record.compare if finding.verdict is Verdict.REGRESSED]
    slower = [
        (finding.change.value, run, finding)
        for run, finding in found
        if run is not None and finding.change is not None and finding.change.value > 0
    ]
    slower.sort(key=lambda entry: -entry[0])
    return tuple((run, finding) for _, run, finding in slower[:MOST_CASES])


def explanations(
    record: Record,
    worst: tuple[tuple[CaseRun, CompareFinding], ...],
    builds: tuple[Build, Build],
    *,
    page: Path,
    quiet: bool,
) -> tuple[Explanation, ...]:
    """Profile the cases, one after the other. Never raises."""
    titles = [f"{run.case.scenario} {run.case.label}" for run, _ in worst]
    done: list[Explanation] = []
    try:
        engine, refusals = best_engine()
        for number, ((run, finding), title) in enumerate(zip(worst, titles, strict=True), 1):
            if not quiet:
                print(f"explaining [{number}/{len(worst)}] {title}: about {_WANTED_S:.0f} s", file=sys.stderr, flush=True)
            stem = f"{page.stem}.why-{number}"
            with contextlib.suppress(_TooLongError), _deadline(_LONGEST_S):
                done.append(_explained(record, run, finding, builds, engine=engine, directory=page.parent, stem=stem))
            if len(done) < number:
                done.append(_silent(title, f"Not explained: {engine.name} took longer than {_LONGEST_S:.0f} s."))
            done[-1] = _with_refusals(done[-1], refusals)
    except KeyboardInterrupt:
        done.append(
            _silent(
                titles[len(done)] if len(done) < len(titles) else titles[-1],
                "The explanation was cut by an interruption; the verdict stands.",
            )
        )
    except DualmemError as error:
        done.append(_silent(titles[min(len(done), len(titles) - 1)], f"Not explained: {error}"))
    except Exception as error:  # the verdict was reached without this room, and must not be lost to a mistake in it
        done.append(
            _silent(titles[min(len(done), len(titles) - 1)], f"Not explained: internal error, {type(error).__name__}: {error}")
        )
    return tuple(done)


def _explained(
    record: Record,
    run: CaseRun,
    finding: CompareFinding,
    builds: tuple[Build, Build],
    *,
    engine: Engine,
    directory: Path,
    stem: str,
) -> Explanation:
    scenario = record.scenario_of(run.case)
    targets, labels = targets_of(scenario, run.case, builds, seconds=_TURN_S)
    pair = capture_in_turns(
        targets, engine=engine, rate=_RATE, rounds=_ROUNDS, limit_s=_WANTED_S, announce=lambda _: None, labels=labels
    )
    found = difference(*pair)
    more_titles, more = beside(_added(found, finding), counted(targets, found))
    change = f"{100 * finding.change.value:+.1f} %" if finding.change else ""
    kept = keep_sides(found, directory=directory, stem=stem)
    title = targets[1].title
    return Explanation(
        title=title,
        headline=_headline(found),
        lines=(
            f"{found.candidate.sampler}, event {found.candidate.event}, after the verdict, on the first layout of both builds. "
            f"{sampled(found)}",
            *(f"Note: {note}." for note in dict.fromkeys((*found.baseline.notes, *found.candidate.notes))),
            f"Again: dualmem profile --diff {kept[0]} {kept[1]}",
        ),
        shifts=shifts_of(found, most=_SHOWN, more=more),
        more_titles=more_titles,
        document=render_difference(
            found,
            title=f"{title}: {change} time per operation",
            subtitle=f"candidate {builds[1].short} against baseline {builds[0].short}",
            extra=more,
            extra_titles=more_titles,
        ),
        script=script_source(),
    )


def beside(first: Columns, second: Columns) -> Columns:
    """Columns of two origins in one table; where one knows nothing of a function, its cells are empty."""
    names = first[1].keys() | second[1].keys()
    blank = ("",) * len(first[0]), ("",) * len(second[0])
    return (*first[0], *second[0]), {n: (*first[1].get(n, blank[0]), *second[1].get(n, blank[1])) for n in names}


def _added(found: Difference, finding: CompareFinding) -> Columns:
    """What each function adds to the baseline's time per operation: its share of the candidate's samples, times how much longer the
    candidate takes by the verdict's own estimate, less its share of the baseline's. A function that is merely a smaller part of a
    longer time has about 0 here."""
    if finding.change is None:
        return (), {}
    ratio, (n, m) = 1.0 + finding.change.value, found.samples
    texts: dict[str, tuple[str, ...]] = {}
    for function in found.functions:
        counts = (function.own.baseline, function.own.candidate)
        low, high = difference_interval(counts, found.samples, design_effect=found.design_effect, ratio=ratio)
        texts[function.name] = (f"{signed(ratio * counts[1] / m - counts[0] / n)} ({signed(low)} to {signed(high)})",)
    return ("adds to the time, %",), texts


def counted(_targets: tuple[Target, Target], _found: Difference) -> Columns:
    """Columns beside the shares: what an engine that counts, rather than samples, says of each function. A counting engine puts its
    "instructions per operation, baseline" and "..., candidate" here; without one there are none."""
    return (), {}


def _headline(found: Difference) -> str:
    """A share that shrank beside nothing that grew, or equal shares, are no explanation, and are not offered as one."""
    return headline(found) if found.of(1) or not found.differs else f"No function's share grew significantly. {headline(found)}"


def _silent(title: str, words: str) -> Explanation:
    return Explanation(title=title, headline=words, lines=())


def _with_refusals(explanation: Explanation, refusals: tuple[Refusal, ...]) -> Explanation:
    return replace(explanation, lines=(*explanation.lines, *(refusal.line() for refusal in refusals)))


class _TooLongError(Exception):
    """The time for one case is up."""


@contextlib.contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raise _TooLongError in the block after `seconds`. A child's own end follows from the exception (profile/process.py)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

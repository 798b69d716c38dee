"""After a compare has found regressions: both builds of the worst cases are profiled in turns, and the report says what grew.

Everything here happens after the verdict and does not touch it; what is found is added to the record. Whatever goes wrong, Ctrl-C
included, becomes a sentence of the report.
"""

import contextlib
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType

from dualmem_cli.cli.differing import shifts_of
from dualmem_cli.cli.reasoning import Lines, lines_of, reasoned
from dualmem_cli.cli.regressed import Counting, Regressed, worst
from dualmem_cli.cli.sides import Side, Stored
from dualmem_cli.errors import DualmemError
from dualmem_cli.model.explanation import Explanation
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.record import Record
from dualmem_cli.model.verdict import CompareFinding
from dualmem_cli.profile.count_difference import count_difference
from dualmem_cli.profile.difference import Difference, difference
from dualmem_cli.profile.difference_files import keep_sides
from dualmem_cli.profile.difference_page import render_difference
from dualmem_cli.profile.engines import Engine
from dualmem_cli.profile.flamegraph import script_source
from dualmem_cli.profile.folded import read_folded, write_folded
from dualmem_cli.profile.sentences import headline, sampled, signed
from dualmem_cli.profile.session import Refusal
from dualmem_cli.profile.shares import difference_interval
from dualmem_cli.profile.target import Target
from dualmem_cli.profile.turns import best_engine, capture_in_turns, count_both
from dualmem_cli.report.context import FlameGraphs

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
    found = worst(record)
    if not found or builds is None:
        return None
    return lambda: explanations(found, builds, page=page, quiet=quiet)


def explanations(
    worst: tuple[Regressed, ...], builds: tuple[Build, Build], *, page: Path, quiet: bool
) -> tuple[Explanation, ...]:
    """Profile what regressed, one after the other. Never raises."""
    done: list[Explanation] = []
    try:
        for number, regressed in enumerate(worst, 1):
            if not quiet:
                print(f"explaining [{number}/{len(worst)}] {regressed.title}: {regressed.about}", file=sys.stderr, flush=True)
            done.append(_begun(regressed))
            engine, refusals = _sampler(regressed.samplers)
            with tempfile.TemporaryDirectory(prefix="dualmem-profile-") as scratch:
                targets, labels = regressed.targets(builds, scratch=Path(scratch))
                stem = f"{page.stem}.why-{number}"
                done[-1], lines = _sampled(
                    done[-1],
                    regressed,
                    targets,
                    labels,
                    builds,
                    engine=engine,
                    scratch=Path(scratch),
                    directory=page.parent,
                    stem=stem,
                )
                done[-1] = _with_lines(done[-1], *(refusal.line() for refusal in refusals))
                done[-1] = _counted(done[-1], targets, labels, counting=regressed.counting())
                if done[-1].folded or done[-1].counted:
                    done[-1] = _with_lines(done[-1], *regressed.notes)
                if regressed.finding.change is not None:
                    measure_alone = partial(regressed.alone, builds)
                    change = regressed.finding.change
                    done[-1] = reasoned(done[-1], change, lines, threads=regressed.threads, alone=measure_alone)
    except KeyboardInterrupt:
        _cut(done, worst, "The explanation was cut by an interruption; the verdict stands.")
    except DualmemError as error:
        _cut(done, worst, f"Not explained: {error}")
    except Exception as error:  # the verdict was reached without this room, and must not be lost to a mistake in it
        _cut(done, worst, f"Not explained: internal error, {type(error).__name__}: {error}")
    return tuple(done)


def _begun(regressed: Regressed) -> Explanation:
    return Explanation(case=regressed.finding.case, title=regressed.title, headline="", lines=())


def _cut(done: list[Explanation], worst: tuple[Regressed, ...], words: str) -> None:
    """Say in the explanation that was being made why there is no more of it."""
    if not done:
        done.append(_begun(worst[0]))
    done[-1] = _with_lines(done[-1], words) if done[-1].headline else replace(done[-1], headline=words)


def _sampler(names: tuple[str, ...]) -> tuple[Engine | None, tuple[Refusal, ...]]:
    """The best sampler there is. Without one, what is counted explains alone."""
    try:
        return best_engine(names)
    except DualmemError as error:
        return None, (Refusal("samplers", error.what, error.hint),)


def _sampled(
    known: Explanation,
    regressed: Regressed,
    targets: tuple[Target, Target],
    labels: dict[str, str],
    builds: tuple[Build, Build],
    *,
    engine: Engine | None,
    scratch: Path,
    directory: Path,
    stem: str,
) -> tuple[Explanation, Lines]:
    """What samples of both builds in turns tell, and where in the functions they lie."""
    if engine is None:
        return replace(known, headline="No sampler works here, so no function's share of the time is known."), Lines()
    finding, longest_s = regressed.shares, _LONGEST_S * regressed.patience
    try:
        with _deadline(longest_s):
            pair = capture_in_turns(
                targets, engine=engine, rate=_RATE, rounds=_ROUNDS, limit_s=_WANTED_S, announce=lambda _: None, labels=labels
            )
    except _TooLongError:
        return replace(known, headline=f"Not sampled: {engine.name} took longer than {longest_s:.0f} s."), Lines()
    except DualmemError as error:
        return replace(known, headline=f"Not sampled: {error}"), Lines()
    library = next(iter(labels.values()), "")
    first, second = (regressed.trimmed(profile, library=library) for profile in pair)
    found = difference(first, second)
    titles, added = _added(found, finding)
    kept = keep_sides(found, directory=directory, stem=stem)
    sources = targets[1].work.sources if targets[1].work else ()
    lines = lines_of(found, finding, builds, sources, folder=scratch)
    told = replace(
        known,
        headline=_headline(found),
        lines=(
            f"{found.candidate.sampler}, event {found.candidate.event}, after the verdict, on the first layout of both builds. "
            f"{sampled(found)}",
            *(f"Note: {note}." for note in dict.fromkeys((*found.baseline.notes, *found.candidate.notes))),
            *(f"Note: {note}." for note in lines.notes),
            f"Again: dualmem profile --diff {kept[0]} {kept[1]}",
        ),
        hot=lines.shifts,
        shifts=shifts_of(found, most=_SHOWN, more=added),
        more_titles=titles,
        folded=(write_folded(found.baseline), write_folded(found.candidate)),
    )
    return told, lines


def _counted(
    known: Explanation, targets: tuple[Target, Target], labels: dict[str, str], *, counting: tuple[Counting, ...]
) -> Explanation:
    """What an operation executes and misses more: on callgrind's processor, and by the counters of this one."""
    for each in counting:
        try:
            both = count_both(_shortened(targets, each.seconds), engine=each.engine, divided=each.divided)
            known = replace(known, counted=(*known.counted, count_difference(*both, labels)))
        except DualmemError as error:
            known = _with_lines(known, f"Not counted by {each.engine.name}: {error}")
    return known


def _shortened(targets: tuple[Target, Target], seconds: float) -> tuple[Target, Target]:
    return replace(targets[0], seconds=seconds), replace(targets[1], seconds=seconds)


def flame_graphs(record: Record) -> FlameGraphs:
    """The differential flame graphs of what the record explains, drawn from the stacks that it holds."""
    pages = {}
    for each in record.explanations:
        finding = next((finding for finding in record.compare if finding.case == each.case), None)
        if each.folded is not None and finding is not None:
            pages[each.case] = _flame_graph(record, each, each.folded, finding)
    return FlameGraphs(pages, script_source())


def _flame_graph(record: Record, each: Explanation, folded: tuple[str, str], finding: CompareFinding) -> str:
    first, second = (read_folded(text, source=f"stacks of {each.title}") for text in folded)
    found = difference(first, second)
    titles, added = _added(found, finding)
    change = f": {100 * finding.change.value:+.1f} % time per operation" if finding.change else ""
    old, new = record.builds
    return render_difference(
        found,
        title=f"{each.title}{change}",
        subtitle=f"candidate {new.short} against baseline {old.short}",
        extra=added,
        extra_titles=titles,
    )


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


def _headline(found: Difference) -> str:
    """A share that shrank beside nothing that grew, or equal shares, are no explanation, and are not offered as one."""
    return headline(found) if found.of(1) or not found.differs else f"No function's share grew significantly. {headline(found)}"


def _with_lines(explanation: Explanation, *lines: str) -> Explanation:
    return replace(explanation, lines=(*explanation.lines, *lines))


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

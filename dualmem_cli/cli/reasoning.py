"""What a failed compare is explained with beside shares and counts: the lines that add to the time, prefetches that are gone, the change
with one thread; and from all of it the sentence of judge/reasons.py."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dualmem_cli.cli import setting
from dualmem_cli.cli.profiling import request_for
from dualmem_cli.errors import DualmemError
from dualmem_cli.judge.reasons import Evidence, reason
from dualmem_cli.measure import builds as binaries
from dualmem_cli.measure.alone import case_alone, change_of_two
from dualmem_cli.measure.machine import usable_cpus
from dualmem_cli.measure.revisions import export_sources
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.explanation import Explanation, LineShift, SourceLine
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.plan import Case
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.model.verdict import CompareFinding
from dualmem_cli.profile.annotation import annotate
from dualmem_cli.profile.difference import Difference
from dualmem_cli.profile.frames import is_group, split_place
from dualmem_cli.profile.line_difference import dropped_prefetches, line_shifts
from dualmem_cli.profile.shares import difference_interval

SHOWN_LINES = 8
_ALONE_S = 6.0
_ALONE_TIMEOUT_S = 20.0
_UNCOMMITTED = "+"


@dataclass(frozen=True, slots=True)
class Lines:
    """What addresses of samples tell of both builds: the lines that add most, and the prefetches that are gone. `function` is the function
    that adds most, surely; `notes` say what keeps lines from being known."""

    shifts: tuple[LineShift, ...] = ()
    dropped: tuple[SourceLine, ...] = ()
    function: str = ""
    notes: tuple[str, ...] = ()


def baseline_sources(builds: tuple[Build, Build], sources: Sequence[Path], *, folder: Path) -> tuple[Path, ...] | None:
    """Where the baseline's sources are, if the candidate's are in `sources`; None where nobody has them any more: lines of one version must
    not be read in another. What git knows is written to `folder`."""
    old, new = (build.library.revision for build in builds)
    if old == new:
        return tuple(sources)  # one version, or libraries that name none
    tree = binaries.source_tree(Path.cwd())
    if not old or old.endswith(_UNCOMMITTED) or tree is None or not export_sources(old, tree=tree, folder=folder):
        return None
    return (folder,)


def lines_of(
    found: Difference, finding: CompareFinding, builds: tuple[Build, Build], sources: Sequence[Path], *, folder: Path
) -> Lines:
    """The source lines of both profiles. The objects that were sampled have to be there still. `folder` is for the baseline's sources."""
    ratio = 1.0 + (finding.change.value if finding.change else 0.0)
    function = most_added(found, ratio)
    hot = {split_place(each.name)[0] for each in found.functions[:SHOWN_LINES] if not is_group(each.name)}
    old_sources = baseline_sources(builds, sources, folder=folder)
    if old_sources is None:
        return Lines(function=function, notes=("the baseline's source text is not here, so its lines are not compared",))
    old, new = annotate(found.baseline, old_sources, also=hot), annotate(found.candidate, sources, also=hot)
    notes = tuple(dict.fromkeys((*old.notes, *new.notes)))
    if not old.lines or not new.lines:
        return Lines(function=function, notes=notes)
    shifts = line_shifts(old, new, ratio=ratio, design_effect=found.design_effect)
    return Lines(shifts[:SHOWN_LINES], dropped_prefetches(old, new), function, notes)


def most_added(found: Difference, ratio: float) -> str:
    """The function that adds most to the time, if it surely adds anything. A group, such as the kernel's, is no place to look at."""
    n, m = found.samples
    added = [
        (ratio * f.own.candidate / m - f.own.baseline / n, f)
        for f in found.functions
        if not is_group(f.name)
        and difference_interval((f.own.baseline, f.own.candidate), found.samples, design_effect=found.design_effect, ratio=ratio)[
            0
        ]
        > 0
    ]
    return split_place(max(added, key=lambda entry: entry[0])[1].name)[0] if added else ""


def alone(scenario: Scenario, case: Case, builds: tuple[Build, Build]) -> Estimate | None:
    """The change with one thread; None where the case has one, or its kernel takes no fewer. Raises DualmemError."""
    single = case_alone(case, builds[1].library.kernel(case.kernel, case.variant))
    if single is None:
        return None
    first, second = (
        request_for(scenario, single, library=build.library, digest=build.digest, link=Path(build.links[0].path))[0]
        for build in builds
    )
    return change_of_two(setting.runner(), (first, second), cpus=usable_cpus(), limit_s=_ALONE_S, timeout_s=_ALONE_TIMEOUT_S)


def reasoned(
    known: Explanation, change: Estimate, lines: Lines, *, threads: int, alone: Callable[[], Estimate | None]
) -> Explanation:
    """The explanation with what all of it together says. `alone` measures the change with one thread."""
    try:
        known = replace(known, alone=alone())
    except DualmemError as error:
        known = replace(known, lines=(*known.lines, f"Not measured with one thread: {error}"))
    surely = next((shift for shift in lines.shifts if shift.low > 0), None)
    evidence = Evidence(
        change=change,
        counted=next((change for change in known.counted if change.engine == "callgrind"), None),
        threads=threads,
        alone=known.alone,
        grown=surely,
        grown_function=lines.function,
        dropped=lines.dropped,
    )
    return replace(known, reason=reason(evidence))

"""`dualmem profile --against` and `--diff`: from two builds, or two files, to a difference on the screen and on disk."""

import json as json_
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dualmem_cli.cli import setting, showing
from dualmem_cli.cli.profiling import Wanted, chosen_case, engines_named, target_for
from dualmem_cli.cli.sides import Side, baseline_side
from dualmem_cli.errors import DataError, DualmemError
from dualmem_cli.measure import builds as binaries
from dualmem_cli.measure.worker import WorkerProcesses
from dualmem_cli.model.explanation import CountedChange, FunctionShift
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.plan import Case
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.profile.count_difference import count_difference
from dualmem_cli.profile.difference import Difference, difference
from dualmem_cli.profile.difference_files import DifferenceFiles, keep_difference
from dualmem_cli.profile.engines import Counter, Engine
from dualmem_cli.profile.folded import Profile, read_folded
from dualmem_cli.profile.frames import split_place
from dualmem_cli.profile.sentences import headline, printable, sampled
from dualmem_cli.profile.target import Target
from dualmem_cli.profile.turns import PREFERRED, ROUNDS, best_engine, capture_in_turns, count_both
from dualmem_cli.report import Level
from dualmem_cli.store import baselines as kept
from dualmem_cli.store.records import new_path

_SHOWN = 12


def old_build(against: str, *, baselines: Path, reports: Path, worker: WorkerProcesses) -> Side:
    """The side that `--against` names: a baseline, a library or folder of links, or a git revision. Raises DualmemError."""
    known = against in kept.names(baselines)
    side = baseline_side(
        against if known else "", against="" if known else against, baselines=baselines, reports=reports, worker=worker
    )
    if not isinstance(side, Side):
        raise DualmemError(side.since.stored_only, hint="A profile needs a build: name a baseline's, a library or a revision.")
    return side


def targets_of(
    scenario: Scenario,
    case: Case,
    builds: tuple[Build, Build],
    *,
    scratch: Path,
    seconds: float,
    operations: int = 0,
    cpus: tuple[int, ...] = (),
) -> tuple[tuple[Target, Target], dict[str, str]]:
    """The same work on both builds, and what their files are to be called in the frames: kept builds are named by their digests. Copies
    that lead to debug information go to `scratch`."""
    links = [binaries.with_debug(Path(build.links[0].path), folder=scratch) for build in builds]
    first, second = (
        target_for(
            scenario,
            case,
            library=build.library,
            digest=build.digest,
            link=link,
            seconds=seconds,
            operations=operations,
            sources=tuple(dict.fromkeys((binaries.source_tree(Path.cwd()) or Path.cwd(), Path.cwd()))),
            cpus=cpus,
        )
        for build, link in zip(builds, links, strict=True)
    )
    label = f"lib{builds[1].library.name.removeprefix('lib')}.so"
    return (first, second), {link.name: label for link in links}


def engines_for_two(names: Sequence[str]) -> tuple[Engine | None, tuple[Counter, ...]]:
    """The engines asked for, else the best sampler that is there; why a better one is not goes to stderr."""
    wanted = engines_named(names)
    counters = tuple(engine for engine in wanted if isinstance(engine, Counter))
    samplers = [engine.name for engine in wanted if not isinstance(engine, Counter)]
    if len(samplers) > 1:
        raise DualmemError("--against samples with one profiler", hint="Give one of pyspy and perf.")
    if counters and not samplers:
        return None, counters
    engine, refusals = best_engine(tuple(samplers) or PREFERRED)
    for refusal in refusals:
        print(f"dualmem: {refusal.line()}", file=sys.stderr)
    return engine, counters


def profile_builds(wanted: Wanted, *, against: str, baselines: Path) -> None:
    """Both builds, sampled in turns, `wanted.seconds` of each in all, or counted over as many operations; what differs, shown and kept."""
    sampler, counters = engines_for_two(wanted.engines)
    (scenario,) = setting.read_scenarios(setting.scenario_paths([wanted.scenario]))
    worker = setting.runner()
    old = old_build(against, baselines=baselines, reports=wanted.reports, worker=worker)
    new = setting.keep_build(binaries.resolve(wanted.library, start=Path.cwd()), worker=worker, reports=wanted.reports)
    simulated = any(engine.name == "callgrind" for engine in counters)
    point = chosen_case(scenario, new.library, wanted=wanted.case, simulated=simulated)
    if old.library.kernel(point.kernel, point.variant) is None:
        raise DualmemError(f"{old.name} has no kernel {point.kernel}/{point.variant}", hint="Choose another case with --case.")
    with tempfile.TemporaryDirectory(prefix="dualmem-profile-") as scratch:
        targets, labels = targets_of(
            scenario,
            point,
            (old.build, new),
            scratch=Path(scratch),
            seconds=wanted.seconds / ROUNDS if sampler else wanted.seconds,
            operations=wanted.operations,
            cpus=wanted.cpus,
        )
        changes = []
        for engine in counters:
            wanted.announce(f"{engine.name}: counting both builds of {targets[1].title}")
            changes.append(count_difference(*count_both(targets, engine=engine), labels))
        found = _sampled_in_turns(targets, labels, sampler, wanted) if sampler else None
    subtitle = f"{new.origin} against {old.name}"
    files = _kept(found, changes, title=targets[1].title, subtitle=subtitle, reports=wanted.reports, sides=True)
    _show(found, changes, files, json=wanted.json)


def _sampled_in_turns(targets: tuple[Target, Target], labels: dict[str, str], engine: Engine, wanted: Wanted) -> Difference:
    pair = capture_in_turns(
        targets,
        engine=engine,
        rate=wanted.rate,
        rounds=ROUNDS,
        limit_s=float("inf"),
        announce=wanted.announce,
        labels=labels,
    )
    return difference(*pair)


def profile_files(paths: tuple[Path, Path], *, reports: Path, json: bool) -> None:
    """Show and keep the difference of two folded files."""
    first, second = (_read(path) for path in paths)
    title = second.title if first.title == second.title else f"{second.title} against {first.title}"
    found = difference(first, second)
    subtitle = f"{paths[1].name} against {paths[0].name}"
    _show(found, (), _kept(found, (), title=title, subtitle=subtitle, reports=reports, sides=False), json=json)


def shifts_of(found: Difference, *, most: int, more: dict[str, tuple[str, ...]] | None = None) -> tuple[FunctionShift, ...]:
    """The rows of a table: what grew, then what shrank, and of the rest nothing. `more` holds further columns by function."""
    n, m = found.samples
    rows = []
    for function in (*found.of(1), *found.of(-1))[:most]:
        name, place = split_place(function.name)
        caller = f"called by {split_place(function.caller)[0]}" if function.caller else ""
        own = function.own
        rows.append(
            FunctionShift(
                name,
                caller or place,
                (own.baseline, own.candidate),
                (own.baseline / n, own.candidate / m),
                own.value,
                own.low,
                own.high,
                own.direction,
                (more or {}).get(function.name, ()),
            )
        )
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class _Files:
    """What was written: of samples, of counts."""

    sampled: DifferenceFiles | None
    counted: Path | None


def _kept(
    found: Difference | None, changes: Sequence[CountedChange], *, title: str, subtitle: str, reports: Path, sides: bool
) -> _Files:
    reserved = new_path(reports, created=setting.utc_now(), kind="profile-diff")
    counted = reserved.with_suffix(".counts.json") if changes else None
    try:
        if counted is not None:
            counted.write_text(json_.dumps([asdict(change) for change in changes], indent=1) + "\n", encoding="utf-8")
        if found is None:
            return _Files(None, counted)
        files = keep_difference(found, directory=reports, stem=reserved.stem, title=title, subtitle=subtitle, sides=sides)
        return _Files(files, counted)
    finally:
        reserved.unlink(missing_ok=True)  # it only reserved the name


def _show(found: Difference | None, changes: Sequence[CountedChange], files: _Files, *, json: bool) -> None:
    if json:
        sampled_ = _document(found, files.sampled) if found and files.sampled else {}
        print(json_.dumps({**sampled_, **({"counted": [asdict(change) for change in changes]} if changes else {})}, indent=2))
        return
    for change in changes:
        print(change.headline)
    if changes:
        showing.print_counts(changes, level=Level.NORMAL)
        print(f"counts {files.counted}")
    if found is not None and files.sampled is not None:
        _show_sampled(found, files.sampled)


def _show_sampled(found: Difference, files: DifferenceFiles) -> None:
    print(f"baseline  {found.baseline.line()}\ncandidate {found.candidate.line()}")
    for note in _notes(found):
        print(f"  note: {printable(note)}")
    print(f"{sampled(found)}\n\n{headline(found)}\n")
    shifts = shifts_of(found, most=_SHOWN)
    if shifts:
        showing.print_shifts(shifts, level=Level.NORMAL)
    for path in (*files.sides, files.folded, files.picture):
        print(f"  {path}")
    print(f"flame graph {files.page}")


def _document(found: Difference, files: DifferenceFiles) -> dict[str, object]:
    """What differs as one JSON document: every function that grew or shrank; stacks are in the files it names."""
    shifts = shifts_of(found, most=len(found.functions))
    return {
        "engine": found.candidate.engine,
        "event": found.candidate.event,
        "samples": list(found.samples),
        "design_effect": found.design_effect,
        "headline": headline(found),
        "functions": [{key: value for key, value in asdict(shift).items() if key != "more"} for shift in shifts],
        "notes": list(_notes(found)),
        "folded": str(files.folded),
        "sides": [str(path) for path in files.sides],
        "picture": str(files.picture),
        "page": str(files.page),
    }


def _notes(found: Difference) -> tuple[str, ...]:
    return (*found.notes, *dict.fromkeys((*found.baseline.notes, *found.candidate.notes)))


def _read(path: Path) -> Profile:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", hint="Give two .folded files that dualmem profile wrote.") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text", hint="Give two .folded files that dualmem profile wrote.") from None
    profile = read_folded(text, source=str(path))
    return replace(profile, samples=sum(count for _, count in profile.stacks))  # what is compared is what is there

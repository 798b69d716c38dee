"""One case through every asked engine: captures, files, the page, and what could not be done."""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dualmem_cli.errors import DualmemError, ExitStatus, naming
from dualmem_cli.model.scenario import ProfileLimits
from dualmem_cli.profile.annotation import Annotation, annotate
from dualmem_cli.profile.counts import Counts
from dualmem_cli.profile.engines import COUNTERS, ENGINES, Counter, Engine, Unavailable
from dualmem_cli.profile.engines.callgrind_counts import ENGINE as CALLGRIND
from dualmem_cli.profile.engines.lengths import with_operations
from dualmem_cli.profile.flamegraph import asset, render_page
from dualmem_cli.profile.folded import Profile, merge, write_folded
from dualmem_cli.profile.judged_section import render_judged
from dualmem_cli.profile.marked import MarkedShare, share_of
from dualmem_cli.profile.speedscope import write_speedscope
from dualmem_cli.profile.target import Target
from dualmem_cli.profile.twin import TwinCounts, beside_twin

PROFILE_VERSION = 1
_NO_LIMITS = ProfileLimits()


@dataclass(frozen=True, slots=True)
class Captured:
    """A capture and the files it went to. `annotation` is where in its functions the samples lie; None of what was counted."""

    profile: Profile
    folded: Path
    speedscope: Path
    annotation: Annotation | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """Counts and the file they went to; `capture` where they are also stacks."""

    counts: Counts
    file: Path
    capture: Captured | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An engine that gave nothing: why, and what to do."""

    engine: str
    reason: str
    remedy: str

    def line(self) -> str:
        return f"{self.engine}: {self.reason}. Remedy: {self.remedy}"


@dataclass(frozen=True, slots=True)
class Twin:
    """The single-type twin of a target, and what both kernels are called."""

    target: Target
    names: tuple[str, str]


@dataclass(frozen=True, slots=True)
class ProfileOutcome:
    """What `profile_case` did; at least one capture or count. `shares` are those of the marked functions by engine, and `twin` the counts
    beside the single-type twin's, as far as an engine knows them."""

    captures: tuple[Captured, ...]
    page: Path
    refusals: tuple[Refusal, ...]
    counted: tuple[Counted, ...] = ()
    shares: tuple[MarkedShare, ...] = ()
    twin: TwinCounts | None = None

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """What was sampled, and then what was counted as stacks."""
        exact = (counted.capture for counted in self.counted if counted.capture)
        return tuple(capture.profile for capture in (*self.captures, *exact))


def profile_case(
    target: Target,
    *,
    engines: Sequence[Engine | Counter],
    rate: int,
    directory: Path,
    stem: str,
    announce: Callable[[str], None],
    twin: Twin | None = None,
    limits: ProfileLimits = _NO_LIMITS,
) -> ProfileOutcome:
    """Sample the target with each engine in turn (together they would sample each other) and write `<stem>.<engine>.folded`,
    `<stem>.<engine>.speedscope.json`, `<stem>.<engine>.json` of what was counted, and `<stem>.html` into `directory`.

    An engine that cannot run never stops the next. `announce` gets one line before each capture, for a person who waits. Raises
    DualmemError (MEASUREMENT_FAILED) with all remedies when no engine gave a profile; nothing is written then. A `twin` is counted beside
    the target by the engine that knows misses, over as many operations.
    """
    profiles: list[Profile] = []
    counts: list[Counts] = []
    refusals: list[Refusal] = []
    beside: TwinCounts | None = None
    for engine in engines:
        try:
            if not isinstance(engine, Counter):
                announce(f"{engine.name}: sampling {target.title} for {target.seconds * target.rounds:g} s")
                profiles.append(_sampled(engine, target, rate))
                continue
            announce(f"{engine.name}: counting {target.title}")
            counts.append(_count(engine, target))
            if twin is not None and engine.name == CALLGRIND:
                announce(f"{engine.name}: counting its twin, {twin.names[1]}")
                single = _count(engine, with_operations(twin.target, counts[-1].operations))
                beside = beside_twin(counts[-1], single, names=twin.names, limit=limits.misses)
        except DualmemError as error:
            refusals.append(Refusal(engine.name, error.what, error.hint))
    if not profiles and not counts:
        first, *others = refusals or [Refusal("profile", "no profiler was asked for", "--with pyspy or --with perf")]
        raise DualmemError(
            "; ".join([f"{first.engine}: {first.reason}", *(f"{other.engine}: {other.reason}" for other in others)]),
            hint=" ".join(f"Remedy{f' for {r.engine}' if others else ''}: {r.remedy.rstrip('.')}." for r in [first, *others])
            + " Nothing was measured.",
            status=ExitStatus.MEASUREMENT_FAILED,
        )
    directory.mkdir(parents=True, exist_ok=True)
    sources = target.work.sources if target.work else ()
    with naming(directory):
        captures = tuple(replace(_write(profile, directory, stem), annotation=annotate(profile, sources)) for profile in profiles)
        counted = tuple(_write_counts(each, directory, stem) for each in counts)
    page = directory / f"{stem}.html"
    found = [(profile.engine, profile.unit, profile.marked) for profile in profiles]
    found += [(each.engine, "instructions", each.marked) for each in counts]
    shares = tuple(
        share_of(marked, engine=engine, unit=unit, limit=limits.dual_share) for engine, unit, marked in found if marked
    )
    outcome = ProfileOutcome(captures, page, tuple(refusals), counted, shares, beside)
    headline = render_judged(shares, beside)
    annotations = {capture.profile.engine: capture.annotation for capture in captures if capture.annotation}
    text = render_page(
        outcome.profiles, title=target.title, subtitle=target.case_id, counts=counts, annotations=annotations, headline=headline
    )
    with naming(page):
        page.write_text(text, encoding="utf-8")
    return outcome


def _sampled(engine: Engine, target: Target, rate: int) -> Profile:
    """All rounds of a target together."""
    captures = []
    for _ in range(target.rounds):
        with tempfile.TemporaryDirectory(prefix="dualmem-profile-") as scratch:
            captures.append(engine.capture(target, rate=rate, directory=Path(scratch)))
    return merge(captures) if len(captures) > 1 else captures[0]


def _count(engine: Counter, target: Target) -> Counts:
    with tempfile.TemporaryDirectory(prefix="dualmem-profile-") as scratch:
        return engine.count(target, directory=Path(scratch))


def json_schema() -> dict[str, Any]:
    """The published schema of what `dualmem profile SCENARIO --json` prints."""
    schema: dict[str, Any] = json.loads(asset(f"profile-{PROFILE_VERSION}.schema.json"))
    return schema


def availability_report() -> list[tuple[str, bool, str, str]]:
    """For `dualmem doctor`: (tool, whether it works here, detail or reason, remedy or "") for each engine."""
    report = []
    engines: tuple[Engine | Counter, ...] = (*ENGINES, *COUNTERS)
    for engine in engines:
        try:
            state = engine.availability()
        except DualmemError as error:
            state = Unavailable(error.what, error.hint)
        match state:
            case Unavailable(reason, remedy):
                report.append((engine.name, False, reason, remedy))
            case available:
                report.append((engine.name, True, available.detail, ""))
    return report


def _write_counts(counts: Counts, directory: Path, stem: str) -> Counted:
    file = directory / f"{stem}.{counts.engine}.json"
    file.write_text(json.dumps(counts.document(), indent=1) + "\n", encoding="utf-8")
    return Counted(counts, file, _write(counts.profile, directory, stem) if counts.profile else None)


def _write(profile: Profile, directory: Path, stem: str) -> Captured:
    folded = directory / f"{stem}.{profile.engine}.folded"
    speedscope = directory / f"{stem}.{profile.engine}.speedscope.json"
    folded.write_text(write_folded(profile), encoding="utf-8")
    speedscope.write_text(write_speedscope([profile], name=profile.title), encoding="utf-8")
    return Captured(profile, folded, speedscope)

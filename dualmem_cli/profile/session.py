"""One case through every asked engine: captures, files, the page, and what could not be done."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dualmem_cli.errors import DualmemError, ExitStatus
from dualmem_cli.profile.engines import ENGINES, Engine, Unavailable
from dualmem_cli.profile.flamegraph import render_page
from dualmem_cli.profile.folded import Profile, write_folded
from dualmem_cli.profile.speedscope import write_speedscope
from dualmem_cli.profile.target import Target


@dataclass(frozen=True, slots=True)
class Captured:
    """A capture and the files it went to."""

    profile: Profile
    folded: Path
    speedscope: Path


@dataclass(frozen=True, slots=True)
class Refusal:
    """An engine that gave nothing: why, and what to do."""

    engine: str
    reason: str
    remedy: str

    def line(self) -> str:
        return f"{self.engine}: {self.reason}. Remedy: {self.remedy}"


@dataclass(frozen=True, slots=True)
class ProfileOutcome:
    """What `profile_case` did; at least one capture."""

    captures: tuple[Captured, ...]
    page: Path
    refusals: tuple[Refusal, ...]

    @property
    def profiles(self) -> tuple[Profile, ...]:
        return tuple(capture.profile for capture in self.captures)


def profile_case(
    target: Target, *, engines: Sequence[Engine], rate: int, directory: Path, stem: str, announce: Callable[[str], None]
) -> ProfileOutcome:
    """Sample the target with each engine in turn (together they would sample each other) and write `<stem>.<engine>.folded`,
    `<stem>.<engine>.speedscope.json` and `<stem>.html` into `directory`.

    An engine that cannot run never stops the next. `announce` gets one line before each capture, for a person who waits. Raises
    DualmemError (MEASUREMENT_FAILED) with all remedies when no engine gave a profile; nothing is written then.
    """
    profiles: list[Profile] = []
    refusals: list[Refusal] = []
    for engine in engines:
        announce(f"{engine.name}: sampling {target.title} for {target.seconds:g} s")
        with tempfile.TemporaryDirectory(prefix="dualmem-profile-") as scratch:
            try:
                profiles.append(engine.capture(target, rate=rate, directory=Path(scratch)))
            except DualmemError as error:
                refusals.append(Refusal(engine.name, error.what, error.hint))
    if not profiles:
        first, *others = refusals or [Refusal("profile", "no profiler was asked for", "--with pyspy or --with perf")]
        raise DualmemError(
            "; ".join([f"{first.engine}: {first.reason}", *(f"{other.engine}: {other.reason}" for other in others)]),
            hint=" ".join(f"Remedy{f' for {r.engine}' if others else ''}: {r.remedy.rstrip('.')}." for r in [first, *others])
            + " Nothing was measured.",
            status=ExitStatus.MEASUREMENT_FAILED,
        )
    directory.mkdir(parents=True, exist_ok=True)
    captures = tuple(_write(profile, directory, stem) for profile in profiles)
    page = directory / f"{stem}.html"
    page.write_text(render_page(profiles, title=target.title, subtitle=target.case_id), encoding="utf-8")
    return ProfileOutcome(captures, page, tuple(refusals))


def availability_report() -> list[tuple[str, bool, str, str]]:
    """For `dualmem doctor`: (tool, whether it works here, detail or reason, remedy or "") for each engine."""
    report = []
    for engine in ENGINES:
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


def _write(profile: Profile, directory: Path, stem: str) -> Captured:
    folded = directory / f"{stem}.{profile.engine}.folded"
    speedscope = directory / f"{stem}.{profile.engine}.speedscope.json"
    folded.write_text(write_folded(profile), encoding="utf-8")
    speedscope.write_text(write_speedscope([profile], name=profile.title), encoding="utf-8")
    return Captured(profile, folded, speedscope)

"""Two builds in turns: the order, the time, and what is said when a profiler is not there."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from dualmem_cli.errors import DualmemError, ExitStatus
from dualmem_cli.profile import turns
from dualmem_cli.profile.engines import Available, Unavailable
from dualmem_cli.profile.engines.engine import refuse
from dualmem_cli.profile.folded import Profile
from dualmem_cli.profile.target import Target
from dualmem_cli.profile.turns import best_engine, capture_in_turns


@dataclass(frozen=True)
class Scripted:
    """An engine that gives what it is told to, and remembers who asked."""

    name: str
    profile: Profile
    asked: list[str] = field(default_factory=list)
    missing: str = ""

    def availability(self) -> Available | Unavailable:
        if self.missing == "hangs":
            raise refuse("perf did not end within 20 s", "Sample for a shorter time.")
        return Unavailable(self.missing, f"install {self.name}") if self.missing else Available(self.name)

    def capture(self, target: Target, *, rate: int, directory: Path) -> Profile:
        assert directory.is_dir()
        self.asked.append(target.case_id)
        stacks = (((f"dm_x ({target.case_id}.so)",), 10),)
        return replace(self.profile, stacks=stacks, samples=10, title=target.title, rate_asked=float(rate))


@pytest.fixture
def pair(target: Target) -> tuple[Target, Target]:
    return replace(target, case_id="old"), replace(target, case_id="new", title="other words for it")


def test_drift_meets_both(pair: tuple[Target, Target], profile: Profile) -> None:
    engine = Scripted("perf", profile)
    heard: list[str] = []
    first, second = capture_in_turns(
        pair, engine=engine, rate=99, rounds=3, limit_s=60, announce=heard.append, labels={"old.so": "lib.so", "new.so": "lib.so"}
    )
    assert engine.asked == ["old", "new", "new", "old", "old", "new"]
    assert heard[1] == "perf: both builds of a target in turns, round 2 of 3"
    assert (first.samples, second.samples) == (30, 30)
    assert first.stacks == second.stacks == ((("dm_x (lib.so)",), 30),)
    assert first.title == second.title


def test_no_further_round_than_there_is_time_for(
    pair: tuple[Target, Target], profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 0.0, 3.0, 6.1])
    monkeypatch.setattr("dualmem_cli.profile.turns.time.monotonic", lambda: next(clock))
    engine = Scripted("perf", profile)
    capture_in_turns(pair, engine=engine, rate=99, rounds=9, limit_s=9.0, announce=lambda _: None)
    assert len(engine.asked) == 4, "three rounds would have taken 9.15 s"


@pytest.mark.parametrize(
    ("perf", "chosen", "told"),
    [
        ("", "perf", []),
        ("perf is not installed", "pyspy", ["perf: perf is not installed. Remedy: install perf"]),
        ("hangs", "pyspy", ["perf: perf did not end within 20 s. Remedy: Sample for a shorter time."]),
    ],
)
def test_the_best_that_is_there(
    profile: Profile, monkeypatch: pytest.MonkeyPatch, perf: str, chosen: str, told: list[str]
) -> None:
    monkeypatch.setattr(turns, "ENGINES", (Scripted("pyspy", profile), Scripted("perf", profile, missing=perf)))
    engine, refusals = best_engine()
    assert engine.name == chosen
    assert [refusal.line() for refusal in refusals] == told


def test_none_is_there(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = [Scripted(name, profile, missing=f"{name} is not installed") for name in ("pyspy", "perf")]
    monkeypatch.setattr(turns, "ENGINES", tuple(missing))
    with pytest.raises(DualmemError) as caught:
        best_engine()
    assert caught.value.status is ExitStatus.MEASUREMENT_FAILED
    assert str(caught.value) == (
        "perf: perf is not installed; pyspy: pyspy is not installed. Remedy for perf: install perf. Remedy for pyspy: install pyspy."
    )

"""One case through every engine: files, refusals, and engines that do not stop each other."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dualmem_cli.errors import DualmemError, ExitStatus
from dualmem_cli.profile import session
from dualmem_cli.profile.engines import COUNTERS, ENGINES, Available, Engine, Unavailable, find_engine
from dualmem_cli.profile.engines.engine import once, refuse
from dualmem_cli.profile.folded import Profile, read_folded
from dualmem_cli.profile.session import availability_report, profile_case
from dualmem_cli.profile.target import Target


@dataclass(frozen=True)
class Gives:
    """An engine that gives a known profile."""

    name: str
    profile: Profile

    def availability(self) -> Available | Unavailable:
        return Available(f"{self.name} 1.0")

    def capture(self, target: Target, *, rate: int, directory: Path) -> Profile:
        assert directory.is_dir()
        (directory / "raw").write_text("raw")
        return replace(self.profile, title=target.title, rate_asked=float(rate))


@dataclass(frozen=True)
class Refuses:
    """An engine that does not work here."""

    name: str
    crashes: bool = False

    def availability(self) -> Available | Unavailable:
        if self.crashes:
            raise refuse("the tool hangs", "Install another one.")
        return Unavailable(f"{self.name} is not installed", f"install {self.name}")

    def capture(self, target: Target, *, rate: int, directory: Path) -> Profile:
        raise refuse(f"{self.name} is not installed", f"install {self.name}")


@pytest.mark.parametrize("order", [1, -1])
def test_one_engine_never_stops_the_other(target: Target, profile: Profile, tmp_path: Path, order: int) -> None:
    engines: list[Engine] = [Refuses("perf"), Gives("pyspy", profile)]
    heard: list[str] = []
    outcome = profile_case(
        target, engines=engines[::order], rate=50, directory=tmp_path / "new" / "out", stem="case", announce=heard.append
    )
    assert [refusal.line() for refusal in outcome.refusals] == ["perf: perf is not installed. Remedy: install perf"]
    assert [p.rate_asked for p in outcome.profiles] == [50.0]
    assert sorted(path.name for path in outcome.page.parent.iterdir()) == [
        "case.html",
        "case.pyspy.folded",
        "case.pyspy.speedscope.json",
    ]
    (captured,) = outcome.captures
    assert read_folded(captured.folded.read_text(), source="x") == captured.profile
    assert json.loads(captured.speedscope.read_text())["profiles"][0]["endValue"] == 100
    assert heard[::order] == ["perf: sampling a target for 0.01 s", "pyspy: sampling a target for 0.01 s"]


def test_two_engines_share_a_page(target: Target, profile: Profile, tmp_path: Path) -> None:
    engines = [Gives("pyspy", profile), Gives("perf", replace(profile, engine="perf"))]
    outcome = profile_case(target, engines=engines, rate=50, directory=tmp_path, stem="case", announce=lambda _: None)
    assert outcome.page.read_text().count('role="tab"') == 2
    assert {path.name for path in tmp_path.iterdir()} == {
        "case.html",
        *(f"case.{engine}.{kind}" for engine in ("pyspy", "perf") for kind in ("folded", "speedscope.json")),
    }


def test_nobody_could(target: Target, tmp_path: Path) -> None:
    with pytest.raises(DualmemError) as caught:
        profile_case(
            target,
            engines=[Refuses("pyspy"), Refuses("perf")],
            rate=50,
            directory=tmp_path / "o",
            stem="case",
            announce=lambda _: None,
        )
    assert caught.value.status is ExitStatus.MEASUREMENT_FAILED
    assert str(caught.value) == (
        "pyspy: pyspy is not installed; perf: perf is not installed. "
        "Remedy for pyspy: install pyspy. Remedy for perf: install perf. Nothing was measured."
    )
    assert not (tmp_path / "o").exists()


def test_nobody_was_asked(target: Target, tmp_path: Path) -> None:
    with pytest.raises(DualmemError, match="no profiler was asked for"):
        profile_case(target, engines=[], rate=50, directory=tmp_path, stem="case", announce=lambda _: None)


def test_report_for_the_doctor(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "ENGINES", (Gives("a", profile), Refuses("b")))
    monkeypatch.setattr(session, "COUNTERS", (Refuses("c", crashes=True),))
    assert availability_report() == [
        ("a", True, "a 1.0", ""),
        ("b", False, "b is not installed", "install b"),
        ("c", False, "the tool hangs", "Install another one."),
    ]


def test_engines_by_name() -> None:
    assert [engine.name for engine in ENGINES] == ["pyspy", "perf"]
    assert find_engine("perf") is ENGINES[1]
    with pytest.raises(DualmemError, match="Did you mean 'pyspy'"):
        find_engine("py-spy")
    assert [find_engine(counter.name) for counter in COUNTERS] == list(COUNTERS)
    with pytest.raises(DualmemError, match="Choose from pyspy, perf, callgrind, counters, memory"):
        find_engine("vtune")


def test_an_engine_is_tried_once_for_each_path(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting:
        asked = 0

        @once
        def availability(self) -> Available:
            self.asked += 1
            return Available(str(self.asked))

    one, other = Counting(), Counting()
    monkeypatch.setenv("PATH", "/a")
    assert [one.availability().detail, one.availability().detail, other.availability().detail] == ["1", "1", "1"]
    monkeypatch.setenv("PATH", "/b")
    assert [one.availability().detail, one.availability().detail] == ["2", "2"]
    monkeypatch.setenv("PATH", "/a")
    assert one.availability().detail == "1"

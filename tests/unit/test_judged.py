"""What a scenario's [profile] needs, and what comes of it: engines, lines, the exit status."""

from pathlib import Path

import pytest

from dualmem_cli.cli.judged import not_measured, status_of, with_needed
from dualmem_cli.errors import ExitStatus
from dualmem_cli.model.scenario import ProfileLimits
from dualmem_cli.profile.engines import find_engine
from dualmem_cli.profile.marked import Marked, share_of
from dualmem_cli.profile.session import ProfileOutcome
from dualmem_cli.profile.twin import TwinCounts, TwinRow

NONE = ProfileLimits()
BOTH = ProfileLimits(("f",), 0.05, misses=0.1)


@pytest.mark.parametrize(
    ("asked", "limits", "run"),
    [
        (["pyspy"], NONE, ["pyspy"]),
        (["pyspy"], BOTH, ["pyspy", "perf", "callgrind"]),
        (["callgrind"], BOTH, ["callgrind"]),  # it knows both
        (["pyspy", "perf"], BOTH, ["pyspy", "perf", "callgrind"]),
        (["memory"], ProfileLimits(misses=0.1), ["memory", "callgrind"]),
        (["memory"], ProfileLimits(("f",), 0.05), ["memory", "perf"]),
        (["memory"], ProfileLimits(("f",)), ["memory"]),  # named, and not limited
    ],
)
def test_engines_that_limits_need(asked: list[str], limits: ProfileLimits, run: list[str]) -> None:
    assert [engine.name for engine in with_needed([find_engine(name) for name in asked], limits)] == run


def outcome(marked: int = -1, verdict: str = "") -> ProfileOutcome:
    share = share_of(Marked(((marked, 1000),), ()), engine="callgrind", unit="instructions", limit=0.05) if marked >= 0 else None
    twin = TwinCounts("two", "one", 1, 0.1, (TwinRow("l1d_misses", 1, 1, 0, 0, verdict),)) if verdict else None
    return ProfileOutcome((), Path("page"), (), (), (share,) if share else (), twin)


@pytest.mark.parametrize(
    ("found", "limits", "unknown", "status"),
    [
        (outcome(50, "ok"), BOTH, 0, ExitStatus.OK),
        (outcome(51, "ok"), BOTH, 0, ExitStatus.REGRESSION),
        (outcome(50, "MISSED"), BOTH, 0, ExitStatus.REGRESSION),
        (outcome(50, "NOT SHOWN"), BOTH, 0, ExitStatus.REGRESSION),
        (outcome(50), BOTH, 1, ExitStatus.MEASUREMENT_FAILED),
        (outcome(51), BOTH, 1, ExitStatus.REGRESSION),  # the worse news
        (outcome(), BOTH, 2, ExitStatus.MEASUREMENT_FAILED),
        (outcome(), NONE, 0, ExitStatus.OK),
    ],
)
def test_a_gate_that_measured_nothing_never_passes(
    found: ProfileOutcome, limits: ProfileLimits, unknown: int, status: ExitStatus
) -> None:
    lines = not_measured(found, limits)
    assert len(lines) == unknown
    assert status_of(found, lines) is status

"""`dualmem profile` on the real command line: a planted 10 % is there to the instruction, and what cannot be is one line."""

import shutil
from pathlib import Path

import pytest
from command_line import Dualmem

from dualmem_cli.profile.engines.callgrind import CallgrindEngine
from dualmem_cli.profile.engines.engine import Unavailable


def count(dualmem: Dualmem, subject: str) -> dict[str, float]:
    done = dualmem(
        "profile",
        dualmem.scenario(),
        "--with",
        "callgrind",
        "--library",
        dualmem.subject(subject),
        "--operations",
        "1000",
        "--json",
        "-q",
    )
    assert done.status == 0, done
    (counted,) = done.json["counted"]
    assert counted["operations"] == 1000
    assert (dualmem.folder / done.json["page"]).is_file()
    return {figure["name"]: figure["value"] for figure in counted["figures"]}


def test_callgrind_sees_a_planted_slowdown_to_the_instruction(dualmem: Dualmem) -> None:
    state = CallgrindEngine().availability()
    if isinstance(state, Unavailable):
        pytest.skip(f"callgrind: {state.reason}; {state.remedy}")
    plain, slower = count(dualmem, "ok"), count(dualmem, "slower_10")
    assert plain == count(dualmem, "ok")
    assert slower["instructions"] / plain["instructions"] == pytest.approx(1.10, abs=0.005)
    assert plain["allocator_calls"] == 0


def test_counters_and_memory_as_a_table(dualmem: Dualmem) -> None:
    done = dualmem(
        "profile",
        dualmem.scenario(),
        "--with",
        "counters",
        "--with",
        "memory",
        "--seconds",
        "0.3",
        "--library",
        dualmem.subject("ok"),
    )
    assert done.status == 0, done
    for words in ("minor faults", "peak resident", "operations touch no new memory", "page reports/"):
        assert words in done.out
    assert "counters: counting quick" in done.err


def test_an_engine_that_is_not_there_is_one_line(dualmem: Dualmem) -> None:
    git = shutil.which("git")
    (dualmem.folder / "bin").mkdir()
    if git:
        (dualmem.folder / "bin" / "git").symlink_to(git)
    done = dualmem(
        "profile",
        dualmem.scenario(),
        "--with",
        "callgrind",
        "--library",
        dualmem.subject("ok"),
        "-q",
        PATH=str(dualmem.folder / "bin"),
    )
    assert done.status != 0
    assert "callgrind: valgrind is not installed" in done.err
    assert "apt-get install valgrind" in done.err
    misspelt = dualmem("profile", dualmem.scenario(), "--with", "callgrnd")
    assert "Did you mean 'callgrind'?" in misspelt.err


def test_counts_of_two_builds_side_by_side(dualmem: Dualmem) -> None:
    state = CallgrindEngine().availability()
    if isinstance(state, Unavailable):
        pytest.skip(f"callgrind: {state.reason}; {state.remedy}")
    done = dualmem(
        *("profile", dualmem.scenario(), "--with", "callgrind", "--json", "-q"),
        *("--library", dualmem.subject("slower_10"), "--against", dualmem.subject("ok")),
    )
    assert done.status == 0, done
    (change,) = done.json["counted"]
    figures = {figure["name"]: figure for figure in change["figures"]}
    assert figures["instructions"]["candidate"] / figures["instructions"]["baseline"] == pytest.approx(1.10, abs=0.005)
    grown = change["functions"][0]
    assert grown["candidate"][0] > grown["baseline"][0]
    assert "instructions +10" in change["headline"]
    if shutil.which("objcopy"):
        assert [Path(line["file"]).name for line in grown["lines"]] == ["spin.h"] * len(grown["lines"]) != []
    assert list((dualmem.folder / "reports").glob("*profile-diff*.counts.json"))

"""`dualmem profile` on the real command line: a planted 10 % is there to the instruction, and what cannot be is one line."""

import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
from command_line import Done, Dualmem

from dualmem_cli.profile.engines.callgrind import CallgrindEngine
from dualmem_cli.profile.engines.engine import Unavailable
from dualmem_cli.profile.engines.inlined import missing_tools
from dualmem_cli.profile.engines.perf import PerfEngine
from dualmem_cli.profile.session import json_schema


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


TWO = """
[control]
kernel = "two_single"
[profile]
dual = ["{dual}"]
dual_share = "< 5 %"
misses = "< 10 %"
"""


def judged(dualmem: Dualmem, library: str | Path, *arguments: str, dual: str = "dual_only_*") -> Done:
    """A kernel and its single-type twin, of which every share and every miss is known (tests/subjects/two_types.h)."""
    scenario = dualmem.scenario(kernel="two", tail=TWO.format(dual=dual))
    return dualmem("profile", scenario, "--library", library, "--enforce-budgets", "--operations", "2", "-q", *arguments)


@pytest.fixture
def callgrind() -> None:
    state = CallgrindEngine().availability()
    if isinstance(state, Unavailable):
        pytest.skip(f"callgrind: {state.reason}; {state.remedy}")
    if missing_tools():
        pytest.skip(f"{missing_tools()} not there: apt-get install binutils")


@pytest.mark.usefixtures("callgrind")
@pytest.mark.parametrize(
    ("subject", "share", "more", "status"),
    [("two_types_2", 0.02, 0.02, 0), ("two_types_8", 0.08, 0.0, 1), ("two_types_misses", 0.02, 0.2, 1)],
)
def test_planted_overheads_are_found(dualmem: Dualmem, subject: str, share: float, more: float, status: int) -> None:
    done = judged(dualmem, dualmem.subject(subject), "--with", "callgrind", "--json")
    assert done.status == status, done
    jsonschema.Draft202012Validator(json_schema()).validate(done.json)
    (dual,) = done.json["dual_only"]
    assert (dual["unit"], dual["verdict"]) == ("instructions", "MISSED" if share > 0.05 else "ok")
    assert dual["share"] == pytest.approx(share, rel=0.2)  # a step is 4 or 5 instructions, by where it is compiled to
    assert [name for name, _ in dual["functions"]] == ["dual_only_inline"]
    twin = done.json["twin"]
    misses = {row["name"]: row for row in twin["rows"]}["l1d_misses"]
    assert misses["single"] == pytest.approx(2000, abs=3)  # as many lines
    assert misses["change"] == pytest.approx(more, abs=0.002)
    assert (misses["verdict"], twin["verdict"]) == (("MISSED",) * 2 if more > 0.1 else ("ok",) * 2)
    assert done.json["not_measured"] == twin["unmarked"] == []
    page = (dualmem.folder / done.json["page"]).read_text()
    assert f"Dual-only functions: {100 * dual['share']:.2f} % of " in page
    assert f"at most 10 %: {twin['verdict']}" in page


@pytest.mark.usefixtures("callgrind")
def test_what_hides_a_dual_only_function_is_said(dualmem: Dualmem, tmp_path: Path) -> None:
    library = dualmem.subject("two_types_8")
    misspelt = judged(dualmem, library, "--with", "callgrind", dual="dual_olny_inline")
    assert misspelt.status == 2
    assert 'no function of two_types_8.so is called "dual_olny_inline"' in misspelt.err
    assert "dual_only_inline" in misspelt.err
    forgotten = judged(dualmem, library, "--with", "callgrind", dual="touch")
    assert "two_single does not run " in forgotten.out
    assert "dual_only_inline (3." in forgotten.out
    stripped = tmp_path / "stripped.so"
    subprocess.run(["strip", "--strip-debug", "-o", stripped, library], check=True)
    blind = judged(dualmem, stripped, "--with", "callgrind")
    assert blind.status == 3
    assert "stripped.so has no debug information, so inlined functions are not seen" in blind.out
    assert "the share of the dual-only functions was not measured" in blind.err


def test_perf_samples_show_a_planted_share(dualmem: Dualmem) -> None:
    state = PerfEngine().availability()
    if isinstance(state, Unavailable):
        pytest.skip(f"perf: {state.reason}; {state.remedy}")
    if missing_tools():
        pytest.skip(f"{missing_tools()} not there: apt-get install binutils")
    scenario = dualmem.scenario(kernel="two", tail=TWO.format(dual="dual_only_*"))
    found = {}
    for subject in ("two_types_2", "two_types_8"):
        done = dualmem(
            *("profile", scenario, "--library", dualmem.subject(subject), "--with", "perf", "--rate", "999"),
            *("--seconds", "0.8", "--json", "-q"),
        )
        (found[subject],) = done.json["dual_only"]
        assert found[subject]["functions"][0][0] == "dual_only_inline"
    assert found["two_types_8"]["verdict"] in ("MISSED", "NOT SHOWN")  # samples are dealt by chance
    assert found["two_types_2"]["verdict"] in ("ok", "NOT SHOWN")
    assert found["two_types_2"]["share"] < found["two_types_8"]["share"]


def test_two_builds_are_not_judged(dualmem: Dualmem) -> None:
    both = dualmem("profile", dualmem.scenario(), "--against", dualmem.subject("ok"), "--enforce-budgets")
    assert both.status == 2
    assert "--enforce-budgets judges one build" in both.err

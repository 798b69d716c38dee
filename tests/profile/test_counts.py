"""Counts in the page, in JSON and through a session; the processors that a target is kept on."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
from flame_page import HOSTILE, Page

from dualmem_cli.errors import DualmemError
from dualmem_cli.model.units import count_text, count_title
from dualmem_cli.profile.counts import Counts, Figure, FunctionCost, LineCost, source_line
from dualmem_cli.profile.counts_section import quantity, size
from dualmem_cli.profile.engines import Available, Unavailable
from dualmem_cli.profile.engines.engine import refuse
from dualmem_cli.profile.flamegraph import render_page
from dualmem_cli.profile.folded import Profile, merge, read_folded, write_folded
from dualmem_cli.profile.process import run_child
from dualmem_cli.profile.session import profile_case
from dualmem_cli.profile.target import Target


@pytest.fixture
def counts(profile: Profile) -> Counts:
    exact = replace(profile, engine="callgrind", unit="instructions", rate_asked=0.0, rate_achieved=0.0)
    return Counts(
        title="a target",
        engine="callgrind",
        tool="valgrind-3.19.0",
        facts="valgrind-3.19.0: 8 operations counted",
        operations=8,
        figures=(
            Figure("instructions", "1/op", 1234.5),
            Figure("cycles", "1/op", None, "no such counter"),
            Figure("peak_resident", "B", 2048.0),
        ),
        functions=(FunctionCost("dot", "lib.so", "./dot.c", 2.0, (1000.0, 1.5, 0.0, 0.25), 1200.0),),
        lines=(
            LineCost("dot", "./dot.c", 7, (900.0, 1.5, 0.0, 0.25), "sum += a[i] * b[i];"),
            LineCost("dot", "./gone.c", 3, (100.0, 0.0, 0.0, 0.0), None),
        ),
        series=((0.0, 1024), (0.5, 2048), (1.0, 2048)),
        notes=("a note",),
        profile=exact,
    )


def test_the_page_has_function_and_source_tables(counts: Counts) -> None:
    assert counts.profile is not None
    page = Page(render_page([counts.profile], title="t", subtitle="s", counts=[counts]))
    for wanted in (
        ["instructions", "1,234", "per operation", ""],
        ["cycles", "not known", "", "no such counter"],
        ["peak resident", "2.0 KiB", "", ""],
        ["1,000", "1.5", "0", "0.25", "1,200", "2", "dot lib.so ./dot.c"],
        ["900", "1.5", "0", "0.25", "dot.c:7", "dot", "sum += a[i] * b[i];"],
        ["100", "0", "0", "0", "gone.c:3", "dot", ""],
    ):  # what stands behind a table counts as its last cell here
        assert any(row[:-1] == wanted[:-1] and row[-1].startswith(wanted[-1]) for row in page.rows), wanted
    assert [tag for tag, _ in page.elements].count("polyline") == 1
    assert not any("±" in cell for row in page.rows for cell in row[:-1])  # nothing was sampled


@pytest.mark.parametrize("name", HOSTILE)
def test_names_and_source_cannot_break_out(counts: Counts, name: str) -> None:
    function = replace(counts.functions[0], name=name, file=name, place=name)
    line = replace(counts.lines[0], function=name, file=name, source=name)
    bad = replace(
        counts, functions=(function,), lines=(line,), figures=(Figure(name, "1/op", None, name),), notes=(name,), facts=name
    )
    page = Page(render_page([], title="t", subtitle="s", counts=[bad]))
    plain = Page(render_page([], title="t", subtitle="s", counts=[counts]))
    allowed = {"svg", "polyline", "figure", "figcaption", "code", "span"}
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in plain.elements} | allowed
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)
    assert any(name in "".join(row) for row in page.rows) or "\n" in name


def test_numbers_for_a_person() -> None:
    assert [count_text(v) for v in (0, 3, 1234567.0, 1234.5, 0.25, 0.0001234567, 0.00000012, -0.5)] == [
        "0", "3", "1,234,567", "1,234", "0.25", "0.0001235", "1.20e-07", "-0.5",
    ]  # fmt: skip
    assert [size(v) for v in (0.0, 1023.0, 1536.0, 3.0 * 2**20, 2.0**31)] == ["0 B", "1023 B", "1.5 KiB", "3.0 MiB", "2.0 GiB"]
    assert count_title("l1d_misses") == "L1d misses"
    assert quantity(Figure("x", "1/op", 2.0, "", 0.5, 1.0, 3.0)) == ("2", "1 to 3; counted 50% of the time")


def test_source_text_of_absolute_and_relative_files(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("one\ntwo")
    cache: dict[str, list[str] | None] = {}
    assert source_line("./a.c", 2, [tmp_path / "elsewhere", tmp_path], cache) == "two"
    assert source_line(str(tmp_path / "a.c"), 1, [], cache) == "one"
    assert [source_line("./a.c", line, [tmp_path], cache) for line in (0, 3)] == [None, None]
    assert source_line("./b.c", 1, [tmp_path], cache) is None
    assert source_line(".", 1, [tmp_path], cache) is None


@dataclass(frozen=True)
class CountsThem:
    """A counting engine that gives known counts, or refuses."""

    counts: Counts | None
    name: str = "callgrind"

    def availability(self) -> Available | Unavailable:
        return Available("x")

    def count(self, target: Target, *, directory: Path) -> Counts:
        if self.counts is None:
            raise refuse("valgrind is not installed", "install it")
        return self.counts


def test_a_session_writes_counts_and_their_stacks(target: Target, counts: Counts, tmp_path: Path) -> None:
    engines = [
        CountsThem(counts),
        CountsThem(replace(counts, engine="memory", profile=None), "memory"),
        CountsThem(None, "counters"),
    ]
    heard: list[str] = []
    outcome = profile_case(target, engines=engines, rate=50, directory=tmp_path, stem="case", announce=heard.append)
    assert {path.name for path in tmp_path.iterdir()} == {
        "case.html", "case.callgrind.json", "case.callgrind.folded", "case.callgrind.speedscope.json", "case.memory.json",
    }  # fmt: skip
    assert heard[0] == "callgrind: counting a target"
    assert [refusal.line() for refusal in outcome.refusals] == ["counters: valgrind is not installed. Remedy: install it"]
    document = json.loads((tmp_path / "case.callgrind.json").read_text())
    assert document["figures"][1] == {
        "name": "cycles", "unit": "1/op", "value": None, "reason": "no such counter", "running": 1.0, "low": None, "high": None,
    }  # fmt: skip
    assert document["costs"] == ["instructions", "l1d_misses", "ll_misses", "branch_misses"]
    assert "profile" not in document
    assert outcome.profiles == (counts.profile,)
    assert (tmp_path / "case.html").read_text().count("<section ") == 3


def test_exact_profiles_are_kept_and_not_mixed(profile: Profile, counts: Counts) -> None:
    assert counts.profile is not None
    assert read_folded(write_folded(counts.profile), source="x") == counts.profile
    assert merge([counts.profile, counts.profile]).unit == "instructions"
    with pytest.raises(ValueError, match="cannot be added"):
        merge([counts.profile, replace(counts.profile, unit="samples")])
    assert "samples/s" not in counts.profile.line()
    old = write_folded(profile).replace(', "unit": "samples"', "")
    assert read_folded(old, source="x") == profile  # what was written before counts had units


def test_a_child_is_kept_on_its_processors() -> None:
    first = psutil.Process().cpu_affinity()[0]
    done = run_child(
        ["sh", "-c", "sleep 0.2; taskset -pc $$"], stdin="", environment={}, timeout_s=20.0, cpus=(first,), watch_s=0.02
    )
    assert done.text.rsplit(" ", 1)[1] == str(first)
    assert len(done.memory) >= 2
    with pytest.raises(DualmemError, match="nothing can run on processor 4096"):
        run_child(["sleep", "300"], stdin="", environment={}, timeout_s=20.0, cpus=(4096,))

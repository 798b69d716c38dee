"""dualmem trace, run as a person runs it."""

from pathlib import Path

import pytest
from command_line import Done, Dualmem

LOADS = Path(__file__).resolve().parents[2] / "scenarios" / "load"
LINES = """{"at": 0.25, "operation": "lookup", "key": 17}
{"at": 0.5, "operation": "update", "key": 3}
{"at": 1, "operation": "form"}
"""


def says(done: Done, *wanted: str) -> None:
    assert done.status == 2, done
    assert done.out == ""
    assert done.err.count("\n") == 1, done.err
    for text in wanted:
        assert text in done.err, done.err


@pytest.fixture
def lines(dualmem: Dualmem) -> Path:
    path = dualmem.folder / "a.jsonl"
    path.write_text(LINES)
    return path


def test_there_and_back(dualmem: Dualmem, lines: Path) -> None:
    done = dualmem("trace", "convert", "a.jsonl", "-o", "a.dmtrace")
    assert (done.status, done.out) == (0, "a.dmtrace: 3 operations of 3 kinds in 1.375 s, 2.18182 per second\n")
    assert dualmem("trace", "convert", "a.dmtrace", "-o", "b.jsonl").status == 0
    assert dualmem("trace", "convert", "b.jsonl", "--output", "b.dmtrace").status == 0
    assert (dualmem.folder / "b.dmtrace").read_bytes() == (dualmem.folder / "a.dmtrace").read_bytes()
    done = dualmem("trace", "show", "a.dmtrace")
    assert done.status == 0
    assert "a.dmtrace  3 operations in 1.375 s, 2.18182 per second" in done.out
    assert "converted from a.jsonl" in done.out
    (row,) = (line.split() for line in done.out.splitlines() if line.startswith("lookup"))
    assert row == ["lookup", "1", "33.3", "%", "0.727", "1", "17", "17", "100.0", "%", "100.0", "%"]


def test_a_narrow_terminal_hides_nothing(dualmem: Dualmem, lines: Path) -> None:
    dualmem("trace", "convert", "a.jsonl", "-o", "a.dmtrace")
    for command in (("trace", "show", "a.dmtrace"), ("kernels", dualmem.subject("ok"))):
        assert dualmem(*command, COLUMNS="20").out == dualmem(*command, COLUMNS="200").out


def test_mistakes(dualmem: Dualmem, lines: Path) -> None:
    says(dualmem("trace", "show", "gone.dmtrace"), "dualmem: gone.dmtrace: No such file or directory. Give the path of a trace.")
    says(
        dualmem("trace", "convert", "a.jsonl", "-o", "b.jsonl"), "one of the two must be JSON Lines. Let its name end in .jsonl."
    )
    lines.write_text(LINES + '{"at": 0.75, "operation": "form"}\n')
    says(dualmem("trace", "convert", "a.jsonl", "-o", "a.dmtrace"), "a.jsonl:4: at 0.75 s, before line 3 at 1 s. Give --sort")
    assert not (dualmem.folder / "a.dmtrace").exists()
    assert dualmem("trace", "convert", "--sort", "a.jsonl", "-o", "a.dmtrace").status == 0
    says(dualmem("trace", "convert", "--sort", "a.dmtrace", "-o", "b.jsonl"), "--sort and --from-first are about JSON Lines")
    says(dualmem("trace", "convert", "--sort", "a.jsonl", "-o", "a.jsonl/x.dmtrace"), "a.jsonl", "choose another file")


def test_make_of_a_shipped_scenario(dualmem: Dualmem, native_build: Path) -> None:
    """With the table of the library that is measured; the same trace twice."""
    library = native_build / "links" / "libdualmem.0.so"
    for file in ("one", "two"):
        done = dualmem("trace", "make", LOADS / "mixed_short.toml", "-o", f"{file}.dmtrace", "--library", library)
        assert done.status == 0, done
    assert (dualmem.folder / "one.dmtrace").read_bytes() == (dualmem.folder / "two.dmtrace").read_bytes()
    shown = dualmem("trace", "show", "one.dmtrace", "--json").json
    assert shown["note"]["source"] == "scenario mixed_short"
    assert {kind["name"] for kind in shown["kinds"]} >= {"lookup", "update", "insert_episode"}
    assert len(shown["digest"]) == 64


def test_make_refuses(dualmem: Dualmem, native_build: Path) -> None:
    library = native_build / "links" / "libdualmem.0.so"

    def make(scenario: Path, library: Path | str) -> Done:
        return dualmem("trace", "make", scenario, "-o", "x.dmtrace", "--library", library)

    says(make(dualmem.scenario(), library), 'it measures a kernel, and has no trace. A load scenario names a "workload"')
    says(make(LOADS / "wordnet.toml", library), "its trace is there already")
    short = (LOADS / "mixed_short.toml").read_text()
    path = dualmem.folder / "load.toml"
    path.write_text(short.replace("read = {", "reed = {"))
    says(make(path, library), '[mix] "reed" is not an operation of mixed/dual; did you mean "read"?')
    says(make(path, dualmem.subject("ok")), "a library without workloads")
    assert not (dualmem.folder / "x.dmtrace").exists()

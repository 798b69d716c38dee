"""A failed compare explains itself, with fakes of perf on PATH; and `dualmem profile --against`, `--diff`."""

import os
import signal
import time
from pathlib import Path

import pytest
from command_line import Done, Dualmem

# A perf that runs nothing: what it "recorded" follows from the library that the worker was asked to load.
SAMPLE = """dualmem-worker 1 1.{i:06d}: cpu-clock:
\t1 {leaf} ({library})
\t1 dm_step (/x/{place}.so)
\t1 dmx_timed_run (/x/dualmem-worker)

"""
PERF = """#!/bin/sh
case "$1" in
  --version) echo "perf version 6.1.187" ;;
  record)
    while [ "$1" != -o ]; do shift; done
    if [ "$4" = true ]; then exit 0; fi
    {record}
    cat > "$2" ;;
  evlist) echo cpu-clock ;;
  script)
    while [ "$1" != -i ]; do shift; done
    if grep -q "$FAKE_NEW" "$2"; then cat '{new}'; else cat '{old}'; fi ;;
esac
"""


@pytest.fixture
def perf(dualmem: Dualmem, tmp_path: Path) -> "Fake":
    return Fake(dualmem, tmp_path)


class Fake:
    """Puts a perf on the PATH of the command under test."""

    def __init__(self, dualmem: Dualmem, folder: Path) -> None:
        self.dualmem, self.folder = dualmem, folder / "bin"
        self.folder.mkdir()
        dualmem.environment["PATH"] = f"{self.folder}{os.pathsep}{dualmem.environment['PATH']}"

    def install(self, *, record: str = "", grown: int = 0) -> None:
        """`grown` of 300 samples of the candidate are in memcpy, called by dm_step."""
        sides = {}
        for side, copied in (("old", 0), ("new", grown)):
            sides[side] = self.folder / f"{side}.txt"
            sides[side].write_text(
                "".join(
                    SAMPLE.format(
                        i=i,
                        place=side,
                        leaf="memcpy" if i < copied else "dm_dot",
                        library="/lib/libc.so.6" if i < copied else f"/x/{side}.so",
                    )
                    for i in range(300)
                )
            )
        if not (self.folder / "valgrind").exists():  # the real one takes seconds
            (self.folder / "valgrind").write_text("#!/bin/sh\necho 'broken valgrind' >&2; exit 1\n")
            (self.folder / "valgrind").chmod(0o755)
        script = self.folder / "perf"
        script.write_text(PERF.format(record=record, **sides))
        script.chmod(0o755)

    def candidate(self) -> str:
        """The digest that names the file of the candidate's first link."""
        return str(self.dualmem.record("compare")["builds"][1]["links"][0]["sha256"])


def regressed(dualmem: Dualmem, *options: str, **environment: str) -> Done:
    return dualmem(
        "compare", *options, dualmem.scenario(samples=200), "--library", dualmem.subject("slower_10"), "--against", dualmem.subject("ok"),
        **environment,
    )  # fmt: skip


def page(dualmem: Dualmem) -> str:
    return max((dualmem.folder / "reports").glob("*-compare*.html"), key=lambda path: path.stat().st_mtime_ns).read_text()


def test_what_grew_is_said_in_the_same_report(dualmem: Dualmem, perf: Fake) -> None:
    perf.install(grown=60)
    before = regressed(dualmem, "--no-explain")
    assert before.status == 1, before
    assert "Why " not in before.out
    assert "<iframe" not in page(dualmem)
    known = dualmem.record("compare")
    done = regressed(dualmem, "--export=markdown=m.md", FAKE_NEW=perf.candidate())
    assert done.status == 1, done
    after = dualmem.record("compare")
    assert known["explanations"] == []
    (kept,) = after["explanations"]
    assert {**after, "explanations": []}.keys() == known.keys()
    assert kept["headline"].startswith("Grew: memcpy called by dm_step +20.0 points")
    again = dualmem("report", str(max((dualmem.folder / "reports").glob("*-compare*.json"))), "--format", "html")
    assert "Why quick plain is slower" in again.out, "told again from the record"
    assert "Grew: memcpy called by dm_step +20.0 points" in again.out
    assert again.out.count("<iframe") == 1
    assert "explaining [1/1] quick plain" in done.err
    assert done.out.index("exit 1 (regression)") < done.out.index("Why quick plain is slower"), "the verdict comes first"
    assert "Grew: memcpy called by dm_step +20.0 points" in done.out
    assert "adds to the time, %" in done.out, "+20 of a time that is 10 % longer"
    text = page(dualmem)
    assert "Grew: memcpy called by dm_step +20.0" in text
    assert text.count("<iframe") == 1
    assert "Grew: memcpy called by dm\\_step" in (dualmem.folder / "m.md").read_text()
    sides = sorted(str(path) for path in (dualmem.folder / "reports").glob("*why-1*.folded"))
    again = dualmem("profile", "--diff", *sides)
    assert again.status == 0, again
    assert "Grew: memcpy called by dm_step +20.0 points" in again.out
    same = dualmem("profile", "--diff", sides[0], sides[0])
    assert "The two profiles are the same, stack for stack: there is no difference to show." in same.out


def test_equal_shares_are_not_offered_as_an_explanation(dualmem: Dualmem, perf: Fake) -> None:
    perf.install()
    done = regressed(dualmem, "-q", "--json", FAKE_NEW="nowhere")
    assert done.status == 1, done
    assert done.err == ""
    (why,) = done.json["explanations"]
    assert "Not counted by callgrind: valgrind does not run (broken valgrind). apt-get install valgrind" in why["lines"][-1]
    assert [change["engine"] for change in why["counted"]] == ["counters"]
    text = page(dualmem)
    assert "nothing in them explains a change of speed" in text or "The two profiles are the same" in text
    assert "Grew:" not in text


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("echo 'Permission denied' >&2; exit 255", "Not sampled: permission denied"),
        ("echo 'something broke' >&2; exit 1", "Not sampled: perf record failed (something broke)"),
    ],
)
def test_a_profiler_that_fails_costs_a_sentence(dualmem: Dualmem, perf: Fake, record: str, words: str) -> None:
    perf.install(record=record)
    done = regressed(dualmem, "-q", FAKE_NEW="nowhere")
    assert done.status == 1, done
    assert words in page(dualmem)


def test_ctrl_c_keeps_the_verdict(dualmem: Dualmem, perf: Fake) -> None:
    started = perf.folder / "started"
    perf.install(record=f"touch '{started}'; sleep 60")
    process = dualmem.start(
        "compare",
        "-q",
        dualmem.scenario(samples=200),
        "--library",
        dualmem.subject("slower_10"),
        "--against",
        dualmem.subject("ok"),
    )
    end = time.monotonic() + 60
    while not started.exists() and time.monotonic() < end and process.poll() is None:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    done = dualmem.finish(process)
    assert done.status == 1, done
    assert dualmem.record("compare")["interrupted"] is False
    assert "The explanation was cut by an interruption; the verdict stands." in page(dualmem)


def test_a_pass_is_not_explained(dualmem: Dualmem, perf: Fake) -> None:
    perf.install(record=f"touch '{perf.folder / 'started'}'")
    done = dualmem(
        "compare", "-q", dualmem.scenario(samples=200), "--library", dualmem.subject("ok"), "--against", dualmem.subject("ok")
    )
    assert done.status in (0, 4), done
    assert not (perf.folder / "started").exists()


def test_two_builds_in_turns(dualmem: Dualmem, perf: Fake) -> None:
    perf.install(grown=60)
    assert regressed(dualmem, "--no-explain", "-q").status == 1
    done = dualmem(
        "profile", dualmem.scenario(), "--library", dualmem.subject("slower_10"), "--against", dualmem.subject("ok"),
        FAKE_NEW=perf.candidate(),
    )  # fmt: skip
    assert done.status == 0, done
    assert "Grew: memcpy called by dm_step +20.0 points" in done.out
    assert "Baseline 1,200 samples, candidate 1,200" in done.out
    kept = {path.name.partition(".")[2] for path in (dualmem.folder / "reports").glob("*profile-diff*")}
    assert kept == {"html", "png", "diff.folded", "baseline.folded", "candidate.folded"}
    sides = sorted((dualmem.folder / "reports").glob("*.baseline.folded")) + sorted(
        (dualmem.folder / "reports").glob("*.candidate.folded")
    )
    again = dualmem("profile", "--diff", *map(str, sides), "--json")
    assert again.status == 0, again
    assert again.json["samples"] == [1200, 1200]
    assert again.json["functions"][0]["name"] == "memcpy"
    assert again.json["functions"][0]["change"] == pytest.approx(0.2)
    assert (dualmem.folder / again.json["page"]).is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("profile",), "which scenario?"),
        (("profile", "x", "--diff", "a", "b"), "--diff compares two files and runs nothing"),
        (("profile", "--diff", "a.folded", "b.folded"), "a.folded: No such file or directory"),
        (("profile", "--diff", "quick.toml", "quick.toml"), "quick.toml:1: no capture facts"),
        (("profile", "x", "--against", "y", "--with", "pyspy", "--with", "perf"), "--against samples with one profiler"),
    ],
)
def test_mistakes(dualmem: Dualmem, arguments: tuple[str, ...], words: str) -> None:
    dualmem.scenario()
    done = dualmem(*arguments)
    assert done.status == 2, done
    assert words in done.err
    assert done.err.count("\n") == 1

"""py-spy: its raw format against a golden input, and its failures by a fake on PATH."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dualmem_cli.errors import DualmemError, ExitStatus
from dualmem_cli.profile.engines.engine import Unavailable
from dualmem_cli.profile.engines.pyspy import PyspyEngine, parse_raw
from dualmem_cli.profile.target import Target

Fake = Callable[[str, str], Path]
GOLDEN = Path(__file__).with_name("golden") / "pyspy.raw"

WORKING = f"""
[ "$1" = --version ] && {{ echo "py-spy 0.4.3"; exit 0; }}
echo "$@" >> "$0.log"
while [ "$1" != --output ]; do shift; done
out="$2"; shift 3
echo "py-spy> Sampling process 99 times a second. Press Control-C to exit."
echo "py-spy> 1.02s behind in sampling, results may be inaccurate. Try reducing the sampling rate" >&2
"$@"
sleep 0.05
echo "py-spy> Stopped sampling because process exited"
echo "py-spy> Wrote raw flamegraph data to '$out'. Samples: 161 Errors: 3"
cp '{GOLDEN}' "$out"
"""


def capture_fails(target: Target, folder: Path) -> DualmemError:
    with pytest.raises(DualmemError) as caught:
        PyspyEngine().capture(target, rate=99, directory=folder)
    assert caught.value.status is ExitStatus.MEASUREMENT_FAILED
    assert "\n" not in str(caught.value)
    assert "stack backtrace" not in str(caught.value).lower()
    assert caught.value.hint
    return caught.value


def test_golden_text() -> None:
    start = ("[unknown] (libc.so.6)", "<module> (loop.py)", "main (measure/loop.py)", "spin (measure/loop.py)")
    assert list(parse_raw(GOLDEN.read_text())) == [
        ((*start, "[cffi]", "[libffi]", "[libffi]", "[libffi]", "dm_dot_avx2 (libdualmem.so)"), 129),
        ((*start, "[cffi]", "[libffi]", "dm_dot_avx2 (libdualmem.so)"), 21),
        (("[unknown] (libc.so.6)", "<module> (loop.py)", "[import]", "[import]", "<module> (a;strange name.py)"), 6),
        ((*start, "[cpython]", "[cpython]"), 3),
        ((*start, "deflate (libz.so.1.2.13)", "[unknown] (libz.so.1.2.13)", "[unknown] (libz.so.1.2.13)"), 2),
    ]


@pytest.mark.parametrize("text", ["", "\n", "no count\n", "12\n", "a;b x\n"])
def test_lines_that_are_no_stack_are_passed_over(text: str) -> None:
    assert list(parse_raw(text)) == []


def test_brackets_that_never_balance_are_split_anyway() -> None:
    assert list(parse_raw("f (a;b;c 4\n")) == [(("f (a", "b", "c"), 4)]


def test_a_capture(target: Target, fake: Fake, tmp_path: Path) -> None:
    tool = fake("py-spy", WORKING)
    profile = PyspyEngine().capture(target, rate=99, directory=tmp_path)
    assert (profile.sampler, profile.engine) == ("py-spy 0.4.3", "pyspy")
    assert (profile.samples, profile.outside, profile.errors) == (155, 6, 3)
    # Both ways through cffi are one stack once the layers between are grouped.
    assert dict(profile.stacks)["spin (measure/loop.py)", "[cffi]", "[libffi]", "dm_dot_avx2 (libdualmem.so)"] == 150
    assert profile.unknown_share == pytest.approx(4 / (129 * 6 + 21 * 4 + 3 * 3 + 2 * 4))
    assert 0 < profile.seconds < 30
    assert profile.rate_achieved == pytest.approx(161 / profile.seconds)
    assert profile.notes == ("py-spy fell behind 1 times, by up to 1.02s: a lower rate is more accurate",)
    assert "record --native --nolineno --format raw --rate 99 --output" in Path(f"{tool}.log").read_text()


def test_the_target_stays_on_its_processor(target: Target, fake: Fake, tmp_path: Path) -> None:
    fake("py-spy", WORKING)
    assert "nothing can run on processor 4096" in str(capture_fails(replace(target, cpus=(4096,)), tmp_path))


def test_a_rate_that_would_starve_the_target_is_not_asked_for(target: Target, fake: Fake, tmp_path: Path) -> None:
    tool = fake("py-spy", WORKING)
    profile = PyspyEngine().capture(target, rate=997, directory=tmp_path)
    assert profile.rate_asked == 250.0
    assert profile.notes[0].startswith("997 samples/s were wanted; py-spy is kept at 250")
    assert "--rate 250 " in Path(f"{tool}.log").read_text()


def test_the_one_beside_the_interpreter_comes_first(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake("py-spy", "echo on PATH")
    assert getattr(PyspyEngine().availability(), "detail", None) == "on PATH"
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "elsewhere" / "python"))
    assert isinstance(PyspyEngine().availability(), Unavailable)


def test_missing(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    error = capture_fails(target, tmp_path)
    assert error.what == "py-spy is not installed"
    assert "pip install py-spy" in error.hint


@pytest.mark.parametrize(
    ("words", "reason", "remedy"),
    [
        (
            "Permission Denied: Try running again with elevated permissions by going 'sudo env \"PATH=$PATH\" !!'",
            "permission denied: this system forbids tracing even one's own child",
            "--cap-add SYS_PTRACE",
        ),
        ("Error: Operation not permitted (os error 1)", "permission denied", "ptrace_scope"),
        (
            "Error: Failed to find python version from target process\n\nStack backtrace:\n   0: anyhow",
            "py-spy found no Python it knows",
            "--upgrade",
        ),
        (
            "Error: Failed to create process '/x/python': No such file (os error 2)",
            "the Python target could not be started",
            "Check",
        ),
        ("Error: something new\n\nStack backtrace:\n   0: anyhow", "py-spy failed (something new)", "--with perf"),
        ("", "py-spy failed (exit 1)", "--with perf"),
    ],
)
def test_unfriendly_texts_become_one_line(
    target: Target, fake: Fake, tmp_path: Path, words: str, reason: str, remedy: str
) -> None:
    said = tmp_path / "said.txt"
    said.write_text(words)
    fake("py-spy", f"[ \"$1\" = --version ] && {{ echo py-spy 0.4; exit 0; }}\ncat '{said}' >&2; exit 1")
    error = capture_fails(target, tmp_path)
    assert error.what.startswith(reason)
    assert remedy in error.hint


def test_broken_tool(target: Target, fake: Fake, tmp_path: Path) -> None:
    fake("py-spy", "echo 'bad interpreter' >&2; exit 126")
    assert "bad interpreter" in capture_fails(target, tmp_path).what


def test_target_crashes(target: Target, fake: Fake, tmp_path: Path) -> None:
    """py-spy exits with 0 whatever becomes of its child, so an early end is what gives a crash away."""
    fake("py-spy", WORKING)
    crashing = replace(target, seconds=30.0, python_argv=("sh", "-c", "echo 'KeyError: no such kernel' >&2; exit 1"))
    error = capture_fails(crashing, tmp_path)
    assert "ended after" in error.what
    assert "KeyError: no such kernel" in error.what


def test_no_samples(target: Target, fake: Fake, tmp_path: Path) -> None:
    fake("py-spy", WORKING.replace(str(GOLDEN), "/dev/null"))
    assert "no sample" in capture_fails(target, tmp_path).what


LOOP = """
import sys, time, zlib

def work(block):
    zlib.crc32(block)

def spin(seconds):
    end, block = time.perf_counter() + seconds, bytes(1 << 22)
    while time.perf_counter() < end:
        work(block)

spin(float(sys.argv[1]))
"""


def test_real_capture(target: Target, tmp_path: Path) -> None:
    state = PyspyEngine().availability()
    if isinstance(state, Unavailable):
        pytest.skip(f"py-spy: {state.reason}; {state.remedy}")
    script = tmp_path / "loop.py"
    script.write_text(LOOP)
    real = replace(target, python_argv=(sys.executable, str(script), "1.5"), seconds=1.5)
    try:
        profile = PyspyEngine().capture(real, rate=99, directory=tmp_path)
    except DualmemError as error:
        if "permission" in error.what:
            pytest.skip(str(error))
        raise
    print(profile.line())
    assert profile.samples > 20
    assert {stack[0] for stack, _ in profile.stacks} == {"spin (loop.py)"}
    below = [stack for stack, _ in profile.stacks if "work (loop.py)" in stack and stack[-1] != "work (loop.py)"]
    assert below, "no C frame was seen below Python"

"""perf: its text against a golden input, and its failures by a fake on PATH."""

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dualmem_cli.errors import DualmemError, ExitStatus
from dualmem_cli.profile.engines.engine import Available, Unavailable
from dualmem_cli.profile.engines.perf import PerfEngine
from dualmem_cli.profile.engines.perf_script import parse_script
from dualmem_cli.profile.target import Target

Fake = Callable[[str, str], Path]
GOLDEN = Path(__file__).with_name("golden") / "perf_script.txt"

WORKING = f"""
log() {{ echo "$@" >> "$0.log"; }}
case "$1" in
  --version) echo "perf version 6.1.187" ;;
  record)
    log "$@"
    while [ "$1" != -o ]; do shift; done
    echo data > "$2"; shift 3
    "$@"; status=$?
    echo "[ perf record: Captured and wrote 0.5 MB (7 samples) ]" >&2
    exit $status ;;
  evlist) echo "${{FAKE_EVENT-cpu-clock}}" ;;
  script) log "$@"; cat '{GOLDEN}' ;;
  *) echo "unexpected $1" >&2; exit 99 ;;
esac
"""


@pytest.fixture
def engine(tmp_path: Path) -> PerfEngine:
    """On a machine without counters and with Debian's setting."""
    (tmp_path / "devices" / "software").mkdir(parents=True)
    (tmp_path / "paranoid").write_text("3\n")
    return PerfEngine(devices=tmp_path / "devices", paranoid=tmp_path / "paranoid")


def capture_fails(engine: PerfEngine, target: Target, folder: Path) -> DualmemError:
    with pytest.raises(DualmemError) as caught:
        engine.capture(target, rate=99, directory=folder)
    assert caught.value.status is ExitStatus.MEASUREMENT_FAILED
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def test_golden_text() -> None:
    with GOLDEN.open(encoding="utf-8") as lines:
        script = parse_script(lines)
    call = "std::vector<int, my alloc>::operator()(int; char) const (libdualmem.so)"
    assert dict(script.stacks) == {
        (
            "__libc_start_main (libc.so.6)",
            "main (dualmem-worker)",
            "dm_similarity_setup (libdualmem.so)",
            "__memset_avx2_unaligned_erms (libc.so.6)",
            "[kernel]",
            "[kernel]",
        ): 1,
        ("main (dualmem-worker)", "dmx_execute (dualmem-worker)", call, "dm_dot_avx2 (libdualmem.so)"): 2,
        ("dmx_execute (dualmem-worker)", "folded_in (inlined)", "__read (libc.so.6)", "[kernel]", "[kernel]"): 1,
        (
            "dmx_execute (dualmem-worker)",
            "jitted ([JIT] tid 6680)",
            "[unknown]",
            "[unknown] (plugin (old).so)",
            "[unknown] (plugin (old).so)",
        ): 1,
        ("[unknown]",): 1,
        ("dmx_execute (dualmem-worker)", "[vdso]"): 1,
    }
    assert script.lost == 6  # 4 + 2 as they happened; the total of 5 at the end is the same loss again
    assert script.seconds == pytest.approx(0.1)


@pytest.mark.parametrize("text", ["", "\n\n", "\tdead beef\n", "x\n\t\n\n"])
def test_damaged_text_is_survived(text: str) -> None:
    assert parse_script(text.splitlines(keepends=True)).seconds == 0.0


def test_a_capture(engine: PerfEngine, target: Target, fake: Fake, tmp_path: Path) -> None:
    tool = fake("perf", WORKING)
    profile = engine.capture(target, rate=99, directory=tmp_path)
    assert (profile.sampler, profile.event, profile.engine) == ("perf 6.1.187", "cpu-clock", "perf")
    assert (profile.samples, profile.outside, profile.errors) == (5, 2, 6)
    assert profile.rate_achieved == pytest.approx(70)
    assert profile.unknown_share == pytest.approx(3 / 18)
    assert all(stack[0] == "dmx_execute (dualmem-worker)" for stack, _ in profile.stacks)
    assert profile.notes == ()
    used = Path(f"{tool}.log").read_text()
    assert "-e cpu-clock -F 99 --call-graph dwarf,8192 -o" in used
    assert "script --no-inline" in used


def test_the_target_stays_on_its_processor(engine: PerfEngine, target: Target, fake: Fake, tmp_path: Path) -> None:
    fake("perf", WORKING)
    said = capture_fails(engine, replace(target, cpus=(4096,)), tmp_path)
    assert "nothing can run on processor 4096" in str(said)


def test_cycles_are_asked_for_where_there_are_counters_and_the_event_is_read_back(
    engine: PerfEngine, target: Target, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = fake("perf", WORKING)
    (tmp_path / "devices" / "cpu").mkdir()
    for listed, note in {
        "cpu-clock": "cycles was asked for, the machine gave cpu-clock",
        "cycles": "",
        "cpu_core/cycles/": "",
    }.items():
        monkeypatch.setenv("FAKE_EVENT", listed)
        profile = engine.capture(target, rate=99, directory=tmp_path)
        assert profile.event == listed
        assert profile.notes == ((note,) if note else ())
    assert "-e cycles" in Path(f"{tool}.log").read_text()


def test_an_invisible_kernel_is_said(
    engine: PerfEngine, target: Target, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake("perf", WORKING)
    monkeypatch.setenv("FAKE_EVENT", "cpu-clock:uH")
    (note,) = engine.capture(target, rate=99, directory=tmp_path).notes
    assert "kernel is not visible" in note


def test_a_focus_that_is_not_there_is_said(engine: PerfEngine, target: Target, fake: Fake, tmp_path: Path) -> None:
    fake("perf", WORKING)
    profile = engine.capture(replace(target, focus=("inlined_away",)), rate=99, directory=tmp_path)
    assert profile.samples == 7
    assert profile.notes == ("start-up is included: no frame is called inlined_away",)


def test_missing(engine: PerfEngine, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    state = engine.availability()
    assert isinstance(state, Unavailable)
    assert state.reason == "perf is not installed"
    assert "apt-get install linux-perf" in state.remedy
    assert capture_fails(engine, target, tmp_path).what == "perf is not installed"


@pytest.mark.parametrize(
    ("paranoid", "reason", "remedy"),
    [
        ("3", "permission denied (perf_event_paranoid is 3)", "sudo sysctl kernel.perf_event_paranoid=1, or --with pyspy"),
        ("1", "permission denied, though perf_event_paranoid is 1: a container forbids perf_event_open", "--cap-add PERFMON"),
        ("junk", "permission denied", "--with pyspy"),
    ],
)
def test_denied(engine: PerfEngine, target: Target, fake: Fake, tmp_path: Path, paranoid: str, reason: str, remedy: str) -> None:
    (tmp_path / "paranoid").write_text(paranoid)
    fake(
        "perf",
        '[ "$1" = --version ] && { echo perf version 5; exit; }\n'
        "echo 'Error:\nAccess to performance monitoring and observability operations is limited.' >&2\n"
        "echo 'Consider adjusting /proc/sys/kernel/perf_event_paranoid setting to open' >&2\nexit 255",
    )
    error = capture_fails(engine, target, tmp_path)
    assert error.what == reason
    assert remedy in error.hint


def test_perf_of_another_kernel(engine: PerfEngine, target: Target, fake: Fake, tmp_path: Path) -> None:
    fake(
        "perf", "echo 'WARNING: perf not found for kernel 6.5.0-14\n\n  You may need to install linux-tools-6.5.0-14' >&2; exit 2"
    )
    error = capture_fails(engine, target, tmp_path)
    assert error.what == f"perf is for another kernel than the running {os.uname().release}"
    assert "linux-tools-$(uname -r)" in error.hint


def test_record_fails(engine: PerfEngine, target: Target, fake: Fake, tmp_path: Path) -> None:
    fake(
        "perf",
        WORKING.replace('log "$@"\n', '[ "$4" = -F ] || [ "$5" = -F ] && { echo "Error:\nno such thing" >&2; exit 255; }\n', 1),
    )
    error = capture_fails(engine, target, tmp_path)
    assert error.what == "perf record failed (no such thing)"


def test_script_fails(engine: PerfEngine, target: Target, fake: Fake, tmp_path: Path) -> None:
    fake("perf", WORKING.replace('script) log "$@";', "script) echo 'incompatible file format' >&2; exit 1;"))
    assert "incompatible file format" in capture_fails(engine, target, tmp_path).what


def test_no_samples(engine: PerfEngine, target: Target, fake: Fake, tmp_path: Path) -> None:
    fake("perf", re.sub(r"script\) .*", "script) exit 0 ;;", WORKING))
    assert capture_fails(engine, target, tmp_path).what == "perf took no sample of the target"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("kill -SEGV $$", "SIGSEGV"),
        ("exit 3", "exit status 3"),
        (
            """echo '{"event":"error","phase":"setup","arm":0,"status":2,"message":"count must be even"}'; exit 3""",
            "setup: count must be even",
        ),
        ("""echo '{"event":"crash","signal":11,"phase":"spin","arm":0}'; kill -SEGV $$""", "SIGSEGV in phase spin"),
        ("""echo '{broken'; exit 4""", "exit status 4"),
    ],
)
def test_target_fails(engine: PerfEngine, target: Target, fake: Fake, tmp_path: Path, program: str, words: str) -> None:
    fake("perf", WORKING)
    error = capture_fails(engine, replace(target, native_argv=("sh", "-c", program)), tmp_path)
    assert error.what == f"the target failed under perf ({words})"


REAL = r"""
#include <stdio.h>
#include <time.h>
volatile double sink;
__attribute__((noinline)) double hot(int n) { double s = 0; for (int i = 1; i < n; i++) s += 1.0 / i; return s; }
__attribute__((noinline)) void dmx_execute(void) { sink += hot(3000) + 1; sink += hot(1000) + 2; }
int main(void) {
    char line[64]; double seconds = 0;
    while (fgets(line, sizeof line, stdin)) sscanf(line, "seconds %lf", &seconds);
    for (clock_t end = clock() + (clock_t)(seconds * CLOCKS_PER_SEC); clock() < end;) dmx_execute();
    return 0;
}
"""


def test_real_capture(target: Target, tmp_path: Path) -> None:
    engine = PerfEngine()
    state = engine.availability()
    compiler = shutil.which("cc") or shutil.which("gcc")
    if isinstance(state, Unavailable) or compiler is None:
        pytest.skip(f"perf: {state.reason}; {state.remedy}" if isinstance(state, Unavailable) else "no C compiler for the target")
    assert isinstance(state, Available)
    (tmp_path / "spin.c").write_text(REAL)
    assert os.spawnl(os.P_WAIT, compiler, compiler, "-O1", "-g0", "-o", str(tmp_path / "spin"), str(tmp_path / "spin.c")) == 0
    real = replace(target, native_argv=(str(tmp_path / "spin"),), native_stdin="seconds 0.5\n", seconds=0.5)
    profile = engine.capture(real, rate=199, directory=tmp_path)
    shares = {
        name: sum(count for stack, count in profile.stacks if name in stack) for name in ("dmx_execute (spin)", "hot (spin)")
    }
    print(profile.line())
    assert profile.samples > 20
    assert shares["dmx_execute (spin)"] == profile.samples  # the focus was found, the unwinder reached it from the leaf
    assert shares["hot (spin)"] > 0.9 * profile.samples
    assert profile.event

"""callgrind: its failures by a fake on PATH, and real counts that are the same every time."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dualmem_cli.errors import DualmemError, ExitStatus
from dualmem_cli.profile.counts import Counts
from dualmem_cli.profile.engines.callgrind import CallgrindEngine
from dualmem_cli.profile.engines.engine import Available, Unavailable
from dualmem_cli.profile.target import Target

Fake = Callable[[str, str], Path]
GOLDEN = Path(__file__).with_name("golden") / "callgrind.out"

# Runs the target, and "writes" the golden profile as each of its dumps. `true` is what availability() tries.
WORKING = f"""
[ "$1" = --version ] && {{ echo valgrind-3.19.0; exit; }}
echo "$@" > "$0.log"; env > "$0.env"
for word; do case "$word" in --callgrind-out-file=*) out="${{word#*=}}" ;; esac; done
while [ "${{1#--}}" != "$1" ]; do shift; done
[ "$1" = true ] && {{ echo > "$out"; exit; }}
for part in 1 2 3 4; do cp '{GOLDEN}' "$out.$part"; done
exec "$@"
"""


def count_fails(target: Target, folder: Path, *, timeout_s: float = 60.0) -> DualmemError:
    with pytest.raises(DualmemError) as caught:
        CallgrindEngine(timeout_s=timeout_s).count(target, directory=folder)
    assert caught.value.status is ExitStatus.MEASUREMENT_FAILED
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def test_counts(counted: Target, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    tool = fake("valgrind", WORKING)
    counts = CallgrindEngine().count(counted, directory=tmp_path)
    assert counts.operations == 64  # the target said 100
    assert counts.facts.startswith(
        "valgrind-3.19.0: 64 operations counted, caches I1 32768,8,64, D1 32768,8,64, LL 8388608,16,64"
    )
    assert {figure.name: figure.value for figure in counts.figures} == {
        "instructions": (11396 - 2084) / 64,
        "l1d_misses": 0,
        "ll_misses": 0,
        "branch_misses": (51 - 17) / 64,
        "l1i_misses": 0,
        "branches": (1777 - 273 + 160 - 64) / 64,
        "allocator_calls": 32 / 64,  # operator new and the malloc in it are one
    }
    assert counts.functions[0].name.startswith("double fold<double, dmx_timed_run::{lambda(double, double)#1}>")
    assert (counts.functions[0].costs[0], counts.functions[0].calls) == (2688 / 64, 16 / 64)
    assert "dmx_timed_run" not in {function.name for function in counts.functions}
    assert counts.profile is not None
    assert (counts.profile.samples, counts.profile.unit, counts.profile.exact) == (11396 - 2084, "instructions", True)
    assert "9,312 instructions counted" in counts.profile.line()
    frames = {frame for stack, _ in counts.profile.stacks for frame in stack}
    assert "even(int) (a work)" in frames
    assert not any("'2" in frame for frame in frames)
    assert any(note.startswith("without source text, since it is not here: ") for note in counts.notes)
    used = Path(f"{tool}.log").read_text()
    for option in ("--I1=32768,8,64", "--dump-before=dmx_timed_run", "--zero-before=dmx_timed_run", "--dump-after=dmx_timed_run"):
        assert option in used
    variables = Path(f"{tool}.env").read_text()
    assert "MALLOC_ARENA_MAX" not in variables
    assert "GLIBC_TUNABLES=glibc.cpu.x86_data_cache_size=32768:" in variables
    assert "DUALMEM_TEST=1" in variables


def test_source_text_is_found_below_the_sources(counted: Target, fake: Fake, tmp_path: Path) -> None:
    golden = tmp_path / "here.out"
    golden.write_text(GOLDEN.read_text().replace("/src/with space/inner.h", "./inner.h"))
    (tmp_path / "src" / "inner.h").write_text("one\ntwo\n    return a * 0.5 + b; // </code>\n")
    fake("valgrind", WORKING.replace(str(GOLDEN), str(golden)))
    counts = CallgrindEngine().count(counted, directory=tmp_path)
    (line,) = (line for line in counts.lines if line.file == "./inner.h")
    assert (line.where, line.source, line.costs[0]) == ("inner.h:3", "    return a * 0.5 + b; // </code>", 1024 / 64)


def test_threads_and_other_work_are_said(counted: Target, fake: Fake, tmp_path: Path) -> None:
    other = tmp_path / "other.out"
    other.write_text(GOLDEN.read_text().replace("3281 160 0 96", "3281 9160 0 96").replace("totals: 11396", "totals: 20396"))
    fake("valgrind", WORKING.replace('exec "$@"', f'cp \'{other}\' "$out.4"; exec "$@"'))
    assert counted.work is not None
    notes = CallgrindEngine().count(replace(counted, work=replace(counted.work, threads=2)), directory=tmp_path).notes
    assert any(note.startswith("2 threads were counted together") for note in notes)
    assert any("other work than the first (+96.6%)" in note for note in notes)


def test_missing(counted: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    state = CallgrindEngine().availability()
    assert isinstance(state, Unavailable)
    assert state.reason == "valgrind is not installed"
    assert "apt-get install valgrind" in state.remedy
    assert count_fails(counted, tmp_path).what == "valgrind is not installed"


REDIRECTION = """
[ "$1" = --version ] && { echo valgrind-3.19.0; exit; }
echo 'valgrind:  Fatal error at startup: a function redirection' >&2
echo 'valgrind:  which is mandatory for this platform-tool combination' >&2
exit 1
"""


@pytest.mark.parametrize(
    ("script", "what", "hint"),
    [
        ("echo 'no such file' >&2; exit 127", "valgrind does not run (no such file)", "apt-get install valgrind"),
        (REDIRECTION, "valgrind cannot count (Fatal error at startup: a function redirection)", "apt-get install libc6-dbg"),
        (WORKING.replace('exec "$@"', "exit 1"), "valgrind failed (exit status 1)", "--with perf"),
        (
            WORKING.replace('exec "$@"', "echo '==1== valgrind: mmap failed: out of memory' >&2; exit 1"),
            "valgrind failed (mmap failed: out of memory)",
            "--with perf",
        ),
        (
            WORKING.replace('exec "$@"', "echo 'vex amd64->IR: unhandled instruction bytes: 0x62' >&2; kill -ILL $$"),
            "the target died of SIGILL: valgrind does not know one of its instructions",
            "--case of another variant",
        ),
        (
            WORKING.replace('exec "$@"', """echo '{"event":"crash","signal":4,"phase":"check","arm":0}'; exit 132"""),
            "the target died of SIGILL: valgrind does not know one of its instructions",
            "--case of another variant",
        ),
        (
            WORKING.replace(
                'exec "$@"',
                """echo '{"event":"error","phase":"supported","arm":0,"status":0,"message":"needs AVX-512"}'; exit 3""",
            ),
            "the variant does not run under valgrind (needs AVX-512)",
            "--case of another variant",
        ),
        (
            WORKING.replace('exec "$@"', """echo '{"event":"crash","signal":11,"phase":"check","arm":0}'; exit 139"""),
            "the target failed under valgrind (SIGSEGV in phase check)",
            "dualmem bench",
        ),
        (WORKING.replace("1 2 3 4", ""), "callgrind wrote no profile of dmx_timed_run", "stripped"),
        (
            WORKING.replace("cp '", "head -n 40 '").replace('" "$out', '" > "$out').replace("' \"$out", "' > \"$out"),
            "damaged",
            "--with perf",
        ),
        (
            WORKING.replace("cp '", "sed s/dump-after/dump-before/ '").replace("' \"$out", "' > \"$out"),
            "did not see dmx_timed_run end",
            "perf",
        ),
    ],
)
def test_failures(counted: Target, fake: Fake, tmp_path: Path, script: str, what: str, hint: str) -> None:
    fake("valgrind", script)
    error = count_fails(counted, tmp_path)
    assert what in error.what
    assert hint in error.hint


def test_a_timeout_ends_everything(counted: Target, fake: Fake, tmp_path: Path) -> None:
    fake("valgrind", WORKING.replace('exec "$@"', f"echo $$ > '{tmp_path}/pid'; sleep 300 & wait"))
    error = count_fails(counted, tmp_path, timeout_s=1.0)
    assert error.what == "valgrind did not end within 1 s"
    assert "--operations" in error.hint
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_the_target_fails_before_it_is_counted(counted: Target, fake: Fake, tmp_path: Path) -> None:
    fake("valgrind", WORKING)
    broken = replace(
        counted, native_argv=("sh", "-c", """echo '{"event":"error","phase":"setup","message":"count must be even"}'; exit 3""")
    )
    assert count_fails(broken, tmp_path).what == "the target failed (setup: count must be even)"
    silent = replace(counted, native_argv=("sh", "-c", "echo hello"))
    assert count_fails(silent, tmp_path).what == "the target did not say what it ran"
    assert count_fails(replace(counted, work=None), tmp_path).what == "this target's work cannot be cut into samples"


REAL = r"""
#include <stdio.h>
#include <stdlib.h>
static void *volatile kept;
__attribute__((noinline)) static unsigned step(unsigned n) {
    __asm__ volatile("nop\n nop\n nop\n nop\n nop\n" : "+r"(n));
    return n;
}
__attribute__((noinline)) unsigned run(unsigned n) {
    for (unsigned i = 0; i < n; i++) { step(i); kept = malloc(16); free(kept); }
    return n;
}
unsigned dmx_timed_run(unsigned n);
__attribute__((noinline)) unsigned dmx_timed_run(unsigned n) { n = run(n); __asm__ volatile("" : "+r"(n)); return n; }
int main(void) {
    unsigned operations, samples;
    if (scanf("%u %u", &operations, &samples) != 2) return 2;
    if (operations == 0) operations = 100;
    for (unsigned i = 0; i < 1000 + operations % 7; i++) run(1); /* preparing */
    for (unsigned i = 0; i < samples; i++) { run(operations / 8); dmx_timed_run(operations); }
    printf("{\"event\":\"samples\",\"iterations\":[%u],\"wall_ns\":[1000000]}\n{\"event\":\"done\"}\n", operations);
    return 0;
}
"""


@pytest.fixture
def real(counted: Target, tmp_path: Path) -> Target:
    state = CallgrindEngine().availability()
    compiler = shutil.which("cc") or shutil.which("gcc")
    if isinstance(state, Unavailable) or compiler is None:
        pytest.skip(
            f"callgrind: {state.reason}; {state.remedy}" if isinstance(state, Unavailable) else "no C compiler for the target"
        )
    assert isinstance(state, Available)
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "work.c").write_text(REAL)
    subprocess.run([compiler, "-O1", "-g", "-o", folder / "work", folder / "work.c"], check=True)
    return replace(counted, native_argv=(str(folder / "work"),))


def test_real_counts_are_those_of_the_operations_and_the_same_every_time(
    real: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Counts] = []
    for run in range(3):
        monkeypatch.setenv("DUALMEM_PADDING", "x" * run * 1000)
        (tmp_path / str(run)).mkdir()
        found.append(CallgrindEngine().count(real, directory=tmp_path / str(run)))
    assert found[0] == found[1] == found[2]
    counts = found[0]
    functions = {function.name: function for function in counts.functions}
    assert functions["step"].calls == 1  # the lead's calls are not among them
    assert 6 <= functions["step"].costs[0] <= 8  # five nops, a move perhaps, and the return
    assert counts.figure("allocator_calls").value == 1
    assert functions["run"].inclusive == counts.figure("instructions").value
    (nops,) = (line for line in counts.lines if line.source and "nop" in line.source)
    assert 5 <= nops.costs[0] <= 7


def test_real_counts_depend_on_their_number_by_the_start_of_a_run_only(real: Target, tmp_path: Path) -> None:
    assert real.work is not None
    totals = {}
    for operations in (64, 640, 1216):
        counts = CallgrindEngine().count(replace(real, work=replace(real.work, operations=operations)), directory=tmp_path)
        assert counts.operations == operations
        assert counts.profile is not None
        totals[operations] = counts.profile.samples
    assert totals[1216] - totals[640] == pytest.approx(totals[640] - totals[64], abs=64)  # malloc trims now and then
    assert 0 <= totals[64] - (totals[640] - totals[64]) / 9 < 100


def test_every_kind_of_miss_counts(counted: Target, fake: Fake, tmp_path: Path) -> None:
    """events: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw Bc Bcm Bi Bim"""
    line, totals = "3350 64 0 0 0 0 0 0 0 0 32\n", "totals: 11396 2663 1446 0 0 0 0 0 0 1777 51 160\n"
    text = GOLDEN.read_text()
    assert (text.count(line), text.count(totals)) == (1, 1)
    missing = tmp_path / "missing.out"
    missing.write_text(
        text.replace(line, "3350 64 0 0 1 2 4 8 16 32 32 64 0 128\n").replace(
            totals, "totals: 11396 2663 1446 1 2 4 8 16 32 1777 115 160 128\n"
        )
    )
    fake("valgrind", WORKING.replace(str(GOLDEN), str(missing)))
    counts = CallgrindEngine().count(counted, directory=tmp_path)
    assert [counts.figure(name).value for name in ("l1i_misses", "l1d_misses", "ll_misses", "branch_misses")] == [
        1 / 64, (2 + 4) / 64, (8 + 16 + 32) / 64, (34 + 64 + 128) / 64,
    ]  # fmt: skip

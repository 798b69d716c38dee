"""counters and memory: perf stat by a fake on PATH, getrusage by a fake worker; null with a reason, never a zero."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dualmem_cli.errors import DualmemError
from dualmem_cli.profile.engines.counters import CountersEngine, parse_stat
from dualmem_cli.profile.engines.engine import Available
from dualmem_cli.profile.engines.memory import MemoryEngine
from dualmem_cli.profile.target import Target

Fake = Callable[[str, str], Path]
HARDWARE = ("cycles", "instructions", "branches", "branch_misses", "l1d_loads", "l1d_misses", "ll_loads", "ll_misses")

# Counts 1,000,000 for preparing and 5 cycles, 7 instructions for an executed operation; caches are not there, one group is shared.
PERF = r"""
echo "$@" >> "$0.log"
while [ "$1" != -o ]; do shift; done
out=$2
while [ "$1" != -- ]; do shift; done
shift
executed=0
if [ "$1" = true ]; then "$@"; else
  input=$(cat); set -- "$@"
  operations=${input% *}; samples=${input#* }
  [ "$operations" = 0 ] && operations=100
  executed=$(( samples * (operations + operations / 8) ))
  printf '%s\n' "$input" | "$@"
fi
status=$?
{
  echo "# started on Thu"; echo
  echo "$(( 1000000 + 5 * executed ));;cycles${M};1000;100.00;5.0;GHz"
  echo "$(( 1000000 + 7 * executed ));;instructions${M};1000;100.00;1.4;insn per cycle"
  echo "$(( 1000000 + 2 * executed ));;branches;500;50.00;;"
  echo "<not counted>;;branch-misses;0;0.00;;"
  echo "<not supported>;;L1-dcache-loads;0;100.00;;"
  echo "<not supported>;;LLC-load-misses;0;100.00;;"
  echo "3;;cpu-migrations${M};1000;100.00;;"
} > "$out"
exit $status
"""


def test_counters(counted: Target, fake: Fake, tmp_path: Path) -> None:
    tool = fake("perf", PERF)
    assert counted.work is not None
    counts = CountersEngine().count(replace(counted, work=replace(counted.work, operations=64)), directory=tmp_path)
    values = {figure.name: figure.value for figure in counts.figures}
    assert (values["cycles"], values["instructions"], values["minor_faults"]) == (5, 7, 1)
    assert (values["migrations"], values["major_faults"], values["voluntary_switches"]) == (0, 0, 0)
    assert {name for name, value in values.items() if value is None} == {
        "branch_misses",
        "l1d_loads",
        "l1d_misses",
        "ll_loads",
        "ll_misses",
    }
    assert counts.figure("branch_misses").reason == "it never ran: others hold the processor's counters"
    assert counts.figure("l1d_loads").reason.endswith("has no such counter")
    assert counts.figure("ll_loads").reason == "perf stat said nothing about it"
    assert (counts.figure("branches").value, counts.figure("branches").running) == (2, 0.5)
    assert counts.notes == ("scaled up, since the counters were shared with others (they ran 50% of the time): branches",)
    trial, *runs = Path(f"{tool}.log").read_text().split("stat -x ;")[1:]
    assert "-e cycles -e instructions" in trial
    assert len(runs) == 6
    assert all("-e {cycles,instructions,branches}:W -e cpu-migrations --" in run for run in runs)


def test_what_happens_in_a_hidden_kernel_is_not_known(
    counted: Target, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake("perf", PERF)
    monkeypatch.setenv("M", ":u")
    counts = CountersEngine().count(counted, directory=tmp_path)
    assert counts.figure("migrations").value is None
    assert "happens in the kernel" in counts.figure("migrations").reason
    assert counts.figure("cycles").value == 5


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "echo 'Error:\nAccess to performance monitoring and observability operations is limited.' >&2; exit 255",
            "not allowed: sudo sysctl",
        ),
        (
            "echo 'WARNING: perf not found for kernel 6.5.0' >&2; exit 2",
            "perf stat failed (WARNING: perf not found for kernel 6.5.0)",
        ),
        ("exit 0", "perf stat said nothing about it"),
    ],
)
def test_a_perf_that_does_not_work_leaves_what_the_system_knows(
    counted: Target, fake: Fake, tmp_path: Path, script: str, reason: str
) -> None:
    fake("perf", script)
    state = CountersEngine().availability()
    assert isinstance(state, Available)
    assert state.detail.startswith("getrusage; no hardware counters: ")
    counts = CountersEngine().count(counted, directory=tmp_path)
    for name in HARDWARE:
        assert counts.figure(name).value is None
        assert counts.figure(name).reason.startswith(reason)
    assert counts.figure("minor_faults").value == 1


def test_without_perf(counted: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sh", "sleep"):
        found = next(Path(folder, name) for folder in os.environ["PATH"].split(os.pathsep) if Path(folder, name).exists())
        (tmp_path / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path))
    counts = CountersEngine().count(counted, directory=tmp_path)
    assert counts.figure("cycles").reason.startswith("perf is not installed")
    assert counts.figure("minor_faults").value == 1


def test_perf_works_once_and_then_no_more(counted: Target, fake: Fake, tmp_path: Path) -> None:
    fake("perf", PERF.replace('input=$(cat); set -- "$@"', "echo 'mmap failed' >&2; exit 255"))
    counts = CountersEngine().count(counted, directory=tmp_path)
    assert counts.figure("cycles").reason == "perf stat failed (mmap failed)"
    assert counts.figure("minor_faults").value == 1


def test_the_target_fails(counted: Target, fake: Fake, tmp_path: Path) -> None:
    fake("perf", PERF)
    program = (
        'read o s; echo \'{"event":"hello"}\'; echo \'{"event":"samples","iterations":[64],"wall_ns":[1e6]}\'\n'
        '[ "$s" = 3 ] && exit 0; echo \'{"event":"crash","signal":11,"phase":"run","arm":0}\'; exit 139'
    )
    with pytest.raises(DualmemError) as caught:
        CountersEngine().count(replace(counted, native_argv=("sh", "-c", program)), directory=tmp_path)
    assert caught.value.what == "the target failed under perf stat (SIGSEGV in phase run)"


def test_two_kinds_of_processor() -> None:
    readings = parse_stat(
        "100;;cpu_core/cycles/;10;60.00;;\n40;;cpu_atom/cycles/;10;40.00;;\n"
        "7;;cpu_core/instructions/u;10;100.00;;\n<not counted>;;cpu_atom/instructions/u;0;0.00;;\nrubbish\n1;2\n"
    )
    assert (readings["cycles"].value, readings["cycles"].running) == (140, 1.0)
    assert (
        readings["instructions"].value == 7
        or readings["instructions"].reason == "it never ran: others hold the processor's counters"
    )


def test_memory(counted: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTS", "0")
    counts = MemoryEngine().count(counted, directory=tmp_path)
    assert [figure.value for figure in counts.figures if figure.name != "resident_growth"] == [1048576, 4096, 0, 0]
    assert len(counts.series) >= 3
    assert counts.series[0][0] == 0
    assert all(size > 0 for _, size in counts.series)
    assert counts.figure("resident_growth").value is not None
    (note,) = counts.notes
    assert note.startswith("operations touch no new memory: 0 page faults more in 144 more operations")


def test_operations_that_touch_new_memory_are_said(counted: Target, tmp_path: Path) -> None:
    (note,) = MemoryEngine().count(counted, directory=tmp_path).notes
    assert note == "operations touch new memory: 144 page faults more in 144 more operations"


def test_memory_of_a_target_that_says_nothing(counted: Target, tmp_path: Path) -> None:
    program = 'echo \'{"event":"samples","iterations":[64],"wall_ns":[1e9]}\''
    counts = MemoryEngine().count(replace(counted, native_argv=("sh", "-c", program)), directory=tmp_path)
    assert all(figure.value is None and figure.reason for figure in counts.figures)
    assert counts.notes == ("whether operations touch new memory is not known",)

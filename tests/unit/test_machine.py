"""Facts about this machine: read or empty, never guessed; revisions of source trees."""

import os
import platform
import subprocess
from pathlib import Path

import pytest

from dualmem_cli.measure import machine

CPUINFO = """processor	: 0
model name	: A CPU @ 2.00GHz
microcode	: 0x1
flags		: fpu sse4_2 avx2 fma hypervisor
processor	: 1

processor	: 1
model name	: Another CPU
"""


def files(monkeypatch: pytest.MonkeyPatch, known: dict[str, str]) -> None:
    monkeypatch.setattr(machine, "_text", lambda path: known.get(path, ""))


def test_this_machine() -> None:
    found = machine.read_machine()
    assert found.architecture == platform.machine()
    assert found.cores == os.cpu_count()
    assert found.memory_bytes > 1 << 20
    assert found.python == platform.python_version()
    assert set(machine.usable_cpus()) == os.sched_getaffinity(0)
    assert found == machine.read_machine()


def test_facts_of_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    files(
        monkeypatch,
        {
            "/proc/cpuinfo": CPUINFO,
            "/sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
            "/sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
        },
    )
    found = machine.read_machine()
    assert (found.cpu, found.microcode, found.isa) == ("A CPU @ 2.00GHz", "0x1", ("sse4.2", "avx2", "fma"))
    assert (found.hypervisor, found.huge_pages, found.clock_source, found.governor) == ("present", "madvise", "tsc", "")


def test_a_machine_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    files(monkeypatch, {})
    found = machine.read_machine()
    assert (found.isa, found.caches, found.microcode, found.hypervisor, found.huge_pages) == ((), (), "", "", "")


def git(folder: Path, *arguments: str) -> None:
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, env={**os.environ, **identity})


def test_revisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert machine.revision(tmp_path) == "", "no repository"
    git(tmp_path, "init", "-q")
    assert machine.revision(tmp_path) == "", "no commit"
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-qm", "a")
    clean = machine.revision(tmp_path)
    assert len(clean) == 10
    (tmp_path / "untracked").write_text("")
    assert machine.revision(tmp_path) == clean
    (tmp_path / "a").write_text("2")
    assert machine.revision(tmp_path) == f"{clean}+"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.revision(tmp_path) == "", "no git"

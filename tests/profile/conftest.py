"""Fakes on PATH, targets and a profile whose every share is known."""

import os
import stat
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dualmem_cli.profile.folded import Profile
from dualmem_cli.profile.target import Target, Work

Fake = Callable[[str, str], Path]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Put an executable shell script on PATH before everything else, and nothing beside the interpreter."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(sys, "executable", str(folder / "python3"))

    def make(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make


@pytest.fixture
def target() -> Target:
    return Target(
        title="a target",
        case_id="scenario/avx2/count=16",
        python_argv=("sh", "-c", "echo python target ran"),
        native_argv=("sh", "-c", "cat; echo native target ran"),
        native_stdin="dualmem-worker 1\nend\n",
        environment=(("DUALMEM_TEST", "1"),),
        seconds=0.01,
        focus=("dmx_execute", "spin"),
    )


# Like the worker: "operations samples" in, events out. Preparing costs 50 page faults, an executed operation one more.
WORKER = r"""
read operations samples
wanted=$operations; [ "$wanted" = 0 ] && wanted=100
executed=$(( samples * (wanted + wanted / 8) ))
echo '{"event":"hello"}'
echo '{"event":"phase","phase":"run","arm":null}'
sleep 0.2
printf '{"event":"samples","iterations":[%d],"wall_ns":[2000000,2500000]}\n' $wanted
echo '{"event":"metrics","arm":0,"values":[7,4096]}'
printf '{"event":"resources","max_rss_bytes":1048576,"minor_faults":%d,"major_faults":0,' $(( 50 + executed * ${FAULTS-1} ))
echo '"voluntary_switches":3,"involuntary_switches":4}'
echo '{"event":"done"}'
"""


@pytest.fixture
def counted(target: Target, tmp_path: Path) -> Target:
    """A target whose work is cut into samples."""
    (tmp_path / "src").mkdir()
    work = Work(
        request=lambda operations, samples: f"{operations} {samples}\n",
        sampled="dmx_timed_run",
        metrics=("population", "memory_bytes"),
        sources=(tmp_path / "src",),
    )
    return replace(target, native_argv=("sh", "-c", WORKER), work=work)


@pytest.fixture
def profile() -> Profile:
    stacks = (
        (("main (loop.py)",), 10),
        (("main (loop.py)", "[libffi]", "dm_dot_avx2 (libdualmem.so)"), 60),
        (("main (loop.py)", "fold (loop.py)", "fold (loop.py)"), 20),
        (("main (loop.py)", "write (libc.so.6)", "[kernel]"), 10),
    )
    return Profile(
        title="known shares",
        engine="pyspy",
        sampler="py-spy 0.4.3",
        event="wall clock of running threads",
        rate_asked=100.0,
        rate_achieved=99.0,
        samples=100,
        errors=1,
        outside=7,
        unknown_share=0.0,
        seconds=1.0,
        stacks=stacks,
        notes=("a note",),
    )

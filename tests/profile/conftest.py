"""Fakes on PATH, targets and a profile whose every share is known."""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dualmem_cli.profile.folded import Profile
from dualmem_cli.profile.target import Target

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

"""Waiting for a worker without looking at it, with and without the help of the kernel."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dualmem_cli.measure.worker import _wait


def forbidden(_pid: int) -> int:
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


@pytest.fixture(params=["pidfd", "old kernel", "old Python"])
def waiting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The three ways: a process descriptor, a kernel that has none, a Python that does not know them."""
    if request.param == "old kernel":
        monkeypatch.setattr(os, "pidfd_open", forbidden)
    if request.param == "old Python":
        monkeypatch.delattr(os, "pidfd_open")
    return str(request.param)


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that ends when its standard input does."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        yield process
        process.kill()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize("status", [0, 7])
def test_the_end_of_a_process_is_seen_and_its_status_known(status: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", f"raise SystemExit({status})"])
    before = descriptors()
    _wait(process, timeout_s=60.0)
    assert process.returncode == status
    assert descriptors() == before, "the descriptor is given back"


@pytest.mark.usefixtures("waiting")
def test_a_process_that_takes_too_long_is_left_running(sleeper: "subprocess.Popen[bytes]") -> None:
    """What to do with it is the caller's business: it asks for last words first."""
    before = descriptors()
    with pytest.raises(subprocess.TimeoutExpired) as raised:
        _wait(sleeper, timeout_s=0.02)
    assert raised.value.timeout == 0.02
    assert raised.value.cmd == sleeper.args
    assert sleeper.poll() is None
    assert descriptors() == before
    assert sleeper.stdin is not None
    sleeper.stdin.close()
    _wait(sleeper, timeout_s=60.0)
    assert sleeper.returncode is not None


def test_with_a_process_descriptor_nobody_polls(sleeper: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch) -> None:
    """Popen.wait with a time-out looks again and again; that is what is avoided."""
    asked: list[float | None] = []
    plain = sleeper.wait

    def wait(timeout: float | None = None) -> int:
        asked.append(timeout)
        return plain(timeout)

    monkeypatch.setattr(sleeper, "wait", wait)
    assert sleeper.stdin is not None
    sleeper.stdin.close()
    _wait(sleeper, timeout_s=60.0)
    assert asked == [None]

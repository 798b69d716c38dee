"""A process that was just started is not left behind by Ctrl-C."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from dualmem_cli.measure.interrupts import held_interrupts
from dualmem_cli.measure.worker import WorkerProcesses
from dualmem_cli.model.plan import Task, WorkerRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_the_end_of_the_block(number: signal.Signals) -> None:
    seen: list[int] = []
    before = signal.signal(number, lambda got, _frame: seen.append(got))
    try:
        with held_interrupts():
            os.kill(os.getpid(), number)
            assert not seen
        assert seen == [number]
    finally:
        signal.signal(number, before)


def test_handlers_are_put_back_after_an_error() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="inside"), held_interrupts():
        raise ValueError("inside")
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_are_left_alone() -> None:
    done = threading.Event()

    def run() -> None:
        with held_interrupts():
            done.set()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert done.is_set()


def test_a_worker_that_was_just_started_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ctrl-C strikes after the fork, before anybody knows the process."""
    started: list[subprocess.Popen[bytes]] = []
    plain = subprocess.Popen

    def popen(*arguments: Any, **options: Any) -> "subprocess.Popen[bytes]":
        process = plain(*arguments, **options)
        started.append(process)
        os.kill(os.getpid(), signal.SIGINT)
        return process

    sleeper = tmp_path / "sleeper"
    sleeper.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(KeyboardInterrupt):
        WorkerProcesses(sleeper).prepare(WorkerRequest(task=Task.PREPARE, libraries=()), timeout_s=60)
    assert started[0].returncode == -signal.SIGKILL

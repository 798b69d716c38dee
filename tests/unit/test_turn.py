"""One measurement at a time on a machine."""

import multiprocessing
import os
from multiprocessing.connection import Connection
from pathlib import Path

from dualmem_cli.measure.turn import turn


def _hold(path: Path, said: Connection) -> None:
    with turn(path, waiting=lambda: said.send("waiting")):
        said.send("measuring")
        said.recv()


def _started(path: Path) -> tuple[multiprocessing.process.BaseProcess, Connection]:
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_hold, args=(path, there))
    process.start()
    return process, here


def test_who_comes_second_waits_until_the_first_has_ended_however_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first, of_first = _started(path)
    assert of_first.recv() == "measuring"
    second, of_second = _started(path)
    assert of_second.recv() == "waiting"
    assert not of_second.poll(0.2), "it measures only when the first has ended"
    first.kill()
    first.join()
    assert of_second.recv() == "measuring"
    of_second.send("enough")
    second.join()
    assert second.exitcode == 0


def test_a_file_of_another_user_will_do(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("")
    path.chmod(0o444)
    with turn(path, waiting=lambda: None):
        assert os.access(path, os.R_OK)
    with turn(tmp_path / "nowhere" / "lock", waiting=lambda: None):
        pass

"""Parcels and merging: what a fleet is made of, without one."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from fabricated import MACHINE

from dualmem_cli.fleet import parcels


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUALMEM_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 24])
def test_a_file_arrives_in_pieces_and_whole(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcels, "CHUNK", 8)
    source = tmp_path / "file"
    source.write_bytes(bytes(range(size)))
    sha256 = parcels.digest_of(source)
    assert sha256 == hashlib.sha256(bytes(range(size))).hexdigest()
    pieces = list(parcels.pieces(source))
    assert [last for _, last in pieces] == [False] * (len(pieces) - 1) + [True]
    assert len(pieces) == max(1, -(-size // 8))
    for number, (chunk, last) in enumerate(pieces):
        assert parcels.missing([sha256, "other"]) == {sha256, "other"}, f"piece {number} is not the whole"
        assert parcels.receive(sha256, "me", chunk, last=last)
    assert parcels.missing([sha256, "other"]) == {"other"}
    assert parcels.path_of(sha256).read_bytes() == source.read_bytes()
    assert len(list(parcels.folder().iterdir())) == 1


def test_what_is_not_what_was_announced_is_thrown_away() -> None:
    sha256 = hashlib.sha256(b"right").hexdigest()
    assert not parcels.receive(sha256, "me", b"wrong", last=True)
    assert parcels.missing([sha256]) == {sha256}
    assert list(parcels.folder().iterdir()) == []
    assert parcels.receive(sha256, "me", b"ri", last=False)
    assert parcels.receive(sha256, "you", b"right", last=True), "two senders do not disturb each other"
    assert parcels.missing([sha256]) == frozenset()


def test_what_nobody_used_for_a_month_goes(tmp_path: Path) -> None:
    import os

    for name, age in (("a" * 64, 31), ("b" * 64, 1)):
        parcels.receive(name, "me", b"", last=False)
        path = parcels.folder() / f".{name}.me.part"
        path = path.rename(parcels.path_of(name))
        os.utime(path, (0, path.stat().st_mtime - age * 86_400))
    parcels.tidy()
    assert parcels.missing(["a" * 64, "b" * 64]) == {"a" * 64}


def test_machines_of_old_records_are_not_other_machines() -> None:
    from dualmem_cli.judge.fingerprint import machine_changes

    assert machine_changes(replace(MACHINE, numa_nodes=0), replace(MACHINE, numa_nodes=2)) == ()
    (change,) = machine_changes(replace(MACHINE, numa_nodes=1), replace(MACHINE, numa_nodes=2))
    assert (change.name, change.before, change.after) == ("numa nodes", "1", "2")


def test_doctor_says_how_to_have_a_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    from dualmem_cli.cli import checks

    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    (check,) = checks._fleet()
    assert (check.ok, check.detail) == (
        None,
        "not installed; several machines (bench --fleet) need it: pip install 'dualmem[fleet]'",
    )

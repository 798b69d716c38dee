"""Data sets on disk: matrix files, the cache, two runs at once, damage."""

import json
import multiprocessing
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dualmem_cli.errors import DataError
from dualmem_cli.measure import vectors
from dualmem_cli.measure.data import Dataset, cache_directory, materialise, read_matrix, write_matrix
from dualmem_cli.model.scenario import ClusteredData, FileData, GaussianData

GAUSSIAN = GaussianData(kind="gaussian", rows=40, queries=5, dim=20, seed=3)
FILE = FileData(kind="file", file="x.npy", queries_file="", rows=0, queries=5, normalise=True)


@pytest.mark.parametrize("shape", [(1, 1), (3, 15), (3, 16), (3, 17), (7, 768), (2, 4096), (0, 5)])
def test_a_matrix_comes_back_as_it_was(tmp_path: Path, shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    path = tmp_path / "m"
    write_matrix(path, matrix)
    magic, version, zero, rows, columns, stride = struct.unpack("<8sIIQQQ", path.read_bytes()[:40])
    assert (magic, version, zero, rows, columns) == (b"DMMATRIX", 1, 0, *shape)
    assert stride % 16 == 0
    assert columns <= stride < columns + 16
    assert path.stat().st_size == 64 + 4 * rows * stride
    assert path.read_bytes()[40:64] == b"\0" * 24
    if rows:
        np.testing.assert_array_equal(read_matrix(path), matrix)
        body = np.frombuffer(path.read_bytes()[64:], dtype="<f4").reshape(rows, stride)
        assert not body[:, columns:].any(), "the padding is zero"


def test_what_is_no_matrix_file(tmp_path: Path) -> None:
    path = tmp_path / "m"
    write_matrix(path, np.ones((2, 2), dtype=np.float32))
    whole = path.read_bytes()
    for damaged in (b"XMMATRIX" + whole[8:], whole[:8] + b"\2" + whole[9:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="not a matrix file"):
            read_matrix(path)


def make(folder: Path, *, spec: GaussianData | ClusteredData | FileData = GAUSSIAN) -> Dataset:
    return materialise(spec, directory=folder, cache=folder / "cache")


def test_a_set_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make(tmp_path)
    monkeypatch.setattr(vectors, "gaussian", None)
    assert make(tmp_path) == first
    data, queries = vectors_of(first)
    assert (data.shape, queries.shape) == ((40, 20), (5, 20))
    assert (first.facts.rows, first.facts.queries, first.facts.dim, first.facts.source) == (40, 5, 20, "gaussian, seed 3")


def vectors_of(dataset: Dataset) -> "tuple[vectors.Vectors, vectors.Vectors]":
    return read_matrix(dataset.data), read_matrix(dataset.queries)


def test_another_option_is_another_set(tmp_path: Path) -> None:
    others = (GAUSSIAN, replace(GAUSSIAN, seed=4), replace(GAUSSIAN, dim=21), replace(GAUSSIAN, rows=41))
    assert len({make(tmp_path, spec=other).facts.digest for other in others}) == 4


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).standard_normal((30, 8)).astype(np.float32)
    np.save(tmp_path / "x.npy", rows)
    first = make(tmp_path, spec=FILE)
    np.save(tmp_path / "y.npy", rows)
    assert make(tmp_path, spec=replace(FILE, file="y.npy")).data == first.data
    np.save(tmp_path / "x.npy", rows + 1)
    assert make(tmp_path, spec=FILE).facts.digest != first.facts.digest


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.npy: No such file or directory\. \[data\] paths are relative"):
        make(tmp_path, spec=FILE)


def test_a_set_beyond_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(_: GaussianData) -> None:
        raise MemoryError

    monkeypatch.setattr(vectors, "gaussian", no_room)
    with pytest.raises(DataError, match="does not fit into this machine's memory"):
        make(tmp_path)


def test_a_promise_that_is_not_kept_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    lonely = ClusteredData("clustered", rows=3, queries=1, dim=8, clusters=100_000, intrinsic=8, similarity=0.7, seed=1)
    with pytest.raises(DataError, match=r"promises a mean similarity of 0\.7 and has nan\. Use more rows per cluster"):
        make(tmp_path, spec=lonely)
    assert not list((tmp_path / "cache").rglob("facts.json"))


def test_a_promise_that_is_kept_stands_in_the_facts(tmp_path: Path) -> None:
    spec = ClusteredData("clustered", rows=2000, queries=10, dim=64, clusters=20, intrinsic=32, similarity=0.7, seed=1)
    facts = make(tmp_path, spec=spec).facts
    assert facts.promised_similarity == 0.7
    assert facts.measured_similarity == pytest.approx(0.7, abs=0.02)


@pytest.mark.parametrize("damage", ["", "{", "[]", "3", '{"digest": "x"}'])
def test_damaged_facts_are_named_with_the_remedy(tmp_path: Path, damage: str) -> None:
    folder = make(tmp_path).data.parent
    (folder / "facts.json").write_text(damage)
    with pytest.raises(DataError, match=r"facts\.json: damaged\. Delete .* and run again"):
        make(tmp_path)


def test_a_set_without_facts_is_not_a_set(tmp_path: Path) -> None:
    folder = make(tmp_path).data.parent
    (folder / "facts.json").unlink()
    with pytest.raises(OSError, match="not empty"):
        make(tmp_path)


def _race(folder: Path, barrier: "multiprocessing.synchronize.Barrier", answers: "multiprocessing.Queue[str]") -> None:
    barrier.wait()
    try:
        answers.put(make(folder).facts.digest)
    except BaseException as error:
        answers.put(repr(error))


def test_two_runs_at_once_make_one_set(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for attempt in range(5):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        barrier, answers = context.Barrier(3), context.Queue()
        processes = [context.Process(target=_race, args=(folder, barrier, answers)) for _ in range(3)]
        for process in processes:
            process.start()
        found = {answers.get(timeout=30) for _ in processes}
        for process in processes:
            process.join()
        assert found == {make(folder).facts.digest}
        assert len(list((folder / "cache" / "data").iterdir())) == 1, "no half-made set is left behind"


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DUALMEM_CACHE", "/chosen")
    assert cache_directory() == Path("/chosen")
    monkeypatch.delenv("DUALMEM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "dualmem"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_directory() == Path("/home/somebody/.cache/dualmem")


def test_facts_are_readable(tmp_path: Path) -> None:
    facts = json.loads((make(tmp_path).data.parent / "facts.json").read_text())
    assert facts["promised_similarity"] is None
    assert len(facts["digest"]) == 64


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dualmem_cli.measure.data.write_matrix", lambda _path, matrix: write_matrix(Path("/dev/full"), matrix))
    with pytest.raises(OSError, match=r"No space left on device: .*/cache/data/"):
        make(tmp_path)

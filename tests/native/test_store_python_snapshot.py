"""Snapshots from Python: what was put in comes back from the file, and no file brings the process down."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from dualmem_cli.errors import (
    StoreArgumentError,
    StoreClosedError,
    StoreDataError,
    StoreError,
    StoreFileError,
    StoreMemoryError,
    StoreUnsupportedError,
)
from dualmem_cli.native import Numa, Store

pytestmark = pytest.mark.usefixtures("package")

F32 = np.float32
BASE = 129 << 20


class Content:
    """What a store was filled with, known from the arrays and numbers alone."""

    def __init__(self, seed: int, *, dim: int, concepts: int = 20, episodes: int = 30) -> None:
        rng = np.random.default_rng(seed)
        self.dim, self.concepts, self.episodes = dim, concepts, episodes
        self.embeddings = rng.normal(size=(concepts + episodes, dim)).astype(F32)
        self.activations = rng.random(concepts + episodes).astype(F32)
        self.times = rng.integers(2**63, size=concepts + episodes)
        self.strengths = rng.random(episodes).astype(F32)
        pairs = rng.permutation(concepts * episodes)[: 6 * episodes]
        self.bindings = {
            (int(pair % episodes), BASE + int(pair // episodes)): float(F32(rng.random())) for pair in pairs.tolist()
        }

        self.associations: dict[frozenset[int], float] = {}
        for kind in (range(BASE, BASE + concepts), range(episodes)):
            for _ in range(30):
                pair = frozenset(rng.choice(kind, size=2, replace=False).tolist())
                self.associations[pair] = float(F32(rng.random()))

    def store(self) -> Store:
        store = Store(self.dim, concepts=self.concepts + 3, episodes=self.episodes + 3)
        store.add_concepts([2**127 + i for i in range(self.concepts)], self.embeddings[: self.concepts])
        store.add_episodes(range(self.episodes), self.embeddings[self.concepts :])
        for i, slot in enumerate(self.slots()):
            store.activate(slot, float(self.activations[i]))
            store.touch(slot, int(self.times[i]))
        for i, strength in enumerate(self.strengths.tolist()):
            store.set_strength(i, strength)
        for (episode, concept), strength in self.bindings.items():
            store.bind(episode, concept, strength)
        for (one, other), weight in self.associations.items():
            store.associate(one, other, weight)
        return store

    def slots(self) -> list[int]:
        return [*range(BASE, BASE + self.concepts), *range(self.episodes)]

    def check(self, store: Store) -> None:
        assert (store.dim, store.concept_capacity, store.episode_capacity) == (self.dim, self.concepts + 3, self.episodes + 3)
        assert not store.single_type
        assert store.population() == (self.concepts, self.episodes, self.concepts + self.episodes, len(self.bindings),
                                      len(self.associations))  # fmt: skip
        for i, slot in enumerate(self.slots()):
            np.testing.assert_array_equal(store.embedding(slot), self.embeddings[i])
            assert (store.activation(slot), store.last_access(slot)) == (self.activations[i], self.times[i])
            assert store.id(slot) == (2**127 + i if i < self.concepts else slot)
        assert [store.strength(i) for i in range(self.episodes)] == self.strengths.tolist()
        found = {}
        for concept in range(BASE, BASE + self.concepts):
            assert store.fan(concept) == sum(pair[1] == concept for pair in self.bindings)
            for episode, binding, strength in store.edges(concept).tolist():
                assert store.binding_strength(binding) == strength
                found[episode, concept] = strength
        assert found == self.bindings
        for slot in self.slots():
            own = {next(iter(pair - {slot})): weight for pair, weight in self.associations.items() if slot in pair}
            assert dict(store.associations(slot)[["slot", "strength"]].tolist()) == own


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.dm"


@pytest.fixture
def content(file: Path) -> Iterator[Content]:
    """Content of 50 nodes, in the file."""
    made = Content(1, dim=9)
    with made.store() as store:
        store.save(file)
    yield made


@pytest.mark.parametrize("dim", [1, 16, 100])
def test_what_was_saved_comes_back(file: Path, dim: int) -> None:
    content = Content(dim, dim=dim)
    with content.store() as store:
        handles = [store.find_binding(*pair) for pair in content.bindings]
        store.save(str(file))
    for path in (file, str(file), os.fsencode(file)):
        with Store.load(path) as store:
            content.check(store)
            assert [store.find_binding(*pair) for pair in content.bindings] == handles
            store.save(file.with_suffix(".again"))
        assert file.with_suffix(".again").read_bytes() == file.read_bytes()
    assert sorted(each.name for each in file.parent.iterdir() if each.is_file()) == ["store.again", "store.dm"]


def test_a_loaded_store_goes_on(content: Content, file: Path) -> None:
    class Mine(Store):
        pass

    with Mine.load(file) as store:
        assert type(store) is Mine
        slot = store.add_concept(77, np.ones(9, F32))
        binding = store.bind(3, slot, 0.5)
        assert store.strengthen(binding, 0.25) == 0.75
        assert store.lookup(np.ones(9, F32), k=1).slots.tolist() == [slot]
        store.decay(0.1, 10**9)
        with store.reader() as reader:
            assert reader.fan(slot) == 1


def test_a_single_type_store(file: Path) -> None:
    with Store(5, concepts=3, episodes=4, single_type=True) as store:
        store.add_nodes([1, 2], np.arange(10, dtype=F32).reshape(2, 5))
        store.save(file)
    with Store.load(file) as store:
        assert store.single_type and store.population() == (0, 0, 2, 0, 0) and store.episode_capacity == 7
        assert store.embedding(1).tolist() == [5, 6, 7, 8, 9]


def mapped_bytes(file: Path) -> int:
    """Of the process's memory, what is the file's."""
    lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    ranges = [line.split()[0].split("-") for line in lines if line.endswith(str(file))]
    return sum(int(end, 16) - int(begin, 16) for begin, end in ranges)


def test_mapped_embeddings(file: Path) -> None:
    """The same store, whose embeddings are the file's pages; they stay while an array does, and changes do not reach the file."""
    rng = np.random.default_rng(3)
    embeddings = rng.normal(size=(3000, 256)).astype(F32)  # 3 MB
    with Store(256, concepts=0, episodes=3000) as store:
        store.add_episodes(range(3000), embeddings)
        store.save(file)
    written = file.read_bytes()
    with Store.load(file) as copied:
        assert mapped_bytes(file) == 0
        with Store.load(file, map_embeddings=True) as store:
            assert mapped_bytes(file) >= 3000 * 1024
            assert store.memory() == copied.memory()  # a mapping counts
            np.testing.assert_array_equal(store.episode_rows().embeddings, embeddings)
            store.update_embedding(5, np.ones(256, F32))
            store.remove(6)
            row = store.embedding(7)
    np.testing.assert_array_equal(row, embeddings[7])
    del row, store, copied
    assert mapped_bytes(file) == 0
    assert file.read_bytes() == written


def test_every_damage_is_refused(content: Content, file: Path, tmp_path: Path) -> None:
    """Cut off anywhere, or a bit turned anywhere: a sentence, and never a store."""
    whole = file.read_bytes()
    damaged = tmp_path / "damaged"
    rng = np.random.default_rng(2)
    for length in [0, 1, 7, 63, 64, 65, len(whole) - 1, *rng.integers(len(whole), size=40).tolist()]:
        damaged.write_bytes(whole[:length])
        with pytest.raises(StoreDataError):
            Store.load(damaged)
    refused = 0
    for place in [*range(64), *rng.integers(len(whole), size=200).tolist()]:
        turned = bytearray(whole)
        turned[place] ^= 1 << int(rng.integers(8))
        damaged.write_bytes(turned)
        try:
            Store.load(damaged, map_embeddings=bool(place % 2)).close()
        except (StoreDataError, StoreUnsupportedError) as error:
            refused += 1
            assert str(damaged) in str(error)
    assert refused == 264
    damaged.write_bytes(whole + b"\0")
    with pytest.raises(StoreDataError):
        Store.load(damaged)


def test_files_that_are_none(content: Content, file: Path, tmp_path: Path) -> None:
    cases: list[tuple[Any, type[StoreError], str]] = [
        (tmp_path / "nowhere", StoreFileError, "cannot open .*nowhere: No such file or directory"),
        (tmp_path, StoreFileError, "not a regular file|Is a directory"),
        ("/dev/null", StoreFileError, "not a regular file"),
        (3, StoreArgumentError, "path: int, want a string, bytes or a path"),
        (None, StoreArgumentError, "path: NoneType, want a string, bytes or a path"),
        (f"{file}\0.bak", StoreArgumentError, "path: has a zero byte"),
    ]
    with Store.load(file) as store:
        for path, kind, sentence in cases:
            with pytest.raises(kind, match=sentence):
                Store.load(path)
        for path, kind in [(tmp_path / "no" / "folder", StoreFileError), (tmp_path, StoreFileError), (3.5, StoreArgumentError),
                           (f"{file}\0.bak", StoreArgumentError)]:  # fmt: skip
            with pytest.raises(kind):
                store.save(path)  # type: ignore[arg-type]
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_file()) == ["store.dm"], "nothing is left behind"
    with Store.load(file) as store:
        content.check(store)


def test_options(content: Content, file: Path) -> None:
    with pytest.raises(StoreMemoryError):
        Store.load(file, memory_limit=1000)
    with Store.load(file, memory_limit=2**40, numa=Numa.ADAPTIVE, map_embeddings=True) as store:
        content.check(store)
        assert store.placement().asked is Numa.ADAPTIVE
    refused: list[tuple[dict[str, Any], str]] = [
        ({"memory_limit": 0}, "memory_limit 0: no store is that small; None is for no limit"),
        ({"memory_limit": -1}, "memory_limit -1 is not in 0..18446744073709551615"),
        ({"numa": 7}, "numa 7 is none of Numa.INTERLEAVED"),
    ]
    for options, sentence in refused:
        with pytest.raises(StoreArgumentError, match=sentence):
            Store.load(file, **options)


def test_an_older_file_stays_when_saving_fails(content: Content, file: Path) -> None:
    before = file.read_bytes()
    with Store(3, concepts=1, episodes=1) as store:
        store.close()
        with pytest.raises(StoreClosedError, match="this store was closed"):
            store.save(file)
    assert file.read_bytes() == before


def test_saving_beside_other_threads(content: Content, tmp_path: Path) -> None:
    """Every file that is written meanwhile is whole, and both ends of each binding agree in it."""
    with content.store() as store:
        stop: list[bool] = []

        def change() -> None:
            rng = np.random.default_rng(5)
            while not stop:
                episode, concept = int(rng.integers(30)), BASE + int(rng.integers(20))
                store.bind(episode, concept, 0.5)
                store.unbind(int(rng.integers(30)), concept)
                store.remove(store.add_episode(500, np.ones(9, F32)))

        changing = Thread(target=change)
        changing.start()
        try:
            for i in range(20):
                path = tmp_path / f"moment{i}"
                store.save(path)
                with Store.load(path) as loaded:
                    ends = [{(e, c) for c in range(BASE, BASE + 20) for e, *_ in loaded.edges(c).tolist()},
                            {(e, c) for e in range(31) for c, *_ in loaded.edges(e).tolist()}]  # fmt: skip
                    assert ends[0] == ends[1] and len(ends[0]) == loaded.population().bindings
        finally:
            stop.append(True)
            changing.join()


def test_a_file_replaced_while_its_store_lives(file: Path) -> None:
    """save renames, so a store mapped from the older file keeps its pages."""
    embeddings = np.random.default_rng(6).normal(size=(2100, 256)).astype(F32)
    with Store(256, concepts=0, episodes=2100) as store:
        store.add_episodes(range(2100), embeddings)
        store.save(file)
    with Store.load(file, map_embeddings=True) as store:
        store.update_embedding(0, np.zeros(256, F32))
        store.save(file)
        np.testing.assert_array_equal(store.embedding(2099), embeddings[2099])
    shutil.copy(file, file.with_suffix(".copy"))
    with Store.load(file.with_suffix(".copy")) as store:
        assert not store.embedding(0).any()
        np.testing.assert_array_equal(store.embedding(1), embeddings[1])

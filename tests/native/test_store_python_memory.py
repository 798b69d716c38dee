"""Whose memory it is: what is read in place, views that outlive everything, references given back exactly once, closing, threads."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dualmem_cli.errors import StoreClosedError, StoreMemoryError
from dualmem_cli.native import (
    SPREAD_NODE,
    Formation,
    Former,
    Rows,
    Store,
    Team,
    activation,
    cue_array,
    fan_effect,
    id_array,
    pair_array,
    sigmoid,
    sigmoid_fan,
)
from dualmem_cli.native.arguments import FLOAT32, want
from dualmem_cli.native.binding import Binding, load

pytestmark = pytest.mark.usefixtures("package")

F32 = np.float32


class Recorder:
    """Stands in for the library: notes the address of every array that a function is given, then calls it."""

    def __init__(self, native: Binding) -> None:
        self._native = native
        self.seen: dict[str, list[int]] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._native.lib, name)
        if not callable(found):
            return found

        def recorded(*arguments: Any) -> Any:
            arrays = [each for each in arguments if isinstance(each, self._native.ffi.CData) and "[]" in str(each)]
            self.seen[name] = [int(self._native.ffi.cast("uintptr_t", each)) for each in arrays]
            return found(*arguments)

        return recorded


def spare_rows_left(store: Store, slot: int) -> int:
    """How many rows a type has to spare: replacements of an embedding that is held each time. Gives them back."""
    held: list[Any] = []
    values = np.ones(store.dim, F32)
    try:
        while True:
            held.append(store.embedding(slot))
            store.update_embedding(slot, values)
    except StoreMemoryError:
        return len(held) - 1


def address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def test_hot_calls_read_and_write_in_place() -> None:
    """The library is given the addresses of the caller's arrays, and of the arrays that come back."""
    with Store(64, concepts=50, episodes=50) as store:
        recorder = Recorder(store._native)
        store._lib = recorder
        ids, embeddings = id_array(range(50)), np.random.default_rng(1).normal(size=(50, 64)).astype(F32)
        slots = store.add_episodes(ids, embeddings)
        assert recorder.seen["dm_store_add_episodes"][:3] == [address(ids), address(embeddings), address(slots)]
        store.add_concept(50, embeddings[3])
        assert address(embeddings[3]) in recorder.seen["dm_store_add_concept"]
        store.update_embedding(0, embeddings[4])
        assert address(embeddings[4]) in recorder.seen["dm_store_update_embedding"]
        found = store.find_batch(ids)
        assert recorder.seen["dm_store_find_batch"] == [address(ids), address(found)]
        handles = np.full(10, store.bind(0, store._concept_base, 0.5), np.uint32)
        deltas = np.full(10, 0.01, F32)
        strengths = store.strengthen_batch(handles, deltas)
        assert recorder.seen["dm_store_strengthen_batch"] == [address(handles), address(deltas), address(strengths)]
        pairs = pair_array([(0, 50)] * 10)
        strengths = store.strengthen_batch_by_id(pairs, deltas)
        assert recorder.seen["dm_store_strengthen_batch_by_id"] == [address(pairs), address(deltas), address(strengths)]
        edges = store.edges(0)
        assert recorder.seen["dm_store_edges"] == [address(edges)]
        with store.index() as index:
            index._lib = recorder
            neighbours = index.search(embeddings, k=1)
            wanted = [address(embeddings), address(neighbours.slots), address(neighbours.similarities)]
            assert recorder.seen["dm_lookup_search"][:3] == wanted
        concepts = np.array([store._concept_base], np.uint32)
        store.decay_concepts(concepts, 0.1, 10**9)
        assert recorder.seen["dm_store_decay_concepts"][0] == address(concepts)
        store.consolidate(concepts)
        assert recorder.seen["dm_store_consolidate"] == [address(concepts)]
        store.associate(0, 1, 0.5)
        associations = store.associations(0)
        assert recorder.seen["dm_store_associations"] == [address(associations)]
        with store.spreader() as spreader, Former(64, episodes=50) as former:
            spreader._lib = former._lib = recorder
            cues = cue_array(slots, deltas.repeat(5))
            nodes = spreader.spread(cues).nodes
            assert recorder.seen["dm_spread"] == [address(cues)]
            store.apply_spread(nodes)
            assert recorder.seen["dm_store_apply_spread"] == [address(nodes)]
            former.cluster(store, slots)
            assert recorder.seen["dm_former_cluster"][0] == address(slots)
            formed = store.form(former, slots, ids)
            assert recorder.seen["dm_store_form"][:3] == [address(slots), address(ids), address(formed)]
        assert want(embeddings, FLOAT32, (50, 64), "x") is embeddings and id_array(ids) is ids and pair_array(pairs) is pairs


def test_activation_mapping_reads_and_writes_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    native = load()
    recorder = Recorder(native)
    monkeypatch.setattr(activation, "load", lambda: Binding(native.ffi, recorder))
    values, fans = np.full(9, 0.5, F32), np.full(9, 3, np.uint32)
    found = sigmoid(values)
    assert recorder.seen["dm_activation_sigmoid"][:2] == [address(values), address(found)]
    found = fan_effect(values, fans)
    assert recorder.seen["dm_activation_fan"][:3] == [address(values), address(fans), address(found)]
    found = sigmoid_fan(values, fans, out=values)
    assert recorder.seen["dm_activation_sigmoid_fan"][:3] == [address(values), address(fans), address(values)]
    assert found is values


def test_an_embedding_is_the_stores_own_row() -> None:
    with Store(20, concepts=4, episodes=4) as store:
        store.add_episodes(range(4), np.arange(80, dtype=F32).reshape(4, 20))
        rows = store.episode_rows()
        for slot in range(4):
            view = store.embedding(slot)
            assert address(view) == address(store.embedding(slot)) == address(rows.embeddings[slot])
            assert address(view) % 64 == 0 and view.dtype == F32 and view.shape == (20,)
            assert not view.flags.writeable and not view.flags.owndata
            with pytest.raises(ValueError, match="read-only"):
                view[0] = 1
            with pytest.raises(ValueError, match="cannot set WRITEABLE"):
                view.flags.writeable = True
        assert rows.embeddings.strides == (128, 4)  # padded to whole cache lines
        for each in rows:
            assert not each.flags.writeable


def test_views_keep_what_they_showed() -> None:
    """Old views show old values, whatever was written since; each is held once and released once."""
    rng = np.random.default_rng(2)
    with Store(6, concepts=1, episodes=16) as store:  # two spare rows
        slot = store.add_episode(0, np.zeros(6, F32))
        for _ in range(200):
            first, second = rng.normal(size=(2, 6)).astype(F32)
            store.update_embedding(slot, first)
            view, again = store.embedding(slot), store.embedding(slot)
            part = view[2:4]
            del again  # one of two references to the same row
            store.update_embedding(slot, second)
            newer = store.embedding(slot)
            np.testing.assert_array_equal(view, first)
            del view  # `part` still refers to the memory
            for _ in range(4):
                store.update_embedding(slot, rng.normal(size=6).astype(F32))
            np.testing.assert_array_equal(part, first[2:4])
            np.testing.assert_array_equal(newer, second)
            del part, newer
        gc.collect()
        assert (
            spare_rows_left(store, slot) == spare_rows_left(store, slot) == 16 + 2 - 1
        )  # the rows of nodes that are not there too


def test_every_view_costs_a_row_until_it_goes() -> None:
    with Store(3, concepts=2, episodes=0) as store:  # two spare rows
        slots = store.add_concepts([1, 2], np.ones((2, 3), F32)).tolist()
        held = []
        for _ in range(2):
            held.append(store.embedding(slots[0]))
            store.update_embedding(slots[0], np.zeros(3, F32))
        held.append(store.embedding(slots[0]))
        with pytest.raises(StoreMemoryError, match="all spare rows are kept by references to replaced embeddings; release some"):
            store.update_embedding(slots[0], np.ones(3, F32))
        held.pop(0)
        store.update_embedding(slots[0], np.full(3, 2, F32))
        assert [row.tolist() for row in held] == [[0, 0, 0], [0, 0, 0]]


def test_a_cycle_is_collected() -> None:
    with Store(3, concepts=2, episodes=0) as store:
        slot = store.add_concept(1, np.ones(3, F32))
        before = spare_rows_left(store, slot)
        for _ in range(10):
            cycle: list[Any] = [store.embedding(slot)]
            cycle.append(cycle)
            store.update_embedding(slot, np.zeros(3, F32))
            del cycle
            gc.collect()
        assert spare_rows_left(store, slot) == before


def _destroyed(store: Store) -> list[str]:
    """Fills when the store's memory is freed."""
    freed: list[str] = []
    weakref.finalize(store._handle, freed.append, "freed")
    return freed


def test_closing_waits_for_the_last_view() -> None:
    values = np.arange(2000, dtype=F32)
    with Store(2000, concepts=3, episodes=3) as store:
        freed = _destroyed(store)
        slot = store.add_episode(1, values)
        store.add_concept(2, values)
        view, rows, index = store.embedding(slot), store.concept_rows(), store.index()
        store.close()
        assert store.closed
    store.close()
    np.testing.assert_array_equal(view, values)
    np.testing.assert_array_equal(rows.embeddings[0], values)
    assert index.search(values, k=1).similarities.tolist() == [1.0]
    del view, index
    gc.collect()
    assert not freed
    tail = Rows(*rows).embeddings[0, 1990:]
    del rows
    gc.collect()
    assert not freed
    assert tail.tolist() == values[1990:].tolist()
    del tail
    gc.collect()
    assert freed == ["freed"]


def test_an_index_keeps_the_store() -> None:
    with Store(3, concepts=2, episodes=0) as store:
        freed = _destroyed(store)
        slot = store.add_concept(1, np.ones(3, F32))
        index = store.index()
    gc.collect()
    assert not freed
    assert index.search(np.ones(3, F32), k=1).slots.tolist() == [slot]
    del index
    gc.collect()
    assert freed == ["freed"]


def _mappings() -> int:
    return Path("/proc/self/maps").read_text(encoding="utf-8").count("\n")


def test_memory_is_given_back() -> None:
    """Closed or forgotten, no store leaves its memory behind, and no team its threads."""
    before = _mappings()
    for step in range(60):
        store = Store(1000, concepts=1000, episodes=1000)  # two mappings of 4 MB at least
        store.add_concept(1, np.ones(1000, F32))
        store.lookup(np.ones(1000, F32))
        assert _mappings() > before
        if step % 2:
            store.close()
        del store
    assert _mappings() < before + 30
    threads = len(list(Path("/proc/self/task").iterdir()))
    with Team(5):
        assert len(list(Path("/proc/self/task").iterdir())) == threads + 4
    forgotten = Team(3)
    assert len(list(Path("/proc/self/task").iterdir())) == threads + 2
    del forgotten
    assert len(list(Path("/proc/self/task").iterdir())) == threads


def test_everything_refuses_after_closing() -> None:
    values = np.ones(3, F32)
    store = Store(3, concepts=2, episodes=2)
    episode, concept = store.add_episode(1, values), store.add_concept(2, values)
    binding = store.bind(episode, concept)
    reader, index, former = store.reader(), store.index(), Former(3, episodes=2)
    store.close()
    calls: dict[str, tuple[Any, ...]] = {
        "add_concept": (3, values), "add_episode": (3, values), "add_node": (3, values),
        "add_concepts": ([3], values.reshape(1, 3)), "add_episodes": ([3], values.reshape(1, 3)), "add_nodes": ([3], values.reshape(1, 3)),
        "update_embedding": (episode, values), "remove": (episode,), "find": (1,), "find_batch": ([1],), "id": (episode,),
        "is_live": (episode,), "is_concept": (episode,), "embedding": (episode,), "concept_rows": (), "episode_rows": (),
        "node_rows": (), "activation": (episode,), "activate": (episode, 0.1), "last_access": (episode,), "touch": (episode, 5),
        "strength": (episode,), "set_strength": (episode, 0.5), "formation": (concept,),
        "set_formation": (concept, Formation(0.5, 3)), "fan": (episode,), "fan_by_id": (1,), "version": (episode,),
        "decay_factor": (concept,), "bind": (episode, concept), "bind_by_id": (1, 2), "unbind": (episode, concept),
        "unbind_by_id": (1, 2), "find_binding": (episode, concept), "binding_strength": (binding,), "strengthen": (binding, 0.1),
        "scale": (binding, 0.5), "is_weak": (binding,), "binding_strength_by_id": (1, 2), "strengthen_by_id": (1, 2, 0.1),
        "scale_by_id": (1, 2, 0.5), "strengthen_batch": (np.array([binding], np.uint32), np.ones(1, F32)),
        "strengthen_batch_by_id": ([(1, 2)], np.ones(1, F32)), "edges": (episode,), "lookup": (values,), "index": (),
        "load_index": ("nowhere/at/all",),
        "population": (), "memory": (), "reader": (), "statistics": (), "placement": (), "save": ("nowhere/at/all",),
        "decay": (0.1, 10**9), "decay_concepts": (np.array([concept], np.uint32), 0.1, 10**9),
        "consolidate": (np.array([concept], np.uint32),),
        "form": (former, np.array([episode], np.uint32), range(5)), "spreader": (), "apply_spread": (np.zeros(1, SPREAD_NODE),),
        "associate": (0, 1, 0.5), "dissociate": (0, 1), "association_weight": (0, 1), "associations": (episode,),
    }  # fmt: skip
    public = {name for name in dir(Store) if not name.startswith("_") and callable(getattr(Store, name))}
    assert set(calls) == public - {"close", "load"}
    empty = {"decay_concepts", "consolidate", "apply_spread", "strengthen_batch"}  # of these, arrays of no length too
    calls |= {
        f"{name} of none": tuple(each[:0] if isinstance(each, np.ndarray) else each for each in calls[name]) for name in empty
    }
    for call, arguments in calls.items():
        name = call.removesuffix(" of none")
        with pytest.raises(StoreClosedError, match=r"this store was closed. Use it inside of its `with` block\."):
            getattr(store, name)(*arguments)
    with pytest.raises(StoreClosedError):
        reader.fan(episode)
    reader.close()
    with pytest.raises(StoreClosedError, match="this reader was closed"):
        reader.fan_by_id(1)
    index.close()
    index.close()
    with pytest.raises(StoreClosedError, match="this index was closed"):
        index.search(values, k=1)
    with Team(2) as team:
        assert team.size == 2
    team.close()
    with Store(3, concepts=2, episodes=2) as other, pytest.raises(StoreClosedError, match="this team was closed"):
        other.lookup(values, team=team)


def test_threads_beside_each_other() -> None:
    """Counts are exact, strengths saturate exactly, and a view never shows half of an update."""
    with Store(64, concepts=8, episodes=64) as store, ThreadPoolExecutor(6) as threads:
        concept = store.add_concept(1, np.ones(64, F32))
        episodes = store.add_episodes(range(10, 74), np.ones((64, 64), F32)).tolist()
        binding = store.bind(episodes[0], concept, 0.0)
        delta = np.full(500, 2.0**-13, F32)
        handles = np.full(500, binding, np.uint32)

        def strengthen() -> None:
            for _ in range(500):
                store.strengthen(binding, 2.0**-13)
            store.strengthen_batch(handles, delta)

        def update(number: int) -> None:
            for _ in range(300):
                store.update_embedding(concept, np.full(64, number, F32))

        def read() -> int:
            for _ in range(300):
                view = store.embedding(concept)
                assert (view == view[0]).all()
                del view
            return 1

        def bind(share: int) -> None:
            for episode in episodes[share::2]:
                store.bind(episode, concept, 0.5 if episode != episodes[0] else None)
                store.add_concept(1000 + episode, np.ones(64, F32))
                store.remove(store.find(1000 + episode) or 0)

        work = [threads.submit(strengthen) for _ in range(4)]
        for each in work:
            each.result()
        assert store.binding_strength(binding) == 4000 * 2.0**-13
        work = [threads.submit(update, number) for number in (1, 2)]
        reads = [threads.submit(read) for _ in range(2)]
        work += [threads.submit(bind, share) for share in (0, 1)]
        for each in work:
            each.result()
        assert [each.result() for each in reads] == [1, 1]
        assert store.fan(concept) == 64
        assert store.population() == (1, 64, 65, 64, 0)


def test_closing_beside_calls() -> None:
    """Whoever closes while others call: they finish, or are told so."""
    for _ in range(20):
        store = Store(32, concepts=64, episodes=64)
        store.add_concepts(range(64), np.ones((64, 32), F32))
        queries = np.ones((200, 32), F32)
        started = threading.Barrier(4)

        def call(store: Store = store, queries: Any = queries, started: threading.Barrier = started) -> str:
            started.wait()
            try:
                while True:
                    view = store.embedding(store._concept_base)
                    store.lookup(queries, k=5)
                    assert view[3] == 1
            except StoreClosedError as error:
                return error.what

        with ThreadPoolExecutor(3) as threads:
            calls = [threads.submit(call) for _ in range(3)]
            started.wait()
            store.close()
            assert [each.result() for each in calls] == ["this store was closed"] * 3


def test_the_lock_of_the_interpreter_is_released() -> None:
    """While one thread searches, another runs Python."""
    rng = np.random.default_rng(3)
    with Store(768, concepts=2000, episodes=0) as store:
        store.add_concepts(range(2000), rng.normal(size=(2000, 768)).astype(F32))
        index = store.index()
        queries = rng.normal(size=(400, 768)).astype(F32)
        done = threading.Event()
        counted = 0

        def search() -> None:
            index.search(queries, k=10)
            done.set()

        searcher = threading.Thread(target=search)
        searcher.start()
        while not done.is_set():
            counted += 1
        searcher.join()
        assert counted > 100  # with the lock held it would be a few


def test_loaded_once(package: Any) -> None:
    assert load() is load()

"""Store.lookup and the index against numpy in float64: exact neighbours, any team, while and after concepts change."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from dualmem_cli.errors import StoreArgumentError, StoreDataError, StoreMemoryError
from dualmem_cli.native import Store, Team

pytestmark = pytest.mark.usefixtures("package")

F32 = np.float32


def cosines_of(queries: Any, embeddings: Any) -> Any:
    q, e = queries.astype(float), embeddings.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = (q @ e.T) / np.linalg.norm(q, axis=1)[:, None] / np.linalg.norm(e, axis=1)
    return np.nan_to_num(np.clip(cosines, -1, 1))


def check(store: Store, queries: Any, slots: Any, cosines: Any, k: int) -> None:
    """The k best cosines, each under a slot that has it."""
    rows = store.node_rows() if store.single_type else store.concept_rows()
    live = rows.slots != 2**32 - 1
    exact = cosines_of(queries, rows.embeddings[live])
    width = min(k, int(live.sum()))
    assert slots.shape == cosines.shape == (len(queries), width)
    assert slots.dtype == np.uint32 and cosines.dtype == np.float64
    np.testing.assert_allclose(cosines, -np.sort(-exact, axis=1)[:, :width], rtol=0, atol=1e-12)
    place = {slot: i for i, slot in enumerate(rows.slots[live].tolist())}
    for number, found in enumerate(slots.tolist()):
        assert len(set(found)) == width
        np.testing.assert_allclose(exact[number, [place[slot] for slot in found]], cosines[number], rtol=0, atol=1e-12)


@pytest.mark.parametrize("single_type", [False, True])
@pytest.mark.parametrize("dim", [1, 5, 48, 768])
def test_against_numpy(dim: int, single_type: bool) -> None:
    rng = np.random.default_rng(dim)
    with Store(dim, concepts=0 if single_type else 200, episodes=200 if single_type else 1, single_type=single_type) as store:
        add = store.add_nodes if single_type else store.add_concepts
        queries = rng.normal(size=(17, dim)).astype(F32)
        slots, cosines = store.lookup(queries, k=3)
        assert slots.shape == cosines.shape == (17, 0)
        kept: list[int] = []
        for step in range(6):
            embeddings = rng.normal(size=(30, dim)).astype(F32)
            embeddings[3] = 0
            embeddings[5] = embeddings[4]
            kept += add([step * 30 + i for i in range(30)], embeddings).tolist()
            for _ in range(5):
                store.remove(kept.pop(int(rng.integers(len(kept)))))
            store.update_embedding(kept[0], rng.normal(size=dim).astype(F32))
            for k in (1, 10, 100):
                check(store, queries, *store.lookup(queries, k=k), k)


def test_the_same_with_any_team() -> None:
    rng = np.random.default_rng(4)
    with Store(96, concepts=500, episodes=0) as store:
        store.add_concepts(range(500), rng.normal(size=(500, 96)).astype(F32))
        queries = rng.normal(size=(123, 96)).astype(F32)
        alone = store.lookup(queries, k=7)
        for threads in range(1, 9):
            with Team(threads) as team:
                together = store.lookup(queries, k=7, team=team)
            assert alone.slots.tobytes() == together.slots.tobytes()
            assert alone.similarities.tobytes() == together.similarities.tobytes()
        one = store.lookup(queries[5], k=7)
        assert one.slots.tolist() == alone.slots[5].tolist() and one.similarities.tolist() == alone.similarities[5].tolist()


def test_the_index_is_kept_until_concepts_change() -> None:
    rng = np.random.default_rng(5)
    with Store(8, concepts=20, episodes=20) as store:
        slots = store.add_concepts(range(10), rng.normal(size=(10, 8)).astype(F32)).tolist()
        query = rng.normal(size=8).astype(F32)

        def index_after(change: Any) -> Any:
            before = store._index
            change()
            store.lookup(query)
            return store._index is not before

        store.lookup(query)
        assert not index_after(lambda: store.lookup(query, k=3))
        assert not index_after(lambda: store.add_episode(100, query))
        assert not index_after(lambda: store.update_embedding(0, query))
        assert not index_after(lambda: store.bind(0, slots[0]))
        assert not index_after(lambda: store.remove(0))
        assert index_after(lambda: store.add_concept(50, query))
        assert index_after(lambda: store.update_embedding(slots[3], query))
        assert index_after(lambda: store.remove(slots[3]))
        assert index_after(lambda: store.add_concepts([51, 52], rng.normal(size=(2, 8)).astype(F32)))
        # A change behind the wrapper's back, as formation makes them in C.
        store._native.call(store._lib.dm_store_remove, store._live, slots[4])
        assert slots[4] not in store.lookup(query, k=100).slots.tolist()


def test_a_kept_index_costs_no_rows() -> None:
    """Replacing concepts goes on for ever beside look-ups; an index that the user keeps is another matter."""
    with Store(8, concepts=20, episodes=0) as store:  # two spare rows
        slots = store.add_concepts(range(20), np.eye(20, 8, dtype=F32)).tolist()
        for step in range(100):
            for other in range(4):  # more than there are spare rows
                store.update_embedding(slots[(step + other) % 20], np.full(8, step, F32))
            store.lookup(np.ones(8, F32), k=2)
            for other in range(4):
                store.remove(slots[(step + other) % 20])
            slots = [slot for slot in slots if store.is_live(slot)]
            slots += store.add_concepts(range(100 + 4 * step, 104 + 4 * step), np.ones((4, 8), F32)).tolist()
            store.lookup(np.ones(8, F32), k=2)
        with store.index() as index:
            assert index.size == 20 and index.is_current and index.memory > 20 * 8
            before = index.search(np.ones(8, F32), k=20)
            store.update_embedding(slots[0], np.ones(8, F32))
            store.update_embedding(slots[0], np.ones(8, F32))  # the row between was nobody's
            store.remove(slots[1])
            store.update_embedding(slots[2], np.ones(8, F32))
            assert not index.is_current
            with pytest.raises(StoreMemoryError, match="spare rows are kept by references"):
                store.update_embedding(slots[3], np.ones(8, F32))
            store.remove(slots[3])
            after = index.search(np.ones(8, F32), k=20)
            assert after.slots.tolist() == before.slots.tolist() and after.similarities.tolist() == before.similarities.tolist()
        store.add_concepts([1, 3], np.ones((2, 8), F32))
        store.update_embedding(slots[2], np.ones(8, F32))


def test_refusals() -> None:
    with Store(4, concepts=5, episodes=0) as store:
        queries = np.ones((3, 4), F32)
        queries[2, 1] = np.nan
        with pytest.raises(StoreDataError, match="query 2 has NaN or an infinity at position 1"):
            store.lookup(queries)
        store.add_concepts(range(5), np.ones((5, 4), F32))
        queries[2, 1] = -np.inf
        with pytest.raises(StoreDataError, match="query 2 has NaN or an infinity at position 1"):
            store.lookup(queries)
        good = np.ones((3, 4), F32)
        for k, sentence in [(0, "k 0 is not in 1..100"), (101, "k 101 is not in 1..100"), (-1, "k -1 is not in 1..100")]:
            with pytest.raises(StoreArgumentError, match=sentence):
                store.lookup(good, k=k)
        assert store.lookup(good, k=100).slots.shape == (3, 5)
        assert store.lookup(good[:0], k=3).slots.shape == (0, 3)
        for bad in (
            good.astype(float),
            good[:, :3],
            good.T.copy().T,
            np.ones((1, 3, 4), F32),
            np.ones(5, F32),
            [[1.0] * 4],
            good[:, ::-1],
        ):
            with pytest.raises(StoreArgumentError, match=r"queries: .*want a C-contiguous numpy array of float32 with shape"):
                store.lookup(bad)  # type: ignore[arg-type]


def test_searches_beside_changes() -> None:
    """Two threads search while another replaces a concept: every answer is right for one of its states."""
    rng = np.random.default_rng(6)
    with Store(32, concepts=400, episodes=0) as store, ThreadPoolExecutor(3) as threads:
        embeddings = rng.normal(size=(300, 32)).astype(F32)
        slots = store.add_concepts(range(300), embeddings).tolist()
        query = rng.normal(size=32).astype(F32)
        near, far = query.copy(), -query
        store.update_embedding(slots[7], near)
        others = cosines_of(query[None], np.delete(embeddings, 7, axis=0))[0]
        runner_up = float(others.max())

        def change() -> None:
            for step in range(200):
                store.update_embedding(slots[7], near if step % 2 else far)

        def search() -> int:
            for _ in range(200):
                found = store.lookup(query, k=1)
                if found.slots[0] == slots[7]:
                    assert found.similarities[0] == 1.0
                else:
                    assert found.similarities[0] == pytest.approx(runner_up, abs=1e-12)
            return 1

        searches = [threads.submit(search) for _ in range(2)]
        changes = threads.submit(change)
        assert [each.result() for each in searches] == [1, 1]
        changes.result()

"""Store.index with its methods, types, refreshing and files against numpy in float64."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dualmem_cli.errors import StoreArgumentError, StoreClosedError, StoreDataError, StoreFileError, StoreMemoryError
from dualmem_cli.native import SLOT_NONE, Lookup, LookupMethod, NodeTypes, Similarity, Store, Team

pytestmark = pytest.mark.usefixtures("package")

F32 = np.float32
DIM = 32
METHODS = list(LookupMethod)


def clustered(rng: np.random.Generator, count: int) -> Any:
    """Vectors of 30 clusters in 8 inner dimensions."""
    inner = np.random.default_rng(99)
    centres, spread = inner.normal(size=(30, 8)), inner.normal(size=(8, DIM))
    return ((centres[rng.integers(30, size=count)] + 0.5 * rng.normal(size=(count, 8))) @ spread).astype(F32)


def truth(store: Store, queries: Any, types: NodeTypes, similarity: Similarity) -> tuple[Any, Any]:
    """Slots of all nodes of the types, and the similarity of each to each query."""
    if store.single_type:
        parts = [store.node_rows()]
    else:
        both = ((NodeTypes.CONCEPTS, store.concept_rows), (NodeTypes.EPISODES, store.episode_rows))
        parts = [rows() for kind, rows in both if kind & types]
    slots = np.concatenate([rows.slots for rows in parts])
    embeddings = np.concatenate([rows.embeddings for rows in parts])[slots != SLOT_NONE].astype(float)
    q = queries.astype(float)
    products = q @ embeddings.T
    if similarity is Similarity.COSINE:
        products = products / np.linalg.norm(q, axis=1)[:, None] / np.linalg.norm(embeddings, axis=1)
    return slots[slots != SLOT_NONE], products


def recall(
    store: Store, found: Any, queries: Any, types: NodeTypes, k: int = 10, similarity: Similarity = Similarity.COSINE
) -> float:
    """The share of the true nearest that was found; every one that was found has its similarity, once."""
    slots, similarities = truth(store, queries, types, similarity)
    slack = 1e-12 * max(1.0, float(np.abs(similarities).max()))
    place = {slot: i for i, slot in enumerate(slots.tolist())}
    assert found.slots.shape == found.similarities.shape == (len(queries), min(k, len(slots)))
    assert found.slots.dtype == np.uint32 and found.similarities.dtype == np.float64
    for query, row in enumerate(found.slots.tolist()):
        assert len(set(row)) == len(row)
        np.testing.assert_allclose(
            similarities[query, [place[slot] for slot in row]], found.similarities[query], rtol=0, atol=slack
        )
    assert (np.diff(found.similarities, axis=1) <= 0).all()
    kth = -np.sort(-similarities, axis=1)[:, : found.slots.shape[1]][:, -1:]
    return float((found.similarities >= kth - slack).mean())


def least(method: LookupMethod) -> float:
    return 1.0 if method is LookupMethod.EXACT else 0.93


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("single_type", [False, True])
def test_methods_and_types_while_the_store_changes(method: LookupMethod, single_type: bool) -> None:
    rng = np.random.default_rng(1)
    with Store(DIM, concepts=0 if single_type else 1500, episodes=3000, single_type=single_type) as store, Team(2) as team:
        add = store.add_nodes if single_type else store.add_concepts
        kept = add(range(1000), clustered(rng, 1000)).tolist()
        if not single_type:
            store.add_episodes(range(5000, 6200), clustered(rng, 1200))
        queries = clustered(rng, 80)
        with store.index(method=method, types=NodeTypes.BOTH, team=team) as index:
            plan = index.plan
            assert plan.method is method or (method is LookupMethod.AUTO and plan.method is not method)
            assert plan.recall_low <= plan.recall <= 1 and plan.reason and plan.planned == 1000
            assert set(plan.costs) <= set(METHODS[1:])
            for step in range(4):
                assert index.is_current
                for types in NodeTypes.CONCEPTS, NodeTypes.EPISODES, NodeTypes.BOTH:
                    found = index.search(queries, k=10, types=types)
                    assert recall(store, found, queries, types) >= least(method)
                both, again = index.search(queries, k=10), index.search(queries, k=10, team=team)
                assert both.slots.tobytes() == found.slots.tobytes() == again.slots.tobytes()
                for _ in range(15):
                    store.remove(kept.pop(int(rng.integers(len(kept)))))
                kept += add(range(10_000 + 20 * step, 10_020 + 20 * step), clustered(rng, 20)).tolist()
                store.update_embedding(kept[step], clustered(rng, 1)[0])
                assert not index.is_current
                index.refresh(team=team)
                assert index.size == store.population().nodes


@pytest.mark.parametrize("method", [method for method in METHODS if method is not LookupMethod.LISTS])
def test_inner_products(method: LookupMethod, tmp_path: Path) -> None:
    """Norms of all sizes: by type and by both, beside changes, saved and loaded with the rows where they were and elsewhere."""
    rng = np.random.default_rng(6)

    def drawn(count: int) -> Any:
        return clustered(rng, count) * rng.lognormal(sigma=1.0, size=(count, 1)).astype(F32)

    def check(store: Store, index: Lookup) -> None:
        assert index.similarity is Similarity.INNER_PRODUCT
        for types in NodeTypes.CONCEPTS, NodeTypes.EPISODES, NodeTypes.BOTH:
            found = index.search(queries, k=10, types=types)
            reached = recall(store, found, queries, types, similarity=Similarity.INNER_PRODUCT)
            assert reached >= (1.0 if method is LookupMethod.EXACT else 0.88)

    queries = clustered(rng, 80)
    with Store(DIM, concepts=900, episodes=900) as store:
        slots = store.add_concepts(range(700), drawn(700)).tolist()
        store.add_episodes(range(1000, 1650), drawn(650))
        with store.index(method=method, similarity="inner_product", types=NodeTypes.BOTH) as index:
            check(store, index)
            with store.index() as by_cosine:
                assert by_cosine.similarity is Similarity.COSINE
                of_concepts = index.search(queries, k=1, types=NodeTypes.CONCEPTS)
                assert (by_cosine.search(queries, k=1).slots != of_concepts.slots).mean() > 0.8
            for step in range(3):
                for slot in slots[:20]:
                    store.update_embedding(slot, drawn(1)[0])
                for _ in range(20):
                    store.remove(slots.pop())
                slots += store.add_concepts(range(10_000 + 30 * step, 10_030 + 30 * step), drawn(30)).tolist()
                index.refresh()
                check(store, index)
            index.save(tmp_path / "nearest.dm")
        with store.load_index(tmp_path / "nearest.dm") as index:
            check(store, index)
        store.save(tmp_path / "memory.dm")
    with Store.load(tmp_path / "memory.dm") as store, store.load_index(tmp_path / "nearest.dm") as index:
        check(store, index)
        store.add_concepts(range(20_000, 20_050), drawn(50))
        index.refresh()
        check(store, index)


@pytest.mark.parametrize("method", METHODS)
def test_a_refresh_lets_rows_go(method: LookupMethod) -> None:
    rng = np.random.default_rng(2)
    with Store(DIM, concepts=640, episodes=0) as store:  # 40 spare rows
        slots = store.add_concepts(range(640), clustered(rng, 640)).tolist()
        with store.index(method=method) as index:
            for _ in range(3):
                for slot in slots[:40]:
                    store.update_embedding(slot, clustered(rng, 1)[0])
                with pytest.raises(StoreMemoryError, match="spare rows are kept by references"):
                    store.update_embedding(slots[40], clustered(rng, 1)[0])
                index.refresh()
                queries = clustered(rng, 30)
                assert recall(store, index.search(queries, k=10), queries, NodeTypes.CONCEPTS) >= least(method)


@pytest.mark.parametrize("method", METHODS)
def test_files(method: LookupMethod, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    memory, nearest = tmp_path / "memory.dm", tmp_path / "nearest.dm"
    queries = clustered(rng, 50)
    with Store(DIM, concepts=900, episodes=900) as store:
        store.add_concepts(range(800), clustered(rng, 800))
        store.add_episodes(range(1000, 1700), clustered(rng, 700))
        with store.index(method=method, types=NodeTypes.BOTH) as index:
            index.save(nearest)
            expected, plan = index.search(queries, k=10), index.plan
        store.save(memory)
    for mapped in False, True:
        with Store.load(memory, map_embeddings=mapped) as store, store.load_index(nearest) as index:
            found = index.search(queries, k=10)
            assert (
                found.slots.tobytes() == expected.slots.tobytes()
                and found.similarities.tobytes() == expected.similarities.tobytes()
            )
            assert index.plan == plan and index.is_current
            store.remove(int(store.concept_rows().slots[5]))
            with pytest.raises(StoreArgumentError, match=r"nearest\.dm: saved of another store, or of this one in another state"):
                store.load_index(nearest)
            with pytest.raises(StoreArgumentError, match="the store has changed since the lookup was brought up to date"):
                index.save(nearest)
            index.refresh()
            assert recall(store, index.search(queries, k=10), queries, NodeTypes.BOTH) >= least(method)
    data = bytearray(nearest.read_bytes())
    data[len(data) // 2] ^= 1
    nearest.write_bytes(data)
    with Store.load(memory) as store:
        with pytest.raises(StoreDataError, match="damaged"):
            store.load_index(nearest)
        with pytest.raises(StoreFileError, match="cannot open"):
            store.load_index(tmp_path / "nothing")


def test_rows_in_another_order_after_a_load(tmp_path: Path) -> None:
    """A store whose rows are not in the order of its slots has them in another order after a load."""
    rng = np.random.default_rng(4)
    queries = clustered(rng, 50)
    with Store(DIM, concepts=900, episodes=0) as store:
        slots = store.add_concepts(range(800), clustered(rng, 800)).tolist()
        for slot in slots[:20]:
            store.update_embedding(slot, clustered(rng, 1)[0])
        with store.index(method=LookupMethod.GRAPH) as index:
            index.save(tmp_path / "nearest.dm")
            expected = index.search(queries, k=10)
            assert recall(store, expected, queries, NodeTypes.CONCEPTS) >= 0.93
        store.save(tmp_path / "memory.dm")
        assert store.load_index(tmp_path / "nearest.dm").search(queries, k=10).slots.tobytes() == expected.slots.tobytes()
    with Store.load(tmp_path / "memory.dm") as store, store.load_index(tmp_path / "nearest.dm") as index:
        assert index.plan.method is LookupMethod.GRAPH
        assert recall(store, index.search(queries, k=10), queries, NodeTypes.CONCEPTS) >= 0.93


def test_refusals() -> None:
    with Store(DIM, concepts=50, episodes=50) as store:
        store.add_concepts(range(3), np.eye(3, DIM, dtype=F32))
        for options, sentence in [
            ({"method": 4}, "method 4 is none of LookupMethod.AUTO"),
            ({"similarity": "dot"}, "similarity 'dot' is none of 'cosine', 'inner_product'"),
            (
                {"similarity": "inner_product", "method": LookupMethod.LISTS},
                "lists are for cosines; use DM_LOOKUP_AUTO, _EXACT or _GRAPH",
            ),
            ({"recall": 0.0}, r"a recall of 0 is not in \(0, 1\]"),
            ({"recall": float("nan")}, r"a recall of nan is not in"),
            ({"k": 0}, r"k 0 is not in 1\.\.100"),
            ({"k": -1}, "k -1 is not in 0"),
            ({"types": 0}, "types 0 is none of"),
            ({"types": 8}, "types 8 is none of"),
            ({"seed": -1}, "seed -1 is not in"),
        ]:
            with pytest.raises(StoreArgumentError, match=sentence):
                store.index(**options)  # type: ignore[arg-type]
        index = store.index()
        query = np.ones(DIM, F32)
        with pytest.raises(StoreArgumentError, match="types 2 are not among those that the lookup was made for, 1"):
            index.search(query, k=1, types=NodeTypes.EPISODES)
        with pytest.raises(StoreArgumentError, match="types 2: the lookup was not made for this type"):
            index.plan_of(NodeTypes.EPISODES)
        assert index.search(query, k=100).slots.shape == (3,)
        index.close()
        for call in index.refresh, lambda: index.plan, lambda: index.size, lambda: index.save("nowhere"):
            with pytest.raises(StoreClosedError):
                call()
        with store.index(types=NodeTypes.EPISODES) as empty:
            assert empty.search(query, k=5).slots.shape == (0,)
            assert empty.plan.reason == "there are no nodes yet"


def test_searches_beside_refreshes() -> None:
    """Two threads search a graph while one replaces a concept and refreshes: every answer is right for one of its states."""
    rng = np.random.default_rng(5)
    with Store(DIM, concepts=400, episodes=0) as store, ThreadPoolExecutor(3) as threads:
        slots = store.add_concepts(range(300), clustered(rng, 300)).tolist()
        query = clustered(rng, 1)[0]
        near, far = query.copy(), -query
        index = store.index(method=LookupMethod.GRAPH)

        def change() -> None:
            for step in range(150):
                store.update_embedding(slots[7], near if step % 2 else far)
                index.refresh()

        def search() -> int:
            for _ in range(300):
                found = index.search(query, k=2)
                if found.slots[0] == slots[7]:
                    assert found.similarities[0] == 1.0 or found.similarities[0] < 1.0 - 1e-9
                assert found.slots[1] != found.slots[0]
            return 1

        searches = [threads.submit(search) for _ in range(2)]
        changes = threads.submit(change)
        assert [each.result() for each in searches] == [1, 1]
        changes.result()

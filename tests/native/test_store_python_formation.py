"""Concept formation from Python against scipy's average linkage, and consolidation against numpy."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from dualmem_cli.errors import StoreArgumentError, StoreClosedError, StoreDataError, StoreMemoryError
from dualmem_cli.native import Former, Store, Team
from dualmem_cli.native.binding import load

pytestmark = pytest.mark.usefixtures("package")

F32 = np.float32
BASE = 129 << 20
HOUR = 3600 * 10**9
Array = np.ndarray[Any, Any]


def clustered(seed: int, *, rows: int, clusters: int, dim: int = 24, noise: float = 0.6) -> tuple[Array, Array]:
    """Embeddings around centres, and times within two days."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, dim))
    embeddings = centres[rng.integers(clusters, size=rows)] + noise * rng.normal(size=(rows, dim))
    return embeddings.astype(F32), rng.integers(0, 48 * 3600, size=rows).astype(np.uint64) * np.uint64(10**9)


def similarities(embeddings: Array, times: Array, hours: float) -> Array:
    rows = embeddings.astype(float)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    apart = np.abs(times[:, None].astype(float) - times[None, :].astype(float)) / HOUR
    result: Array = np.clip(unit @ unit.T, -1, 1) * np.exp(-apart / hours)
    return result


class Expected:
    """What scipy makes of it: clusters numbered by their first member in order of time (ids here grow with the position), and those that
    become concepts."""

    def __init__(
        self, embeddings: Array, times: Array, *, cut: float, hours: float, coherence: float, members: int, most: int
    ) -> None:
        similarity = similarities(embeddings, times, hours)
        distances = 1 - (similarity + similarity.T) / 2
        np.fill_diagonal(distances, 0)
        tree = linkage(squareform(distances, checks=False), method="average")
        assert np.min(np.abs(tree[:, 2] - (1 - cut))) > 1e-6, "a merge is too close to the cut to tell"
        flat = fcluster(tree, 1 - cut, criterion="distance")
        order = np.lexsort((np.arange(len(times)), times))
        firsts = list(dict.fromkeys(flat[order].tolist()))
        self.labels = np.array([firsts.index(label) for label in flat.tolist()])
        self.concepts: list[tuple[float, list[int]]] = []
        for label in range(len(firsts)):
            inside = [int(i) for i in order if self.labels[i] == label]
            if len(inside) >= members:
                mean = float(similarity[np.ix_(inside, inside)][np.triu_indices(len(inside), 1)].mean())
                if mean >= coherence:
                    self.concepts.append((mean, inside))
        self.concepts.sort(key=lambda each: -each[0] * len(each[1]))
        self.concepts = self.concepts[:most]


def filled(embeddings: Array, times: Array, *, concepts: int = 20, single_type: bool = False) -> tuple[Store, Array]:
    """A store with these episodes; slots are not the positions, as some came and went before."""
    count, dim = embeddings.shape
    store = Store(dim, concepts=concepts, episodes=count + 5, single_type=single_type)
    add = store.add_nodes if single_type else store.add_episodes
    for slot in add(range(10**6, 10**6 + 5), np.ones((5, dim), F32)).tolist():
        store.remove(slot)
    slots = add(range(count), embeddings)
    for slot, time in zip(slots.tolist(), times.tolist(), strict=True):
        store.touch(slot, time)
    return store, slots


@pytest.mark.parametrize(
    ("clusters", "options"),
    [
        (8, {}),
        (8, {"time_constant_hours": np.inf}),
        (8, {"cut": 0.3, "least_coherence": 0.0, "least_members": 2, "most_concepts": 50}),
        (3, {"cut": 0.7, "time_constant_hours": 300.0, "most_concepts": 1}),
        (30, {"time_constant_hours": 100.0}),
    ],
)
@pytest.mark.parametrize("single_type", [False, True])
def test_clusters(clusters: int, options: dict[str, Any], single_type: bool) -> None:
    embeddings, times = clustered(clusters, rows=150, clusters=clusters)
    embeddings[::31] = 0  # like nothing
    wanted = Expected(
        embeddings, times, cut=options.get("cut", 0.5201), hours=options.get("time_constant_hours", 24),
        coherence=options.get("least_coherence", 0.5619), members=options.get("least_members", 3), most=options.get("most_concepts", 5),
    )  # fmt: skip
    store, slots = filled(embeddings, times, single_type=single_type)
    with store, Former(24, episodes=200, **options) as former, Team(2) as team:
        found = former.cluster(store, slots)
        np.testing.assert_array_equal(found.labels, wanted.labels)
        assert len(np.unique(wanted.labels)) < 150 and wanted.concepts
        for cluster, (coherence, members) in zip(found.clusters, wanted.concepts, strict=True):
            assert cluster.members.tolist() == slots[members].tolist()
            assert cluster.label == wanted.labels[members[0]]
            assert cluster.coherence == pytest.approx(coherence, abs=1e-6)
        turned = former.cluster(store, slots[::-1].copy(), team=team)
        np.testing.assert_array_equal(turned.labels[::-1], found.labels)
        assert str(turned.clusters) == str(found.clusters), "the same members, labels and coherence"
        former.cluster(store, slots[:0])
        np.testing.assert_array_equal(found.labels, wanted.labels)  # the caller's own, whatever the former did since
        if not single_type:
            assert store.population() == (0, 150, 150, 0, 0)


def test_form() -> None:
    embeddings, times = clustered(8, rows=150, clusters=8)
    store, slots = filled(embeddings, times)
    wanted = Expected(embeddings, times, cut=0.5201, hours=24, coherence=0.5619, members=3, most=5).concepts
    with store, Former(24, episodes=150) as former:
        assert former.most_concepts == 5 and former.memory > 150 * 150
        store.lookup(np.ones(24, F32), k=3)
        concepts = store.form(former, slots, range(1000, 1010))
        assert concepts.dtype == np.uint32 and 1 < len(concepts) == len(wanted) <= 5
        assert [store.id(slot) for slot in concepts.tolist()] == list(range(1000, 1000 + len(wanted)))
        for concept, (coherence, members) in zip(concepts.tolist(), wanted, strict=True):
            mean = embeddings[members].astype(float).mean(axis=0)
            centroid = mean / np.linalg.norm(mean)
            np.testing.assert_allclose(store.embedding(concept), centroid, rtol=1e-6, atol=1e-8)
            formed = store.formation(concept)
            assert formed.coherence == pytest.approx(coherence, abs=1e-6) and formed.member_count == len(members)
            edges = dict(store.edges(concept)[["slot", "strength"]].tolist())
            rows = embeddings[members].astype(float)
            cosines = np.clip(rows @ centroid / np.linalg.norm(rows, axis=1), 0, 1)
            assert edges == pytest.approx(dict(zip(slots[members].tolist(), cosines.tolist(), strict=True)), abs=1e-6)
        assert store.population().concepts == len(wanted)
        assert store.lookup(np.ones(24, F32), k=3).slots.shape == (min(3, len(wanted)),)


def test_nothing_to_form() -> None:
    with Store(4, concepts=1, episodes=3) as store, Former(4, episodes=3) as former:
        slots = store.add_episodes(range(2), np.ones((2, 4), F32))
        assert store.form(former, slots, range(5)).shape == (0,)
        assert store.form(former, slots[:0], range(5)).shape == (0,)


def test_all_or_none() -> None:
    """An id that is taken, no room: the concepts made before are gone again."""
    embeddings, times = clustered(8, rows=150, clusters=8)
    store, slots = filled(embeddings, times, concepts=2)
    with store, Former(24, episodes=150) as former:
        with pytest.raises(StoreArgumentError, match="is in the store already"):
            store.form(former, slots, [1000, 3, 1002, 1003, 1004])
        with pytest.raises(StoreMemoryError, match="the capacity of 2 concepts is reached"):
            store.form(former, slots, range(1000, 1005))
        assert store.population() == (0, 150, 150, 0, 0)
        assert all(store.fan(slot) == 0 for slot in slots.tolist())


@pytest.fixture
def store() -> Iterator[Store]:
    """Episodes 0 to 2, of which 1 is gone; concepts 0 and 1 with bindings; room for more."""
    with Store(4, concepts=4, episodes=4) as made:
        made.add_episodes([1, 2, 3], np.ones((3, 4), F32))
        made.add_concepts([4, 5], np.ones((2, 4), F32))
        made.bind(0, BASE, 0.5)
        made.bind(2, BASE, 0.99)
        made.bind(2, BASE + 1, 0.25)
        made.remove(1)
        yield made


def slots(*numbers: int) -> Array:
    return np.array(numbers, np.uint32)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda s: Former(4, episodes=0), "room for 0 episodes: want 1..16384"),
        (lambda s: Former(4, episodes=16385), "room for 16385 episodes: want 1..16384"),
        (lambda s: Former(0, episodes=4), "dim 0 is not in 1..4096"),
        (lambda s: Former(-1, episodes=4), "dim -1 is not in 0..4294967295"),
        (lambda s: Former(4, episodes=4, cut=0.0), "cut 0 is not in [2^-23, 1]"),
        (lambda s: Former(4, episodes=4, cut=float("nan")), "cut nan is not in [2^-23, 1]"),
        (lambda s: Former(4, episodes=4, cut="0.5"), "cut: str, want a number"),  # type: ignore[arg-type]
        (lambda s: Former(4, episodes=4, time_constant_hours=0), "time constant of 0 hours: want more than 0, or INFINITY"),
        (lambda s: Former(4, episodes=4, least_coherence=1.5), "least coherence 1.5 is not in [-1, 1]"),
        (lambda s: Former(4, episodes=4, least_members=2**32), "least_members 4294967296 is not in 0..4294967295"),
        (lambda s: Former(4, episodes=4, most_concepts=0), "at least 3 members and at most 0 concepts"),
        (lambda s: Former(5, episodes=4).cluster(s, slots(0)), "a store of dim 4; this former clusters episodes of dim 5"),
        (lambda s: Former(4, episodes=1).cluster(s, slots(0, 2)), "2 episodes and a former with room for 1; make a larger one"),
        (lambda s: Former(4, episodes=4).cluster(s, slots(0, 1)), "no episode lives in slot 1 (position 1 of the list)"),
        (lambda s: Former(4, episodes=4).cluster(s, slots(BASE)), f"no episode lives in slot {BASE} (position 0 of the list)"),
        (lambda s: Former(4, episodes=4).cluster(s, slots(2**32 - 1)), f"no episode lives in slot {2**32 - 1}"),
        (lambda s: Former(4, episodes=4).cluster(s, slots(0, 2, 0)), "the episode in slot 0 comes twice in the list"),
        (lambda s: Former(4, episodes=4).cluster(s, np.zeros(1, np.int64)), "episodes: int64 with shape (1,); want"),
        (lambda s: Former(4, episodes=4).cluster(s, slots(0), team=2),  # type: ignore[arg-type]
         "team: int, want a Team or None"),
        (lambda s: Former(4, episodes=4).cluster("store", slots(0)), "store: str, want a Store"),  # type: ignore[arg-type]
        (lambda s: s.form(None, slots(0), range(5)), "former: NoneType, want a Former"),
        (lambda s: s.form(Former(4, episodes=4), slots(0), range(4)), "ids: 4, want 5: one for each concept that may be formed"),
        (lambda s: s.form(Former(4, episodes=4), slots(0), np.zeros((5, 3), np.uint64)), "ids: uint64 with shape (5, 3); want"),
        (lambda s: s.form(Former(4, episodes=4), [0], range(5)), "episodes: list, want"),
        (lambda s: s.consolidate(slots(BASE, 0)), "slot 0 is not that of a concept of this store"),
        (lambda s: s.consolidate(slots(BASE, BASE + 2)), f"slot {BASE + 2} is not that of a concept of this store"),
        (lambda s: s.consolidate(slots(2**32 - 1)), f"slot {2**32 - 1} is not that of a concept of this store"),
        (lambda s: s.consolidate([BASE]), "concepts: list, want"),
        (lambda s: s.consolidate(slots(BASE), amount=float("nan")), "amount nan is not finite"),
        (lambda s: s.consolidate(slots(BASE), amount=1e39), "amount 1e+39 is too large for float32"),
        (lambda s: s.consolidate(slots(BASE), team=object()), "team: object, want a Team or None"),
    ],
)  # fmt: skip
def test_sentence(store: Store, call: Callable[[Any], object], sentence: str) -> None:
    def state() -> object:
        return store.population(), store.edges(BASE).tolist(), store.edges(BASE + 1).tolist()

    before = state()
    with pytest.raises(StoreArgumentError, match="^" + re.escape(sentence)):
        call(store)
    assert state() == before


def test_form_wants_a_dual_store() -> None:
    with Store(4, concepts=4, episodes=4, single_type=True) as store, Former(4, episodes=4) as former:
        members = store.add_nodes(range(3), np.ones((3, 4), F32))
        with pytest.raises(StoreArgumentError, match="a single-type store has neither concepts nor episodes"):
            store.form(former, members, range(10, 15))
        with pytest.raises(StoreArgumentError, match="slot 0 is not that of a concept"):
            store.consolidate(members)
        store.consolidate(members[:0])


def test_a_former_that_was_closed(store: Store) -> None:
    with Former(4, episodes=4) as former:
        former.cluster(store, slots(0, 2))
    for call in (lambda: former.cluster(store, slots(0)), lambda: store.form(former, slots(0), range(5)), lambda: former.memory):
        with pytest.raises(StoreClosedError, match="this former was closed"):
            call()
    store.close()
    with pytest.raises(StoreClosedError, match="this store was closed"):
        Former(4, episodes=4).cluster(store, slots(0))


def test_consolidate(store: Store) -> None:
    half, high, quarter = (F32(value) for value in (0.5, 0.99, 0.25))
    step = F32(0.02)
    store.consolidate(slots(BASE, BASE))
    assert sorted(store.edges(BASE)["strength"].tolist()) == sorted([half + step + step, F32(1)])
    assert store.edges(BASE + 1)["strength"].tolist() == [quarter]
    with Team(3) as team:
        store.consolidate(slots(BASE + 1), amount=-0.125, team=team)
    assert store.edges(BASE + 1)["strength"].tolist() == [0.125]
    store.remove(BASE)
    before = store.edges(BASE + 1).tolist()
    store.consolidate(slots(BASE))  # gone: passed over
    assert store.edges(BASE + 1).tolist() == before
    assert store.add_concept(9, np.ones(4, F32)) == BASE
    assert store.bind(0, BASE, 0.0) is not None and store.edges(BASE)["strength"].tolist() == [0.0]
    assert high > half


def test_many_concepts_with_many_bindings() -> None:
    rng = np.random.default_rng(4)
    with Store(1, concepts=200, episodes=30) as store, Team(2) as team:
        store.add_episodes(range(30), np.ones((30, 1), F32))
        concepts = store.add_concepts(range(100, 300), np.ones((200, 1), F32))
        wanted = {}
        for concept in concepts.tolist():
            for episode in rng.permutation(30)[: rng.integers(0, 31)].tolist():
                wanted[store.bind(episode, concept, float(rng.random()))] = 0.0
        for handle in wanted:
            wanted[handle] = float(np.minimum(F32(store.binding_strength(handle)) + F32(0.02), F32(1)))
        store.consolidate(concepts, team=team)
        assert {handle: store.binding_strength(handle) for handle in wanted} == wanted


def test_one_former_serves_many_threads_in_turn() -> None:
    embeddings, times = clustered(8, rows=800, clusters=8)
    store, members = filled(embeddings, times)
    with store, Former(24, episodes=800) as former, ThreadPoolExecutor(4) as threads:
        wanted = former.cluster(store, members)
        few = former.cluster(store, members[:300])
        calls = [threads.submit(former.cluster, store, members if i % 2 else members[:300]) for i in range(60)]
        for i, each in enumerate(calls):
            np.testing.assert_array_equal(each.result().labels, wanted.labels if i % 2 else few.labels)
            assert str(each.result().clusters) == str(wanted.clusters if i % 2 else few.clusters)


def test_nan_cannot_get_in(store: Store) -> None:
    """What is clustered was checked when it was added."""
    with pytest.raises(StoreDataError):
        store.add_episode(7, np.full(4, np.nan, F32))


def test_the_defaults_are_those_of_the_library() -> None:
    defaults = load().lib.dm_former_defaults(4, 4)
    wanted = dict(Former.__init__.__kwdefaults__ or {})
    assert wanted == {name: getattr(defaults, name) for name in wanted}
    assert F32(load().lib.DM_CONSOLIDATION) == F32((Store.consolidate.__kwdefaults__ or {})["amount"])

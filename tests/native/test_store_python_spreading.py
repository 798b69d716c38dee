"""Associations from Python against a dict, and spreading activation against dense matrices in double precision."""

import gc
import re
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from dualmem_cli.errors import StoreArgumentError, StoreClosedError
from dualmem_cli.native import BINDING_NONE, CUE, EDGE, SPREAD_NODE, FanMode, Store, Team, cue_array
from dualmem_cli.native.binding import load

pytestmark = pytest.mark.usefixtures("package")

F32 = np.float32
BASE = 129 << 20
Array = np.ndarray[Any, Any]

EPISODES, CONCEPTS = 40, 25


class Graph:
    """A store with random edges, and the same edges in matrices: number i is episode i, EPISODES + i is concept i."""

    def __init__(self, seed: int, *, edges: int) -> None:
        rng = np.random.default_rng(seed)
        self.store = Store(1, concepts=CONCEPTS, episodes=EPISODES)
        self.store.add_episodes(range(EPISODES), np.ones((EPISODES, 1), F32))
        self.store.add_concepts(range(100, 100 + CONCEPTS), np.ones((CONCEPTS, 1), F32))
        self.nodes = EPISODES + CONCEPTS
        self.weights = np.zeros((self.nodes, self.nodes))
        self.edges = np.zeros((self.nodes, self.nodes), bool)
        for _ in range(edges):
            a, b = sorted(rng.choice(self.nodes, size=2, replace=False).tolist())
            weight = float(F32(rng.choice([0.0, 1.0, rng.random(), rng.random()])))
            if a < EPISODES <= b:
                self.store.bind(self.slot(a), self.slot(b), weight)
            else:
                one, other = rng.permutation([self.slot(a), self.slot(b)]).tolist()
                self.store.associate(one, other, weight)
            self.edges[a, b] = self.edges[b, a] = True
            self.weights[a, b] = self.weights[b, a] = weight

    def slot(self, number: int) -> int:
        return number if number < EPISODES else BASE + number - EPISODES

    def number(self, slot: int) -> int:
        return slot if slot < BASE else slot - BASE + EPISODES

    def remove(self, number: int) -> None:
        self.store.remove(self.slot(number))
        for axis in (0, 1):
            np.moveaxis(self.edges, axis, 0)[number] = False
            np.moveaxis(self.weights, axis, 0)[number] = 0

    def spread(self, cues: list[tuple[int, float]], options: dict[str, Any]) -> tuple[dict[int, tuple[float, int]], int]:
        """Activation and hop of each node reached, by slot, and the edges followed: the formulas of memory-model.md, section 7."""
        chosen = {"fan_mode": FanMode.SQRT, "max_hops": 4, "decay": 0.8, "threshold": 0.01, "up": 0.8, "down": 0.6,
                  "lateral": 0.4, "episodic": 0.3, "associative_strength": 1.6, **options}  # fmt: skip
        concept = np.arange(self.nodes) >= EPISODES
        direction = np.where(concept[:, None], np.where(concept, chosen["lateral"], chosen["down"]),
                             np.where(concept, chosen["up"], chosen["episodic"]))  # fmt: skip
        fans = np.maximum(self.edges.sum(axis=1), 1)
        left = {
            FanMode.LINEAR: 1 / fans,
            FanMode.SQRT: 1 / np.sqrt(fans),
            FanMode.ACTR: np.maximum(0, chosen["associative_strength"] - np.log(fans + 1)),
            FanMode.NONE: np.ones(self.nodes),
        }[chosen["fan_mode"]]
        carried = left[:, None] * direction * self.weights
        pulse = np.zeros(self.nodes)
        for slot, given in cues:
            pulse[self.number(slot)] = max(pulse[self.number(slot)], min(given, 1.0))
        activation, first, followed = pulse.copy(), np.where(pulse > 0, 0, -1), 0
        sending = (pulse > 0) & (pulse >= chosen["threshold"])
        for hop in range(1, chosen["max_hops"] + 1):
            followed += int(self.edges[sending].sum())
            pulse = np.minimum(1, (pulse * sending) @ carried)
            gained = pulse * chosen["decay"] ** hop
            first[(activation == 0) & (gained > 0)] = hop
            activation = np.minimum(1, activation + gained)
            sending = (gained > 0) & (gained >= chosen["threshold"])
        reached = np.flatnonzero(activation).tolist()
        return {self.slot(i): (float(activation[i]), int(first[i])) for i in reached}, followed


OPTIONS: list[dict[str, Any]] = [
    {},
    {"fan_mode": FanMode.LINEAR, "max_hops": 7, "threshold": 0.0},
    {"fan_mode": FanMode.ACTR, "associative_strength": 3.5, "threshold": 0.05},
    {"fan_mode": FanMode.NONE, "max_hops": 2, "up": 1.5, "down": 0.0},
    {"max_hops": 0},
    {"decay": 0.0},
    {"decay": 1.0, "threshold": 1.0, "lateral": 2.0, "episodic": 2.0},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("edges", [0, 30, 150, 900])
def test_against_matrices(edges: int, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(edges)
    graph = Graph(edges, edges=edges)
    with graph.store as store, store.spreader(**options) as spreader, Team(3) as team:
        for step in range(12):
            numbers = rng.integers(graph.nodes, size=rng.integers(0, 8)).tolist()
            cues = [(graph.slot(i), float(F32(rng.choice([0.0, -1.0, 1e-30, 0.009, 0.3, 0.7, 1.0, 5.0])))) for i in numbers]
            given = np.array(cues, CUE)
            found = spreader.spread(given, team=team if step % 2 else None)
            live = [cue for cue in cues if store.is_live(cue[0])]
            wanted, followed = graph.spread(live, options)
            assert found.nodes.dtype == SPREAD_NODE
            assert found.nodes["slot"].tolist() == sorted(wanted)
            for node in found.nodes:
                activation, hop = wanted[int(node["slot"])]
                assert (node["activation"], node["hop"]) == (pytest.approx(activation, rel=1e-6), hop)
            assert found.edges == followed
            again = spreader.spread(given[::-1].copy())
            np.testing.assert_array_equal(again.nodes, found.nodes)
            if step in (4, 8):
                graph.remove(step)
                graph.remove(EPISODES + step)
                spreader.spread(np.array([(step, 1.0), (BASE + step, 1.0)], CUE))  # they are gone, and passed over


def test_a_worked_example() -> None:
    """canary -> bird -> animal, lateral 0.4, no fan: a pulse of 0.4, then 0.16, damped by 0.8 and 0.64 (Collins & Loftus 1975)."""
    with Store(1, concepts=3, episodes=0) as store:
        canary, bird, animal = store.add_concepts(range(3), np.ones((3, 1), F32)).tolist()
        store.associate(canary, bird, 1.0)
        store.associate(animal, bird, 1.0)
        with store.spreader(fan_mode=FanMode.NONE, max_hops=2) as spreader:
            nodes, edges = spreader.spread(np.array([(canary, 1.0)], CUE))
        assert nodes["slot"].tolist() == [canary, bird, animal] and edges == 3
        np.testing.assert_allclose(nodes["activation"], [1.0, 0.32, 0.1024], rtol=1e-6)
        assert nodes["hop"].tolist() == [0, 1, 2]


def test_apply_spread() -> None:
    with Store(1, concepts=2, episodes=2) as store:
        store.add_episodes([1, 2], np.ones((2, 1), F32))
        store.add_concepts([3, 4], np.ones((2, 1), F32))
        store.activate(1, 0.5)
        nodes = np.array([(0, 0.25, 0), (1, 0.75, 1), (BASE + 1, 0.125, 2), (BASE + 1, 0.125, 2)], SPREAD_NODE)
        store.apply_spread(nodes)
        assert [store.activation(slot) for slot in (0, 1, BASE, BASE + 1)] == [0.25, 1.0, 0.0, 0.25]
        store.apply_spread(nodes[:0])
        refused: list[tuple[Any, str]] = [
            ([(2, 0.5, 0)], "slot 2 is none of this store's"),
            ([(0, 0.5, 0), (BASE + 2, 0.5, 0)], f"slot {BASE + 2} is none of this store's"),
            ([(0, 0.5, 0), (BASE - 1, 0.5, 0)], f"slot {BASE - 1} is none of this store's"),
            ([(2**32 - 1, 0.5, 0)], f"slot {2**32 - 1} is none of this store's"),
            ([(0, 0.5, 0), (1, np.nan, 0)], "activations: nan at position 1 is not finite"),
            ([(0, -np.inf, 0)], "activations: -inf at position 0 is not finite"),
        ]
        for rows, sentence in refused:
            with pytest.raises(StoreArgumentError, match=re.escape(sentence)):
                store.apply_spread(np.array(rows, SPREAD_NODE))
        sentence = "nodes: (slot uint32, activation float32) with shape (1,); want a C-contiguous numpy array of (slot uint32, "
        with pytest.raises(StoreArgumentError, match=re.escape(sentence + "activation float32, hop uint32) with shape (n,)")):
            store.apply_spread(np.zeros(1, CUE))
        assert [store.activation(slot) for slot in (0, 1, BASE, BASE + 1)] == [0.25, 1.0, 0.0, 0.25]


def test_cue_array() -> None:
    cues = cue_array(np.array([3, 1], np.uint32), np.array([0.5, 0.25], F32))
    assert cues.dtype == CUE and cues.tolist() == [(3, 0.5), (1, 0.25)]
    with pytest.raises(StoreArgumentError, match=r"slots: int64 with shape \(1,\); want"):
        cue_array(np.array([3]), np.array([0.5], F32))
    with pytest.raises(StoreArgumentError, match=r"activations: float32 with shape \(1,\); want .* with shape \(2,\)"):
        cue_array(np.array([3, 1], np.uint32), np.array([0.5], F32))


@pytest.fixture
def store() -> Iterator[Store]:
    """Episodes 0 and 1, concepts 0 and 1, room for another of each."""
    with Store(1, concepts=3, episodes=3) as made:
        made.add_episodes([1, 2], np.ones((2, 1), F32))
        made.add_concepts([3, 4], np.ones((2, 1), F32))
        made.associate(0, 1, 0.5)
        yield made


def spread(store: Store, *cues: tuple[int, float]) -> object:
    return store.spreader().spread(np.array(list(cues), CUE))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda s: spread(s, (3, 1.0)), "slot 3 is none of this store's"),
        (lambda s: spread(s, (0, 1.0), (BASE + 3, 1.0)), f"slot {BASE + 3} is none of this store's"),
        (lambda s: spread(s, (2**27, 1.0)), f"slot {2**27} is none of this store's"),
        (lambda s: spread(s, (0, 1.0), (1, np.nan)), "activations: nan at position 1 is not finite"),
        (lambda s: spread(s, (0, np.inf)), "activations: inf at position 0 is not finite"),
        (lambda s: s.spreader().spread([(0, 1.0)]), "cues: list, want a C-contiguous numpy array of (slot uint32, activation float32)"),
        (lambda s: s.spreader().spread(np.zeros(2, np.uint64)), "cues: uint64 with shape (2,); want"),
        (lambda s: s.spreader().spread(np.zeros(4, CUE)[::2]), "cues: (slot uint32, activation float32) with shape (2,), not C-contiguous"),
        (lambda s: s.spreader().spread(np.zeros(1, CUE), team="all"), "team: str, want a Team or None"),
        (lambda s: s.spreader(fan_mode=4), "fan_mode 4 is none of FanMode.LINEAR"),
        (lambda s: s.spreader(max_hops=65), "65 hops: want 0..64"),
        (lambda s: s.spreader(max_hops=-1), "max_hops -1 is not in 0..4294967295"),
        (lambda s: s.spreader(decay=1.5), "decay 1.5 or threshold 0.01 is not in [0, 1]"),
        (lambda s: s.spreader(threshold=float("nan")), "decay 0.8 or threshold nan is not in [0, 1]"),
        (lambda s: s.spreader(up=-0.1), "the strength of a direction or the associative strength is negative or not finite"),
        (lambda s: s.spreader(episodic=float("inf")), "the strength of a direction"),
        (lambda s: s.spreader(lateral=None), "lateral: NoneType, want a number"),
        (lambda s: s.associate(0, 0, 0.5), "slot 0 cannot be associated with itself"),
        (lambda s: s.associate(0, BASE, 0.5), f"slots 0 and {BASE} are not two concepts or two episodes of this store"),
        (lambda s: s.associate(0, 2, 0.5), "no node lives in slot 0 or in slot 2"),
        (lambda s: s.associate(0, 3, 0.5), "slot 3 is none of this store's"),
        (lambda s: s.associate(-1, 0, 0.5), "slot -1 is none of this store's"),
        (lambda s: s.associate(0, 1, 1.5), "weight 1.5 is not in [0, 1]"),
        (lambda s: s.associate(0, 1, float("nan")), "weight nan is not in [0, 1]"),
        (lambda s: s.dissociate(0, 3), "slot 3 is none of this store's"),
        (lambda s: s.association_weight(BASE + 3, 0), f"slot {BASE + 3} is none of this store's"),
        (lambda s: s.associations(2**40), f"slot {2**40} is none of this store's"),
    ],
)  # fmt: skip
def test_sentence(store: Store, call: Callable[[Any], object], sentence: str) -> None:
    with pytest.raises(StoreArgumentError, match="^" + re.escape(sentence)):
        call(store)
    assert store.associations(0).tolist() == [(1, BINDING_NONE, 0.5)] and store.population().associations == 1


def test_a_single_type_store_has_no_edges() -> None:
    with Store(1, concepts=1, episodes=1, single_type=True) as store:
        store.add_nodes([1, 2], np.ones((2, 1), F32))
        with pytest.raises(StoreArgumentError, match="a single-type store has no associations; use a dual one"):
            store.associate(0, 1, 0.5)
        with pytest.raises(StoreArgumentError, match="a single-type store has no edges to spread along; use a dual one"):
            store.spreader()
        assert len(store.associations(0)) == 0 and not store.dissociate(0, 1) and store.association_weight(0, 1) is None


@pytest.mark.parametrize("seed", range(4))
def test_associations_against_a_dict(seed: int) -> None:
    """Added, weighted anew, removed, lost with their nodes; no direction; none of them in a fan."""
    rng = np.random.default_rng(seed)
    with Store(1, concepts=15, episodes=15) as store:
        slots = [*store.add_episodes(range(15), np.ones((15, 1), F32)).tolist(),
                 *store.add_concepts(range(15, 30), np.ones((15, 1), F32)).tolist()]  # fmt: skip
        assert store.memory().associations == 0
        known: dict[frozenset[int], float] = {}
        for step in range(400):
            concept = bool(rng.integers(2))
            one, two = rng.choice([slot for slot in slots if (slot >= BASE) == concept], size=2, replace=False).tolist()
            pair = frozenset((one, two))
            if rng.random() < 0.7:
                known[pair] = float(F32(rng.random()))
                version = store.version(one), store.version(two)
                store.associate(one, two, known[pair])
                assert (store.version(one), store.version(two)) == (version[0] + 1, version[1] + 1)
            else:
                assert store.dissociate(one, two) == (known.pop(pair, None) is not None)
            if step in (200, 300):
                store.remove(one)
                slots.remove(one)
                known = {other: weight for other, weight in known.items() if one not in other}
                with pytest.raises(StoreArgumentError, match="no node lives in slot"):
                    store.associate(two, one, 0.5)
            assert store.association_weight(two, one) == store.association_weight(one, two) == known.get(pair)
            if step % 20 == 0:
                for slot in slots:
                    found = store.associations(slot)
                    assert found.dtype == EDGE and (found["binding"] == BINDING_NONE).all() and store.fan(slot) == 0
                    wanted = {next(iter(other - {slot})): weight for other, weight in known.items() if slot in other}
                    assert len(found) == len(wanted) and dict(found[["slot", "strength"]].tolist()) == wanted
                assert store.population().associations == len(known)
        assert store.memory().associations >= 8 * 30


def test_spreading_beside_changes_and_closing() -> None:
    """One spreader serves many threads in turn while another changes the store; whoever comes after the end is told so."""
    graph = Graph(3, edges=300)
    store = graph.store
    cues = np.array([(0, 1.0), (BASE + 3, 0.5)], CUE)
    spreader = store.spreader()
    wanted, _ = graph.spread([(0, 1.0), (BASE + 3, 0.5)], {})
    with ThreadPoolExecutor(4) as threads:
        for each in [threads.submit(spreader.spread, cues) for _ in range(300)]:
            nodes = each.result().nodes
            np.testing.assert_allclose(nodes["activation"], [wanted[slot][0] for slot in sorted(wanted)], rtol=1e-6)
        started = threading.Barrier(4)

        def call() -> str:
            started.wait()
            try:
                while True:
                    nodes = spreader.spread(cues).nodes
                    assert (nodes["activation"] > 0).all() and (nodes["activation"] <= 1).all()
                    store.apply_spread(nodes)
            except StoreClosedError as error:
                return error.what

        calls = [threads.submit(call) for _ in range(3)]
        started.wait()
        for i in range(500):
            store.associate(1, 2 + i % 30, 0.5)
            store.dissociate(1, 2 + (i + 7) % 30)
        store.close()
        assert [each.result() for each in calls] == ["this store was closed"] * 3


def test_one_spreader_serves_one_call_at_a_time() -> None:
    """Calls long enough to meet: without taking turns they write into each other's results."""
    rng = np.random.default_rng(9)
    with Store(1, concepts=2000, episodes=2000) as store, ThreadPoolExecutor(4) as threads:
        episodes = store.add_episodes(range(2000), np.ones((2000, 1), F32)).tolist()
        concepts = store.add_concepts(range(2000, 4000), np.ones((2000, 1), F32)).tolist()
        for episode, concept in zip(rng.choice(episodes, 20_000).tolist(), rng.choice(concepts, 20_000).tolist(), strict=True):
            store.bind(episode, concept, 0.9)
        with store.spreader(threshold=0.0, max_hops=6) as spreader:
            cues = [np.array([(i, 1.0)], CUE) for i in range(8)]
            wanted = [spreader.spread(each).nodes for each in cues]
            for i, call in enumerate([threads.submit(spreader.spread, cues[i % 8]) for i in range(80)]):
                np.testing.assert_array_equal(call.result().nodes, wanted[i % 8])


def test_a_spreader_keeps_the_stores_memory() -> None:
    store = Store(1, concepts=200, episodes=200)
    freed: list[str] = []
    weakref.finalize(store._handle, freed.append, "freed")
    spreader = store.spreader()
    assert 400 * 20 < spreader.memory < 400 * 200 + 10**6
    store.close()
    gc.collect()
    assert not freed
    for number in (0, 1):
        with pytest.raises(StoreClosedError, match="this store was closed"):
            spreader.spread(np.zeros(number, CUE))
    spreader.close()
    with pytest.raises(StoreClosedError, match="this spreader was closed"):
        spreader.spread(np.zeros(1, CUE))
    gc.collect()
    assert freed == ["freed"]


def test_the_defaults_and_layouts_are_those_of_the_library() -> None:
    native = load()
    found, defaults = native.ffi, native.lib.dm_spread_defaults()
    assert [found.sizeof(name) for name in ("dm_cue", "dm_spread_node", "dm_edge")] == [
        each.itemsize for each in (CUE, SPREAD_NODE, EDGE)
    ]
    names = ("max_hops", "decay", "threshold", "up", "down", "lateral", "episodic", "associative_strength")
    assert {name: getattr(defaults, name) for name in names} == {
        name: value for name, value in (Store.spreader.__kwdefaults__ or {}).items() if name != "fan_mode"
    }
    assert defaults.fan_mode == FanMode.SQRT and native.lib.DM_BINDING_NONE == BINDING_NONE

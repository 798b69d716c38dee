"""dualmem_cli.native against a model made of dicts and numpy: random sequences of every call, the whole state compared again and again."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from dualmem_cli.errors import StoreArgumentError, StoreMemoryError
from dualmem_cli.native import EDGE, SLOT_NONE, Formation, Store, id_array, pair_array

pytestmark = pytest.mark.usefixtures("package")

F32 = np.float32


@dataclass
class Node:
    """What the store should know of a node."""

    node_id: int
    embedding: Any
    version: int  # when it was added: a slot's version goes on
    activation: Any = 0.0
    last_access: int = 0
    strength: Any = 1.0
    formation: Formation = field(default_factory=lambda: Formation(0.0, 0))
    changes: int = 0  # of the fan


@dataclass
class Model:
    """A store of each kind of node and everything that was done to it, drawn from one seed."""

    store: Store
    capacity: int
    rng: np.random.Generator
    nodes: dict[int, Node] = field(default_factory=dict)
    bindings: dict[tuple[int, int], list[Any]] = field(default_factory=dict)  # (episode, concept): [handle, strength]
    removed: list[int] = field(default_factory=list)  # ids

    # --- drawing ----

    def vector(self) -> Any:
        return (self.rng.normal(size=self.store.dim) * 10.0 ** self.rng.integers(-3, 4)).astype(F32)

    def new_id(self) -> int:
        return int.from_bytes(self.rng.bytes(16), "big")

    def slots(self, *, concepts: bool) -> list[int]:
        return [slot for slot in self.nodes if self.store.is_concept(slot) == concepts]

    def some(self, choices: list[Any]) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def spoken(self, node_id: int) -> int | UUID:
        """The id as an int or as a UUID: one and the same."""
        return node_id if self.rng.random() < 0.5 else UUID(int=node_id)

    # --- one step of each kind ----

    def add(self) -> None:
        node_id, embedding = self.new_id(), self.vector()
        call: Any
        if self.store.single_type:
            call, room = self.store.add_node, self.capacity - len(self.nodes)
        elif self.rng.random() < 0.4:
            call, room = self.store.add_concept, self.capacity - len(self.slots(concepts=True))
        else:
            call, room = self.store.add_episode, self.capacity - len(self.slots(concepts=False))
        if room == 0:
            with pytest.raises(StoreMemoryError, match=r"the capacity of .* is reached"):
                call(node_id, embedding)
        else:
            self.note(call(self.spoken(node_id), embedding), node_id, embedding)

    def add_batch(self) -> None:
        number = int(self.rng.integers(0, 5))
        ids, embeddings = [self.new_id() for _ in range(number)], np.array([self.vector() for _ in range(number)], F32)
        embeddings = embeddings.reshape(number, self.store.dim)
        call: Any
        if self.store.single_type:
            call, there = self.store.add_nodes, len(self.nodes)
        elif self.rng.random() < 0.4:
            call, there = self.store.add_concepts, len(self.slots(concepts=True))
        else:
            call, there = self.store.add_episodes, len(self.slots(concepts=False))
        if there + number > self.capacity:
            with pytest.raises(StoreMemoryError, match=rf"node {self.capacity - there} of {number}: the capacity of"):
                call(ids, embeddings)
            return
        slots = call(id_array(ids) if self.rng.random() < 0.5 else ids, embeddings)
        assert slots.dtype == np.uint32 and slots.shape == (number,)
        for slot, node_id, embedding in zip(slots.tolist(), ids, embeddings, strict=True):
            self.note(slot, node_id, embedding)

    def note(self, slot: int, node_id: int, embedding: Any) -> None:
        assert slot not in self.nodes
        self.nodes[slot] = Node(node_id, embedding.copy(), self.store.version(slot))

    def remove(self) -> None:
        slot = self.some(list(self.nodes))
        self.store.remove(slot)
        for episode, concept in [pair for pair in self.bindings if slot in pair]:
            del self.bindings[episode, concept]
            self.nodes[episode].changes += 1
            self.nodes[concept].changes += 1
        self.removed.append(self.nodes.pop(slot).node_id)

    def update(self) -> None:
        slot, embedding = self.some(list(self.nodes)), self.vector()
        self.store.update_embedding(slot, embedding)
        self.nodes[slot].embedding = embedding

    def scalars(self) -> None:
        slot = self.some(list(self.nodes))
        node, delta = self.nodes[slot], F32(self.rng.normal())
        node.activation = np.clip(F32(node.activation) + delta, F32(0), F32(1))
        assert self.store.activate(slot, float(delta)) == node.activation
        now = int(self.rng.integers(0, 2**63)) * 2 + 1
        node.last_access = max(node.last_access, now)
        self.store.touch(slot, now)
        if self.store.is_concept(slot):
            formation = Formation(float(F32(self.rng.normal(0.5))), int(self.rng.integers(2**32)))
            node.formation = formation._replace(coherence=min(max(formation.coherence, 0.0), 1.0))
            self.store.set_formation(slot, formation)
        else:
            strength = F32(self.rng.normal(0.5))
            node.strength = np.clip(strength, F32(0), F32(1))
            self.store.set_strength(slot, float(strength))

    def bind(self) -> None:
        episode, concept = self.pair()
        strength = None if self.rng.random() < 0.5 else float(F32(self.rng.random()))
        if self.rng.random() < 0.5:
            handle = self.store.bind(episode, concept, strength)
        else:
            ids = [self.spoken(self.nodes[slot].node_id) for slot in (episode, concept)]
            handle = self.store.bind_by_id(ids[0], ids[1], strength)
        if strength is None:
            a, b = (self.nodes[slot].embedding.astype(float) for slot in (episode, concept))
            strength = self.store.binding_strength(handle)
            assert strength == pytest.approx(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), 0, 1), abs=1e-7)
        if (episode, concept) in self.bindings:
            assert handle == self.bindings[episode, concept][0]
        else:
            self.nodes[episode].changes += 1
            self.nodes[concept].changes += 1
        self.bindings[episode, concept] = [handle, F32(strength)]

    def unbind(self) -> None:
        episode, concept = self.some(list(self.bindings)) if self.bindings and self.rng.random() < 0.8 else self.pair()
        there = (episode, concept) in self.bindings
        if self.rng.random() < 0.5:
            assert self.store.unbind(episode, concept) == there
        else:
            assert self.store.unbind_by_id(self.nodes[episode].node_id, self.nodes[concept].node_id) == there
        if there:
            handle, _ = self.bindings.pop((episode, concept))
            self.nodes[episode].changes += 1
            self.nodes[concept].changes += 1
            with pytest.raises(StoreArgumentError, match=f"binding {handle} was removed"):
                self.store.strengthen(handle, 0.1)

    def strengthen(self) -> None:
        episode, concept = self.some(list(self.bindings)) if self.bindings else self.pair()
        by_id = [self.spoken(self.nodes[slot].node_id) for slot in (episode, concept)]
        delta, factor = F32(self.rng.normal(0, 0.3)), F32(abs(self.rng.normal(1, 0.3)))
        if (episode, concept) not in self.bindings:
            assert self.store.strengthen_by_id(by_id[0], by_id[1], float(delta)) is None
            assert self.store.scale_by_id(by_id[0], by_id[1], float(factor)) is None
            return
        binding = self.bindings[episode, concept]
        wanted = np.clip(binding[1] + delta, F32(0), F32(1))
        found: float | None = self.store.strengthen(binding[0], float(delta))
        assert found == wanted
        wanted = np.clip(wanted * factor, F32(0), F32(1))
        found = self.store.scale_by_id(by_id[0], by_id[1], float(factor))
        assert found == wanted
        wanted = np.clip(wanted * factor, F32(0), F32(1))
        assert self.store.scale(binding[0], float(factor)) == wanted
        found = self.store.strengthen_by_id(by_id[0], by_id[1], float(delta))
        binding[1] = np.clip(wanted + delta, F32(0), F32(1))
        assert found == binding[1]

    def strengthen_batch(self) -> None:
        pairs = [self.some(list(self.bindings)) for _ in range(int(self.rng.integers(0, 40)))] if self.bindings else []
        deltas = self.rng.normal(0, 0.3, size=len(pairs)).astype(F32)
        wanted = []
        for pair, delta in zip(pairs, deltas, strict=True):
            self.bindings[pair][1] = np.clip(self.bindings[pair][1] + delta, F32(0), F32(1))
            wanted.append(self.bindings[pair][1])
        if self.rng.random() < 0.5:
            found = self.store.strengthen_batch(np.array([self.bindings[pair][0] for pair in pairs], np.uint32), deltas)
        else:
            words = [(self.nodes[episode].node_id, self.nodes[concept].node_id) for episode, concept in pairs]
            found = self.store.strengthen_batch_by_id(pair_array(words) if self.rng.random() < 0.5 else words, deltas)
        assert found.dtype == F32
        np.testing.assert_array_equal(found, np.array(wanted, F32))

    def pair(self) -> tuple[int, int]:
        return self.some(self.slots(concepts=False)), self.some(self.slots(concepts=True))

    # --- everything that can be read ----

    def compare(self) -> None:
        self.compare_nodes()
        if self.store.single_type:
            assert all(len(self.store.edges(slot)) == 0 for slot in self.nodes)
        else:
            self.compare_bindings()
        population = self.store.population()
        concepts = len(self.slots(concepts=True))
        episodes = 0 if self.store.single_type else len(self.nodes) - concepts
        assert population == (concepts, episodes, len(self.nodes), len(self.bindings), 0)
        ids = [node.node_id for node in self.nodes.values()] + self.removed
        np.testing.assert_array_equal(self.store.find_batch(ids), [*self.nodes, *[SLOT_NONE] * len(self.removed)])
        assert all(self.store.find(node_id) is None and self.store.fan_by_id(node_id) is None for node_id in self.removed)

    def compare_nodes(self) -> None:
        store = self.store
        rows = [store.node_rows()] if store.single_type else [store.concept_rows(), store.episode_rows()]
        by_slot = {slot: view.embeddings[i] for view in rows for i, slot in enumerate(view.slots.tolist()) if slot != SLOT_NONE}
        norms = {slot: view.inverse_norms[i] for view in rows for i, slot in enumerate(view.slots.tolist()) if slot != SLOT_NONE}
        assert set(by_slot) == set(self.nodes)
        for slot, node in self.nodes.items():
            assert store.find(self.spoken(node.node_id)) == slot
            assert store.id(slot) == node.node_id
            assert store.is_live(slot)
            np.testing.assert_array_equal(store.embedding(slot), node.embedding)
            np.testing.assert_array_equal(by_slot[slot], node.embedding)
            assert norms[slot] == pytest.approx(1 / np.linalg.norm(node.embedding.astype(float)), rel=1e-6)
            assert store.activation(slot) == node.activation
            assert store.last_access(slot) == node.last_access
            if store.is_concept(slot):
                assert store.formation(slot) == node.formation
            else:
                assert store.strength(slot) == node.strength

    def compare_bindings(self) -> None:
        store = self.store
        for slot, node in self.nodes.items():
            own = {pair: kept for pair, kept in self.bindings.items() if slot in pair}
            assert store.fan(slot) == store.fan_by_id(node.node_id) == len(own)
            assert store.version(slot) - node.version == node.changes
            edges = store.edges(slot)
            assert edges.dtype == EDGE and edges.shape == (len(own),)
            side = 0 if store.is_concept(slot) else 1  # the partner's place in the pair
            wanted = sorted((pair[side], handle, strength) for pair, (handle, strength) in own.items())
            assert sorted(edges.tolist()) == wanted
            if store.is_concept(slot):
                assert store.decay_factor(slot) == pytest.approx(1 / (1 + 0.25 * np.log(max(len(own), 1))), rel=1e-6)
        for episode in self.slots(concepts=False):
            for concept in self.slots(concepts=True):
                handle, strength = self.bindings.get((episode, concept), (None, None))
                assert store.find_binding(episode, concept) == handle
                ids = self.nodes[episode].node_id, self.nodes[concept].node_id
                assert store.binding_strength_by_id(*ids) == strength
                if handle is not None:
                    assert store.binding_strength(handle) == strength
                    assert store.is_weak(handle) == (strength < F32(0.1))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("dim", [1, 7, 32])
def test_dual_store(seed: int, dim: int) -> None:
    with Store(dim, concepts=20, episodes=20) as store:
        model = Model(store, 20, np.random.default_rng([seed, dim]))
        for _ in range(6):
            model.add()
            model.add_batch()
        while not (model.slots(concepts=True) and model.slots(concepts=False)):
            model.add()
        steps = [model.add, model.add, model.add_batch, model.update, model.scalars, *[model.bind] * 5]
        steps += [model.unbind, model.strengthen, model.strengthen_batch]
        for step in range(300):
            model.some(steps)()
            if step % 4 == 0 and min(len(model.slots(concepts=kind)) for kind in (True, False)) > 1:
                model.remove()
            if step % 10 == 0:
                model.compare()
        assert store.memory().total > 0


@pytest.mark.parametrize("seed", range(3))
def test_single_type_store(seed: int) -> None:
    with Store(9, concepts=12, episodes=12, single_type=True) as store:
        assert store.single_type
        model = Model(store, 24, np.random.default_rng(seed))
        for step in range(200):
            model.some([model.add, model.add_batch, model.update, model.scalars, model.remove] if model.nodes else [model.add])()
            if step % 10 == 0:
                model.compare()


def test_more_bindings_than_fit_a_node() -> None:
    """Handles beyond the concepts' own blocks: a bound that the wrapper knew before has to grow."""
    rng = np.random.default_rng(5)
    with Store(4, concepts=1, episodes=1000) as store:
        concept = store.add_concept(0, np.ones(4, F32))
        episodes = store.add_episodes(range(1, 1001), rng.normal(size=(1000, 4)).astype(F32))
        handles = [store.bind(episode, concept, 0.25) for episode in episodes.tolist()]
        assert [store.binding_strength(handle) for handle in handles] == [0.25] * 1000
        assert store.fan(concept) == 1000
        edges = store.edges(concept)
        assert dict(zip(edges["slot"].tolist(), edges["binding"].tolist(), strict=True)) == dict(
            zip(episodes.tolist(), handles, strict=True)
        )
        assert (edges["strength"] == 0.25).all()


def test_reader_counts() -> None:
    with Store(3, concepts=2, episodes=2) as store:
        concept = store.add_concept(1, np.ones(3, F32))
        with store.reader() as reader:
            assert [reader.fan(concept), reader.fan(concept + 1), reader.fan_by_id(1), reader.fan_by_id(2)] == [0, 0, 0, None]
            np.testing.assert_array_equal(reader.embedding(concept), [1, 1, 1])
            with pytest.raises(StoreArgumentError, match="no node lives in slot 1"):
                reader.embedding(1)
        assert store.statistics() == (2, 2, 1, 1, 1, 0.5)
        memory = store.memory()
        for _ in range(100):
            store.reader().close()
        assert store.memory() == memory  # a reader that was given back is used again


def test_ids_take_all_128_bits() -> None:
    ids = [0, 1, 2**64 - 1, 2**64, 2**127, 2**128 - 1]
    with Store(1, concepts=0, episodes=6) as store:
        slots = store.add_episodes(ids, np.ones((6, 1), F32))
        assert [store.id(slot) for slot in slots.tolist()] == ids
        assert [store.find(UUID(int=node_id)) for node_id in ids] == slots.tolist()
    assert id_array([2**64 + 5]).tolist() == [[5, 1]]
    assert pair_array([(2**64 + 5, 7)]).tolist() == [[[5, 1], [7, 0]]]
    assert id_array([]).shape == (0, 2) and pair_array([]).shape == (0, 2, 2)

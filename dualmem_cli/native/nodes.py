"""Calls on nodes: adding, finding, removing, embeddings, activation, time, strength, fan."""

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.errors import StoreArgumentError
from dualmem_cli.native.arguments import FLOAT32, UINT32, Ids, NodeId, count64, finite, id_array, id_words, want
from dualmem_cli.native.binding import record
from dualmem_cli.native.handle import StoreHandle

if TYPE_CHECKING:
    from dualmem_cli.native.binding import Binding
    from dualmem_cli.native.lookup import Lookup


class Formation(NamedTuple):
    """What formation knows of a concept."""

    coherence: float
    """In [0, 1]."""
    member_count: int


class Rows(NamedTuple):
    """All embeddings of one type, for scans: read-only arrays over the store's memory, not copies.

    Row i belongs to the node in slots[i]; where that is SLOT_NONE, the row is not in use and its content undefined. The rows are those
    there were when the view was taken. Until it is done with, no node of the type may be removed and no embedding replaced, or rows
    change under the reader's eyes. The memory itself stays as long as the arrays do.
    """

    embeddings: NDArray[np.float32]
    """Shape (count, dim); a row is contiguous and begins at a multiple of 64 bytes."""
    inverse_norms: NDArray[np.float32]
    """Shape (count,): 1 / |row|, or 0 where the squared norm is below the smallest normal float32."""
    slots: NDArray[np.uint32]
    """Shape (count,)."""


class NodeCalls(StoreHandle):
    """The part of Store that is about nodes."""

    _index: "Lookup | None" = None  # what Store.lookup made last

    # --- coming and going ---------------------------------------------------------------------------------------------

    def add_concept(self, node: NodeId, centroid: NDArray[np.float32]) -> int:
        """Add a concept with a copy of `centroid`, float32 of shape (dim,); return its slot. Activation, last access, coherence and member
        count are 0. StoreArgumentError: the id is in the store already, or this is a single-type store. StoreDataError: NaN or infinity.
        StoreMemoryError: the capacity is reached, or every spare row is kept by an array or an index."""
        return self._add(self._lib.dm_store_add_concept, node, centroid)

    def add_episode(self, node: NodeId, embedding: NDArray[np.float32]) -> int:
        """Add an episode of strength 1 with a copy of `embedding`, float32 of shape (dim,); return its slot. Errors as add_concept."""
        return self._add(self._lib.dm_store_add_episode, node, embedding)

    def add_node(self, node: NodeId, embedding: NDArray[np.float32]) -> int:
        """Add a node to a single-type store; else as add_episode."""
        return self._add(self._lib.dm_store_add_node, node, embedding)

    def add_concepts(self, ids: Ids, centroids: NDArray[np.float32]) -> NDArray[np.uint32]:
        """Add n concepts, all or none: ids as an array (n, 2) of uint64 or a list, centroids float32 of shape (n, dim). Return their slots,
        uint32 of shape (n,). Errors as add_concept; the sentence says which one it was."""
        return self._add_many(self._lib.dm_store_add_concepts, ids, centroids)

    def add_episodes(self, ids: Ids, embeddings: NDArray[np.float32]) -> NDArray[np.uint32]:
        """Add n episodes, as add_concepts adds concepts."""
        return self._add_many(self._lib.dm_store_add_episodes, ids, embeddings)

    def add_nodes(self, ids: Ids, embeddings: NDArray[np.float32]) -> NDArray[np.uint32]:
        """Add n nodes to a single-type store, as add_concepts adds concepts."""
        return self._add_many(self._lib.dm_store_add_nodes, ids, embeddings)

    def update_embedding(self, slot: int, embedding: NDArray[np.float32]) -> None:
        """Replace a node's embedding by a copy of this one, float32 of shape (dim,). Arrays over the old one stay as they are. Errors as
        add_concept; StoreArgumentError also when no node lives in the slot."""
        self._forget_index(slot)
        values = self._floats(want(embedding, FLOAT32, (self.dim,), "embedding"))
        self._native.call(self._lib.dm_store_update_embedding, self._live, self._node(slot), values)

    def remove(self, slot: int) -> None:
        """Remove a node, its bindings and its associations. Arrays over its embedding stay as they are. StoreArgumentError: no node lives
        in the slot."""
        self._forget_index(slot)
        self._native.call(self._lib.dm_store_remove, self._live, self._node(slot))

    def find(self, node: NodeId) -> int | None:
        """The slot of an id, or None."""
        slot = self._lib.dm_store_find(self._live, id_words(node))
        return None if slot == self._lib.DM_SLOT_NONE else int(slot)

    def find_batch(self, ids: Ids) -> NDArray[np.uint32]:
        """The slots of n ids, shape (n,); SLOT_NONE where there is no such node. An array (n, 2) of uint64 is read in place."""
        given = id_array(ids)
        slots = np.empty(len(given), np.uint32)
        from_buffer = self._native.ffi.from_buffer
        self._lib.dm_store_find_batch(self._live, from_buffer("dm_id[]", given), len(given), from_buffer("uint32_t[]", slots))
        return slots

    def id(self, slot: int) -> int:
        """The id of the node in a slot. StoreArgumentError: none lives there."""
        words = self._native.ffi.new("dm_id *")
        self._native.call(self._lib.dm_store_id, self._live, self._node(slot), words)
        return int(words.high) << 64 | int(words.low)

    def is_live(self, slot: int) -> bool:
        """Whether a node lives in the slot."""
        return bool(self._lib.dm_store_is_live(self._live, self._node(slot)))

    def is_concept(self, slot: int) -> bool:
        """Whether the slot is that of a concept; known from the number alone."""
        return bool(self._node(slot) >= self._concept_base)

    # --- embeddings ---------------------------------------------------------------------------------------------------

    def embedding(self, slot: int) -> NDArray[np.float32]:
        """A node's embedding: a read-only array of shape (dim,) over the store's memory, not a copy. It stays where and what it is,
        whatever becomes of the node or the store, until the last array over it has gone; until then it keeps a row, of which a store
        has few to spare: one per 16 of a type's capacity, 2 to 64. StoreArgumentError: no node lives in the slot."""
        handle = self._live
        taken = self._lib.dm_store_acquire_embedding(handle, self._node(slot))
        return embedding_view(self._native, handle, taken, dim=self.dim)

    def concept_rows(self) -> Rows:
        """The rows of all concepts; none in a single-type store."""
        return self._rows(self._lib.dm_store_concept_rows)

    def episode_rows(self) -> Rows:
        """The rows of all episodes; none in a single-type store."""
        return self._rows(self._lib.dm_store_episode_rows)

    def node_rows(self) -> Rows:
        """The rows of all nodes of a single-type store; none in a dual one."""
        return self._rows(self._lib.dm_store_node_rows)

    # --- activation, time, strength -----------------------------------------------------------------------------------

    def activation(self, slot: int) -> float:
        """A node's activation, in [0, 1]."""
        return float(self._lib.dm_store_activation(self._handle, self._node(slot)))

    def activate(self, slot: int, delta: float) -> float:
        """Add `delta`, which is finite, clamp to [0, 1] and return the new activation. Lock-free."""
        return float(self._lib.dm_store_activate(self._handle, self._node(slot), finite(delta, "delta")))

    def last_access(self, slot: int) -> int:
        """A node's last access, ns of the clock that touch was given."""
        return int(self._lib.dm_store_last_access(self._handle, self._node(slot)))

    def touch(self, slot: int, now_ns: int) -> None:
        """Set the last access, ns of any clock, unless a later one is known."""
        self._lib.dm_store_touch(self._handle, self._node(slot), count64(now_ns, "time"))

    def strength(self, slot: int) -> float:
        """Strength of an episode, or of a node of a single-type store, in [0, 1]."""
        return float(self._lib.dm_store_strength(self._handle, self._episode(slot)))

    def set_strength(self, slot: int, strength: float) -> None:
        """Set the strength of an episode, or of a node of a single-type store; finite, clamped to [0, 1]."""
        self._lib.dm_store_set_strength(self._handle, self._episode(slot), finite(strength, "strength"))

    def formation(self, concept: int) -> Formation:
        """Coherence and number of members of a concept."""
        return record(Formation, self._lib.dm_store_formation(self._handle, self._concept(concept)))

    def set_formation(self, concept: int, formation: Formation) -> None:
        """Set them; the coherence is finite and is clamped to [0, 1]."""
        finite(formation.coherence, "coherence")
        self._lib.dm_store_set_formation(self._handle, self._concept(concept), tuple(formation))

    # --- hot metadata -------------------------------------------------------------------------------------------------

    def fan(self, slot: int) -> int:
        """Number of distinct partners bound to the node; exact at all times. Associations do not count."""
        return int(self._lib.dm_store_fan(self._handle, self._node(slot)))

    def fan_by_id(self, node: NodeId) -> int | None:
        """The fan of the node with this id, or None."""
        fan = self._native.ffi.new("uint32_t *")
        return int(fan[0]) if self._lib.dm_store_fan_by_id(self._live, id_words(node), fan) else None

    def version(self, slot: int) -> int:
        """Grows by one with every change of the node's fan or of its associations, their weights included, modulo 2**31."""
        return int(self._lib.dm_store_version(self._handle, self._node(slot)))

    def decay_factor(self, concept: int) -> float:
        """How much slower the concept forgets for its fan: 1 / (1 + 0.25 ln(max(fan, 1)))."""
        return float(self._lib.dm_store_decay_factor(self._handle, self._concept(concept)))

    # --- within -------------------------------------------------------------------------------------------------------

    def _floats(self, values: NDArray[np.float32]) -> Any:
        return self._native.ffi.from_buffer("float[]", values)

    def _add(self, function: Any, node: NodeId, embedding: NDArray[np.float32]) -> int:
        values = self._floats(want(embedding, FLOAT32, (self.dim,), "embedding"))
        slot = self._native.ffi.new("uint32_t *")
        self._native.call(function, self._live, id_words(node), values, slot)
        return int(slot[0])

    def _add_many(self, function: Any, ids: Ids, embeddings: NDArray[np.float32]) -> NDArray[np.uint32]:
        given = id_array(ids)
        values = self._floats(want(embeddings, FLOAT32, (len(given), self.dim), "embeddings"))
        slots = np.empty(len(given), np.uint32)
        from_buffer = self._native.ffi.from_buffer
        words = from_buffer("dm_id[]", given)
        self._native.call(function, self._live, words, values, self.dim, len(given), from_buffer("uint32_t[]", slots))
        return slots

    def _forget_index(self, slot: int) -> None:
        """Before a concept is replaced or removed: the index would keep its row."""
        if self.single_type or slot >= self._concept_base:
            self._index = None

    def _rows(self, function: Any) -> Rows:
        handle = self._live
        rows = function(handle)
        count, stride = int(rows.count), int(rows.stride)
        if count == 0:
            return Rows(np.empty((0, self.dim), np.float32), np.empty(0, np.float32), np.empty(0, np.uint32))
        keep = partial(_keep, handle)
        # The last row's padding is the store's as well.
        values = self._native.view(rows.values, count * stride, FLOAT32, release=keep)
        return Rows(
            embeddings=values.reshape(count, stride)[:, : self.dim],
            inverse_norms=self._native.view(rows.inverse_norms, count, FLOAT32, release=keep),
            slots=self._native.view(rows.slots, count, UINT32, release=keep),
        )


def embedding_view(native: "Binding", handle: Any, taken: Any, *, dim: int) -> NDArray[np.float32]:
    """The array over an acquired dm_embedding, which is released when the array goes. Raises StoreArgumentError when there is none."""
    if taken.values == native.ffi.NULL:
        raise StoreArgumentError(f"no node lives in slot {taken.slot}")
    release = partial(_release_embedding, native.lib.dm_store_release_embedding, handle, taken)
    return native.view(taken.values, dim, FLOAT32, release=release)


def _release_embedding(release: Any, handle: Any, taken: Any, _values: Any) -> None:
    release(handle, taken)


def _keep(_handle: Any, _values: Any) -> None:
    """Nothing is to be released; the handle lived until now because this referred to it."""

"""Calls on bindings: the weighted edges between episodes and concepts."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.errors import StoreArgumentError
from dualmem_cli.native.arguments import FLOAT32, UINT32, NodeId, all_finite, finite, id_words, pair_array, unit, want
from dualmem_cli.native.handle import StoreHandle

EDGE = np.dtype([("slot", np.uint32), ("binding", np.uint32), ("strength", np.float32)])
"""One end of a binding, seen from the other: the partner's slot, the binding's handle, its strength. Of an association: the other node's
slot, BINDING_NONE, its weight."""

BINDING_NONE = 2**32 - 1
"""Stands where a binding's handle would be for: no binding."""


class BindingCalls(StoreHandle):
    """The part of Store that is about bindings. A binding is known by a handle, an int, which stays with it until it is removed. Strengths
    lie in [0, 1]."""

    def bind(self, episode: int, concept: int, strength: float | None = None) -> int:
        """Bind an episode to a concept, both by slot; return the binding's handle. None: the cosine of the two embeddings, clamped to
        [0, 1]. A pair that is bound already keeps its binding and gets the new strength; the fans do not change then.
        StoreArgumentError: a slot of the wrong type or without a node, or a strength out of range. StoreMemoryError."""
        binding = self._native.ffi.new("uint32_t *")
        self._native.call(
            self._lib.dm_store_bind, self._live, self._node(episode), self._node(concept), self._initial(strength), binding
        )
        return int(binding[0])

    def bind_by_id(self, episode: NodeId, concept: NodeId, strength: float | None = None) -> int:
        """The same by ids. StoreArgumentError also when an id is not in the store."""
        binding = self._native.ffi.new("uint32_t *")
        self._native.call(
            self._lib.dm_store_bind_by_id, self._live, id_words(episode), id_words(concept), self._initial(strength), binding
        )
        return int(binding[0])

    def unbind(self, episode: int, concept: int) -> bool:
        """Remove the binding of a pair; whether there was one."""
        return bool(self._lib.dm_store_unbind(self._live, self._node(episode), self._node(concept)))

    def unbind_by_id(self, episode: NodeId, concept: NodeId) -> bool:
        """The same by ids."""
        return bool(self._lib.dm_store_unbind_by_id(self._live, id_words(episode), id_words(concept)))

    def find_binding(self, episode: int, concept: int) -> int | None:
        """The handle of a pair's binding, or None."""
        binding = self._lib.dm_store_find_binding(self._handle, self._episode(episode), self._concept(concept))
        return None if binding == self._lib.DM_BINDING_NONE else int(binding)

    def binding_strength(self, binding: int) -> float:
        """A binding's strength. StoreArgumentError: it was removed."""
        return self._strength(self._lib.dm_store_binding_strength(self._live, self._binding(binding)), binding)

    def strengthen(self, binding: int, delta: float) -> float:
        """s <- clamp(s + delta, 0, 1), lock-free, delta finite; return the new strength. StoreArgumentError: the binding was removed."""
        strength = self._lib.dm_store_strengthen(self._live, self._binding(binding), finite(delta, "delta"))
        return self._strength(strength, binding)

    def scale(self, binding: int, factor: float) -> float:
        """s <- clamp(s * factor, 0, 1), lock-free, factor finite and not negative; return the new strength. StoreArgumentError: the binding
        was removed."""
        strength = self._lib.dm_store_scale(self._live, self._binding(binding), self._factor(factor))
        return self._strength(strength, binding)

    def is_weak(self, binding: int) -> bool:
        """Whether the binding's strength is below 0.1; False when it was removed."""
        return bool(self._lib.dm_store_is_weak(self._live, self._binding(binding)))

    def binding_strength_by_id(self, episode: NodeId, concept: NodeId) -> float | None:
        """The strength of a pair's binding, by ids; None when they are not bound."""
        return or_none(self._lib.dm_store_binding_strength_by_id(self._live, id_words(episode), id_words(concept)))

    def strengthen_by_id(self, episode: NodeId, concept: NodeId, delta: float) -> float | None:
        """strengthen by ids; None when they are not bound."""
        words = id_words(episode), id_words(concept)
        return or_none(self._lib.dm_store_strengthen_by_id(self._live, *words, finite(delta, "delta")))

    def scale_by_id(self, episode: NodeId, concept: NodeId, factor: float) -> float | None:
        """Scale by ids; None when they are not bound."""
        words = id_words(episode), id_words(concept)
        return or_none(self._lib.dm_store_scale_by_id(self._live, *words, self._factor(factor)))

    def strengthen_batch(self, bindings: NDArray[np.uint32], deltas: NDArray[np.float32]) -> NDArray[np.float32]:
        """Strengthen n bindings in this order: handles uint32 and deltas float32 of shape (n,), read in place. Return the new strengths,
        float32 of shape (n,), -1 where the binding was removed."""
        handle = self._live
        given = self._bindings(want(bindings, UINT32, (-1,), "bindings"))
        added = all_finite(want(deltas, FLOAT32, (len(given),), "deltas"), "deltas")
        strengths = np.empty(len(given), np.float32)
        from_buffer = self._native.ffi.from_buffer
        handles, amounts = from_buffer("uint32_t[]", given), from_buffer("float[]", added)
        self._lib.dm_store_strengthen_batch(handle, handles, amounts, len(given), from_buffer("float[]", strengths))
        return strengths

    def strengthen_batch_by_id(
        self, pairs: NDArray[np.uint64] | Iterable[tuple[NodeId, NodeId]], deltas: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Strengthen n pairs in this order, by ids: an array (n, 2, 2) of uint64 (pair_array), read in place, or a list of pairs of an
        episode's and a concept's id; deltas float32 of shape (n,). Return the new strengths, float32 of shape (n,), -1 where there is no
        binding."""
        handle = self._live
        given = pair_array(pairs)
        added = all_finite(want(deltas, FLOAT32, (len(given),), "deltas"), "deltas")
        strengths = np.empty(len(given), np.float32)
        from_buffer = self._native.ffi.from_buffer
        words, amounts = from_buffer("dm_pair[]", given), from_buffer("float[]", added)
        self._lib.dm_store_strengthen_batch_by_id(handle, words, amounts, len(given), from_buffer("float[]", strengths))
        return strengths

    def edges(self, slot: int) -> NDArray[np.void]:
        """A node's bindings as an array of EDGE, shape (fan,), in no particular order: a state that the node was in at one moment. From a
        concept to its episodes (spreading down), or from an episode to its concepts (up)."""
        handle = self._live
        place = self._node(slot)
        if self.single_type:
            return np.empty(0, EDGE)
        fan = int(self._lib.dm_store_fan(handle, place))
        while True:
            edges = np.empty(fan, EDGE)
            found = int(self._lib.dm_store_edges(handle, place, self._native.ffi.from_buffer("dm_edge[]", edges), fan))
            if found <= fan:
                return edges[:found]
            fan = found  # another thread bound it meanwhile

    # --- within -------------------------------------------------------------------------------------------------------

    def _initial(self, strength: float | None) -> float:
        return float(self._lib.DM_STRENGTH_INITIAL) if strength is None else unit(strength, "strength")

    @staticmethod
    def _factor(factor: float) -> float:
        if factor < 0:
            raise StoreArgumentError(f"factor {factor} is negative")
        return finite(factor, "factor")

    @staticmethod
    def _strength(strength: float, binding: int) -> float:
        if strength < 0:
            raise StoreArgumentError(f"binding {binding} was removed")
        return float(strength)


def or_none(strength: float) -> float | None:
    """A strength of C, where a negative one means that there is none."""
    return None if strength < 0 else float(strength)

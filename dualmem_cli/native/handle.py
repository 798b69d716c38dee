"""What all calls on a store share: the handle, its end, and the checks that C leaves to the caller."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.errors import StoreArgumentError, StoreClosedError
from dualmem_cli.native.binding import Binding


class StoreHandle:
    """A dm_store, owned by reference counting.

    `_handle` is a cdata that destroys the store when the last reference to it goes. Whatever lives on the store's memory (an array over an
    embedding, an index, a call in another thread, through its arguments) refers to it. So closing needs no lock and no count: it lets go
    of one reference.

    C checks no slots and no handles of bindings, so here a number out of the store's range is refused. What a slot in range holds
    after its node was removed is as in C: stale or zero.
    """

    def __init__(self, native: Binding, handle: Any) -> None:
        self._native = native
        self._lib = native.lib
        self._handle: Any = native.ffi.gc(handle, native.lib.dm_store_destroy)
        shape = native.lib.dm_store_shape(handle)
        self.dim = int(shape.dim)
        """Floats per embedding."""
        self.concept_capacity = int(shape.concept_capacity)
        """Most concepts that can live at once; 0 in a single-type store."""
        self.episode_capacity = int(shape.episode_capacity)
        """Most episodes; of a single-type store: most nodes."""
        self.single_type = bool(shape.single_type)
        """Whether this is the single-type control: nodes of no type."""
        self._concept_base = int(native.lib.DM_CONCEPT_BASE)
        self._concept_end = self._concept_base + self.concept_capacity
        self._episode_end = self.episode_capacity
        # What was handed out, as far as it was asked for: these bounds only grow.
        self._known_concepts = self._concept_base
        self._bindings_end = self._more_begin = self._more_end = 0

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._handle is None

    def _close(self) -> None:
        # No slot and no binding is in range any more, so that the checks of hot calls see to closed stores as well.
        self._concept_end = self._known_concepts = self._concept_base
        self._episode_end = self._bindings_end = self._more_begin = self._more_end = 0
        self._handle = None

    @property
    def _live(self) -> Any:
        handle = self._handle
        if handle is None:
            raise StoreClosedError("this store was closed", hint="Use it inside of its `with` block.")
        return handle

    def _node(self, slot: int) -> int:
        if 0 <= slot < self._episode_end or self._concept_base <= slot < self._concept_end:
            return slot
        raise self._refusal(f"slot {slot} is none of this store's")

    def _episode(self, slot: int) -> int:
        if 0 <= slot < self._episode_end:
            return slot
        raise self._refusal(f"slot {slot} is not that of {'a node' if self.single_type else 'an episode'} of this store")

    def _concept(self, slot: int) -> int:
        if self._concept_base <= slot < self._concept_end:
            return slot
        raise self._refusal(f"slot {slot} is not that of a concept of this store")

    def _binding(self, binding: int) -> int:
        for _ in range(2):
            if 0 <= binding < self._bindings_end or self._more_begin <= binding < self._more_end:
                return binding
            self._ask_what_was_handed_out()
        raise self._refusal(f"binding {binding} is none of this store's")

    # --- arrays of them: none is looked at in Python, unless one is to be refused ----------------------------------------

    def _nodes(self, slots: NDArray[np.uint32]) -> NDArray[np.uint32]:
        stranger = _first_outside(slots, (0, self._episode_end), (self._concept_base, self._concept_end))
        if stranger is not None:
            raise self._refusal(f"slot {stranger} is none of this store's")
        return slots

    def _concepts(self, slots: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Slots of concepts that are or were: the places of bindings of one that never was are not to be written."""
        if _first_outside(slots, (self._concept_base, self._known_concepts)) is not None:
            self._ask_what_was_handed_out()
            stranger = _first_outside(slots, (self._concept_base, self._known_concepts))
            if stranger is not None:
                raise self._refusal(f"slot {stranger} is not that of a concept of this store")
        return slots

    def _bindings(self, bindings: NDArray[np.uint32]) -> NDArray[np.uint32]:
        if _first_outside(bindings, (0, self._bindings_end), (self._more_begin, self._more_end)) is not None:
            self._ask_what_was_handed_out()
            stranger = _first_outside(bindings, (0, self._bindings_end), (self._more_begin, self._more_end))
            if stranger is not None:
                raise self._refusal(f"binding {stranger} is none of this store's")
        return bindings

    def _ask_what_was_handed_out(self) -> None:
        bounds = self._lib.dm_store_handed_out(self._live)
        self._known_concepts = int(bounds.concept_end)
        self._bindings_end, self._more_begin, self._more_end = bounds.binding_end, bounds.more_begin, bounds.more_end

    def _refusal(self, sentence: str) -> StoreArgumentError:
        _ = self._live  # that the store is closed is the better reason
        return StoreArgumentError(sentence)


def _first_outside(numbers: NDArray[np.uint32], *ranges: tuple[int, int]) -> int | None:
    """The first number that lies in none of the ranges, each from its first to before its second number; or None."""
    if len(numbers) == 0:
        return None
    smallest, largest = int(numbers.min()), int(numbers.max())
    if any(begin <= smallest and largest < end for begin, end in ranges):
        return None  # as most often
    outside = np.ones(len(numbers), bool)
    for begin, end in ranges:
        outside &= (numbers < begin) | (numbers >= end)
    return int(numbers[np.argmax(outside)]) if outside.any() else None

"""What all calls on a store share: the handle, its end, and the checks that C leaves to the caller."""

from typing import Any

from dualmem_cli.errors import StoreArgumentError, StoreClosedError
from dualmem_cli.native.binding import Binding


class StoreHandle:
    """A dm_store, owned by reference counting.

    `_handle` is a cdata that destroys the store when the last reference to it goes. Whatever lives on the store's memory (an array over an
    embedding, an index, a call in another thread, through its arguments) refers to it. So closing needs no lock and no count: it lets go
    of one reference.

    C checks no slots and no handles of bindings, so here a number out of the store's range is refused. What a slot in range holds
    after its node was removed, and a handle in range whose place was never used, is as in C: stale or zero.
    """

    def __init__(self, native: Binding, handle: Any) -> None:
        self._native = native
        self._lib = native.lib
        self._handle: Any = native.ffi.gc(handle, native.lib.dm_store_destroy)
        shape = native.lib.dm_store_shape(handle)
        self.dim = int(shape.dim)
        """Floats per embedding."""
        self.single_type = bool(shape.single_type)
        """Whether this is the single-type control: nodes of no type."""
        self._concept_base = int(native.lib.DM_CONCEPT_BASE)
        self._concept_end = self._concept_base + int(shape.concept_capacity)
        self._episode_end = int(shape.episode_capacity)
        self._binding_end = 0  # a bound that was true once: handles are given in growing numbers

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._handle is None

    def _close(self) -> None:
        # No slot and no binding is in range any more, so that the checks of hot calls see to closed stores as well.
        self._concept_end = self._concept_base
        self._episode_end = self._binding_end = 0
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
        if 0 <= binding < self._binding_end:
            return binding
        self._binding_end = int(self._lib.dm_store_binding_end(self._live))
        if 0 <= binding < self._binding_end:
            return binding
        raise self._refusal(f"binding {binding} is none of this store's")

    def _refusal(self, sentence: str) -> StoreArgumentError:
        _ = self._live  # that the store is closed is the better reason
        return StoreArgumentError(sentence)

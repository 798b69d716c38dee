"""Reads that are counted."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.native.arguments import NodeId, id_words
from dualmem_cli.native.nodes import embedding_view
from dualmem_cli.native.owned import Owned

if TYPE_CHECKING:
    from dualmem_cli.native.store import Store


class Reader(Owned):
    """Counts one thread's reads: Store.reader(). What it counted stays in Store.statistics(). Belongs to one thread at a time."""

    _kind = "reader"

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._native = native = store._native
        self._lib = native.lib
        self._of = handle = store._live
        made = native.create(native.lib.dm_store_reader_create, "dm_reader", handle)
        super().__init__(native.ffi.gc(made, partial(_release, native.lib.dm_store_reader_release, handle)))

    def close(self) -> None:
        """Give the reader back to the store. A second call does nothing."""
        super().close()
        self._of = None

    def fan(self, slot: int) -> int:
        """Store.fan, counted: a hit when a node lives in the slot."""
        return int(self._lib.dm_reader_fan(self._live, self._store._node(slot)))

    def fan_by_id(self, node: NodeId) -> int | None:
        """Store.fan_by_id, counted."""
        fan = self._native.ffi.new("uint32_t *")
        return int(fan[0]) if self._lib.dm_reader_fan_by_id(self._live, id_words(node), fan) else None

    def embedding(self, slot: int) -> NDArray[np.float32]:
        """Store.embedding, counted as a look-up of a centroid."""
        taken = self._lib.dm_reader_acquire_embedding(self._live, self._store._node(slot))
        return embedding_view(self._native, self._of, taken, dim=self._store.dim)


def _release(release: Any, store: Any, reader: Any) -> None:
    release(store, reader)

"""Reads that are counted."""

from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.errors import StoreClosedError
from dualmem_cli.native.arguments import NodeId, id_words
from dualmem_cli.native.nodes import embedding_view

if TYPE_CHECKING:
    from dualmem_cli.native.store import Store


class Reader:
    """Counts one thread's reads: Store.reader(). What it counted stays in Store.statistics(). Belongs to one thread at a time."""

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._native = native = store._native
        self._lib = native.lib
        self._of = handle = store._live
        made = native.create(native.lib.dm_store_reader_create, "dm_reader", handle)
        self._handle: Any = native.ffi.gc(made, partial(_release, native.lib.dm_store_reader_release, handle))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the reader back to the store. A second call does nothing."""
        self._handle = self._of = None

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

    @property
    def _live(self) -> Any:
        handle = self._handle
        if handle is None:
            raise StoreClosedError("this reader was closed", hint="Use it inside of its `with` block.")
        return handle


def _release(release: Any, store: Any, reader: Any) -> None:
    release(store, reader)

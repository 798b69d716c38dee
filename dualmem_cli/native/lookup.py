"""Concept lookup: the concepts nearest to a query, exactly."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.errors import StoreArgumentError
from dualmem_cli.native.arguments import FLOAT32, want
from dualmem_cli.native.binding import Binding
from dualmem_cli.native.owned import Owned, destroy_with
from dualmem_cli.native.team import Team, team_handle


class Neighbours(NamedTuple):
    """The concepts nearest to each query, best first."""

    slots: NDArray[np.uint32]
    """Shape (queries, min(k, concepts)); without the first dimension for a single query."""
    cosines: NDArray[np.float64]
    """The same shape: cosines in [-1, 1], to double precision from the float32 embeddings."""


class Lookup(Owned):
    """An exact index over a store's concepts (of a single-type store: its nodes) as they were when it was made: Store.index().

    Threads: searches may run at the same time as each other and as any other call on the store. Concepts that are added, replaced or
    removed later change nothing in what the index finds, but the slot of a removed one may be another's by then: is_current tells.
    While an index lives, it keeps the embedding of every concept, and a store has few rows to spare (one per 16 of its capacity, 2 to 64):
    when as many concepts were replaced or removed, adding and replacing raise StoreMemoryError until the index is closed.
    """

    _kind = "index"

    def __init__(self, native: Binding, store: Any, *, dim: int) -> None:
        self._native = native
        self._lib = native.lib
        self._dim = dim
        made = native.create(native.lib.dm_lookup_create, "dm_lookup", store)
        # It releases embeddings of the store when it ends, so the store must still be there.
        super().__init__(native.ffi.gc(made, partial(destroy_with, native.lib.dm_lookup_destroy, store)))
        self.size = int(native.lib.dm_lookup_size(made))
        """Concepts in the index."""

    def close(self) -> None:
        """Let go of the concepts' embeddings, at the end of searches that run. A second call does nothing."""
        super().close()

    @property
    def is_current(self) -> bool:
        """Whether no concept was added, replaced or removed since the index was made."""
        return bool(self._lib.dm_lookup_is_current(self._live))

    @property
    def memory(self) -> int:
        """Bytes of the index and of what its searches keep to work in."""
        return int(self._lib.dm_lookup_memory(self._live))

    def search(self, queries: NDArray[np.float32], *, k: int, team: Team | None = None) -> Neighbours:
        """The min(k, size) concepts with the highest cosine to each query, k in 1..100; of equal cosines the one that came first.
        `queries`: float32 of shape (n, dim), or (dim,) for a single one; read in place. The team divides the queries among its threads; the
        result is the same bits with any team. StoreArgumentError, StoreDataError: NaN or infinity in a query."""
        handle = self._live
        single = isinstance(queries, np.ndarray) and queries.ndim == 1
        given = want(queries, FLOAT32, (self._dim,) if single else (-1, self._dim), "queries")
        if not 1 <= k <= self._lib.DM_LOOKUP_K_MAX:
            raise StoreArgumentError(f"k {k} is not in 1..{self._lib.DM_LOOKUP_K_MAX}")
        number = 1 if single else len(given)
        width = min(k, max(self.size, 1))  # C wants one place at least
        slots = np.empty((number, width), np.uint32)
        cosines = np.empty((number, width), np.float64)
        from_buffer = self._native.ffi.from_buffer
        self._native.call(
            self._lib.dm_lookup_search,
            *(handle, from_buffer("float[]", given), self._dim, number, width),
            team_handle(self._native, team),
            *(from_buffer("uint32_t[]", slots), from_buffer("double[]", cosines)),
        )
        found = Neighbours(slots[:, : self.size], cosines[:, : self.size])
        return Neighbours(found.slots[0], found.cosines[0]) if single else found

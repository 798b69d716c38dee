"""The store: what a Python user holds in hands."""

from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.native.arguments import count
from dualmem_cli.native.binding import load, record
from dualmem_cli.native.bindings import BindingCalls
from dualmem_cli.native.lookup import Lookup, Neighbours
from dualmem_cli.native.nodes import NodeCalls
from dualmem_cli.native.reader import Reader
from dualmem_cli.native.team import Team


class Population(NamedTuple):
    """How many live in a store."""

    concepts: int
    episodes: int
    nodes: int
    """Both, or the nodes of a single-type store."""
    bindings: int


class Statistics(NamedTuple):
    """What readers have counted. A hit finds a live node."""

    fan_hits: int
    fan_misses: int
    centroid_hits: int
    centroid_misses: int
    entries: int
    """Live concepts."""
    hit_rate: float
    """hits / (hits + misses) over both; 0 without look-ups."""


class MemoryUse(NamedTuple):
    """Bytes from the allocator, capacities included."""

    total: int
    embeddings: int
    """Rows, norms, row maps and references."""
    ids: int
    nodes: int
    """Activation, time, strength, coherence."""
    metadata: int
    """Fan and version."""
    bindings: int


class Store(NodeCalls, BindingCalls):
    """A dual-memory store: episodes and concepts of `dim` float32 each, and the weighted bindings between them.

    Nodes are known by 128-bit ids (int or UUID) and, inside, by slots (int): calls that take a slot go straight to the data, calls
    that take ids look each one up first. Arrays are numpy's, float32 and C-contiguous, and are read in place; anything else is
    refused, not converted. Errors are StoreError and its kinds, in dualmem_cli.errors. Threads: see the package.

    `dim`: 1..4096. `concepts`, `episodes`: most that can live at once; the memory is claimed now and used as nodes come.
    `single_type`: the single-type control, with concepts + episodes nodes of no type and without bindings.
    """

    def __init__(self, dim: int, *, concepts: int, episodes: int, single_type: bool = False) -> None:
        native = load()
        options = native.ffi.new("dm_store_options *")
        options.size = native.ffi.sizeof("dm_store_options")
        options.dim = count(dim, "dim")
        options.concept_capacity = count(concepts, "concepts")
        options.episode_capacity = count(episodes, "episodes")
        options.single_type = single_type
        super().__init__(native, native.create(native.lib.dm_store_create, "dm_store", options))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the store for its user. Arrays over its memory, indexes and calls in other threads go on; the memory is freed when the
        last of them has gone. A second call does nothing."""
        self._index = None
        self._close()

    # --- concept lookup -----------------------------------------------------------------------------------------------

    def lookup(self, queries: NDArray[np.float32], *, k: int = 10, team: Team | None = None) -> Neighbours:
        """The k concepts with the highest cosine to each query, exactly: (slots, cosines), see Lookup.search.

        The index is made at the first call and again at the first one after concepts were added, replaced or removed, which takes
        longer than a search. It is let go before a concept is replaced or removed, so that it keeps no rows; but many changes while
        another thread searches may find no spare row and raise StoreMemoryError: try again."""
        index = self._index
        if index is None or not index.is_current:
            self._index = None  # one index at a time holds rows
            index = self._index = self.index()
        return index.search(queries, k=k, team=team)

    def index(self) -> Lookup:
        """An index over the concepts as they are now, which stays as it is."""
        return Lookup(self._native, self._live, dim=self.dim)

    # --- the whole ----------------------------------------------------------------------------------------------------

    def population(self) -> Population:
        """How many nodes and bindings there are."""
        return record(Population, self._lib.dm_store_population(self._live))

    def memory(self) -> MemoryUse:
        """Bytes that the store has from the allocator."""
        return record(MemoryUse, self._lib.dm_store_memory(self._live))

    def reader(self) -> Reader:
        """A reader, which counts what one thread reads through it."""
        return Reader(self)

    def statistics(self) -> Statistics:
        """What all readers have counted so far."""
        return record(Statistics, self._lib.dm_store_statistics(self._live))

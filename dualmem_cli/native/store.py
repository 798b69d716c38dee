"""The store: what a Python user holds in hands."""

from types import TracebackType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.native.arguments import choice, count
from dualmem_cli.native.associations import AssociationCalls
from dualmem_cli.native.binding import load
from dualmem_cli.native.bindings import BindingCalls
from dualmem_cli.native.decay import DecayCalls
from dualmem_cli.native.figures import FigureCalls, Numa
from dualmem_cli.native.formation import FormationCalls
from dualmem_cli.native.handle import StoreHandle
from dualmem_cli.native.lookup import Lookup, LookupMethod, Neighbours, NodeTypes, Similarity, load_lookup, make_lookup
from dualmem_cli.native.nodes import NodeCalls
from dualmem_cli.native.reader import Reader
from dualmem_cli.native.snapshot import FilePath, SnapshotCalls, load_store
from dualmem_cli.native.spreading import SpreadingCalls
from dualmem_cli.native.team import Team


class Store(NodeCalls, BindingCalls, AssociationCalls, DecayCalls, FormationCalls, SpreadingCalls, SnapshotCalls, FigureCalls):
    """A dual-memory store: episodes and concepts of `dim` float32 each, the weighted bindings between them, and the associations of two of
    a kind.

    Nodes are known by 128-bit ids (int or UUID) and, inside, by slots (int): calls that take a slot go straight to the data, calls
    that take ids look each one up first. Arrays are numpy's, float32 and C-contiguous, and are read in place; anything else is
    refused, not converted. Errors are StoreError and its kinds, in dualmem_cli.errors. Threads: see the package.

    `dim`: 1..4096. `concepts`, `episodes`: most that can live at once; the memory is claimed now and used as nodes come.
    `single_type`: the single-type control, with concepts + episodes nodes of no type and without bindings. `numa`: on which memory nodes
    the arrays shall lie; placement() tells what came of it.
    """

    def __init__(
        self, dim: int, *, concepts: int, episodes: int, single_type: bool = False, numa: Numa = Numa.INTERLEAVED
    ) -> None:
        native = load()
        options = native.ffi.new("dm_store_options *")
        options.size = native.ffi.sizeof("dm_store_options")
        options.dim = count(dim, "dim")
        options.concept_capacity = count(concepts, "concepts")
        options.episode_capacity = count(episodes, "episodes")
        options.single_type = bool(single_type)
        options.numa = choice(numa, Numa, "numa")
        super().__init__(native, native.create(native.lib.dm_store_create, "dm_store", options))

    @classmethod
    def load(
        cls,
        path: FilePath,
        *,
        map_embeddings: bool = False,
        memory_limit: int | None = None,
        numa: Numa = Numa.INTERLEAVED,
    ) -> Self:
        """The store that was saved to a file: the same slots, handles, embeddings and numbers, bit for bit; readers' counts and the slots
        and handles of what had been removed are not kept. Every checksum and number is checked before it is used, so that a damaged file is
        refused.

        `map_embeddings`: take sections of embeddings of 2 MiB and more from the file's own pages instead of copying them: faster, but the
        file must then not be changed in place while the store or an array over it lives (save never does). `memory_limit`: most bytes
        that the store may claim, as memory() counts them; set it for files that you do not trust. StoreFileError: the file cannot be
        read. StoreDataError: it is not a snapshot, or damaged. StoreUnsupportedError: of another version or byte order.
        StoreMemoryError: also beyond the limit."""
        native = load()
        made = load_store(native, path, map_embeddings=map_embeddings, memory_limit=memory_limit, numa=numa)
        store = cls.__new__(cls)
        StoreHandle.__init__(store, native, made)
        return store

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
        """The k concepts with the highest cosine to each query, exactly: (slots, similarities), see Lookup.search.

        The index is made at the first call and again at the first one after concepts were added, replaced or removed, which takes
        longer than a search. It is let go before a concept is replaced or removed, so that it keeps no rows; but many changes while
        another thread searches may find no spare row and raise StoreMemoryError: try again."""
        index = self._index
        if index is None or not index.is_current:
            self._index = None  # one index at a time holds rows
            index = self._index = self.index()
        return index.search(queries, k=k, team=team)

    def index(
        self,
        *,
        method: LookupMethod = LookupMethod.EXACT,
        similarity: Similarity | Literal["cosine", "inner_product"] = Similarity.COSINE,
        recall: float = 0.95,
        k: int = 10,
        types: NodeTypes = NodeTypes.CONCEPTS,
        seed: int = 1,
        team: Team | None = None,
    ) -> Lookup:
        """An index over the nodes of these types as they are now, which stays as it is until it is refreshed.

        `method`: EXACT finds all of the nearest; the others find `recall` of the `k` nearest, on average, in less time where there are
        many nodes; AUTO chooses (Lookup.plan). Similarities are exact in any case. `similarity`: nearest by cosine or by inner product,
        which LISTS cannot do. StoreArgumentError: an option out of range, or a method that cannot take these embeddings.
        StoreMemoryError."""
        store = self._live
        made = make_lookup(
            self._native, store, method=method, similarity=similarity, recall=recall, k=k, types=types, seed=seed, team=team
        )
        return Lookup(self._native, store, made, dim=self.dim)

    def load_index(self, path: FilePath, *, team: Team | None = None) -> Lookup:
        """The index that Lookup.save wrote to a file, for a store with the same nodes: this one, or one loaded from its snapshot. Slots,
        ids and embeddings are compared. Where the rows have moved since (a store that had nodes replaced or removed, after it was saved and
        loaded), lists and graphs are renumbered. StoreArgumentError: of another store, or another state of this one.
        StoreDataError: no such file, or damaged. StoreFileError, StoreUnsupportedError, StoreMemoryError."""
        store = self._live
        return Lookup(self._native, store, load_lookup(self._native, store, path, team=team), dim=self.dim)

    # --- counted reads ----------------------------------------------------------------------------------------------------

    def reader(self) -> Reader:
        """A reader, which counts what one thread reads through it."""
        return Reader(self)

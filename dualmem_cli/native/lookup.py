"""Concept lookup: the concepts, or episodes, nearest to a query; exactly, or as many of them as are asked for."""

from enum import IntEnum, IntFlag, StrEnum
from functools import partial
from math import isnan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.errors import StoreArgumentError
from dualmem_cli.native.arguments import FLOAT32, SLOT_NONE, choice, count, count64, number, want
from dualmem_cli.native.binding import Binding
from dualmem_cli.native.owned import Owned, destroy_with
from dualmem_cli.native.snapshot import FilePath, path_bytes
from dualmem_cli.native.team import Team, team_handle


class LookupMethod(IntEnum):
    """How an index finds the nearest."""

    AUTO = 0
    """The one that reads least for the recall asked for, measured on some of the store's own embeddings."""
    EXACT = 1
    """A scan of 8-bit codes with a proven bound of their error."""
    LISTS = 2
    """Coarse lists: the codes of some clusters are scanned."""
    GRAPH = 3
    """A navigable small world graph, which follows the store row by row."""


class Similarity(StrEnum):
    """By what a query q and an embedding x are alike. Which are nearest differs where norms do. The string does as well."""

    COSINE = "cosine"
    """q . x / (|q| |x|), in [-1, 1]; 0 where a norm counts as zero."""
    INNER_PRODUCT = "inner_product"
    """q . x; not with LookupMethod.LISTS."""


class NodeTypes(IntFlag):
    """A mask of types. A single-type store has one, its nodes, and there each of these stands for it."""

    CONCEPTS = 1
    EPISODES = 2
    BOTH = 3


class Neighbours(NamedTuple):
    """The nodes nearest to each query, best first."""

    slots: NDArray[np.uint32]
    """Shape (queries, min(k, nodes)); without the first dimension for a single query."""
    similarities: NDArray[np.float64]
    """The same shape: cosines in [-1, 1], or inner products, to double precision from the float32 embeddings."""


class LookupPlan(NamedTuple):
    """What was chosen for one type, and why."""

    method: LookupMethod
    effort: int
    """Of a graph: the length of the list of candidates; of lists: how many are visited; exact: 0."""
    dims: int
    """Of the projection that the lists encode; 0: none."""
    list_count: int
    held_out: int
    """Nodes that the recall was measured with; 0: not measured."""
    planned: int
    """Nodes there were then. More than twice or less than half as many, and a refresh plans anew."""
    recall: float
    """Mean over those held out; 1: exact; NaN: not measured."""
    recall_low: float
    """What it is at least, one-sided 95 %."""
    costs: dict[LookupMethod, float]
    """Bytes that one search reads, weighted by how they are read; of methods that were looked at and reach the recall."""
    reason: str
    """A sentence."""


class Lookup(Owned):
    """An index over a store's concepts or episodes, or both (of a single-type store: its nodes), as they were when it was made or last
    refreshed: Store.index(), Store.load_index().

    Threads: searches may run at the same time as each other, as refresh() and save(), and as any other call on the store; none waits. Nodes
    that are added, replaced or removed later change nothing in what the index finds, but the slot of a removed one may be another's by
    then: is_current tells. While an index lives, it keeps the embedding of every node that it indexes, and a store has few rows to spare
    (one per 16 of its capacity, 2 to 64 a type): when as many nodes were replaced or removed, adding and replacing raise
    StoreMemoryError until the index is refreshed or closed.
    """

    _kind = "index"

    def __init__(self, native: Binding, store: Any, made: Any, *, dim: int) -> None:
        self._native = native
        self._lib = native.lib
        self._dim = dim
        # It releases embeddings of the store when it ends, so the store must still be there.
        super().__init__(native.ffi.gc(made, partial(destroy_with, native.lib.dm_lookup_destroy, store)))

    def close(self) -> None:
        """Let go of the embeddings, at the end of searches that run. A second call does nothing."""
        super().close()

    @property
    def size(self) -> int:
        """Nodes in the index, of all its types."""
        return int(self._lib.dm_lookup_size(self._live))

    @property
    def is_current(self) -> bool:
        """Whether no node of its types was added, replaced or removed since the index was made or refreshed."""
        return bool(self._lib.dm_lookup_is_current(self._live))

    @property
    def memory(self) -> int:
        """Bytes of the index and of what its searches keep to work in."""
        return int(self._lib.dm_lookup_memory(self._live))

    @property
    def similarity(self) -> Similarity:
        """By what nodes are near: as the index was made, also if it was loaded."""
        return list(Similarity)[int(self._lib.dm_lookup_similarity(self._live))]

    @property
    def plan(self) -> LookupPlan:
        """What was chosen, and why: of concepts, if the index is for both types; see plan_of."""
        return self.plan_of(NodeTypes.CONCEPTS if self._plan(NodeTypes.CONCEPTS).method else NodeTypes.EPISODES)

    def plan_of(self, types: NodeTypes) -> LookupPlan:
        """What was chosen for one of the types of the index. StoreArgumentError: it is not for this type."""
        plan = self._plan(types)
        reason = self._native.ffi.string(plan.reason).decode(errors="replace")
        if not plan.method:
            raise StoreArgumentError(f"types {int(types)}: {reason}")
        costs = {method: float(plan.costs[method]) for method in LookupMethod if method is not LookupMethod.AUTO}
        return LookupPlan(
            method=LookupMethod(plan.method),
            effort=int(plan.effort),
            dims=int(plan.dims),
            list_count=int(plan.list_count),
            held_out=int(plan.held_out),
            planned=int(plan.planned),
            recall=float(plan.recall),
            recall_low=float(plan.recall_low),
            costs={method: cost for method, cost in costs.items() if not isnan(cost)},
            reason=reason,
        )

    def _plan(self, types: NodeTypes) -> Any:
        return self._lib.dm_lookup_plan(self._live, count(types, "types"))

    def refresh(self, *, team: Team | None = None) -> None:
        """Bring the index up to the store's present state; of nodes that change meanwhile, either state is indexed.

        A graph takes in what came and lets go of what went, node by node, beside searches; lists do so in
        a new edition. An exact index, and any that has more than twice or less than half of the nodes that it was planned for, is made
        anew, with the team; searches find the old state until then.
        When it returns, the rows of nodes that are gone are free. One that raised changed nothing. StoreMemoryError."""
        self._native.call(self._lib.dm_lookup_refresh, self._live, team_handle(self._native, team))

    def save(self, path: FilePath) -> None:
        """Write the index to one file, whole or not at all, to be loaded beside the store or its snapshot: Store.load_index. It holds no
        embeddings. StoreArgumentError: it is not current; refresh it first. StoreFileError, StoreMemoryError."""
        self._native.call(self._lib.dm_lookup_save, self._live, path_bytes(path))

    def search(
        self, queries: NDArray[np.float32], *, k: int, types: NodeTypes | None = None, team: Team | None = None
    ) -> Neighbours:
        """The min(k, size) nodes most similar to each query, k in 1..100, as far as the method finds them; of equally similar ones
        concepts first, then the one that came first. `queries`: float32 of shape (n, dim), or (dim,) for a single one; read in place.
        `types`: only among these, of those that the index is for. The team divides the queries among its threads; the result is the same
        bits with any team. Beside a refresh of a graph a query may find a node less than another: its last slot is SLOT_NONE then.
        StoreArgumentError, StoreDataError: NaN or infinity in a query."""
        handle = self._live
        single = isinstance(queries, np.ndarray) and queries.ndim == 1
        given = want(queries, FLOAT32, (self._dim,) if single else (-1, self._dim), "queries")
        if not 1 <= k <= self._lib.DM_LOOKUP_K_MAX:
            raise StoreArgumentError(f"k {k} is not in 1..{self._lib.DM_LOOKUP_K_MAX}")
        queried = 1 if single else len(given)
        slots = np.empty((queried, k), np.uint32)
        similarities = np.empty((queried, k), np.float64)
        from_buffer = self._native.ffi.from_buffer
        places = (from_buffer("uint32_t[]", slots), from_buffer("double[]", similarities))
        batch = (from_buffer("float[]", given), self._dim, queried, k, team_handle(self._native, team), *places)
        if types is None:
            self._native.call(self._lib.dm_lookup_search, handle, *batch)
        else:
            self._native.call(self._lib.dm_lookup_search_types, handle, count(types, "types"), *batch)
        width = min(k, self.size) if queried == 0 else _filled(slots)
        found = Neighbours(slots[:, :width], similarities[:, :width])
        return Neighbours(found.slots[0], found.similarities[0]) if single else found


def make_lookup(
    native: Binding,
    store: Any,
    *,
    method: LookupMethod,
    similarity: str,
    recall: float,
    k: int,
    types: NodeTypes,
    seed: int,
    team: Team | None,
) -> Any:
    """A dm_lookup of a store; see Store.index."""
    options = native.ffi.new("dm_lookup_options *", native.lib.dm_lookup_defaults())
    options.method = choice(method, LookupMethod, "method")
    options.similarity = _number_of(similarity)
    options.types = count(types, "types")
    options.recall = number(recall, "recall")
    options.k = count(k, "k")
    options.seed = count64(seed, "seed")
    return native.create(native.lib.dm_lookup_create_with, "dm_lookup", store, options, team_handle(native, team))


def load_lookup(native: Binding, store: Any, path: FilePath, *, team: Team | None) -> Any:
    """A dm_lookup from a file; see Store.load_index."""
    return native.create(native.lib.dm_lookup_load, "dm_lookup", store, path_bytes(path), team_handle(native, team))


def _number_of(similarity: str) -> int:
    """The library's number, which is the place in the enumeration."""
    names = [each.value for each in Similarity]
    if similarity not in names:
        raise StoreArgumentError(f"similarity {similarity!r} is none of {', '.join(map(repr, names))}")
    return names.index(similarity)


def _filled(slots: NDArray[np.uint32]) -> int:
    """Places that some query found a node for."""
    if slots[0, -1] != SLOT_NONE:
        return int(slots.shape[1])  # as most often
    return int((slots != SLOT_NONE).sum(axis=1).max())

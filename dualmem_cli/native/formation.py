"""Concept formation: from episodes that are alike in meaning and close in time to concepts; and their consolidation."""

import threading
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.errors import StoreArgumentError
from dualmem_cli.native.arguments import UINT32, Ids, count, finite, id_array, number, want
from dualmem_cli.native.binding import load
from dualmem_cli.native.handle import StoreHandle
from dualmem_cli.native.owned import Owned
from dualmem_cli.native.team import Team, team_handle


class Cluster(NamedTuple):
    """Episodes that would become a concept."""

    members: NDArray[np.uint32]
    """Slots, in order of last access, then of id."""
    label: int
    coherence: float
    """The mean similarity over all pairs of members."""


class Clustering(NamedTuple):
    """What Former.cluster found."""

    labels: NDArray[np.uint32]
    """labels[i] is the cluster of episodes[i]. Clusters, those of one member included, are counted from 0 in the order of their first
    members."""
    clusters: list[Cluster]
    """Those that would become concepts, best first."""


class Former(Owned):
    """What clustering works with. The similarity of two episodes is cos(a, b) exp(-|t_a - t_b| / time constant), t the last access, rounded
    to a multiple of 2**-24; average linkage (UPGMA) merges the two clusters with the largest mean similarity while that reaches the cut.
    So the clusters depend on the episodes alone: not on the order of the list, the team or the instruction set.

    `dim`: of the stores. `episodes`: most of one call, 1..16384; the former keeps about 8 n^2 + (6 dim + 200) n bytes of address space for
    n. `cut`: in [2**-23, 1]. `time_constant_hours`: more than 0; infinity: time does not count. A cluster becomes a concept with
    `least_members`, at least 2, and `least_coherence`, in [-1, 1]; of these the best `most_concepts` by coherence x members.

    It serves one call at a time, a second one waits; it belongs to no store. StoreArgumentError: an option out of range.
    StoreMemoryError.
    """

    _kind = "former"

    def __init__(
        self,
        dim: int,
        *,
        episodes: int,
        cut: float = 0.5201,
        time_constant_hours: float = 24.0,
        least_coherence: float = 0.5619,
        least_members: int = 3,
        most_concepts: int = 5,
    ) -> None:
        self._native = native = load()
        self._lib = native.lib
        defaults = native.lib.dm_former_defaults(count(dim, "dim"), count(episodes, "episodes"))
        options = native.ffi.new("dm_former_options *", defaults)
        options.cut = number(cut, "cut")
        options.time_constant_hours = number(time_constant_hours, "time_constant_hours")
        options.least_coherence = number(least_coherence, "least_coherence")
        options.least_members = count(least_members, "least_members")
        options.most_concepts = count(most_concepts, "most_concepts")
        made = native.create(native.lib.dm_former_create, "dm_former", options)
        super().__init__(native.ffi.gc(made, native.lib.dm_former_destroy))
        self.most_concepts = int(most_concepts)
        """Most concepts of one call: how many ids Store.form wants."""
        self._turn = threading.Lock()

    @property
    def memory(self) -> int:
        """Bytes from the allocator."""
        return int(self._lib.dm_former_memory(self._live))

    def cluster(self, store: StoreHandle, episodes: NDArray[np.uint32], *, team: Team | None = None) -> Clustering:
        """Cluster these episodes, or nodes of a single-type store, and change nothing: slots, uint32 of shape (n,), read in place. The time
        grows with n^2. StoreArgumentError: more episodes than there is room for, a slot without an episode or given twice, a store of
        another dim."""
        former, handle = self._live, _store(store)._live
        given = want(episodes, UINT32, (-1,), "episodes")
        ffi = self._native.ffi
        found = ffi.new("dm_clustering *")
        slots, threads = ffi.from_buffer("uint32_t[]", given), team_handle(self._native, team)
        with self._turn:  # the result is the former's memory until it is copied
            self._native.call(self._lib.dm_former_cluster, former, handle, slots, len(given), threads, found)
            return Clustering(
                labels=self._copy(found.labels, len(given)),
                clusters=[self._cluster(found.clusters[i]) for i in range(found.cluster_count)],
            )

    def form(self, store: StoreHandle, episodes: NDArray[np.uint32], ids: Ids, *, team: Team | None = None) -> NDArray[np.uint32]:
        """Store.form, which says what it does."""
        former, handle = self._live, store._live
        given = want(episodes, UINT32, (-1,), "episodes")
        words = id_array(ids)
        if len(words) < self.most_concepts:
            raise StoreArgumentError(f"ids: {len(words)}, want {self.most_concepts}: one for each concept that may be formed")
        concepts = np.empty(self.most_concepts, np.uint32)
        from_buffer = self._native.ffi.from_buffer
        formed = self._native.ffi.new("uint32_t *")
        inputs = from_buffer("uint32_t[]", given), len(given), from_buffer("dm_id[]", words)
        with self._turn:
            self._native.call(
                self._lib.dm_store_form,
                *(handle, former, *inputs, team_handle(self._native, team), from_buffer("uint32_t[]", concepts), formed),
            )
        return concepts[: formed[0]]

    def _cluster(self, cluster: Any) -> Cluster:
        return Cluster(self._copy(cluster.members, cluster.member_count), int(cluster.label), float(cluster.coherence))

    def _copy(self, numbers: Any, length: int) -> NDArray[np.uint32]:
        copied = np.empty(length, np.uint32)
        self._native.ffi.memmove(self._native.ffi.from_buffer("uint32_t[]", copied), numbers, copied.nbytes)
        return copied


def _store(store: StoreHandle) -> StoreHandle:
    if not isinstance(store, StoreHandle):
        raise StoreArgumentError(f"store: {type(store).__name__}, want a Store")
    return store


class FormationCalls(StoreHandle):
    """The part of Store that is about forming and consolidating concepts."""

    def form(self, former: Former, episodes: NDArray[np.uint32], ids: Ids, *, team: Team | None = None) -> NDArray[np.uint32]:
        """Cluster these episodes and make a concept of every cluster found (Former): its embedding is the mean of the members', normalised;
        coherence and member count are set; each member is bound, with the cosine as strength. All or none.

        `episodes`: slots, uint32 of shape (n,), read in place. `ids`: at least former.most_concepts, for the concepts in order; those that
        are left over are not used. Return the concepts' slots, uint32 of shape (formed,), best first. Errors as Former.cluster,
        add_concept and bind; other threads may have seen concepts that are removed again then."""
        if not isinstance(former, Former):
            raise StoreArgumentError(f"former: {type(former).__name__}, want a Former")
        return former.form(self, episodes, ids, team=team)

    def consolidate(self, concepts: NDArray[np.uint32], *, amount: float = 0.02, team: Team | None = None) -> None:
        """One cycle of consolidation: every binding of each of these concepts becomes stronger by `amount`, finite, at most 1. Slots,
        uint32 of shape (n,), read in place; one that comes twice is strengthened twice, one that was removed is passed over.
        StoreArgumentError: a slot that was never a concept's; nothing was changed then."""
        handle = self._live
        given = self._concepts(want(concepts, UINT32, (-1,), "concepts"))
        slots = self._native.ffi.from_buffer("uint32_t[]", given)
        self._lib.dm_store_consolidate(handle, slots, len(given), finite(amount, "amount"), team_handle(self._native, team))

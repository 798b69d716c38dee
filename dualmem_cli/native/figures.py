"""What a store says of itself: how many live in it, what memory it has and where."""

from enum import IntEnum
from typing import NamedTuple

from dualmem_cli.native.binding import record
from dualmem_cli.native.handle import StoreHandle


class Population(NamedTuple):
    """How many live in a store."""

    concepts: int
    episodes: int
    nodes: int
    """Both, or the nodes of a single-type store."""
    bindings: int
    associations: int


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
    associations: int
    """0 before the first one."""


class Numa(IntEnum):
    """Where a store's arrays lie on a machine with several memory nodes. Arrays below 2 MiB stay where the system puts them."""

    INTERLEAVED = 0
    """Every array page by page over all nodes: even bandwidth, whoever reads."""
    SEPARATED = 1
    """What belongs to concepts on the first node, what belongs to episodes over the others, the table of ids over all."""
    ADAPTIVE = 2
    """What is read in small pieces on the node of the creating thread, embeddings over all."""
    SYSTEM = 3
    """An answer, not a request: left to the system's own policy."""


class Placement(NamedTuple):
    """What became of the placement that was asked for."""

    asked: Numa
    got: Numa
    """The same, or Numa.SYSTEM."""
    nodes: int
    """Memory nodes that this process may use; 0: the system does not tell."""
    reason: str
    """A phrase: "interleaved over 2 nodes", "not available here: 1 node"."""


class FigureCalls(StoreHandle):
    """The part of Store that is about the whole of it."""

    def population(self) -> Population:
        """How many nodes and edges there are."""
        return record(Population, self._lib.dm_store_population(self._live))

    def memory(self) -> MemoryUse:
        """Bytes that the store has from the allocator."""
        return record(MemoryUse, self._lib.dm_store_memory(self._live))

    def placement(self) -> Placement:
        """On which memory nodes the arrays lie."""
        found = self._lib.dm_store_placement(self._live)
        reason = self._native.ffi.string(found.reason).decode()
        return Placement(Numa(found.asked), Numa(found.got), int(found.nodes), reason)

    def statistics(self) -> Statistics:
        """What all readers have counted so far."""
        return record(Statistics, self._lib.dm_store_statistics(self._live))

"""Spreading activation: from cues along bindings and associations, hop by hop."""

import threading
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.native.activation import FanMode
from dualmem_cli.native.arguments import FLOAT32, UINT32, all_finite, choice, count, number, want
from dualmem_cli.native.handle import StoreHandle
from dualmem_cli.native.owned import Owned, destroy_with
from dualmem_cli.native.team import Team, team_handle

CUE = np.dtype([("slot", np.uint32), ("activation", np.float32)])
"""Where activation comes from: a node and how much it has; above 1 counts as 1."""

SPREAD_NODE = np.dtype([("slot", np.uint32), ("activation", np.float32), ("hop", np.uint32)])
"""A node that was reached: its activation, in (0, 1], and the hop that reached it first; 0: a cue."""


class Spread(NamedTuple):
    """What spreading reached."""

    nodes: NDArray[np.void]
    """SPREAD_NODE of shape (reached,), the cues included, in ascending order of slots."""
    edges: int
    """Followed, over all hops."""


def cue_array(slots: NDArray[np.uint32], activations: NDArray[np.float32]) -> NDArray[np.void]:
    """Cues of n slots, uint32, and their activations, float32, both of shape (n,): made once for many calls."""
    given = want(slots, UINT32, (-1,), "slots")
    cues = np.empty(len(given), CUE)
    cues["slot"] = given
    cues["activation"] = want(activations, FLOAT32, given.shape, "activations")
    return cues


class Spreader(Owned):
    """What spreading over one store works with: Store.spreader(). It keeps the memory that it needs, about 50 bytes for each node of the
    store's capacities, so that spreading does not allocate. It serves one call at a time: a second one waits; several spreaders may
    spread over one store at once."""

    _kind = "spreader"

    def __init__(self, store: StoreHandle, options: dict[str, float]) -> None:
        self._store = store
        self._native = native = store._native
        self._lib = native.lib
        handle = store._live
        chosen = native.ffi.new("dm_spread_options *", native.lib.dm_spread_defaults())
        for name, value in options.items():
            setattr(chosen, name, value)
        made = native.create(native.lib.dm_spreader_create, "dm_spreader", handle, chosen)
        # It reads the store when it spreads, so the store must still be there.
        super().__init__(native.ffi.gc(made, partial(destroy_with, native.lib.dm_spreader_destroy, handle)))
        self._turn = threading.Lock()

    @property
    def memory(self) -> int:
        """Bytes from the allocator."""
        return int(self._lib.dm_spreader_memory(self._live))

    def spread(self, cues: NDArray[np.void], *, team: Team | None = None) -> Spread:
        """Spread from an array of CUE of shape (n,), read in place (cue_array makes one); the store is not changed, see Store.apply_spread.

        A cue whose activation is not above 0 or whose node is gone is passed over; of two for one node the higher counts. The same bits
        for any team and any order of the cues. Other calls may change the store meanwhile: the edges that a node sends along are a state it
        was in during the call. The result is the caller's own. StoreArgumentError: another type or shape, an activation that is
        NaN or infinite, or a slot that is none of the store's."""
        handle = self._live
        _ = self._store._live
        given = want(cues, CUE, (-1,), "cues")
        self._store._nodes(given["slot"])
        all_finite(given["activation"], "activations")
        from_buffer = self._native.ffi.from_buffer
        with self._turn:  # the result is the spreader's memory until it is copied
            found = self._lib.dm_spread(handle, from_buffer("dm_cue[]", given), len(given), team_handle(self._native, team))
            nodes = np.empty(found.count, SPREAD_NODE)
            self._native.ffi.memmove(from_buffer("dm_spread_node[]", nodes), found.nodes, nodes.nbytes)
        return Spread(nodes, int(found.edges))


class SpreadingCalls(StoreHandle):
    """The part of Store that is about spreading activation."""

    def spreader(
        self,
        *,
        fan_mode: FanMode = FanMode.SQRT,
        max_hops: int = 4,
        decay: float = 0.8,
        threshold: float = 0.01,
        up: float = 0.8,
        down: float = 0.6,
        lateral: float = 0.4,
        episodic: float = 0.3,
        associative_strength: float = 1.6,
    ) -> Spreader:
        """Something to spread activation with. The pulse p that node n gets in hop h, and its activation a in the end:

            p_h(n) = min(1, sum of p_(h-1)(s) f(s) g w)   over the sources s with an edge of weight w to n
            a(n)   = min(1, sum over h of p_h(n) decay^h)

        A source sends what it got in the hop before, if that came to p decay^h >= `threshold` and h < `max_hops` (0..64). g is the strength
        of the edge's direction: `up` from an episode to a concept, `down` back, `lateral` between concepts, `episodic` between episodes;
        finite and not negative. f is what the source's fan leaves of a pulse for each edge (`fan_mode`; the fan counts bindings and
        associations; FanMode.ACTR is max(0, `associative_strength` - ln(fan + 1)) here). `decay` and `threshold` lie in [0, 1].
        StoreArgumentError: an option out of range, or a single-type store, which has no edges. StoreMemoryError."""
        options: dict[str, float] = {
            "fan_mode": choice(fan_mode, FanMode, "fan_mode"),
            "max_hops": count(max_hops, "max_hops"),
            "decay": number(decay, "decay"),
            "threshold": number(threshold, "threshold"),
            "up": number(up, "up"),
            "down": number(down, "down"),
            "lateral": number(lateral, "lateral"),
            "episodic": number(episodic, "episodic"),
            "associative_strength": number(associative_strength, "associative_strength"),
        }
        return Spreader(self, options)

    def apply_spread(self, nodes: NDArray[np.void]) -> None:
        """Add to each node's activation what spreading brought it, at most to 1: Spread.nodes, an array of SPREAD_NODE of shape (n,), read
        in place. Lock-free. StoreArgumentError: another type or shape, an activation that is NaN or infinite, or a slot that is none of
        the store's; nothing was changed then."""
        handle = self._live
        given = want(nodes, SPREAD_NODE, (-1,), "nodes")
        self._nodes(given["slot"])
        all_finite(given["activation"], "activations")
        self._lib.dm_store_apply_spread(handle, self._native.ffi.from_buffer("dm_spread_node[]", given), len(given))

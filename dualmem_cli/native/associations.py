"""Calls on associations: weighted edges without a direction between two concepts or two episodes."""

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.native.arguments import unit
from dualmem_cli.native.bindings import EDGE, or_none
from dualmem_cli.native.handle import StoreHandle


class AssociationCalls(StoreHandle):
    """The part of Store that is about associations. Weights lie in [0, 1]. They are not in Store.fan, which counts bindings alone. The
    first one takes memory: 8 bytes for each node of the capacities."""

    def associate(self, slot: int, other: int, weight: float) -> None:
        """Associate two concepts or two episodes, or give the association they have a new weight. StoreArgumentError: slots that are equal,
        of different types or without a node; a weight out of range; a single-type store. StoreMemoryError."""
        checked = self._node(slot), self._node(other), unit(weight, "weight")
        self._native.call(self._lib.dm_store_associate, self._live, *checked)

    def dissociate(self, slot: int, other: int) -> bool:
        """Remove the association of two nodes; whether there was one."""
        return bool(self._lib.dm_store_dissociate(self._live, self._node(slot), self._node(other)))

    def association_weight(self, slot: int, other: int) -> float | None:
        """The weight of two nodes' association, or None."""
        return or_none(self._lib.dm_store_association_weight(self._live, self._node(slot), self._node(other)))

    def associations(self, slot: int) -> NDArray[np.void]:
        """A node's associations as an array of EDGE, in no particular order: a state that the node was in at one moment, weights included.
        `slot` is the other node, `strength` the weight, `binding` BINDING_NONE: associations have no handles."""
        handle, place = self._live, self._node(slot)
        room = 8
        while True:
            edges = np.empty(room, EDGE)
            found = int(self._lib.dm_store_associations(handle, place, self._native.ffi.from_buffer("dm_edge[]", edges), room))
            if found <= room:
                return edges[:found]
            room = found  # there are more, or another thread added some meanwhile

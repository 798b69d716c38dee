"""Forgetting: the strengths of bindings fall with time."""

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.native.arguments import UINT32, choice, count64, number, want
from dualmem_cli.native.handle import StoreHandle
from dualmem_cli.native.team import Team, team_handle


class DecayMode(IntEnum):
    """How a strength s falls in t seconds, where lambda = lambda_per_second * Store.decay_factor(concept)."""

    EXPONENTIAL = 0
    """s <- s * exp(-lambda * t)."""
    LINEAR = 1
    """s <- s * max(0, 1 - lambda * t)."""


class DecayCalls(StoreHandle):
    """The part of Store that is about forgetting."""

    def decay(
        self,
        lambda_per_second: float,
        elapsed_ns: int,
        *,
        mode: DecayMode = DecayMode.EXPONENTIAL,
        exclusive: bool = False,
        team: Team | None = None,
    ) -> None:
        """Decay every binding, slower where a concept has many. A strength that falls below the smallest normal float32 becomes 0.

        The same bits with any team. Other calls may run meanwhile and none of their updates is lost. `exclusive` is your promise that no
        other call touches the store meanwhile, which is several times faster; bindings that change all the same may come out wrong.
        StoreArgumentError: a lambda that is
        negative or not finite, a time that is not in 0..2**64 - 1, or a single-type store, which has no bindings."""
        options = self._decay_options(lambda_per_second, elapsed_ns, mode=mode, exclusive=exclusive)
        self._native.call(self._lib.dm_store_decay, self._live, options, team_handle(self._native, team))

    def decay_concepts(
        self,
        concepts: NDArray[np.uint32],
        lambda_per_second: float,
        elapsed_ns: int,
        *,
        mode: DecayMode = DecayMode.EXPONENTIAL,
        exclusive: bool = False,
        team: Team | None = None,
    ) -> None:
        """The same for the bindings of some concepts: their slots, uint32 of shape (n,), read in place; one that comes twice is decayed
        twice, one that was removed is passed over. StoreArgumentError also for a slot that was never a concept's."""
        handle = self._live
        given = self._concepts(want(concepts, UINT32, (-1,), "concepts"))
        options = self._decay_options(lambda_per_second, elapsed_ns, mode=mode, exclusive=exclusive)
        slots = self._native.ffi.from_buffer("uint32_t[]", given)
        self._native.call(self._lib.dm_store_decay_concepts, handle, options, slots, len(given), team_handle(self._native, team))

    def _decay_options(self, lambda_per_second: float, elapsed_ns: int, *, mode: DecayMode, exclusive: bool) -> Any:
        options = self._native.ffi.new("dm_decay_options *")
        options.size = self._native.ffi.sizeof("dm_decay_options")
        options.mode = choice(mode, DecayMode, "mode")
        options.exclusive = bool(exclusive)
        options.lambda_per_second = number(lambda_per_second, "lambda_per_second")
        options.elapsed_ns = count64(elapsed_ns, "elapsed_ns")
        return options

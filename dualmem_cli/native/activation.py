"""Activation mapping: from similarities to activations, and from activations to what of them reaches each associate.

These calls know no store and may run at the same time from any thread. Accuracy: within 1e-6 of the formula in double precision,
relative, for every finite input; where the formula gives less than the smallest normal float32, within that of it.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.native.arguments import FLOAT32, UINT32, choice, finite, target, want
from dualmem_cli.native.binding import load


class FanMode(IntEnum):
    """What a node's fan leaves of its activation for each associate (the fan effect, Anderson 1974). Fan 0 counts as 1."""

    LINEAR = 0
    """a / fan: all associates together get a."""
    SQRT = 1
    """a / sqrt(fan): the usual one."""
    ACTR = 2
    """a * max(0, 1.6 - ln fan): ACT-R's associative strength (Anderson 1983)."""
    NONE = 3
    """a: of spreading only."""


def sigmoid(
    similarities: NDArray[np.float32], *, threshold: float = 0.4, temperature: float = 0.5, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """1 / (1 + exp(-(s - threshold) / max(temperature, 0.05))) of each similarity: float32 of shape (n,), in and out. A NaN gives NaN; an
    infinity maps like the largest finite number of its sign. `out`: where the result goes, possibly over the input; else a new array.
    StoreArgumentError: another type or shape, or a threshold or temperature that is not finite; nothing was written then."""
    native = load()
    given = want(similarities, FLOAT32, (-1,), "similarities")
    arguments = finite(threshold, "threshold"), finite(temperature, "temperature")
    written = target(out, FLOAT32, given.shape, given)
    from_buffer = native.ffi.from_buffer
    read, result = from_buffer("float[]", given), from_buffer("float[]", written)
    native.call(native.lib.dm_activation_sigmoid, read, len(given), *arguments, result)
    return written


def fan_effect(
    activations: NDArray[np.float32],
    fans: NDArray[np.uint32],
    *,
    mode: FanMode = FanMode.SQRT,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """What the fan leaves of each activation: float32 and uint32 of shape (n,); float32 of shape (n,) back. A NaN gives NaN. `out`: as for
    sigmoid. StoreArgumentError: arrays of other types or of different lengths, or FanMode.NONE; nothing was written then."""
    native = load()
    given = want(activations, FLOAT32, (-1,), "activations")
    counts = want(fans, UINT32, given.shape, "fans")
    chosen = choice(mode, FanMode, "mode")
    written = target(out, FLOAT32, given.shape, given, counts)
    from_buffer = native.ffi.from_buffer
    read, divisors = from_buffer("float[]", given), from_buffer("uint32_t[]", counts)
    native.call(native.lib.dm_activation_fan, read, len(given), divisors, len(counts), chosen, from_buffer("float[]", written))
    return written


def sigmoid_fan(
    similarities: NDArray[np.float32],
    fans: NDArray[np.uint32],
    *,
    threshold: float = 0.4,
    temperature: float = 0.5,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """sigmoid and fan_effect with FanMode.SQRT in one pass. Shapes, `out` and errors as there."""
    native = load()
    given = want(similarities, FLOAT32, (-1,), "similarities")
    counts = want(fans, UINT32, given.shape, "fans")
    arguments = finite(threshold, "threshold"), finite(temperature, "temperature")
    written = target(out, FLOAT32, given.shape, given, counts)
    from_buffer = native.ffi.from_buffer
    inputs = from_buffer("float[]", given), len(given), from_buffer("uint32_t[]", counts), len(counts)
    native.call(native.lib.dm_activation_sigmoid_fan, *inputs, *arguments, from_buffer("float[]", written))
    return written

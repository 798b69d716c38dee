"""What a caller passes, checked before C sees it: one sentence that says what it is and what it must be."""

import operator
from collections.abc import Iterable
from enum import IntEnum
from numbers import Real
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.errors import StoreArgumentError

NodeId = int | UUID
"""128 bits that mean nothing to the store."""

Ids = NDArray[np.uint64] | Iterable[NodeId]
"""Many of them. An array has shape (n, 2): the low 64 bits, then the high ones; it is used as it is, without a copy."""

SLOT_NONE = 2**32 - 1
"""Stands in arrays of slots for: no node."""

FLOAT32, UINT32, UINT64 = np.dtype(np.float32), np.dtype(np.uint32), np.dtype(np.uint64)

_LOW = 2**64 - 1
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


def id_words(node: NodeId) -> tuple[int, int]:
    """The low and the high 64 bits of an id: what cffi makes a dm_id of."""
    value = node.int if isinstance(node, UUID) else operator.index(node)
    if not 0 <= value < 1 << 128:
        raise StoreArgumentError(f"id {value} is not a number of 128 bits")
    return value & _LOW, value >> 64


def id_array(ids: Ids) -> NDArray[np.uint64]:
    """Ids as an array of shape (n, 2), low and high words: made once for many calls. An array that is one already is returned as it is."""
    if isinstance(ids, np.ndarray):
        return want(ids, UINT64, (-1, 2), "ids")
    return np.array([id_words(node) for node in ids], dtype=np.uint64).reshape(-1, 2)


def pair_array(pairs: NDArray[np.uint64] | Iterable[tuple[NodeId, NodeId]]) -> NDArray[np.uint64]:
    """Pairs of an episode's and a concept's id as an array of shape (n, 2, 2): the episode's words, then the concept's."""
    if isinstance(pairs, np.ndarray):
        return want(pairs, UINT64, (-1, 2, 2), "pairs")
    words = [(id_words(episode), id_words(concept)) for episode, concept in pairs]
    return np.array(words, dtype=np.uint64).reshape(-1, 2, 2)


def want(array: Any, dtype: np.dtype[Any], shape: tuple[int, ...], what: str) -> NDArray[Any]:
    """`array` itself, if it is a C-contiguous array of this type and shape (-1: any length). Raises StoreArgumentError; never copies."""
    if (
        isinstance(array, np.ndarray)
        and array.dtype == dtype
        and array.flags.c_contiguous
        and (array.shape == shape or _fits(array.shape, shape))
    ):
        return array
    wanted = f"a C-contiguous numpy array of {_named(dtype)} with shape {_written(shape)}"
    if not isinstance(array, np.ndarray):
        raise StoreArgumentError(f"{what}: {type(array).__name__}, want {wanted}")
    found = f"{_named(array.dtype)} with shape {_written(array.shape)}"
    found += "" if array.dtype.isnative else " of foreign byte order"
    found += "" if array.flags.c_contiguous else ", not C-contiguous"
    raise StoreArgumentError(f"{what}: {found}; want {wanted}")


def finite(value: float, what: str) -> float:
    """`value`, which must be neither NaN nor infinite, and no more than float32 can hold: C would take it for infinite."""
    if not abs(value) <= _LARGEST_FLOAT32:
        raise StoreArgumentError(
            f"{what} {value} is not finite" if value - value != 0 else f"{what} {value} is too large for float32"
        )
    return value


def number(value: float, what: str) -> float:
    """`value` as a double: what it may be else is the library's to say."""
    if not isinstance(value, Real):
        raise StoreArgumentError(f"{what}: {type(value).__name__}, want a number")
    try:
        return float(value)
    except OverflowError:
        raise StoreArgumentError(f"{what} {value} is too large for float64") from None


def choice(value: int, kind: type[IntEnum], what: str) -> int:
    """`value`, which must be one of the members of `kind` or its number."""
    if isinstance(value, int) and value in kind.__members__.values():
        return int(value)
    names = ", ".join(f"{kind.__name__}.{name}" for name in kind.__members__)
    raise StoreArgumentError(f"{what} {value!r} is none of {names}")


def target(out: NDArray[Any] | None, dtype: np.dtype[Any], shape: tuple[int, ...], *inputs: NDArray[Any]) -> NDArray[Any]:
    """Where a result goes: a new array, or `out`, which may be one of the inputs' memory but must not overlap one otherwise."""
    if out is None:
        return np.empty(shape, dtype)
    given = want(out, dtype, shape, "out")
    if not given.flags.writeable:
        raise StoreArgumentError("out: a read-only array; want one that can be written")
    for read in inputs:
        if np.may_share_memory(given, read) and given.ctypes.data != read.ctypes.data:
            raise StoreArgumentError("out: overlaps an input without being the same array; want the same or another one")
    return given


def count64(value: int, what: str) -> int:
    """`value`, which must fit 64 bits without a sign."""
    if not 0 <= operator.index(value) < 1 << 64:
        raise StoreArgumentError(f"{what} {value} is not in 0..{2**64 - 1}")
    return value


def all_finite(values: NDArray[np.float32], what: str) -> NDArray[np.float32]:
    """`values`, of which none may be NaN or infinite."""
    if not np.isfinite(values).all():
        place = int(np.argmin(np.isfinite(values)))
        raise StoreArgumentError(f"{what}: {values[place]} at position {place} is not finite")
    return values


def unit(value: float, what: str) -> float:
    """`value`, which must lie in [0, 1]."""
    if not 0 <= value <= 1:
        raise StoreArgumentError(f"{what} {value} is not in [0, 1]")
    return value


def count(value: int, what: str) -> int:
    """`value`, which must fit 32 bits without a sign."""
    if not 0 <= operator.index(value) < 1 << 32:
        raise StoreArgumentError(f"{what} {value} is not in 0..{2**32 - 1}")
    return value


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return len(shape) == len(wanted) and all(there in (length, -1) for length, there in zip(shape, wanted, strict=True))


def _named(dtype: np.dtype[Any]) -> str:
    fields = dtype.fields
    return dtype.name if fields is None else "(" + ", ".join(f"{name} {part[0].name}" for name, part in fields.items()) + ")"


def _written(shape: tuple[int, ...]) -> str:
    lengths = ["n" if length == -1 else str(length) for length in shape]
    return f"({lengths[0]},)" if len(lengths) == 1 else f"({', '.join(lengths)})"

"""What numpy, scipy and faiss are asked for, as their users would write it: results into arrays that are there already, one thread.

Called from python.c with addresses and counts. Arrays over them are made once and kept; they are the kernel's own memory, so nothing is
copied. Modules are imported where they are needed: one that is missing costs its peer alone.
"""

import ctypes
import gc
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

gc.disable()
MEMORY: Any = ctypes.c_char * (1 << 40)  # one type for all arrays: making a type takes ten times as long as making an array
ONE = np.float32(1)
REPEATS_WHOLE = 1024  # blocks: np.repeat allocates, which pays from here on


@cache
def floats(address: int, count: int) -> NDArray[np.float32]:
    return np.frombuffer(MEMORY.from_address(address), np.float32, count)


@cache
def integers(address: int, count: int) -> NDArray[np.uint32]:
    return np.frombuffer(MEMORY.from_address(address), np.uint32, count)


@cache
def space(count: int) -> NDArray[np.float32]:
    return np.empty(count, np.float32)


def scratch(count: int) -> NDArray[np.float32]:
    """For one call. Batches that end a run have any length, and must not each leave an array behind."""
    return space(1 << count.bit_length())[:count]


@cache
def library(name: str) -> Any:
    return import_module(name)


# --- activation: the threshold and the slope of the sigmoid come as millionths ---------------------------------------------------------


@cache
def constant(millionths: int) -> np.float32:
    return np.float32(millionths / 1e6)


def sigmoid_numpy(similarities: int, count: int, threshold: int, slope: int, results: int) -> None:
    values = floats(results, count)
    np.subtract(constant(threshold), floats(similarities, count), out=values)
    np.multiply(values, constant(slope), out=values)
    np.exp(values, out=values)
    np.add(values, ONE, out=values)
    np.divide(ONE, values, out=values)


def sigmoid_scipy(similarities: int, count: int, threshold: int, slope: int, results: int) -> None:
    values = floats(results, count)
    np.subtract(floats(similarities, count), constant(threshold), out=values)
    np.multiply(values, constant(slope), out=values)
    library("scipy.special").expit(values, out=values)


def divide_by_roots(activations: NDArray[np.float32], fans: int, count: int, results: int) -> None:
    roots = scratch(count)
    roots[:] = integers(fans, count)
    np.maximum(roots, ONE, out=roots)
    np.sqrt(roots, out=roots)
    np.divide(activations, roots, out=floats(results, count))


def fan_numpy(activations: int, fans: int, count: int, results: int) -> None:
    divide_by_roots(floats(activations, count), fans, count, results)


def fused_numpy(similarities: int, fans: int, count: int, threshold: int, slope: int, results: int) -> None:
    sigmoid_numpy(similarities, count, threshold, slope, results)
    divide_by_roots(floats(results, count), fans, count, results)


def fused_scipy(similarities: int, fans: int, count: int, threshold: int, slope: int, results: int) -> None:
    sigmoid_scipy(similarities, count, threshold, slope, results)
    divide_by_roots(floats(results, count), fans, count, results)


# --- decay ---------------------------------------------------------------------------------------------------------------------------


@cache
def modulations_of(address: int, stride: int, blocks: int) -> NDArray[np.float32]:
    """An array of their own: inside of records they would be read at a quarter of the rate. No fan changes in this kernel."""
    words = floats(address, (blocks - 1) * stride + 1)
    return np.ascontiguousarray(words[::stride])


def decay_numpy(strengths: int, modulations: int, stride: int, begin: int, blocks: int, amount: int, total: int) -> None:
    """`amount` in units of 2^-24. Blocks of eight strengths, a factor each."""
    values = floats(strengths, blocks * 8)
    factors = scratch(blocks)
    np.multiply(modulations_of(modulations, stride, total)[begin : begin + blocks], np.float32(-amount * 2.0**-24), out=factors)
    np.exp(factors, out=factors)
    if blocks < REPEATS_WHOLE:
        repeated = scratch(blocks * 8)
        repeated.reshape(blocks, 8)[:] = factors[:, None]
    else:
        repeated = np.repeat(factors, 8)
    np.multiply(values, repeated, out=values)


# --- rows ------------------------------------------------------------------------------------------------------------------------------


@cache
def unit_rows(rows: int, inverse_norms: int, count: int, stride: int, dim: int) -> NDArray[np.float32]:
    """Made when the rows are first seen, which is before anything is timed."""
    stored = floats(rows, count * stride).reshape(count, stride)[:, :dim]
    return np.ascontiguousarray(stored * floats(inverse_norms, count)[:, None])


def similarity_numpy(rows: int, inverse_norms: int, count: int, stride: int, dim: int, unit: int, cosines: int) -> None:
    np.dot(unit_rows(rows, inverse_norms, count, stride, dim), floats(unit, dim), out=floats(cosines, count))


class Flat:
    """Exact search. The norm of the query does not change the order, so nobody pays for it."""

    units: NDArray[np.float32]
    index: Any
    pointers: Any
    found: NDArray[np.int64]
    scores: NDArray[np.float32]


FLAT: dict[int, Flat] = {}


def search_make(key: int, rows: int, inverse_norms: int, count: int, stride: int, dim: int, faiss: int) -> None:
    flat = Flat()
    flat.units = unit_rows(rows, inverse_norms, count, stride, dim)
    flat.scores = np.empty(count, np.float32)
    if faiss:
        library("faiss").omp_set_num_threads(1)
        flat.index = library("faiss").IndexFlatIP(dim)
        flat.index.add(flat.units)
    FLAT[key] = flat


def search_drop(key: int) -> None:
    FLAT.pop(key, None)


def search_numpy(key: int, query: int, k: int, rows: int) -> None:
    flat = FLAT[key]
    scores = flat.scores
    np.dot(flat.units, floats(query, flat.units.shape[1]), out=scores)
    best = np.argpartition(scores, scores.size - k)[scores.size - k :]
    integers(rows, k)[:] = best[np.argsort(-scores[best])]


def search_faiss(key: int, query: int, k: int, rows: int) -> None:
    flat = FLAT[key]
    integers(rows, k)[:] = flat.index.search(floats(query, flat.units.shape[1])[None, :], k)[1][0]

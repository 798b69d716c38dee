"""Recall@k against the exact answer, computed here in float64 and independent of any kernel."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from dualmem_cli.measure.data import read_matrix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK = 1 << 14  # rows whose cosines with all queries are taken together
# Two similarities closer than this are a tie: a neighbour that is as good as the k-th counts, whichever row it is.
_TIE = 1e-6


def recall(neighbours: "NDArray[np.float64]", *, data: Path, queries: Path, rows: int, k: int) -> float:
    """The mean share of the k nearest by cosine that were found.

    neighbours: queries x k row numbers, flattened; an answer that does not divide into that many rows has found nothing. `rows`: how many
    of the data rows took part. A row number that is out of range, not whole, or repeated within one query counts as not found.
    A returned row counts when its float64 cosine reaches the exact k-th best (within 1e-6), so ties are not errors.
    """
    import numpy as np

    looked_up = _unit_rows(read_matrix(queries))
    stored = read_matrix(data)[:rows]
    rows = len(stored)
    k = min(k, rows)
    if k < 1 or neighbours.size % len(looked_up):
        return 0.0
    answers = neighbours.reshape(len(looked_up), -1)[:, :k]
    changed = tuple(path.stat().st_mtime_ns for path in (data, queries))
    found = 0
    for query, answer, kth in zip(looked_up, answers, _kth_best(data, queries, rows, k, changed), strict=True):
        valid = (answer >= 0) & (answer < rows) & (np.floor(answer) == answer)
        distinct = np.unique(answer[valid].astype(np.int64))
        found += int((_unit_rows(stored[distinct]) @ query >= kth - _TIE).sum())
    return found / (len(looked_up) * k)


@lru_cache(maxsize=4)
def _kth_best(data: Path, queries: Path, rows: int, k: int, _changed: tuple[int, int]) -> "NDArray[np.float64]":
    """The cosine of the k-th nearest row of every query: the truth that all arms and cases of a scenario share. In blocks of rows, so that
    a million of them need no second copy."""
    import numpy as np

    looked_up = _unit_rows(read_matrix(queries))
    stored = read_matrix(data)[:rows]
    best = np.full((len(looked_up), k), -np.inf)
    for begin in range(0, rows, _BLOCK):
        cosines = looked_up @ _unit_rows(stored[begin : begin + _BLOCK]).T
        best = np.partition(np.hstack((best, cosines)), -k, axis=1)[:, -k:]
    return np.asarray(best.min(axis=1), dtype=np.float64)


def _unit_rows(rows: "NDArray[np.float32]") -> "NDArray[np.float64]":
    """In float64; rows of norm zero stay zero."""
    import numpy as np

    exact = np.asarray(rows, dtype=np.float64)
    return np.asarray(exact / np.maximum(np.linalg.norm(exact, axis=1, keepdims=True), 1e-300), dtype=np.float64)

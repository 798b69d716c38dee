"""Recall@k against the exact answer, computed here in float64 and independent of any kernel."""

from pathlib import Path
from typing import TYPE_CHECKING

from dualmem_cli.measure.data import read_matrix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Two similarities closer than this are a tie: a neighbour that is as good as the k-th counts, whichever row it is.
_TIE = 1e-6


def recall(neighbours: "NDArray[np.float64]", *, data: Path, queries: Path, rows: int, k: int) -> float:
    """The mean share of the k nearest by cosine that were found.

    neighbours: queries x k row numbers, flattened; an answer that does not divide into that many rows has found nothing. `rows`: how many
    of the data rows took part. A row number that is out of range, not whole, or repeated within one query counts as not found.
    A returned row counts when its float64 cosine reaches the exact k-th best (within 1e-6), so ties are not errors.
    """
    import numpy as np

    stored = np.asarray(read_matrix(data)[:rows], dtype=np.float64)
    looked_up = np.asarray(read_matrix(queries), dtype=np.float64)
    stored /= np.maximum(np.linalg.norm(stored, axis=1, keepdims=True), 1e-300)
    looked_up /= np.maximum(np.linalg.norm(looked_up, axis=1, keepdims=True), 1e-300)
    rows = len(stored)
    k = min(k, rows)
    if k < 1 or neighbours.size % len(looked_up):
        return 0.0
    answers = neighbours.reshape(len(looked_up), -1)[:, :k]
    found = 0
    for query, answer in zip(looked_up, answers, strict=True):
        similarity = stored @ query
        kth = np.partition(similarity, rows - k)[rows - k]
        valid = (answer >= 0) & (answer < rows) & (np.floor(answer) == answer)
        distinct = np.unique(answer[valid].astype(np.int64))
        found += int((similarity[distinct] >= kth - _TIE).sum())
    return found / (len(looked_up) * k)

"""What requests to a worker are made of, as the protocol describes it and from that document alone."""

import struct
from typing import Any

import numpy as np

SPIN = "0 spin plain 1.0"
FIXED = ("iterations 3", "schedule 0")  # the shortest measurement there is


def matrix_bytes(array: np.ndarray[Any, Any], *, version: int = 1, stride: int | None = None) -> bytes:
    """A matrix file, written from the document alone."""
    rows, columns = array.shape
    stride = stride if stride is not None else -(-columns // 16) * 16
    padded = np.zeros((rows, max(stride, columns)), dtype="<f4")
    padded[:, :columns] = array
    header = struct.pack("<8sIIQQQ", b"DMMATRIX", version, 0, rows, columns, stride)
    return header.ljust(64, b"\0") + padded[:, :stride].tobytes()

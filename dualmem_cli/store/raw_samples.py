"""The raw samples of a self-test: a zip of numpy arrays, readable with numpy.load.

A run has some ten million samples, which as JSON would be a gigabyte. Every flush adds one group of arrays, named <group>/<array>; one
entry per worker, in time order:

    trial        index into the record's trials           uint32 [workers]
    iterations   operations per sample, of either arm     uint64 [workers, 2]
    length       samples of the worker                    uint32 [workers]
    exchange     the sample before which both sides exchanged their pages, 0: never  uint32 [workers]

and one per sample, the workers one after the other:

    arm          0 the baseline, 1 the candidate          uint8
    wall_ns, cpu_ns                                       uint32
    switches     involuntary context switches, 255: more  uint8
"""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.errors import RecordError
from dualmem_cli.model.samples import Samples

_LONGEST_NS = (1 << 32) - 1


class RawSamples:
    """Collects the samples of trials and appends them to a file, group by group."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._groups = 0
        self._workers: list[tuple[int, Samples]] = []

    def add(self, trial: int, samples: Samples) -> None:
        """Remember the samples of one worker of trial number `trial`."""
        self._workers.append((trial, samples))

    def flush(self) -> None:
        """Write what was remembered. Raises RecordError; what is in the file already is not touched."""
        if not self._workers:
            return
        taken = [samples for _, samples in self._workers]
        arrays: dict[str, NDArray[Any]] = {
            "trial": np.array([trial for trial, _ in self._workers], dtype=np.uint32),
            "iterations": np.array([samples.iterations for samples in taken], dtype=np.uint64),
            "length": np.array([len(samples.schedule) for samples in taken], dtype=np.uint32),
            "exchange": np.array([samples.exchange for samples in taken], dtype=np.uint32),
            "arm": np.frombuffer("".join(samples.schedule for samples in taken).encode(), dtype=np.uint8) - ord("0"),
            "wall_ns": _joined([samples.wall_ns for samples in taken], most=_LONGEST_NS).astype(np.uint32),
            "cpu_ns": _joined([samples.cpu_ns for samples in taken], most=_LONGEST_NS).astype(np.uint32),
            "switches": _joined([samples.switches for samples in taken], most=255).astype(np.uint8),
        }
        try:
            with zipfile.ZipFile(self.path, "a", zipfile.ZIP_DEFLATED) as archive:
                for name, array in arrays.items():
                    content = io.BytesIO()
                    np.lib.format.write_array(content, array, allow_pickle=False)
                    archive.writestr(f"{self._groups:04d}/{name}.npy", content.getvalue())
        except OSError as error:
            raise RecordError(
                f"{self.path}: {error.strerror}", hint="Make room or choose another folder with --reports."
            ) from None
        self._groups += 1
        self._workers = []


def _joined(values: list[tuple[int, ...]], *, most: int) -> NDArray[np.int64]:
    """All values in a row; what does not fit the stored type is written as the largest that does."""
    joined: NDArray[np.int64] = np.minimum(np.concatenate([np.asarray(each, dtype=np.int64) for each in values]), most)
    return joined

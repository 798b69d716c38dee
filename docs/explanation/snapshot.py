"""Times saving and loading a store beside building it again and beside numpy, in turn, and prints medians and ratios.

    python docs/explanation/snapshot.py FOLDER [ROUNDS]      # in a checkout after `make c-test`

FOLDER should lie in memory (/dev/shm) unless the disk is the question. Each round runs build/test/snapshot_speed in a fresh process and
np.load, np.save on the same embeddings in this one; a ratio is the median of the rounds' ratios.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

PROGRAM = Path("build/test/snapshot_speed")
SIZES = ((100_000, 16), (20_000, 768))


def milliseconds(begin: int) -> float:
    """Since a reading of perf_counter_ns."""
    return (time.perf_counter_ns() - begin) / 1e6


def one_round(file: Path, episodes: int, dim: int) -> dict[str, float]:
    """The times of one process of snapshot_speed and of numpy, ms."""
    answer = subprocess.run([str(PROGRAM), str(file), str(episodes), str(dim)], capture_output=True, text=True, check=True)
    times: dict[str, float] = json.loads(answer.stdout)
    begin = time.perf_counter_ns()
    values = np.load(f"{file}.npy")
    times["np.load"] = milliseconds(begin)
    begin = time.perf_counter_ns()
    np.save(f"{file}.again.npy", values)
    times["np.save"] = milliseconds(begin)
    return times


def main(folder: Path, rounds: int) -> None:
    """Print a table for each size."""
    for episodes, dim in SIZES:
        file = folder / "snapshot_speed.dms"
        results = [one_round(file, episodes, dim) for _ in range(rounds)]
        size = file.stat().st_size
        print(f"{episodes:,} episodes and {episodes // 10:,} concepts x {dim}, {size / 1e6:.1f} MB, {rounds} rounds")
        for name in results[0]:
            median = statistics.median(result[name] for result in results)
            ratio = statistics.median(result[name] / result["rebuild"] for result in results)
            print(f"  {name:12} {median:8.1f} ms   {ratio:6.3f} of rebuild")
        for path in folder.glob("snapshot_speed.dms*"):
            path.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 15)

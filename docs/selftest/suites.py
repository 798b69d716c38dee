"""Compares the last commit with itself again and again, under one load after the other, and writes a line per run.

    python docs/selftest/suites.py RUNS FILE.csv [SCENARIOS]     # in a clean checkout after `make build`; goes on where the file ends

Every run is `dualmem compare --against HEAD` with its defaults over the shipped scenarios, or over so many of them, drawn anew for each
run by its number (200 runs over all of them take hours), on all processors; a load that is for one of them (other-core, same-core,
bandwidth) is beside a worker or on its processor by turns. Whatever is not 0 is a false alarm (1), an inconclusive suite (4) or a
failure.
"""

import csv
import json
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from dualmem_cli.measure.load import loaded
from dualmem_cli.measure.machine import read_machine, usable_cpus
from dualmem_cli.measure.worker import native_path
from dualmem_cli.model.selftest import Load

LONGEST_S = 3600.0


def main(runs: int, path: Path, share: int | None = None) -> int:
    """Run what is still missing of `runs`, over `share` scenarios each; print how often each exit status came."""
    shipped = sorted(str(found) for found in Path("scenarios").glob("*.toml"))
    revision = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    done = len(path.read_text().splitlines()) - 1 if path.exists() else -1
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if done < 0:
            writer.writerow(["began", "revision", "cpu", "load", "exit", "seconds", "counts"])
        for number in range(max(0, done), runs):
            load = list(Load)[number % len(Load)]
            with loaded(load, cpus=usable_cpus(), executable=native_path("dualmem-worker"), seed=number, longest_s=LONGEST_S):
                began, moment = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
                drawn = [] if share is None else Random(number).sample(shipped, share)
                compare = [sys.executable, "-m", "dualmem_cli", "compare", *drawn, "--against", "HEAD", "--json", "--quiet"]
                answer = subprocess.run(compare, capture_output=True, text=True, check=False)
            counts = (
                json.loads(answer.stdout)["counts"] if answer.stdout.startswith("{") else {"said": answer.stderr.strip()[-200:]}
            )
            told = " ".join(f"{value} {name}" for name, value in counts.items() if value)
            writer.writerow(
                [moment, revision, read_machine().cpu, load, answer.returncode, round(time.monotonic() - began, 1), told]
            )
            file.flush()
    with path.open(newline="") as file:
        print(dict(Counter(row["exit"] for row in csv.DictReader(file))))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:])))

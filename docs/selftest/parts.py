"""Where a worker's time goes: whole workers with more and more of their parts, in turn.

    python docs/selftest/parts.py ROUNDS        # after `make build`; a table of medians, milliseconds

The first column is a worker that starts, loads both builds, sets both arms up, runs each a few times and ends. Every further column
has one part more; the last is a worker of a noisy case as a compare runs it. What the first column costs, no rule can save.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median

from exchange import SEED, SUBJECTS, Plan, calibrated, measure

from dualmem_cli.measure.worker import WorkerProcesses, native_path
from dualmem_cli.plan.effort import NOISY_WARMUP_NS
from dualmem_cli.plan.schedule import halfway, mirrored

PARTS = ("start and set-up", "+ check of outputs", "+ warm-up", "+ samples", "+ exchange, second warm-up")


def main(rounds: int) -> int:
    """Measure the noisy subjects of the self-test; print the table."""
    runner = WorkerProcesses(native_path("dualmem-worker"))
    print(f"| kernel | {' | '.join(PARTS)} |\n|{'---|' * (1 + len(PARTS))}")
    with tempfile.TemporaryDirectory() as scratch:
        for subject in SUBJECTS[:3]:
            plan = calibrated(runner, subject, Path(scratch))
            spent: tuple[list[float], ...] = tuple([] for _ in PARTS)
            for index in range(rounds):
                for parts, taken in enumerate(spent):
                    taken.append(1e3 * _seconds(runner, plan, index, parts))
            print(f"| {subject.kernel} | {' | '.join(f'{median(taken):.0f}' for taken in spent)} |")
    return 0


def _seconds(runner: WorkerProcesses, plan: Plan, index: int, parts: int) -> float:
    schedule = mirrored(arms=2, samples=plan.samples if parts >= 3 else 2, seed=SEED * 1_000 + index)
    request = replace(
        plan.request,
        check=16 if parts >= 1 else 1,
        warmup_ns=int(NOISY_WARMUP_NS) if parts >= 2 else 0,
        schedule=schedule,
        exchange=halfway(schedule, arms=2) if parts >= 4 else 0,
    )
    _, seconds = measure(runner, request, plan.links, index)
    return seconds


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))

"""How often the search for change points is wrong, on made-up series: the tables of history.md.

.venv/bin/python docs/explanation/history.py [--trials 2000]
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.stats.changes import Shape, shape

NOISE = 0.01  # standard deviation of one record, 1 %
Noise = Callable[[np.random.Generator, int], NDArray[np.float64]]


@dataclass(frozen=True)
class Found:
    """Shares of the trials. `near`: exactly one change, within one record of the true place; `covered`, `placed`: of those with one change,
    how often the interval of its size, and the range of its places, hold the truth."""

    near: float
    covered: float
    placed: float


def correlated(r: float) -> Noise:
    """Normal noise of a first-order process."""

    def made(random: np.random.Generator, count: int) -> NDArray[np.float64]:
        values = random.normal(0, NOISE, count)
        for at in range(1, count):
            values[at] = r * values[at - 1] + (1 - r * r) ** 0.5 * values[at]
        return values

    return made


def with_outliers(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    """One record in ten was taken on a busy machine: up to 30 % slower."""
    busy = random.random(count) < 0.1
    values: NDArray[np.float64] = random.normal(0, NOISE, count) + busy * random.uniform(0.05, 0.3, count)
    return values


def shapes(noise: Noise, count: int, *, trials: int, seed: int, added: NDArray[np.float64] | float = 0.0) -> list[Shape]:
    """What is found in `trials` series of that noise with `added` on top."""
    random = np.random.default_rng(seed)
    return [shape(list(noise(random, count) + added)) for _ in range(trials)]


def false_changes(noise: Noise, count: int, *, trials: int, seed: int) -> tuple[float, float]:
    """Shares of series without any change in which one, or a drift, is found."""
    found = shapes(noise, count, trials=trials, seed=seed)
    return sum(bool(one.steps) for one in found) / trials, sum(one.drift is not None for one in found) / trials


def step(size: float, count: int, at: int, *, trials: int, seed: int, noise: Noise | None = None) -> Found:
    """What is found of one step."""
    added = np.where(np.arange(count) >= at, size, 0.0)
    found = shapes(noise or correlated(0), count, trials=trials, seed=seed, added=added)
    single = [one.steps[0] for one in found if len(one.steps) == 1]
    known = max(1, len(single))
    return Found(
        near=sum(abs(one.at - at) <= 1 for one in single) / trials,
        covered=sum(one.low <= size <= one.high for one in single) / known,
        placed=sum(one.earliest <= at <= one.latest for one in single) / known,
    )


def drift(rise: float, count: int, *, trials: int, seed: int) -> tuple[float, float]:
    """Shares of straight rises that are told as a drift, and as steps."""
    found = shapes(correlated(0), count, trials=trials, seed=seed, added=np.linspace(0, rise, count))
    return sum(one.drift is not None for one in found) / trials, sum(bool(one.steps) for one in found) / trials


def main() -> None:
    """Print the tables in Markdown."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=2000)
    trials = parser.parse_args().trials
    kinds = {"independent": correlated(0), "r = 0.3": correlated(0.3), "r = 0.6": correlated(0.6), "outliers": with_outliers}
    counts = (6, 10, 20, 30, 60, 100)
    print(f"| noise | {' | '.join(f'{count} records' for count in counts)} |\n|---|{'---:|' * len(counts)}")
    for name, noise in kinds.items():
        rates = [false_changes(noise, count, trials=trials, seed=1) for count in counts]
        print(f"| {name} | {' | '.join(f'{change * 100:.2f} % / {drifting * 100:.2f} %' for change, drifting in rates)} |")
    places = ("in the middle", "before the last three")
    print(
        f"\n| step | place | {' | '.join(f'{count} records' for count in counts[1:])} |\n|---|---|{'---:|' * (len(counts) - 1)}"
    )
    for size in (0.03, 0.05, 0.08):
        for name in places:
            found = [
                step(size, count, count // 2 if name == places[0] else count - 3, trials=trials, seed=2) for count in counts[1:]
            ]
            cells = [f"{one.near * 100:.0f} ({one.covered * 100:.0f}, {one.placed * 100:.0f})" for one in found]
            print(f"| {size * 100:.0f} % | {name} | {' | '.join(cells)} |")
    for size in (0.05, 0.08):
        one = step(size, 30, 15, trials=trials, seed=3, noise=with_outliers)
        rest = f"({one.covered * 100:.0f}, {one.placed * 100:.0f})"
        print(f"| {size * 100:.0f} %, outliers | in the middle of 30 | {one.near * 100:.0f} {rest} |")
    for rise in (0.03, 0.05, 0.10):
        told, steps = drift(rise, 30, trials=trials, seed=4)
        print(f"\ndrift of {rise * 100:.0f} % over 30 records: told as drift {told * 100:.1f} %, as steps {steps * 100:.1f} %")


if __name__ == "__main__":
    main()

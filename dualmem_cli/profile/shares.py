"""Whether a share differs between two samplings, and by how much: counts in, numbers out.

Samples of one build are not quite independent: a phase of the program, a neighbour on the machine or a second thread makes them come in
clumps. How much so is seen in captures of one build that were taken at different times (`design_effect`), and n samples then
count as n / design effect.
"""

import math
from collections import Counter
from collections.abc import Sequence

CONFIDENCE_95 = 1.959963984540054
_EXPECTED = 5.0  # Pearson's statistic is trusted for counts that are expected to be at least this


def two_proportions(counts: tuple[int, int], samples: tuple[int, int], *, design_effect: float) -> float:
    """The two-sided probability of shares at least this different when there is one share: Fisher's exact test, its smaller tail doubled.

    Exact, because the usual normal tests are wrong by orders of magnitude where it matters, for rare functions in captures of unequal
    length: of 5 in 500 against 0 in 5,000 they make 3e-10, even with Yates's correction, where 1e-5 is right. Counts are those of
    effective samples, rounded.
    """
    x, y = (round(count / design_effect) for count in counts)
    n, m = (max(round(total / design_effect), count) for total, count in zip(samples, (x, y), strict=True))
    together, total = x + y, n + m
    if together in (0, total) or n == 0 or m == 0:
        return 1.0
    if x * total > n * together:  # take the side with too few: its tail ends at 0
        x, y, n, m = y, x, m, n
    term = math.exp(_log_choose(n, x) + _log_choose(m, y) - _log_choose(total, together))
    tail = 0.0
    while term > tail * 1e-12:
        tail += term
        term *= x * (m - y) / ((n - x + 1) * (y + 1))
        x, y = x - 1, y + 1
    return min(1.0, 2.0 * tail)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def wilson(count: float, samples: float) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson, JASA 22, 1927); it stays inside of 0 to 1 and is right at both ends."""
    z2 = CONFIDENCE_95**2
    share = count / samples
    middle = (share + z2 / (2.0 * samples)) / (1.0 + z2 / samples)
    half = CONFIDENCE_95 * math.sqrt(share * (1.0 - share) / samples + z2 / (4.0 * samples**2)) / (1.0 + z2 / samples)
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def difference_interval(
    counts: tuple[int, int], samples: tuple[int, int], *, design_effect: float, ratio: float = 1.0
) -> tuple[float, float]:
    """The 95 % interval of `ratio` times the second share minus the first, from the score intervals of both (Newcombe, Stat. Med. 17,
    1998, method 10). With the ratio of two times it is what a function adds to the first one's time."""
    first, second = (count / total for count, total in zip(counts, samples, strict=True))
    low1, high1 = wilson(counts[0] / design_effect, samples[0] / design_effect)
    low2, high2 = wilson(counts[1] / design_effect, samples[1] / design_effect)
    change = ratio * second - first
    return (
        change - math.hypot(ratio * (second - low2), high1 - first),
        change + math.hypot(ratio * (high2 - second), first - low1),
    )


def holm(chances: Sequence[float]) -> tuple[float, ...]:
    """Adjust the probabilities of several tests so that, whatever their dependence, one in twenty families of true null hypotheses has
    any below 0.05 (Holm, Scand. J. Stat. 6, 1979). Boxes of a flame graph depend on each other: they lie on one another."""
    order = sorted(range(len(chances)), key=lambda i: chances[i])
    adjusted = [1.0] * len(chances)
    highest = 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(chances) - rank) * chances[i]))
        adjusted[i] = highest
    return tuple(adjusted)


def design_effect(sides: Sequence[Sequence[Counter[str]]]) -> float:
    """How many samples tell as much as one independent sample would: Pearson's statistic for equal shares in all captures of one side, by
    its degrees of freedom, both over all sides together; at least 1. Categories that are too rare for the statistic count as one."""
    statistic, freedom = 0.0, 0
    for captures in sides:
        one, degrees = _pearson([capture for capture in captures if capture.total()])
        statistic += one
        freedom += degrees
    return max(1.0, statistic / freedom) if freedom else 1.0


def _pearson(captures: Sequence[Counter[str]]) -> tuple[float, int]:
    if len(captures) < 2:
        return 0.0, 0
    together: Counter[str] = sum(captures, Counter())
    total = together.total()
    smallest = min(capture.total() for capture in captures) / total
    common = [name for name, count in together.items() if count * smallest >= _EXPECTED]
    rest = [capture.total() - sum(capture[name] for name in common) for capture in captures]
    rows = [[capture[name] for capture in captures] for name in common]
    if sum(rest) * smallest >= _EXPECTED:
        rows.append(rest)
    statistic = 0.0
    for row in rows:
        for count, capture in zip(row, captures, strict=True):
            expected = sum(row) * capture.total() / total
            statistic += (count - expected) ** 2 / expected
    return statistic, (len(captures) - 1) * max(0, len(rows) - 1)

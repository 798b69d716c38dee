"""Schedules: which arm runs when. Solo, A/B, A/A and N-way are one thing, an array of arm indices.

Neighbouring samples on a shared machine are alike, samples a minute apart are not: an arm is therefore always paired with
the sample beside it. Every block is a random order of the arms followed by its mirror image (ABBA or BAAB for two arms), so a
linear drift inside a block cancels exactly.
"""

from random import Random


def mirrored(*, arms: int, samples: int, seed: int) -> str:
    """A schedule with at least `samples` samples of each of `arms` arms, as one digit per sample.

    Blocks of 2 x `arms` samples: a random permutation, then its reverse. `samples` is rounded up to an even number.
    """
    if not 1 <= arms <= 10:
        raise ValueError(f"a schedule has 1 to 10 arms, not {arms}")
    random = Random(seed)
    order = list(range(arms))
    blocks: list[str] = []
    for _ in range((samples + 1) // 2):
        random.shuffle(order)
        blocks.append("".join(map(str, order + order[::-1])))
    return "".join(blocks)


def halfway(schedule: str, *, arms: int) -> int:
    """The sample that begins the second half of a mirrored schedule, at the border of two blocks; 0 where there is one block only."""
    block = 2 * arms
    return len(schedule) // block // 2 * block

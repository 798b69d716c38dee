"""What each worker of a case is dealt: processor, address offsets, set-up order, code layout.

All of these change the time of unchanged code (Mytkowicz et al., "Producing wrong data without doing anything obviously
wrong", ASPLOS 2009), and none of them averages out inside one process. So every worker gets its own, balanced where balance is
possible: processors and links take turns, the rest is drawn at random.
"""

from math import lcm
from random import Random

from dualmem_cli.model.plan import Draw


def draw_worker(*, index: int, seed: int, arms: int, cpus: tuple[int, ...], links: tuple[int, ...]) -> Draw:
    """The draw of worker `index` of a case.

    `links` holds the number of links per build. Every build's link is `index` modulo its count; whenever all have come round
    together, the second build's moves on by one (a Latin square). So every link of a build runs equally often, and after the
    product of two counts every pair of links ran once. `cpus` are the processors this process may use (empty: do not pin); pairs of
    workers take turns, shifted likewise, so that no link stays on one processor.
    """
    random = Random(f"{seed}/worker/{index}")
    shuffle = Random(f"{seed}/links")
    together = lcm(*links)
    chosen = []
    for build, count in enumerate(links):
        order = shuffle.sample(range(count), count)
        chosen.append(order[(index + (index // together if build > 0 else 0)) % count])
    # Workers come in pairs that set the arms up in opposite orders.
    order = list(range(arms))
    Random(f"{seed}/order/{index // 2}").shuffle(order)
    first_cpu = Random(f"{seed}/cpu").randrange(len(cpus)) if cpus else 0
    cpu_turn = first_cpu + index // 2 + index // lcm(together, 2 * max(1, len(cpus)))
    return Draw(
        cpu=cpus[cpu_turn % len(cpus)] if cpus else None,
        stack=16 * random.randrange(256),
        environment=random.randrange(4096),
        placement=64 * random.randrange(64),
        order=tuple(order if index % 2 == 0 else order[::-1]),
        links=tuple(chosen),
    )

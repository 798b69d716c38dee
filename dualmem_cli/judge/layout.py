"""Whether a change depends on where the linker put the code."""

import math
from collections.abc import Hashable, Sequence
from statistics import fmean

from dualmem_cli.stats.beta import incomplete_beta

# Of a regressed case's two tests (by the links of either side) one in five hundred is wrong about a change that is the same everywhere.
_ERROR = 0.001


def is_layout_sensitive(logs: Sequence[float], links: Sequence[tuple[Hashable, Hashable]], *, threshold: float) -> bool:
    """Whether a regression shows in some layouts only: the means over the links of one side differ by more than the workers' scatter
    explains (one-way analysis of variance, F test; Fisher, Statistical Methods for Research Workers, 1925), and at least one link's
    mean lies below the threshold while another's lies above it. `links` holds the link of either side for every worker."""
    limit = math.log1p(threshold)
    for side in (0, 1):
        groups: dict[Hashable, list[float]] = {}
        for log, pair in zip(logs, links, strict=True):
            groups.setdefault(pair[side], []).append(log)
        means = [fmean(own) for own in groups.values()]
        if len(means) > 1 and min(means) <= limit < max(means) and _tail(list(groups.values())) < _ERROR:
            return True
    return False


def _tail(groups: Sequence[Sequence[float]]) -> float:
    """P(F >= f) of one-way analysis of variance; 1 when there is no scatter to judge by."""
    count = sum(len(own) for own in groups)
    between, within = len(groups) - 1, count - len(groups)
    if within <= 0:
        return 1.0
    total = fmean(log for own in groups for log in own)
    explained = math.fsum(len(own) * (fmean(own) - total) ** 2 for own in groups) / between
    left = math.fsum((log - fmean(own)) ** 2 for own in groups for log in own) / within
    if left == 0.0:
        return 0.0 if explained > 0.0 else 1.0
    ratio = explained / left
    return incomplete_beta(within / 2, between / 2, within / (within + between * ratio))

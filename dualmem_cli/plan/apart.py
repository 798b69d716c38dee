"""One kind of operation apart from the others of its trace, so that what is sampled or counted of it is of nothing else."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from dualmem_cli.errors import TraceError
from dualmem_cli.trace import Trace, trace


@dataclass(frozen=True, slots=True)
class Apart:
    """A trace of `before` insertions by others, and then `count` operations of one kind. When they were is left out."""

    trace: Trace
    before: int
    count: int


def kind_apart(whole: Trace, kind: str, *, most: int, inserting: Collection[str], times: int = 1) -> Apart:
    """The first `most` operations of a kind in their order, or all, `times` over. What other kinds, those that are `inserting`, put into
    the store before the last of them comes first, since a key may be of it; what they only looked at does not matter. Raises TraceError
    where the trace has none of that kind."""
    number = whole.names.index(kind) if kind in whole.names else -1
    own = np.flatnonzero(whole.kinds == number)[:most]
    if not len(own):
        raise TraceError(f"the trace has no operation called {kind}")
    others = [other for other, name in enumerate(whole.names) if name in inserting and other != number]
    before = np.flatnonzero(np.isin(whole.kinds[: own[-1]], others))
    played = np.tile(own, times)
    chosen = np.concatenate([before, played])
    at_ns = np.zeros(len(chosen), np.uint64)
    made = trace(whole.names, at_ns, whole.kinds[chosen], whole.keys[chosen], duration_ns=0, note={"apart": kind})
    return Apart(made, len(before), len(played))

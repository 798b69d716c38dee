"""What a trace is like: its kinds, its rate over time, and how much of the work falls on few keys."""

from dataclasses import dataclass

import numpy as np

from dualmem_cli.trace import Trace

SECTIONS = 40  # into which the time is divided
_FEW = 0.01  # of the keys


@dataclass(frozen=True, slots=True)
class KindProfile:
    """One kind of operation. `hottest`: share of its operations on the most used key; `few`: on the most used 1 % of the keys that it
    uses, at least one."""

    name: str
    operations: int
    share: float
    rate: float
    keys: int
    smallest: int
    largest: int
    hottest: float
    few: float


@dataclass(frozen=True, slots=True)
class TraceProfile:
    """A whole trace. `rates`: operations per second in SECTIONS equal parts of its time. `dispersion`: variance over mean of the number of
    operations in such a part: 0 for constant arrivals, about 1 for Poisson's, more for bursts."""

    operations: int
    duration_s: float
    rate: float
    rates: tuple[float, ...]
    dispersion: float
    kinds: tuple[KindProfile, ...]


def profile_of(made: Trace) -> TraceProfile:
    """The profile of a trace."""
    part_ns = max(1.0, made.duration_ns / SECTIONS)
    parts = np.minimum((made.at_ns / part_ns).astype(np.int64), SECTIONS - 1)
    counts = np.bincount(parts, minlength=SECTIONS)
    return TraceProfile(
        operations=len(made),
        duration_s=made.duration_ns / 1e9,
        rate=made.rate,
        rates=tuple(float(rate) for rate in counts / part_ns * 1e9),
        dispersion=float(counts.var(ddof=1) / counts.mean()),
        kinds=tuple(_kind(made, place) for place in range(len(made.names))),
    )


def _kind(made: Trace, place: int) -> KindProfile:
    keys = made.keys[made.kinds == place]
    found, uses = np.unique(keys, return_counts=True)
    uses = np.sort(uses)[::-1]
    count = len(keys)
    few = max(1, round(_FEW * len(found)))
    return KindProfile(
        name=made.names[place],
        operations=count,
        share=count / len(made),
        rate=count / made.duration_ns * 1e9 if made.duration_ns else 0.0,
        keys=len(found),
        smallest=int(found[0]) if count else 0,
        largest=int(found[-1]) if count else 0,
        hottest=float(uses[0] / count) if count else 0.0,
        few=float(uses[:few].sum() / count) if count else 0.0,
    )

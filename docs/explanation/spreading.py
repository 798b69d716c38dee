"""Draws spreading.png: the library's spreading activation beside what it should explain.

    python docs/explanation/spreading.py            # after `make build`; writes the picture beside this file, prints the fit

Left: Anderson's (1974) experiment. Every time is computed from an activation that dm_spread returned. Right: a chain of concepts, as the
library damps it and as it would be with damping that compounds.
"""

import ctypes
import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from statistics import correlation, fmean

from matplotlib.figure import Figure

from dualmem_cli.measure.worker import native_path

FAN_ACTR, FAN_NONE = 2, 3
INTERCEPT_S, LATENCY_FACTOR_S = 0.845, 0.63
FANS = (1, 2, 3)

# Seconds by (place's fan, person's fan): Anderson (1974), as published.
TARGETS = {(place, person): time for place, row in zip(FANS, ((1.11, 1.17, 1.22), (1.17, 1.20, 1.22), (1.15, 1.23, 1.36)), strict=True)
           for person, time in zip(FANS, row, strict=True)}  # fmt: skip
FOILS = {(place, person): time for place, row in zip(FANS, ((1.20, 1.22, 1.26), (1.25, 1.36, 1.29), (1.26, 1.47, 1.47)), strict=True)
         for person, time in zip(FANS, row, strict=True)}  # fmt: skip


class Id(ctypes.Structure):
    """dm_id."""

    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


class StoreOptions(ctypes.Structure):
    """dm_store_options."""

    _fields_ = [("size", ctypes.c_size_t), ("dim", ctypes.c_uint32), ("concept_capacity", ctypes.c_uint32),
                ("episode_capacity", ctypes.c_uint32), ("single_type", ctypes.c_int32), ("placement", ctypes.c_size_t)]  # fmt: skip


class SpreadOptions(ctypes.Structure):
    """dm_spread_options."""

    _fields_ = [("size", ctypes.c_size_t), ("fan_mode", ctypes.c_int32), ("max_hops", ctypes.c_uint32), ("decay", ctypes.c_double),
                ("threshold", ctypes.c_double), ("up", ctypes.c_double), ("down", ctypes.c_double), ("lateral", ctypes.c_double),
                ("episodic", ctypes.c_double), ("associative_strength", ctypes.c_double), ("placement", ctypes.c_size_t)]  # fmt: skip


class Cue(ctypes.Structure):
    """dm_cue."""

    _fields_ = [("slot", ctypes.c_uint32), ("activation", ctypes.c_float)]


class Node(ctypes.Structure):
    """dm_spread_node."""

    _fields_ = [("slot", ctypes.c_uint32), ("activation", ctypes.c_float), ("hop", ctypes.c_uint32)]


class Result(ctypes.Structure):
    """dm_spread_result."""

    _fields_ = [("nodes", ctypes.POINTER(Node)), ("count", ctypes.c_uint32), ("edges", ctypes.c_uint64)]


LIBRARY = ctypes.CDLL(str(native_path("links") / "libdualmem.0.so"))
LIBRARY.dm_spread_defaults.restype = SpreadOptions
LIBRARY.dm_spread.restype = Result


class Store:
    """A store without embeddings to speak of: only its graph matters here."""

    def __init__(self, *, concepts: int, episodes: int) -> None:
        self._store = ctypes.c_void_p()
        options = StoreOptions(ctypes.sizeof(StoreOptions), 1, concepts, episodes, 0, 0)
        self._call(LIBRARY.dm_store_create, ctypes.byref(options), ctypes.byref(self._store))
        self._ids = 0

    def concept(self) -> int:
        """Adds one; its slot."""
        return self._add(LIBRARY.dm_store_add_concept)

    def episode(self) -> int:
        """Adds one; its slot."""
        return self._add(LIBRARY.dm_store_add_episode)

    def bind(self, episode: int, concept: int) -> None:
        """With strength 1."""
        self._call(
            LIBRARY.dm_store_bind, self._store, ctypes.c_uint32(episode), ctypes.c_uint32(concept), ctypes.c_float(1.0), None
        )

    def associate(self, one: int, other: int) -> None:
        """With weight 1."""
        self._call(LIBRARY.dm_store_associate, self._store, ctypes.c_uint32(one), ctypes.c_uint32(other), ctypes.c_float(1.0))

    def spread(self, cues: dict[int, float], **changes: float) -> dict[int, float]:
        """The activation of every node reached; `changes` are fields of the options that differ from the defaults."""
        options = LIBRARY.dm_spread_defaults()
        for name, value in changes.items():
            setattr(options, name, value)
        spreader = ctypes.c_void_p()
        self._call(LIBRARY.dm_spreader_create, self._store, ctypes.byref(options), ctypes.byref(spreader))
        array = (Cue * len(cues))(*(Cue(slot, activation) for slot, activation in cues.items()))
        result = LIBRARY.dm_spread(spreader, array, ctypes.c_size_t(len(cues)), None)
        found = {node.slot: node.activation for node in result.nodes[: result.count]}
        LIBRARY.dm_spreader_destroy(spreader)
        return found

    def _add(self, function: Callable[..., int]) -> int:
        slot = ctypes.c_uint32()
        self._ids += 1
        self._call(function, self._store, Id(self._ids, 0), (ctypes.c_float * 1)(1.0), ctypes.byref(slot))
        return slot.value

    @staticmethod
    def _call(function: Callable[..., int], *arguments: object) -> None:
        error = ctypes.create_string_buffer(256)
        if function(*arguments, error, ctypes.c_size_t(len(error))) != 0:
            raise RuntimeError(error.value.decode())


def retrieval_time_s(activation: float) -> float:
    """ACT-R's retrieval time, with what it takes to read and to press a key."""
    return INTERCEPT_S + LATENCY_FACTOR_S * math.exp(-activation)


def recognise(*, place_fan: int, person_fan: int) -> tuple[float, float]:
    """Seconds for a target and for a foil of these fans."""
    store = Store(concepts=4, episodes=12)
    facts = []
    for _ in range(2):  # two facts of the same fans; the foil takes the person of one and the place of the other
        person, place, fact = store.concept(), store.concept(), store.episode()
        for concept, fan in ((person, person_fan), (place, place_fan)):
            store.bind(fact, concept)
            for _ in range(fan - 1):
                store.bind(store.episode(), concept)
        facts.append((person, place, fact))
    (person, place, fact), (_, other_place, other_fact) = facts
    actr = {"fan_mode": FAN_ACTR, "max_hops": 1, "decay": 1.0, "down": 1.0, "threshold": 0.0}
    target = store.spread({person: 0.5, place: 0.5}, **actr)
    foil = store.spread({person: 0.5, other_place: 0.5}, **actr)
    return retrieval_time_s(target[fact]), fmean(retrieval_time_s(foil[slot]) for slot in (fact, other_fact))


def chain(length: int) -> list[float]:
    """Activation along a chain of concepts, from the second on; without echo, as nothing is sent on beyond the last hop."""
    activations = []
    for hops in range(1, length + 1):
        store = Store(concepts=length + 1, episodes=0)
        concepts = [store.concept() for _ in range(hops + 1)]
        for one, other in pairwise(concepts):
            store.associate(one, other)
        found = store.spread({concepts[0]: 1.0}, fan_mode=FAN_NONE, max_hops=hops, threshold=0.0, lateral=1.0)
        activations.append(found[concepts[-1]])
    return activations


def fit(model: Iterable[float], people: Iterable[float]) -> tuple[float, float]:
    """Pearson's correlation, and the root mean square difference in seconds."""
    one, other = list(model), list(people)
    return correlation(one, other), math.sqrt(fmean((a - b) ** 2 for a, b in zip(one, other, strict=True)))


def main(path: Path) -> None:
    """Compute, draw, print."""
    times = {(place, person): recognise(place_fan=place, person_fan=person) for place in FANS for person in FANS}
    r, rmsd_s = fit(
        [target for target, _ in times.values()] + [foil for _, foil in times.values()],
        [TARGETS[cell] for cell in times] + [FOILS[cell] for cell in times],
    )
    print(f"correlation {r:.3f}, RMSD {rmsd_s:.3f} s over 18 cells")
    for place in FANS:
        print("  ".join(f"{times[place, person][0]:.3f} {times[place, person][1]:.3f}" for person in FANS), " (target, foil)")

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    panels = figure.subplots(1, 3, width_ratios=(1, 1, 1.1), sharey=False)
    for axes, title, published, which in ((panels[0], "Targets", TARGETS, 0), (panels[1], "Foils", FOILS, 1)):
        for place, colour in zip(FANS, ("#0b7285", "#e67700", "#862e9c"), strict=True):
            axes.plot(FANS, [times[place, person][which] for person in FANS], color=colour, label=f"place's fan {place}")
            axes.plot(FANS, [published[place, person] for person in FANS], "o", color=colour)
        axes.set(title=title, xlabel="person's fan", xticks=FANS, ylim=(1.05, 1.5))
    panels[0].set_ylabel("recognition time, s")
    panels[0].legend(title=f"line: spreading, dot: people\nr = {r:.3f}, RMSD {rmsd_s:.3f} s", frameon=False)

    hops = range(1, 6)
    panels[2].semilogy(hops, chain(len(hops)), "o-", color="#0b7285", label="as it is: decay$^{h}$")
    panels[2].semilogy(
        hops, [0.8 ** (h * (h + 1) / 2) for h in hops], "s--", color="#868e96", label="compounding: decay$^{h(h+1)/2}$"
    )
    panels[2].set(title="Damping along a chain", xlabel="hops from the cue", ylabel="activation", xticks=list(hops))
    panels[2].set_yticks([1, 0.5, 0.2, 0.1, 0.05, 0.02], labels=["1", "0.5", "0.2", "0.1", "0.05", "0.02"])
    panels[2].minorticks_off()
    panels[2].legend(frameon=False)
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main(Path(__file__).with_suffix(".png"))

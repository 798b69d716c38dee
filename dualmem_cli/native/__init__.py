"""The dual-memory store for Python: libdualmem through cffi, numpy in and out.

    with Store(768, concepts=1_000, episodes=10_000) as store:
        slots = store.add_episodes(ids, embeddings)

This package maps libdualmem into the process. It is for programs that keep a store, and for tests; nothing else of dualmem_cli
imports it, because a process that reports measurements maps no kernel library (an import contract in pyproject.toml). The C API and its
promises are in native/include/dualmem/dualmem.h; a method does what the function of its name does there.

Threads. A call releases the interpreter's lock while the library works, and all of it is as thread-safe as the C API: any call beside
any other. Closing is safe at any time too: the memory is freed when the last call, array or index over it has gone. An array that
was passed in must not be written while the call reads it.
"""

from dualmem_cli.native.activation import FanMode, fan_effect, sigmoid, sigmoid_fan
from dualmem_cli.native.arguments import SLOT_NONE, Ids, NodeId, id_array, pair_array
from dualmem_cli.native.bindings import BINDING_NONE, EDGE
from dualmem_cli.native.counters import PerfCounters, Reading
from dualmem_cli.native.decay import DecayMode
from dualmem_cli.native.figures import MemoryUse, Numa, Placement, Population, Statistics
from dualmem_cli.native.formation import Cluster, Clustering, Former
from dualmem_cli.native.lookup import Lookup, LookupMethod, LookupPlan, Neighbours, NodeTypes, Similarity
from dualmem_cli.native.nodes import Formation, Rows
from dualmem_cli.native.reader import Reader
from dualmem_cli.native.recorder import Recorder
from dualmem_cli.native.spreading import CUE, SPREAD_NODE, Spread, Spreader, cue_array
from dualmem_cli.native.store import Store
from dualmem_cli.native.team import Team

__all__ = [
    "BINDING_NONE",
    "CUE",
    "EDGE",
    "SLOT_NONE",
    "SPREAD_NODE",
    "Cluster",
    "Clustering",
    "DecayMode",
    "FanMode",
    "Formation",
    "Former",
    "Ids",
    "Lookup",
    "LookupMethod",
    "LookupPlan",
    "MemoryUse",
    "Neighbours",
    "NodeId",
    "NodeTypes",
    "Numa",
    "PerfCounters",
    "Placement",
    "Population",
    "Reader",
    "Reading",
    "Recorder",
    "Rows",
    "Similarity",
    "Spread",
    "Spreader",
    "Statistics",
    "Store",
    "Team",
    "cue_array",
    "fan_effect",
    "id_array",
    "pair_array",
    "sigmoid",
    "sigmoid_fan",
]

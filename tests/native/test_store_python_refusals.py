"""Every sentence with which dualmem_cli.native refuses, and that a refused call changed nothing."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dualmem_cli
from dualmem_cli.errors import (
    BuildError,
    DualmemError,
    StoreArgumentError,
    StoreDataError,
    StoreError,
    StoreMemoryError,
)
from dualmem_cli.native import Formation, Store, Team, id_array
from dualmem_cli.native import binding as binding_module

pytestmark = pytest.mark.usefixtures("package")

F32 = np.float32
BASE = 129 << 20  # the first concept's slot
GOOD = np.ones(4, F32)


@pytest.fixture
def store(package: Path) -> Iterator[Store]:
    """Two concepts, two episodes, one binding; room for one more of each."""
    with Store(4, concepts=3, episodes=3) as made:
        made.add_concepts([10, 11], np.ones((2, 4), F32))
        made.add_episodes([20, 21], np.ones((2, 4), F32))
        made.bind(0, BASE, 0.5)
        yield made


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        # --- the library's own sentences
        (lambda s: s.add_concept(20, GOOD), StoreArgumentError,
         f"id {20:032x} is in the store already; remove its node or update the embedding"),
        (lambda s: s.add_episode(30, np.array([1, np.nan, 1, 1], F32)), StoreDataError,
         "the embedding has NaN at position 1; nothing was stored"),
        (lambda s: s.update_embedding(0, np.array([1, 1, 1, -np.inf], F32)), StoreDataError,
         "the embedding has an infinity at position 3; nothing was stored"),
        (lambda s: s.add_node(30, GOOD), StoreArgumentError,
         "a dual store has no nodes without a type; add a concept or an episode"),
        (lambda s: s.add_episodes([30, 31], np.ones((2, 4), F32)), StoreMemoryError, "node 1 of 2: the capacity of 3 episodes is reached"),
        (lambda s: s.add_concepts([30, 30], np.ones((2, 4), F32)), StoreArgumentError,
         f"node 1 of 2: id {30:032x} is in the store already; remove its node or update the embedding"),
        (lambda s: s.update_embedding(2, GOOD), StoreArgumentError, "no node lives in slot 2"),
        (lambda s: s.remove(BASE + 2), StoreArgumentError, f"no node lives in slot {BASE + 2}"),
        (lambda s: s.id(2), StoreArgumentError, "no node lives in slot 2"),
        (lambda s: s.embedding(2), StoreArgumentError, "no node lives in slot 2"),
        (lambda s: s.bind(BASE, 0), StoreArgumentError,
         f"slots {BASE} and 0 are not an episode and a concept of this store; bindings join one of each"),
        (lambda s: s.bind(2, BASE), StoreArgumentError, f"no node lives in slot 2 or in slot {BASE}"),
        (lambda s: s.bind_by_id(99, 10), StoreArgumentError, "the episode's id is not in the store; add the node first"),
        (lambda s: s.bind_by_id(20, 99), StoreArgumentError, "the concept's id is not in the store; add the node first"),
        (lambda s: Store(0, concepts=1, episodes=1), StoreArgumentError, "dim 0 is not in 1..4096"),
        (lambda s: Store(4, concepts=0, episodes=0), StoreArgumentError,
         "capacities of 0 concepts and 0 episodes: want 1..133169152 nodes"),
        (lambda s: Team(0), StoreArgumentError, "a team of 0 threads: want 1..256"),
        # --- what C leaves to the caller
        (lambda s: Store(-1, concepts=1, episodes=1), StoreArgumentError, "dim -1 is not in 0..4294967295"),
        (lambda s: Store(4, concepts=2**32, episodes=1), StoreArgumentError, "concepts 4294967296 is not in 0..4294967295"),
        (lambda s: Store(4, concepts=1, episodes=-5), StoreArgumentError, "episodes -5 is not in 0..4294967295"),
        (lambda s: Team(-2), StoreArgumentError, "threads -2 is not in 0..4294967295"),
        (lambda s: s.fan(3), StoreArgumentError, "slot 3 is none of this store's"),
        (lambda s: s.fan(BASE - 1), StoreArgumentError, f"slot {BASE - 1} is none of this store's"),
        (lambda s: s.fan(BASE + 3), StoreArgumentError, f"slot {BASE + 3} is none of this store's"),
        (lambda s: s.activation(-1), StoreArgumentError, "slot -1 is none of this store's"),
        (lambda s: s.activate(2**32 - 1, 0.1), StoreArgumentError, f"slot {2**32 - 1} is none of this store's"),
        (lambda s: s.version(2**70), StoreArgumentError, f"slot {2**70} is none of this store's"),
        (lambda s: s.touch(3, 5), StoreArgumentError, "slot 3 is none of this store's"),
        (lambda s: s.last_access(3), StoreArgumentError, "slot 3 is none of this store's"),
        (lambda s: s.is_live(3), StoreArgumentError, "slot 3 is none of this store's"),
        (lambda s: s.embedding(BASE + 3), StoreArgumentError, f"slot {BASE + 3} is none of this store's"),
        (lambda s: s.edges(3), StoreArgumentError, "slot 3 is none of this store's"),
        (lambda s: s.unbind(0, BASE + 3), StoreArgumentError, f"slot {BASE + 3} is none of this store's"),
        (lambda s: s.strength(BASE), StoreArgumentError, f"slot {BASE} is not that of an episode of this store"),
        (lambda s: s.set_strength(BASE, 0.5), StoreArgumentError, f"slot {BASE} is not that of an episode of this store"),
        (lambda s: s.formation(0), StoreArgumentError, "slot 0 is not that of a concept of this store"),
        (lambda s: s.set_formation(0, Formation(0.5, 1)), StoreArgumentError, "slot 0 is not that of a concept of this store"),
        (lambda s: s.decay_factor(1), StoreArgumentError, "slot 1 is not that of a concept of this store"),
        (lambda s: s.find_binding(BASE, BASE), StoreArgumentError, f"slot {BASE} is not that of an episode of this store"),
        (lambda s: s.find_binding(0, 0), StoreArgumentError, "slot 0 is not that of a concept of this store"),
        (lambda s: s.binding_strength(24), StoreArgumentError, "binding 24 is none of this store's"),
        (lambda s: s.binding_strength(16), StoreArgumentError, "binding 16 is none of this store's"),  # of a concept that never was
        (lambda s: s.strengthen(23, 0.5), StoreArgumentError, "binding 23 is none of this store's"),
        (lambda s: s.strengthen_batch(np.array([0, 16, 1], np.uint32), np.ones(3, F32)), StoreArgumentError,
         "binding 16 is none of this store's"),
        (lambda s: s.strengthen(-1, 0.5), StoreArgumentError, "binding -1 is none of this store's"),
        (lambda s: s.scale(2**32 - 1, 0.5), StoreArgumentError, f"binding {2**32 - 1} is none of this store's"),
        (lambda s: s.is_weak(24), StoreArgumentError, "binding 24 is none of this store's"),
        (lambda s: s.strengthen_batch(np.array([0, 24], np.uint32), np.ones(2, F32)), StoreArgumentError,
         "binding 24 is none of this store's"),
        (lambda s: s.activate(0, float("nan")), StoreArgumentError, "delta nan is not finite"),
        (lambda s: s.set_strength(0, float("inf")), StoreArgumentError, "strength inf is not finite"),
        (lambda s: s.set_formation(BASE, Formation(float("nan"), 1)), StoreArgumentError, "coherence nan is not finite"),
        (lambda s: s.strengthen(0, float("-inf")), StoreArgumentError, "delta -inf is not finite"),
        (lambda s: s.strengthen_by_id(20, 10, float("nan")), StoreArgumentError, "delta nan is not finite"),
        (lambda s: s.scale(0, -0.5), StoreArgumentError, "factor -0.5 is negative"),
        (lambda s: s.scale_by_id(20, 10, float("inf")), StoreArgumentError, "factor inf is not finite"),
        (lambda s: s.scale(0, 1e39), StoreArgumentError, "factor 1e+39 is too large for float32"),
        (lambda s: s.strengthen(0, -1e39), StoreArgumentError, "delta -1e+39 is too large for float32"),
        (lambda s: s.touch(0, -1), StoreArgumentError, "time -1 is not in 0..18446744073709551615"),
        (lambda s: s.touch(0, 2**64), StoreArgumentError, "time 18446744073709551616 is not in 0..18446744073709551615"),
        (lambda s: s.bind(0, BASE, 1.5), StoreArgumentError, "strength 1.5 is not in [0, 1]"),
        (lambda s: s.bind(0, BASE, -1.0), StoreArgumentError, "strength -1.0 is not in [0, 1]"),
        (lambda s: s.bind_by_id(20, 10, float("nan")), StoreArgumentError, "strength nan is not in [0, 1]"),
        (lambda s: s.strengthen_batch(np.zeros(3, np.uint32), np.array([0, 1, np.nan], F32)), StoreArgumentError,
         "deltas: nan at position 2 is not finite"),
        (lambda s: s.find(-1), StoreArgumentError, "id -1 is not a number of 128 bits"),
        (lambda s: s.add_episode(2**128, GOOD), StoreArgumentError, f"id {2**128} is not a number of 128 bits"),
        # --- arrays
        (lambda s: s.add_episode(30, GOOD.astype(float)), StoreArgumentError,
         "embedding: float64 with shape (4,); want a C-contiguous numpy array of float32 with shape (4,)"),
        (lambda s: s.add_episode(30, [1.0, 1.0, 1.0, 1.0]), StoreArgumentError,
         "embedding: list, want a C-contiguous numpy array of float32 with shape (4,)"),
        (lambda s: s.add_concept(30, np.ones(8, F32)[::2]), StoreArgumentError,
         "embedding: float32 with shape (4,), not C-contiguous; want a C-contiguous numpy array of float32 with shape (4,)"),
        (lambda s: s.update_embedding(0, np.ones((1, 4), F32)), StoreArgumentError,
         "embedding: float32 with shape (1, 4); want a C-contiguous numpy array of float32 with shape (4,)"),
        (lambda s: s.add_episodes([30], np.ones((2, 4), F32)), StoreArgumentError,
         "embeddings: float32 with shape (2, 4); want a C-contiguous numpy array of float32 with shape (1, 4)"),
        (lambda s: s.add_episodes([30, 31], np.ones((4, 2), F32).T), StoreArgumentError,
         "embeddings: float32 with shape (2, 4), not C-contiguous; want a C-contiguous numpy array of float32 with shape (2, 4)"),
        (lambda s: s.add_episode(30, GOOD.astype(">f4")), StoreArgumentError,
         "embedding: float32 with shape (4,) of foreign byte order; want a C-contiguous numpy array of float32 with shape (4,)"),
        (lambda s: s.find_batch(np.zeros((3, 2), np.int64)), StoreArgumentError,
         "ids: int64 with shape (3, 2); want a C-contiguous numpy array of uint64 with shape (n, 2)"),
        (lambda s: s.find_batch(np.zeros(3, np.uint64)), StoreArgumentError,
         "ids: uint64 with shape (3,); want a C-contiguous numpy array of uint64 with shape (n, 2)"),
        (lambda s: s.strengthen_batch(np.zeros(3, np.int32), np.zeros(3, F32)), StoreArgumentError,
         "bindings: int32 with shape (3,); want a C-contiguous numpy array of uint32 with shape (n,)"),
        (lambda s: s.strengthen_batch(np.zeros(3, np.uint32), np.zeros(2, F32)), StoreArgumentError,
         "deltas: float32 with shape (2,); want a C-contiguous numpy array of float32 with shape (3,)"),
        (lambda s: s.strengthen_batch_by_id(np.zeros((3, 4), np.uint64), np.zeros(3, F32)), StoreArgumentError,
         "pairs: uint64 with shape (3, 4); want a C-contiguous numpy array of uint64 with shape (n, 2, 2)"),
    ],
)  # fmt: skip
def test_sentence(store: Store, call: Any, kind: type[StoreError], sentence: str) -> None:
    def state() -> Any:
        edges = [store.edges(slot).tolist() for slot in (0, 1, BASE, BASE + 1)]
        rows = [rows.embeddings[rows.slots < 2**32 - 1].tolist() for rows in (store.concept_rows(), store.episode_rows())]
        scalars = [(store.activation(slot), store.last_access(slot)) for slot in (0, 1, BASE, BASE + 1)]
        return store.population(), edges, rows, scalars, store.strength(0), store.formation(BASE)

    before = state()
    with pytest.raises(kind) as caught:
        call(store)
    assert type(caught.value) is kind and str(caught.value) == sentence
    assert isinstance(caught.value, DualmemError)
    assert isinstance(caught.value, ValueError) == (kind in (StoreArgumentError, StoreDataError))
    assert state() == before


def test_single_type_store_has_no_types() -> None:
    with Store(4, concepts=2, episodes=2, single_type=True) as store:
        slot = store.add_node(1, GOOD)
        refused: list[tuple[Callable[[], object], str]] = [
            (lambda: store.add_concept(2, GOOD), "a single-type store has neither concepts nor episodes; use dm_store_add_node"),
            (lambda: store.add_episodes([2], GOOD.reshape(1, 4)), "node 0 of 1: a single-type store has neither"),
            (lambda: store.bind(slot, slot), "slots 0 and 0 are not an episode and a concept of this store"),
            (lambda: store.fan(BASE), f"slot {BASE} is none of this store's"),
            (lambda: store.strength(4), "slot 4 is not that of a node of this store"),
            (lambda: store.formation(slot), "slot 0 is not that of a concept of this store"),
            (lambda: store.binding_strength(0), "binding 0 is none of this store's"),
        ]
        for call, sentence in refused:
            with pytest.raises(StoreArgumentError, match=re.escape(sentence)):
                call()
        assert store.fan(slot) == 0 and len(store.edges(slot)) == 0 and store.binding_strength_by_id(1, 1) is None
        assert store.strengthen_batch_by_id([(1, 1)], np.ones(1, F32)).tolist() == [-1]


def test_ids_of_the_wrong_kind() -> None:
    with pytest.raises(TypeError):
        id_array(["one"])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        id_array([1.5])  # type: ignore[list-item]


def test_without_the_native_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dualmem_cli, "__path__", [str(tmp_path)])
    with pytest.raises(BuildError, match=r"_store\.abi3\.so is not there: the native part was not built"):
        binding_module.load.__wrapped__()
    (tmp_path / "_native").mkdir()
    (tmp_path / "_native" / "_store.abi3.so").write_text("not a shared object")
    with pytest.raises(BuildError, match="does not load"):
        binding_module.load.__wrapped__()


def test_every_public_function_is_bound(build: Path) -> None:
    """What the public headers export is there for Python, and the store for Python is the library that is measured: layout 0 beside it."""
    include = Path(__file__).resolve().parents[2] / "native" / "include" / "dualmem"
    headers = "".join((include / name).read_text(encoding="utf-8") for name in ("dualmem.h", "perf_counters.h"))
    declared = set(re.findall(r"^(?:DM_API|static inline) [^(]*?\b(dm_\w+)\(", headers, flags=re.M))
    assert len(declared) > 90 and "dm_perf_read" in declared
    lib = binding_module.load().lib
    assert declared <= set(dir(lib))
    assert (lib.DM_SLOT_NONE, lib.DM_CONCEPT_BASE, lib.DM_STRENGTH_INITIAL, lib.DM_DECAY_ALPHA) == (2**32 - 1, BASE, -1.0, 0.25)
    assert [lib.dm_slot_is_concept(slot) for slot in (5, BASE + 5)] == [0, 1]
    maps = subprocess.run(
        [sys.executable, "-c", "import _store, pathlib; print(pathlib.Path('/proc/self/maps').read_text())"],
        env={**os.environ, "PYTHONPATH": str(build)}, cwd="/", capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert str(build / "links" / "libdualmem.0.so") in maps


def test_a_line_that_cffi_cannot_read(tmp_path: Path) -> None:
    """The generator takes declarations, inline functions and constants, and refuses what it would have to guess about."""
    generator = Path(__file__).resolve().parents[2] / "native" / "python" / "make_store_cffi.py"
    header = tmp_path / "x.h"
    header.write_text("/* cffi:begin */\n#ifdef X\nDM_API int f(void);\n#endif\n/* cffi:end */\n")
    done = subprocess.run([sys.executable, generator, tmp_path / "x.c", header], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == "between cffi:begin and cffi:end stands a line that cffi cannot read: #ifdef X"

"""What a program does to a store and what the recorder writes of it: the same, in the same order, with keys that say the same."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dualmem_cli.errors import StoreArgumentError, TraceError
from dualmem_cli.native import Former, Recorder, Store, cue_array
from dualmem_cli.trace import Trace, decode

pytestmark = pytest.mark.usefixtures("package")

DIM = 16
CONCEPTS, EPISODES = 8, 30
VECTORS = np.random.default_rng(1).standard_normal((100, DIM)).astype(np.float32)


@pytest.fixture
def store() -> Any:
    """Concept c has the id 1000 + c and vector c, episode e the id e and vector CONCEPTS + e; e is bound to concept e % CONCEPTS."""
    with Store(DIM, concepts=20, episodes=100) as made:
        concepts = made.add_concepts(range(1000, 1000 + CONCEPTS), VECTORS[:CONCEPTS])
        episodes = made.add_episodes(range(EPISODES), VECTORS[CONCEPTS : CONCEPTS + EPISODES])
        for number, episode in enumerate(episodes):
            made.bind(int(episode), int(concepts[number % CONCEPTS]))
        yield made


def recorded(path: Path) -> Trace:
    return decode(path.read_bytes(), path=str(path))


def written(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "package")  # where the native part lies


def steps(trace: Trace) -> list[tuple[str, int]]:
    return [(trace.names[kind], int(key)) for kind, key in zip(trace.kinds, trace.keys, strict=True)]


def slot_of(store: Store, node: int) -> int:
    slot = store.find(node)
    assert slot is not None
    return slot


def test_every_recorded_call(store: Store, tmp_path: Path) -> None:
    concepts = [slot_of(store, 1000 + c) for c in range(CONCEPTS)]
    episodes = [slot_of(store, e) for e in range(EPISODES)]
    queries = VECTORS[60:64].copy()
    binding = store.find_binding(episodes[3], concepts[3])
    assert binding is not None
    wanted: list[tuple[str, int]] = []
    with Recorder(store, tmp_path / "x.dmtrace") as recorder:
        assert (recorder.lookup(queries[:3], k=2).slots == store.lookup(queries[:3], k=2).slots).all()
        recorder.lookup(queries=queries[2:])
        wanted += [("lookup", key) for key in (0, 1, 2, 2, 3)]
        assert recorder.fan(concepts[5]) == store.fan(concepts[5])
        assert recorder.fan_by_id(1006) == store.fan(concepts[6])
        wanted += [("fan", 5), ("fan", 6)]
        assert (recorder.embedding(episodes[7]) == VECTORS[CONCEPTS + 7]).all()
        wanted += [("read", 7)]
        recorder.strengthen(binding, delta=0.1)
        recorder.strengthen_by_id(4, 1004, 0.1)
        recorder.strengthen_batch(np.array([binding, binding], np.uint32), np.array([0.1, -0.1], np.float32))
        wanted += [("update", 3), ("update", 4), ("update", 3), ("update", 3)]
        with recorder.spreader(max_hops=1) as spreader:
            assert spreader.memory > 0
            spreader.spread(cue_array(np.array([episodes[2], concepts[2]], np.uint32), np.array([0.5, 1.0], np.float32)))
            spreader.spread(cue_array(np.array([episodes[4]], np.uint32), np.ones(1, np.float32)))
        wanted += [("spread_concept", 2), ("spread_episode", 4)]
        with recorder.index() as index, recorder.reader() as reader:
            index.search(queries[:1], k=1)
            reader.fan(concepts[1])
            reader.embedding(episodes[1])
        wanted += [("lookup", 0), ("fan", 1), ("read", 1)]
        added = recorder.add_episode(500, VECTORS[50])
        recorder.embedding(added)
        recorder.add_episodes([501, 502], VECTORS[51:53])
        recorder.embedding(slot_of(store, 502))
        wanted += [("insert_episode", 38), ("read", 30), ("insert_episode", 39), ("insert_episode", 40), ("read", 32)]
        recorder.consolidate(np.array(concepts[2:4], np.uint32))
        with Former(DIM, episodes=EPISODES) as former:
            recorder.form(former, np.array(episodes[6:], np.uint32), range(5000, 5000 + former.most_concepts))
        recorder.decay_concepts(np.array(concepts[4:6], np.uint32), 1e-5, elapsed_ns=10**9)
        recorder.decay_concepts(np.empty(0, np.uint32), 1e-5, 10**9)
        wanted += [("consolidate", 2), ("form", 6), ("decay", 4)]
        recorder.mark("sleep", 3)
        wanted += [("sleep", 3)]
        assert recorder.dim == DIM
    trace = recorded(tmp_path / "x.dmtrace")
    assert steps(trace) == wanted
    assert trace.note["populations"] == {"episode": 30, "concept": 8, "binding": 30, "query": 4}
    assert int(trace.at_ns[-1]) <= trace.duration_ns
    assert len(store.lookup(queries).slots) == 4, "the store is open still"
    assert written(tmp_path) == ["x.dmtrace"]


def test_what_is_not_recorded(store: Store, tmp_path: Path) -> None:
    """Calls on the other type, on what is not there, calls that fail, and the store's own."""
    concept, episode = slot_of(store, 1000), slot_of(store, 0)
    with Recorder(store, tmp_path / "x.dmtrace") as recorder:
        recorder.mark("begin")
        recorder.fan(episode)
        recorder.embedding(concept)
        recorder.fan_by_id(5)
        recorder.fan_by_id(99)
        recorder.strengthen_by_id(4, 1005, 0.1)
        recorder.find(3)
        store.fan(concept)
        with pytest.raises(StoreArgumentError):
            recorder.embedding(10**6)
        with pytest.raises(StoreArgumentError):
            recorder.add_episode(0, VECTORS[0])
        with pytest.raises(AttributeError):
            recorder.no_such_call()
    assert steps(recorded(tmp_path / "x.dmtrace")) == [("begin", 0)]


def test_a_slot_that_was_reused_is_another_episode(store: Store, tmp_path: Path) -> None:
    with Recorder(store, tmp_path / "x.dmtrace") as recorder:
        recorder.remove(slot_of(store, 4))
        again = recorder.add_episode(77, VECTORS[70])
        recorder.embedding(again)
    assert steps(recorded(tmp_path / "x.dmtrace")) == [("insert_episode", 38), ("read", 30)]


def test_vectors_beside_it(store: Store, tmp_path: Path) -> None:
    """The data of a scenario in the order in which mixed takes it: concepts, episodes, what was added; queries by their keys."""
    queries = VECTORS[90:95].copy()
    with Recorder(store, tmp_path / "day.dmtrace", vectors=True) as recorder:
        recorder.lookup(queries[[3, 1, 3]])
        recorder.add_episodes([500, 501], VECTORS[50:52])
        queries[:] = 0
    trace = recorded(tmp_path / "day.dmtrace")
    data, asked = np.load(tmp_path / "day.data.npy"), np.load(tmp_path / "day.queries.npy")
    assert (data == VECTORS[[*range(CONCEPTS + EPISODES), 50, 51]]).all()
    assert (asked == VECTORS[[93, 91]]).all()
    assert steps(trace) == [("lookup", 0), ("lookup", 1), ("lookup", 0), ("insert_episode", 38), ("insert_episode", 39)]


def test_threads(store: Store, tmp_path: Path) -> None:
    """Nothing is lost, times are in order, and a thing has one number."""
    concepts = [slot_of(store, 1000 + c) for c in range(CONCEPTS)]
    queries = [VECTORS[[60 + number]] for number in range(20)]
    with Recorder(store, tmp_path / "x.dmtrace", vectors=True) as recorder:

        def work(seed: int) -> None:
            rng = np.random.default_rng(seed)
            for number in range(200):
                recorder.fan(concepts[int(rng.integers(CONCEPTS))])
                recorder.lookup(queries[int(rng.integers(20))], k=1)
                if number % 10 == 0:
                    recorder.add_episode(1_000_000 + 1000 * seed + number, VECTORS[number % 50])

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = steps(recorded(tmp_path / "x.dmtrace"))
    assert len(found) == 3 * (200 + 200 + 20)
    assert sorted(key for name, key in found if name == "insert_episode") == list(range(38, 98))
    asked = np.load(tmp_path / "x.queries.npy")
    assert {row.tobytes() for row in asked} == {query.tobytes() for query in queries}
    assert len(asked) == 20
    assert {key for name, key in found if name == "lookup"} == set(range(20))


def test_refusals(store: Store, tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="nothing was recorded"), Recorder(store, tmp_path / "x.dmtrace"):
        pass
    with pytest.raises(TraceError, match="cannot name an operation"), Recorder(store, tmp_path / "x.dmtrace") as recorder:
        recorder.mark("Wrong Name")
    with (
        pytest.raises(TraceError, match="Record into a folder that can be written"),
        Recorder(store, tmp_path / "none" / "x.dmtrace") as recorder,
    ):
        recorder.mark("a")
    assert written(tmp_path) == []


def test_what_was_recorded_before_an_error_is_kept(store: Store, tmp_path: Path) -> None:
    with pytest.raises(KeyError), Recorder(store, tmp_path / "x.dmtrace") as recorder:
        recorder.mark("a", 5)
        raise KeyError
    assert steps(recorded(tmp_path / "x.dmtrace")) == [("a", 5)]

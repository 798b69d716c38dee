"""Forgetting from Python against the formula in numpy, binding by binding."""

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from dualmem_cli.errors import StoreArgumentError
from dualmem_cli.native import DecayMode, Store, Team
from dualmem_cli.native.binding import load

pytestmark = pytest.mark.usefixtures("package")

F32 = np.float32
SECOND = 10**9
TINY = float(np.finfo(F32).tiny)
BASE = 129 << 20
Array = np.ndarray[Any, Any]


def worn_store(seed: int) -> Store:
    """Concepts of fan 0 to 60, some removed, strengths of all sizes."""
    rng = np.random.default_rng(seed)
    store = Store(2, concepts=50, episodes=60)
    store.add_episodes(range(60), np.ones((60, 2), F32))
    concepts = store.add_concepts(range(100, 140), np.ones((40, 2), F32)).tolist()
    for concept in concepts:
        for episode in rng.permutation(60)[: rng.choice([0, 1, 2, 7, 8, 9, 30, 60])].tolist():
            store.bind(episode, concept, float(rng.choice([0.0, 1.0, TINY, 1e-40, rng.random()])))
    for concept in concepts[::9]:
        store.remove(concept)
    return store


@pytest.fixture
def store() -> Iterator[Store]:
    with worn_store(1) as made:
        yield made


def strengths(store: Store) -> dict[int, dict[int, float]]:
    """Of every binding, by concept and handle."""
    concepts = [slot for slot in range(BASE, BASE + 40) if store.is_live(slot)]
    return {concept: dict(store.edges(concept)[["binding", "strength"]].tolist()) for concept in concepts}


def factor(fan: int, rate: float, seconds: float, mode: DecayMode) -> float:
    forgotten = rate / (1 + 0.25 * np.log(max(fan, 1))) * seconds
    return float(np.exp(-forgotten) if mode is DecayMode.EXPONENTIAL else max(0.0, 1 - forgotten))


def check(before: dict[int, float], after: dict[int, float], left: float) -> None:
    assert before.keys() == after.keys()
    for handle, strength in before.items():
        wanted = strength * left
        if wanted < TINY:
            assert after[handle] == 0 or after[handle] == pytest.approx(TINY, rel=1e-5)
        else:
            assert after[handle] == pytest.approx(wanted, rel=3e-6)


@pytest.mark.parametrize("mode", list(DecayMode))
@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize(
    ("rate", "elapsed"), [(0.0, SECOND), (1e-3, 0), (0.3, SECOND), (2.0, 700_000_000), (1e-9, 2**63), (90.0, SECOND)]
)
def test_the_whole_store(store: Store, mode: DecayMode, exclusive: bool, rate: float, elapsed: int) -> None:
    before = strengths(store)
    assert sum(len(each) for each in before.values()) > 100
    store.decay(rate, elapsed, mode=mode, exclusive=exclusive)
    for concept, after in strengths(store).items():
        check(before[concept], after, factor(len(after), rate, elapsed / SECOND, mode))


@pytest.mark.parametrize("mode", list(DecayMode))
def test_some_concepts(mode: DecayMode) -> None:
    """Once, twice or not at all; a removed one is passed over."""
    with worn_store(2) as store, worn_store(2) as whole, Team(3) as team:
        before = strengths(store)
        once, twice, *others = list(before)
        assert not store.is_live(BASE)
        store.decay_concepts(np.array([once, twice, BASE, twice], np.uint32), 0.2, 3 * SECOND, mode=mode, team=team)
        after = strengths(store)
        whole.decay(0.2, 3 * SECOND, mode=mode)
        assert after[once] == strengths(whole)[once], "the same bits as a decay of all"
        whole.decay(0.2, 3 * SECOND, mode=mode)
        assert after[twice] == strengths(whole)[twice]
        check(before[once], after[once], factor(len(before[once]), 0.2, 3, mode))
        check(before[twice], after[twice], factor(len(before[twice]), 0.2, 3, mode) ** 2)
        assert all(after[concept] == before[concept] for concept in others)
        store.decay_concepts(np.empty(0, np.uint32), 0.2, SECOND)
        assert strengths(store) == after


def test_the_same_bits_with_any_team() -> None:
    found = []
    for threads in (1, 2, 5):
        with worn_store(3) as store, Team(threads) as team:
            store.decay(0.37, 1_234_567_890, team=team)
            found.append(strengths(store))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda s: s.decay(-1e-9, SECOND), "lambda -1e-09 per second: want a finite number, 0 or more; nothing was decayed"),
        (lambda s: s.decay(float("nan"), SECOND), "lambda nan per second: want a finite number"),
        (lambda s: s.decay(float("inf"), SECOND), "lambda inf per second: want a finite number"),
        (lambda s: s.decay(10**400, SECOND), "lambda_per_second 1000"),
        (lambda s: s.decay("1", SECOND), "lambda_per_second: str, want a number"),
        (lambda s: s.decay(0.1, -1), "elapsed_ns -1 is not in 0..18446744073709551615"),
        (lambda s: s.decay(0.1, 2**64), "elapsed_ns 18446744073709551616 is not in 0..18446744073709551615"),
        (lambda s: s.decay(0.1, SECOND, mode=2), "mode 2 is none of DecayMode.EXPONENTIAL, DecayMode.LINEAR"),
        (lambda s: s.decay(0.1, SECOND, mode="linear"), "mode 'linear' is none of"),
        (lambda s: s.decay(0.1, SECOND, team=3), "team: int, want a Team or None"),
        (lambda s: s.decay_concepts(np.array([BASE + 40], np.uint32), 0.1, SECOND), f"slot {BASE + 40} is not that of a concept"),
        (lambda s: s.decay_concepts(np.array([BASE + 1, 3], np.uint32), 0.1, SECOND), "slot 3 is not that of a concept of this store"),
        (lambda s: s.decay_concepts(np.array([2**32 - 1], np.uint32), 0.1, SECOND), f"slot {2**32 - 1} is not that of a concept"),
        (lambda s: s.decay_concepts(np.array([BASE], np.int64), 0.1, SECOND), "concepts: int64 with shape (1,); want"),
        (lambda s: s.decay_concepts([BASE], 0.1, SECOND), "concepts: list, want"),
        (lambda s: s.decay_concepts(np.array([BASE + 1], np.uint32), -0.1, SECOND), "lambda -0.1 per second"),
    ],
)  # fmt: skip
def test_sentence(store: Store, call: Callable[[Any], object], sentence: str) -> None:
    before = strengths(store)
    with pytest.raises(StoreArgumentError, match="^" + re.escape(sentence)):
        call(store)
    assert strengths(store) == before


def test_a_time_that_is_no_integer(store: Store) -> None:
    with pytest.raises(TypeError, match="'float' object cannot be interpreted as an integer"):
        store.decay(0.1, 1.5)  # type: ignore[arg-type]


def test_a_single_type_store_has_no_bindings() -> None:
    with Store(2, concepts=1, episodes=1, single_type=True) as store:
        with pytest.raises(StoreArgumentError, match="a single-type store has no bindings that could decay"):
            store.decay(0.1, SECOND)
        with pytest.raises(StoreArgumentError, match="slot 0 is not that of a concept"):
            store.decay_concepts(np.zeros(1, np.uint32), 0.1, SECOND)


def test_a_concept_that_came_later_is_known(store: Store) -> None:
    store.decay_concepts(np.array([BASE + 1], np.uint32), 0.1, SECOND)
    for node in range(200, 215):
        slot = store.add_concept(node, np.ones(2, F32))
        store.decay_concepts(np.array([slot], np.uint32), 0.1, SECOND)


@pytest.mark.parametrize("exclusive", [False, True])
def test_the_promise_is_passed_on(store: Store, monkeypatch: pytest.MonkeyPatch, exclusive: bool) -> None:
    """Alone in the store both give the same bits, so the result does not tell."""
    passed: list[tuple[int, int, float, int]] = []

    class Noted:
        def __getattr__(self, name: str) -> Any:
            return getattr(load().lib, name)

        def dm_store_decay(self, handle: Any, options: Any, *rest: Any) -> int:
            passed.append((options.exclusive, options.mode, options.lambda_per_second, options.elapsed_ns))
            return int(load().lib.dm_store_decay(handle, options, *rest))

    monkeypatch.setattr(store, "_lib", Noted())
    store.decay(0.25, 17, mode=DecayMode.LINEAR, exclusive=exclusive)
    assert passed == [(int(exclusive), 1, 0.25, 17)]


def test_modes_are_those_of_the_library() -> None:
    lib = load().lib
    assert list(DecayMode) == [lib.DM_DECAY_EXPONENTIAL, lib.DM_DECAY_LINEAR]


def test_no_update_of_another_thread_is_lost() -> None:
    """Decays by a factor of exactly 1 - 2**-24 take one unit of 2**-24 off a strength in (0.5, 1); increments are whole units."""
    with Store(1, concepts=1, episodes=1) as store:
        binding = store.bind(store.add_episode(1, np.ones(1, F32)), store.add_concept(2, np.ones(1, F32)), 0.75)
        handles, deltas = np.full(1000, binding, np.uint32), np.full(1000, 2.0**-20, F32)
        decays = 20_000

        def decay() -> None:
            for _ in range(decays):
                store.decay(2.0**-24, SECOND, mode=DecayMode.LINEAR)

        decaying = threading.Thread(target=decay)
        decaying.start()
        for _ in range(100):
            store.strengthen_batch(handles[:100], deltas[:100])
        decaying.join()
        assert store.binding_strength(binding) == 0.75 + 10_000 * 2.0**-20 - decays * 2.0**-24

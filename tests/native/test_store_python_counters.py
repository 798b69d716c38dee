"""Counters of a thread against causes that are known, and what a store says of its memory."""

import mmap
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dualmem_cli.errors import StoreArgumentError, StoreClosedError
from dualmem_cli.native import Numa, PerfCounters, Placement, Reading, Store
from dualmem_cli.native import counters as counters_module
from dualmem_cli.native.binding import Binding, load

pytestmark = pytest.mark.usefixtures("package")

F32 = np.float32
NAMES = ["cycles", "instructions", "cache_references", "cache_misses", "branch_misses", "task_clock_ns", "page_faults",
         "context_switches"]  # fmt: skip
SOFTWARE = NAMES[5:]


def work(rounds: int) -> int:
    return sum(i * i for i in range(rounds))


def well_formed(readings: dict[str, Reading]) -> None:
    """A number, or None and a reason; never both, never neither."""
    assert list(readings) == NAMES
    for reading in readings.values():
        if reading.value is None:
            assert reading.reason and reading.running == 0
        else:
            assert reading.reason == "" and 0 < reading.running <= 1 and reading.value >= 0


def known(reading: Reading) -> float:
    assert reading.value is not None, reading.reason
    return reading.value


def test_page_faults() -> None:
    pages = 500
    counters = PerfCounters()
    for _ in range(2):  # from zero each time
        memory = mmap.mmap(-1, pages * mmap.PAGESIZE)
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        with counters:
            for page in range(pages):
                memory[page * mmap.PAGESIZE] = 1
        readings = counters.read()
        well_formed(readings)
        assert pages <= known(readings["page_faults"]) < pages + 100
        memory.close()


def test_time_and_switches() -> None:
    with PerfCounters() as counters:
        before = time.thread_time_ns()
        work(200_000)
        spent = time.thread_time_ns() - before
        for _ in range(20):
            time.sleep(0.001)
    readings = counters.read()
    well_formed(readings)
    assert spent <= known(readings["task_clock_ns"]) < spent + 20_000_000
    assert known(readings["context_switches"]) >= 20


def test_hardware_counters_count_the_work() -> None:
    """Ten times the work, about ten times the instructions: where this machine has any. Where not, there is a reason."""
    counted = []
    for rounds in (30_000, 300_000):
        with PerfCounters() as counters:
            work(rounds)
        readings = counters.read()
        well_formed(readings)
        counted.append(readings["instructions"].value)
    small, large = counted
    assert (small is None) == (large is None)
    if small is not None and large is not None:
        assert 7 < large / small < 13


def test_nothing_is_known_before_and_while() -> None:
    counters = PerfCounters()
    for name, reading in counters.read().items():
        assert reading.value is None and (reading.reason == "nothing was counted yet" or name not in SOFTWARE)
    with counters:
        well_formed(counters.read())
        for name, reading in counters.read().items():
            assert reading.value is None
            assert reading.reason == "still counting: leave the `with` block first" or name not in SOFTWARE
        with (
            pytest.raises(StoreArgumentError, match="these counters are counting already; leave their `with` block first"),
            counters,
        ):
            pass
    well_formed(counters.read())
    assert all(counters.read()[name].value is not None for name in SOFTWARE)


def test_an_error_inside_is_let_through() -> None:
    counters = PerfCounters()
    with pytest.raises(ZeroDivisionError), counters:
        _ = 1 // (len(NAMES) - 8)
    assert counters.read()["task_clock_ns"].value is not None


def test_they_belong_to_one_thread() -> None:
    counters = PerfCounters()
    with counters:
        work(100)
    refused: list[str] = []

    def elsewhere() -> None:
        for call in (counters.read, counters.__enter__, lambda: counters.__exit__(None, None, None)):
            try:
                call()
            except StoreArgumentError as error:
                refused.append(error.what)
        with PerfCounters() as own:
            time.sleep(0.001)
        well_formed(own.read())

    other = threading.Thread(target=elsewhere)
    other.start()
    other.join()
    assert refused == ["these counters belong to another thread; make some in each thread that is to be counted"] * 3
    assert counters.read()["task_clock_ns"].value is not None


def test_closing() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        counters = PerfCounters()
        with counters:
            pass
        counters.close()
        counters.close()
        with pytest.raises(StoreClosedError, match="these counters were closed"):
            counters.read()
        with pytest.raises(StoreClosedError), counters:
            pass
    del counters
    for _ in range(50):
        PerfCounters()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


def test_each_is_freed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    native = load()
    freed: list[Any] = []

    class Noted:
        def __getattr__(self, name: str) -> Any:
            return getattr(native.lib, name)

        def dm_perf_destroy(self, made: Any) -> None:
            freed.append(made)
            native.lib.dm_perf_destroy(made)

    monkeypatch.setattr(counters_module, "load", lambda: Binding(native.ffi, Noted()))
    first, second = PerfCounters(), PerfCounters()
    first.close()
    assert len(freed) == 1
    del second
    assert len(freed) == 2


# --- memory and placement ------------------------------------------------------------------------------------------------


def test_placement_is_told() -> None:
    nodes = len(list(Path("/sys/devices/system/node").glob("node[0-9]*")))
    for asked in (Numa.INTERLEAVED, Numa.SEPARATED, Numa.ADAPTIVE):
        with Store(8, concepts=5, episodes=5, numa=asked) as store:
            found = store.placement()
            assert isinstance(found, Placement) and found.asked is asked and found.reason
            assert isinstance(found.got, Numa) and found.got in (asked, Numa.SYSTEM)
            if nodes == 1:
                assert found == (asked, Numa.SYSTEM, 1, "not available here: 1 node")


def test_placements_that_are_none() -> None:
    refused: list[tuple[Any, str]] = [
        (4, "numa 4 is none of Numa.INTERLEAVED, Numa.SEPARATED, Numa.ADAPTIVE, Numa.SYSTEM"),
        ("interleaved", "numa 'interleaved' is none of"),
        (Numa.SYSTEM, "numa 3"),
    ]
    for numa, sentence in refused:
        with pytest.raises(StoreArgumentError, match=sentence):
            Store(8, concepts=5, episodes=5, numa=numa)
    with Store(8, concepts=5, episodes=5, single_type=True, numa=Numa.SEPARATED) as store:
        assert store.placement().got is Numa.SYSTEM  # it has no types to separate


def test_memory_adds_up() -> None:
    with Store(16, concepts=100, episodes=300) as store:
        assert (store.concept_capacity, store.episode_capacity) == (100, 300)
        before = store.memory()
        assert (
            before.embeddings >= 400 * 64 and before.ids >= 400 * 16 and before.metadata >= 400 * 8 and before.associations == 0
        )
        store.add_concepts([1, 2], np.ones((2, 16), F32))
        store.associate(store._concept_base, store._concept_base + 1, 0.5)
        after = store.memory()
        assert after.associations >= 400 * 8
        assert after.total - before.total == after.associations
        assert after._replace(total=0, associations=0) == before._replace(total=0, associations=0)
        assert sum(after[1:]) <= after.total < sum(after[1:]) + 10**6
        with store.index() as index:
            assert index.memory >= 2 * 16
    with Store(16, concepts=100, episodes=300, single_type=True) as store:
        assert (store.concept_capacity, store.episode_capacity) == (0, 400)

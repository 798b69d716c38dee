"""What one thread cost: cycles, instructions, misses, page faults, switches."""

import threading
from types import TracebackType
from typing import NamedTuple, Self

from dualmem_cli.errors import StoreArgumentError, StoreClosedError
from dualmem_cli.native.binding import load


class Reading(NamedTuple):
    """What one counter says."""

    value: float | None
    """None: not known, and `reason` says why; never a zero in its place. Scaled up where the counter ran only part of the time."""
    running: float
    """Share of the time in which it ran; 1 unless several users share the hardware, 0 when it is not known."""
    reason: str
    """Why it is not known; "" when it is."""


class PerfCounters:
    """Counts what the calling thread costs inside of a `with` block:

        with PerfCounters() as counters:
            store.decay(1e-6, 10**9)
        counters.read()["page_faults"].value

    The hardware's counters (cycles, instructions, cache_references, cache_misses, branch_misses) count user mode only; task_clock_ns,
    page_faults and context_switches count all. The threads of a Team are not counted. A block may be entered again: each counts from zero.
    Entering and leaving takes some microseconds, and the interpreter's own work between is counted too.

    One PerfCounters belongs to the thread that made it; in any other, calls raise StoreArgumentError. A machine without hardware
    counters is no error. StoreMemoryError.
    """

    def __init__(self) -> None:
        native = load()
        self._native, self._lib = native, native.lib
        made = native.create(native.lib.dm_perf_create, "dm_perf_counters")
        self._handle = native.ffi.gc(made, native.lib.dm_perf_destroy)
        self._thread = threading.get_native_id()
        self._counting = False
        self._counted = False

    def __enter__(self) -> Self:
        handle = self._mine()
        if self._counting:
            raise StoreArgumentError("these counters are counting already; leave their `with` block first")
        self._counting = True
        self._lib.dm_perf_start(handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lib.dm_perf_stop(self._mine())
        self._counting, self._counted = False, True

    def close(self) -> None:
        """Give the counters back to the system. A second call does nothing."""
        self._handle = None

    def read(self) -> dict[str, Reading]:
        """What was counted in the last block, by name. Nothing is known while it is counting, or before."""
        handle = self._mine()
        lib, ffi = self._lib, self._native.ffi
        readings = ffi.new("dm_perf_reading[]", lib.DM_PERF_COUNT)
        lib.dm_perf_read(handle, readings)
        found = {}
        for counter, reading in enumerate(readings):
            reason = "" if reading.known else ffi.string(lib.dm_perf_reason(handle, counter)).decode()
            value = float(reading.value) if reading.known else None
            if value is None and not reason:
                reason = "still counting: leave the `with` block first" if self._counting else "nothing was counted yet"
            found[ffi.string(lib.dm_perf_name(counter)).decode()] = Reading(value, float(reading.running), reason)
        return found

    def _mine(self) -> object:
        handle = self._handle
        if handle is None:
            raise StoreClosedError("these counters were closed", hint="Make new ones.")
        if threading.get_native_id() != self._thread:
            raise StoreArgumentError("these counters belong to another thread; make some in each thread that is to be counted")
        return handle

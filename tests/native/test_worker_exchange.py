"""Two arms exchange their physical pages halfway, seen from the caller of a worker."""

import os
from pathlib import Path
from typing import Any

Worker = Any  # the class of conftest.py, which pytest does not let a test module import


def exchanging(worker: Worker, build: Path, kernel: str, *lines: str) -> Any:
    """Two builds' links of the self-test's library."""
    links = [str(build / f"selftest/0/selftest.{number}.so") for number in (0, 1)]
    arms = [f"0 {kernel} plain 1.0", f"1 {kernel} plain 1.0"]
    return worker.measure(links, arms, "iterations 50", "schedule 0110100101101001", "warmup 100000", *lines)


def test_two_arms_exchange_their_pages(worker: Worker, build: Path) -> None:
    answer = exchanging(worker, build, "memory", "parameter mebibytes 1", "exchange 8")
    after = [name for name, _ in answer.phases[answer.phases.index(("run", None)) :]]
    assert after[:5] == ["run", "exchange", "warmup", "run", "metrics"]
    samples = answer.one("samples")
    assert samples["exchanged"] >= (1 << 20) // os.sysconf("SC_PAGESIZE")
    assert len(samples["wall_ns"]) == 16 and min(samples["wall_ns"]) > 0
    assert samples["checksums"][0] == samples["checksums"][1]  # of the samples of both halves, and of the same operations


def test_the_checksum_covers_the_samples_before_the_exchange(worker: Worker, build: Path) -> None:
    """Without a warm-up every sample is of the same operations, exchange or not. (An exchange that happens warms up: for 0 ns here.)"""
    links = [str(build / f"selftest/0/selftest.{number}.so") for number in (0, 1)]
    arms = ["0 memory plain 1.0", "1 memory plain 1.0"]
    lines = ("iterations 50", "schedule 01101001", "parameter mebibytes 1")
    plain = worker.measure(links, arms, *lines).one("samples")
    exchanged = worker.measure(links, arms, *lines, "exchange 4").one("samples")
    assert (plain["exchanged"], exchanged["exchanged"] > 0) == (0, True)
    assert plain["checksums"] == exchanged["checksums"]


def test_a_third_arm_goes_on_where_it_was(worker: Worker, build: Path) -> None:
    links = [str(build / f"selftest/0/selftest.{number}.so") for number in (0, 1)]
    arms = ["0 memory plain 1.0", "1 memory plain 1.0", "0 memory plain 1.0"]
    lines = ("iterations 50", "schedule 012210012210", "parameter mebibytes 1")
    plain = worker.measure(links, arms, *lines).one("samples")
    exchanged = worker.measure(links, arms, *lines, "exchange 6").one("samples")
    assert exchanged["exchanged"] > 0
    assert plain["checksums"] == exchanged["checksums"]


def test_arms_without_memory_have_nothing_to_exchange(worker: Worker, build: Path) -> None:
    answer = exchanging(worker, build, "compute", "exchange 8")
    assert answer.one("samples")["exchanged"] == 0
    after = [name for name, _ in answer.phases[answer.phases.index(("run", None)) :]]
    assert after[:4] == ["run", "exchange", "run", "metrics"]

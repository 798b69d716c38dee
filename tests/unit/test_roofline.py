"""The roofline against points worked out by hand: intensity, rates, the roof that limits, and roofs of as many threads."""

from dataclasses import replace

import pytest
from fabricated import BENCH_ARMS, CASE, case_run

from dualmem_cli.judge.limits import with_limits
from dualmem_cli.judge.roofline import level_of, roofline_finding
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.kernel import CEILING_FLOPS, CEILING_READ
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.verdict import BenchFinding, Quantity, RooflineFinding

CACHES = (("L1d", 32_768), ("L1i", 65_536), ("L2", 1_048_576), ("L3", 33_554_432))
Measured = tuple[CaseRun, BenchFinding]


def measured(name: str, *, time: float, threads: float = 1.0, kernel: str = "", **quantities: float) -> Measured:
    made = replace(CASE, scenario=name, kernel=kernel or name, parameters=(("threads", threads),), stated=("threads",))
    found = [Quantity("time", Estimate(time, time, time, 0.95, "ns", 8, ""))]
    found += [Quantity(key, Estimate(value, value, value, 1.0, "B", 8, "")) for key, value in quantities.items()]
    return replace(case_run(arms=BENCH_ARMS), case=made), BenchFinding(made.id, tuple(found), "")


def read_at(size: float, gigabytes: float, threads: float = 1.0) -> Measured:
    return measured(
        f"read{size:.0f}",
        kernel=CEILING_READ,
        time=4096 / gigabytes,
        threads=threads,
        bytes_per_operation=4096,
        working_set_bytes=size,
    )


def peak_of(gigaflops: float, threads: float = 1.0) -> Measured:
    return measured("peak", kernel=CEILING_FLOPS, time=192 / gigaflops, threads=threads, flops_per_operation=192)


def roofline(*cases: Measured) -> RooflineFinding | None:
    runs = [run for run, _ in cases]
    return roofline_finding(runs, with_limits(runs, [finding for _, finding in cases]), CACHES)


ROOFS = (read_at(16_384, 200.0), read_at(2.0**27, 20.0), peak_of(80.0))


def test_a_point_by_hand() -> None:
    """2,000 operations on 1,000 bytes from memory in 100 ns: 2 per byte, 20 GFLOP/s, 10 GB/s; memory allows 50 ns, arithmetic 25."""
    subject = measured("k", time=100.0, bytes_per_operation=1000, working_set_bytes=2.0**27, flops_per_operation=2000)
    found = roofline(subject, *ROOFS)
    assert found is not None
    (point,) = found.points
    assert (point.intensity, point.gflops, point.gigabytes) == (2.0, 20.0, 10.0)
    assert point.level == "memory" and point.share == pytest.approx(0.5)
    assert [roof.level for roof in found.roofs] == ["L1d", "memory", "peak"]
    assert [roof.rate.value for roof in found.roofs] == pytest.approx([200.0, 20.0, 80.0])


def test_the_peak_limits_what_computes_much() -> None:
    subject = measured("k", time=100.0, bytes_per_operation=100, working_set_bytes=16_384, flops_per_operation=6000)
    found = roofline(subject, *ROOFS)
    assert found is not None
    assert found.points[0].level == "peak" and found.points[0].share == pytest.approx(0.75)


def test_what_declares_only_one_has_no_intensity() -> None:
    found = roofline(measured("k", time=100.0, bytes_per_operation=1000, working_set_bytes=16_384), *ROOFS)
    assert found is not None
    (point,) = found.points
    assert (point.intensity, point.gflops, point.gigabytes, point.level) == (None, None, 10.0, "L1d")


def test_two_threads_are_under_the_roofs_of_two() -> None:
    subject = measured("k", time=100.0, threads=2.0, bytes_per_operation=1000, working_set_bytes=2.0**27)
    alone = roofline(subject, *ROOFS)
    assert alone is None
    found = roofline(subject, *ROOFS, read_at(2.0**27, 40.0, threads=2.0))
    assert found is not None
    (point,) = found.points
    assert point.threads == 2 and point.share == pytest.approx(0.25)
    assert [roof.threads for roof in found.roofs] == [1, 1, 1, 2]


def test_nothing_where_there_is_no_roof_or_nothing_below() -> None:
    assert roofline(measured("k", time=100.0, bytes_per_operation=1000, working_set_bytes=16_384)) is None
    assert roofline(*ROOFS) is None
    assert roofline(measured("k", time=100.0), *ROOFS) is None


@pytest.mark.parametrize(
    ("size", "level"), [(32_768, "L1d"), (32_769, "L2"), (1_048_576, "L2"), (2_000_000, "L3"), (33_554_433, "memory")]
)
def test_levels(size: float, level: str) -> None:
    assert level_of(size, CACHES) == level


def test_a_level_without_known_caches_is_the_size() -> None:
    assert level_of(16_384, ()) == "16 KiB"

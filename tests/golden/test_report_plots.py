"""The drawings: every case can be drawn, extreme records too, and a PNG is a PNG."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from chronicles import usual
from golden.records import RECORDS
from golden.selftest import selftest_record

from dualmem_cli.errors import ExitStatus
from dualmem_cli.judge.curve import operating_curve
from dualmem_cli.model.record import Record
from dualmem_cli.report import ReportContext
from dualmem_cli.report.compose import compose
from dualmem_cli.report.compose_history import HistoryContext, compose_history
from dualmem_cli.report.compose_selftest import compose_selftest
from dualmem_cli.report.layout import Figure, FigureKind, Layout
from dualmem_cli.report.plane import PALETTE, Scale
from dualmem_cli.report.plots import MOST_PAIRS, save_png, svg
from dualmem_cli.report.svg import page_svg

CONTEXT = ReportContext(record_path="", page_path="", exit_status=ExitStatus.OK, next_command="")


def figures(record: Record) -> list[Figure]:
    layout = compose(record, CONTEXT)
    blocks = [block for detail in layout.details for _, block in detail.blocks]
    blocks += [block for section in layout.sections for block in section.blocks]
    return [block for block in blocks if isinstance(block, Figure)]


def drawn(record: Record, figure: Figure) -> str:
    return page_svg(svg(record, figure), palette=PALETTE, label="x")


@pytest.fixture(scope="module")
def compare() -> Record:
    return RECORDS["compare"]()


def test_every_kind_is_drawn() -> None:
    kinds = {figure.kind for name in ("bench", "compare", "load") for figure in figures(RECORDS[name]())}
    kinds |= {block.kind for section in selftest_layout().sections for block in section.blocks if isinstance(block, Figure)}
    history = compose_history(usual(), HistoryContext("history.duckdb", last=20, named=False))
    kinds |= {block.kind for detail in history.details for _, block in detail.blocks if isinstance(block, Figure)}
    assert kinds == set(FigureKind)


def selftest_layout() -> Layout:
    record = selftest_record(unchanged=1, each=1)
    return compose_selftest(record, operating_curve(record), CONTEXT)


def test_a_dot_for_every_pair(compare: Record) -> None:
    figure = next(f for f in figures(compare) if f.kind is FigureKind.RATIOS)
    text = drawn(compare, figure)
    total, outside = re.search(r"([\d,]+) pairs of 24 workers(?:, (\d+) outside)?", text).groups()  # type: ignore[union-attr]
    dots = re.findall(r'd="(M[^"]*)"[^>]*stroke-linecap: round', text)
    assert sum(path.count("M") for path in dots) == int(total.replace(",", "")) - int(outside or 0)


def test_many_pairs_are_thinned_and_it_is_said(compare: Record) -> None:
    run = compare.cases[0]
    many = replace(compare, cases=(replace(run, workers=run.workers * 4), *compare.cases[1:]))
    text = drawn(many, next(f for f in figures(many) if f.kind is FigureKind.RATIOS))
    shown, total = (int(n.replace(",", "")) for n in re.search(r"([\d,]+) of ([\d,]+) pairs drawn", text).groups())  # type: ignore[union-attr]
    assert MOST_PAIRS / 2 <= shown <= MOST_PAIRS < total


def test_an_interval_without_an_end_can_be_drawn(compare: Record) -> None:
    finding = compare.compare[0]
    assert finding.change is not None
    for low, high in ((-1.0, math.inf), (-math.inf, math.inf)):
        change = replace(finding.change, low=low, high=high, count=1)
        run = replace(compare.cases[0], workers=compare.cases[0].workers[:1])
        single = replace(compare, cases=(run,), compare=(replace(finding, change=change),))
        for figure in figures(single):
            assert "inf" not in re.sub(r'(?s)<text.*?</text>|font-family|"[^"]*definition[^"]*"', "", drawn(single, figure))


def test_a_line_of_growth_has_its_points(tmp_path: Path) -> None:
    record = RECORDS["bench"]()
    figure = next(f for f in figures(record) if f.kind is FigureKind.SCALING)
    text = drawn(record, figure)
    dots = re.findall(r'd="(M[^"]*)"[^>]*stroke-linecap: round', text)
    assert sum(path.count("M") for path in dots) == 3, "three sizes"
    assert "by_handle: 0.33" in text
    flat = replace(record.scaling[0], costs_ns=(5.0, 5.0, 5.0))
    many = replace(record, scaling=tuple(replace(flat, series=f"series {number}") for number in range(12)))
    assert "series 11" in drawn(many, figure), "a dozen series, all equal"
    save_png(record, figure, path=tmp_path / "a.png", dots_per_inch=150)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_frontier_has_the_points_of_every_arm() -> None:
    record = RECORDS["bench"]()
    rate, latency = (
        drawn(record, next(f for f in figures(record) if f.kind is kind))
        for kind in (FigureKind.RECALL_RATE, FigureKind.RECALL_LATENCY)
    )
    for text, points in ((rate, 5), (latency, 6)):  # P50 and P99 of the one arm that was clocked
        dots = re.findall(r'd="(M[^"]*)"[^>]*stroke-linecap: round', text)
        assert sum(path.count("M") for path in dots) == points
        assert "graph" in text
        assert "other" in text
    one = replace(record.frontier[0], points=record.frontier[0].points[:1])
    assert "graph" in drawn(
        replace(record, frontier=(one,)), next(f for f in figures(record) if f.kind is FigureKind.RECALL_RATE)
    )


@pytest.mark.parametrize(("low", "high"), [(1.02, 1.13), (0.99, 1.1), (1.11, 1.22), (380.0, 412.0)])
def test_ticks_are_what_three_digits_say(low: float, high: float) -> None:
    ticks = Scale(low, high).ticks(5)
    assert len(ticks) >= 2
    assert [float(f"{tick:.3g}") for tick in ticks] == pytest.approx(ticks, rel=1e-12)


def test_equal_samples_can_be_drawn(compare: Record) -> None:
    """An axis over nothing at all must not end in an error."""
    run = compare.cases[0]
    workers = []
    for worker in run.workers[:2]:
        assert worker.samples is not None
        count = len(worker.samples.wall_ns)
        flat = replace(worker.samples, wall_ns=(100_000,) * count, cpu_ns=(100_000,) * count, switches=(0,) * count)
        workers.append(replace(worker, samples=flat))
    finding = replace(compare.compare[0], change=None)
    flat_record = replace(compare, cases=(replace(run, workers=tuple(workers)),), compare=(finding,))
    assert len([drawn(flat_record, figure) for figure in figures(flat_record)]) == 3


def test_png(compare: Record, tmp_path: Path) -> None:
    path = tmp_path / "ratios.png"
    save_png(compare, figures(compare)[0], path=path, dots_per_inch=100)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert path.stat().st_size > 10_000


def test_coordinates_keep_a_tenth_of_a_unit(compare: Record) -> None:
    figure = next(f for f in figures(compare) if f.kind is FigureKind.SIDES)
    raw, small = svg(compare, figure), drawn(compare, figure)
    assert len(small) < 0.7 * len(raw)
    paths = [re.findall(r'd="([^"]*)"', text) for text in (raw, small)]
    longest = [max(found, key=len) for found in paths]
    numbers = [[float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", path)] for path in longest]
    assert len(numbers[0]) == len(numbers[1]) > 100
    assert max(abs(a - b) for a, b in zip(*numbers, strict=True)) <= 0.0501


def test_a_png_has_its_dots(compare: Record, tmp_path: Path) -> None:
    """Agg draws no stroke without length, and snaps the strokes of short paths to whole pixels."""
    from matplotlib.image import imread

    for figure in [f for f in figures(compare) if f.kind is FigureKind.WORKERS]:
        path = tmp_path / "workers.png"
        save_png(compare, figure, path=path, dots_per_inch=72)
        pixels = imread(path)[:, :, :3]
        ink = tuple(int(PALETTE["ink"][i : i + 2], 16) / 255 for i in (1, 3, 5))
        plane = pixels[35:185, 60:365]
        rows = (abs(plane - ink).max(axis=2) < 0.05).sum(axis=1)
        assert sum(0 < row < 100 for row in rows) >= 3, figure.case

"""A history in every dialect, word for word, and its drawings."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from chronicles import chronicle, compare_record, step_records, usual
from rich.cells import cell_len
from rich.console import Console

from dualmem_cli.model.history import Chronicle
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.report import Level
from dualmem_cli.report.compose_history import HistoryContext, compose_history
from dualmem_cli.report.history import HISTORY_RENDERERS, json_schema
from dualmem_cli.report.history_words import BLOCKS_SHOWN, blocks
from dualmem_cli.report.plots_history import save_history
from dualmem_cli.report.terminal import print_layout, write

LISTED = HistoryContext(database="reports/history.duckdb", last=20, named=False)
NAMED = replace(LISTED, named=True)
SVG = re.compile(r'<svg class="plot"[^>]*>.*?</svg>', re.DOTALL)


def test_terminal(golden: Callable[[str, str], None]) -> None:
    golden("history.txt", write(compose_history(usual(), LISTED)))


def test_terminal_record_by_record(golden: Callable[[str, str], None]) -> None:
    golden("history-kernel.txt", write(compose_history(usual(), NAMED)))


def test_page_but_for_the_drawings(golden: Callable[[str, str], None]) -> None:
    page = SVG.sub("<svg></svg>", HISTORY_RENDERERS["html"](usual(), LISTED))
    golden("history.html", re.sub(r"<style>.*?</style>", "<style></style>", page, flags=re.DOTALL))


def test_every_told_course_is_drawn_once_and_needs_no_colour_of_its_own() -> None:
    drawings = SVG.findall(HISTORY_RENDERERS["html"](usual(), LISTED))
    assert len(drawings) == 4  # the times of two machines and of compares, and the memory that grew
    for drawing in drawings:
        assert 'role="img" aria-label="' in drawing
        assert not re.search(r"#[0-9a-f]{6}", drawing)
    dots = re.findall(r'd="(M[^"]*)"[^>]*stroke-linecap: round', " ".join(drawings))
    assert sum(path.count("M") for path in dots) == 24 + 12 + 3 + 36


def test_json_keeps_its_published_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    validator = jsonschema.Draft202012Validator(json_schema())
    document = json.loads(HISTORY_RENDERERS["json"](usual(), LISTED))
    validator.validate(document)
    times = next(one for one in document["series"] if one["quantity"] == "time" and one["changes"])
    (change,) = times["changes"]
    assert (change["before"], change["after"], change["worse"]) == (14, 15, True)
    assert document["records"][change["after"]]["revision"] == f"{15:010x}"
    assert len(times["points"]) == 24
    changes: list[dict[str, object]] = [{"schema": 2}, {"surprise": 1}, {"series": [{}]}]
    for wrong in changes:
        with pytest.raises(jsonschema.ValidationError):
            validator.validate({**document, **wrong})


def test_numbers_that_are_not_finite_are_null() -> None:
    lone = chronicle([replace(made, bench=made.bench) for made in step_records(1, 9, size=0.0)])
    (first, *_) = lone.courses
    point = replace(first.series.points[0], low=float("-inf"), high=float("inf"))
    odd = replace(lone, courses=(replace(first, series=replace(first.series, points=(point,))),))
    document = json.loads(HISTORY_RENDERERS["json"](odd, LISTED))
    jsonschema.Draft202012Validator(json_schema()).validate(document)
    assert document["series"][0]["points"][0]["low"] is None
    assert "+- unknown" in write(compose_history(odd, LISTED))


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("context", [LISTED, NAMED])
def test_nothing_is_wider_than_the_terminal(width: int, level: Level, context: HistoryContext) -> None:
    stream = io.StringIO()
    print_layout(compose_history(usual(), context), console=Console(file=stream, width=width), level=level)
    for line in stream.getvalue().splitlines():
        assert cell_len(line) <= width, line


def test_an_empty_history_can_be_shown() -> None:
    empty = Chronicle((), (), (), ())
    assert "no record" in write(compose_history(empty, LISTED))
    for renderer in HISTORY_RENDERERS.values():
        assert renderer(empty, LISTED)


def test_a_hostile_reason_stays_text() -> None:
    nasty = compare_record(1, Verdict.REGRESSED)
    nasty = replace(nasty, compare=(replace(nasty.compare[0], reason="</td><script>x</script>\x1b[31m\u202e"),))
    texts = [renderer(chronicle([nasty]), LISTED) for renderer in HISTORY_RENDERERS.values()]
    for text in (*texts, write(compose_history(chronicle([nasty]), LISTED))):
        assert not set("\x1b\u202e") & set(text)
    assert "<script>" not in HISTORY_RENDERERS["html"](chronicle([nasty]), LISTED)


@pytest.mark.parametrize("name", ["courses.png", "courses.svg"])
def test_pictures(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    courses = [course for course in usual().courses if len(course.series.points) > 1][:4]
    save_history(courses, path, dots_per_inch=100)
    if path.suffix == ".svg":
        assert path.read_text().count("records in the order of time") == 4
    else:
        from matplotlib.image import imread

        height, width, _ = imread(path).shape
        assert width / height == pytest.approx(3 * 374 / (2 * 223), rel=0.02)


def test_blocks_do_not_make_news_of_noise() -> None:
    assert set(blocks([100.0, 100.4, 99.6, 100.2])) <= set("▄▅")
    assert blocks([100.0, 150.0]) == "▁█"
    assert len(blocks([float(value) for value in range(1, 100)])) == BLOCKS_SHOWN
    assert blocks([0.0, 0.0]) == "▅▅"

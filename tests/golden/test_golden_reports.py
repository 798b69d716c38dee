"""Every renderer on every record, word for word."""

import io
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import jsonschema
import pytest
from golden.records import HOSTILE, RECORDS
from rich.cells import cell_len
from rich.console import Console

from dualmem_cli.errors import ExitStatus
from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.explanation import (
    CountedChange,
    Explanation,
    FigureChange,
    FunctionCounts,
    FunctionShift,
    LineCount,
    LineShift,
)
from dualmem_cli.model.record import Record
from dualmem_cli.model.units import Unit
from dualmem_cli.report import COMPARE_ONLY, RENDERERS, Level, ReportContext
from dualmem_cli.report.context import FlameGraphs
from dualmem_cli.report.layout import Column, Row, Section, Table, cell
from dualmem_cli.report.summary import json_schema
from dualmem_cli.report.terminal import print_record, print_sections
from dualmem_cli.store.records import from_json, to_json

STATUS = {
    "load": ExitStatus.MEASUREMENT_FAILED,
    "bench": ExitStatus.MEASUREMENT_FAILED,
    "compare": ExitStatus.REGRESSION,
    "interrupted": ExitStatus.INTERRUPTED,
    "hostile": ExitStatus.MEASUREMENT_FAILED,
}
SUFFIX = {"text": "txt", "json": "json", "markdown": "md", "html": "html"}
# Formats for other tools; tests/interchange reads them as those tools do. pyperf writes its own file, whose shape follows its version.
EXCHANGED = [name for name in RENDERERS if name not in SUFFIX and not name.startswith("pyperf")]
SVG = re.compile(r'(<svg class="plot"[^>]*>).*?(</svg>)', re.DOTALL)
VOID = {"meta", "br", "line", "circle", "path", "use", "rect"}


def context(name: str) -> ReportContext:
    return ReportContext(
        record_path="reports/2026-11-22T10-14-03.json",
        page_path="reports/2026-11-22T10-14-03.html",
        exit_status=STATUS[name],
        next_command="dualmem baseline save main" if name == "bench" else "",
    )


@cache
def record_of(name: str) -> Record:
    return RECORDS[name]()


@cache
def rendered(name: str, format_: str) -> str:
    return RENDERERS[format_](record_of(name), context(name))


def on_terminal(record: Record, name: str, *, width: int, level: Level, colour: bool = False, no_colour: bool = False) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream, width=width, force_terminal=colour, color_system="standard" if colour else None, no_color=no_colour or None
    )
    print_record(record, context(name), console=console, level=level)
    return stream.getvalue()


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("format_", ["text", "json", "markdown"])
def test_renders_as_expected(name: str, format_: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{name}.{SUFFIX[format_]}", rendered(name, format_))


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("format_", EXCHANGED)
def test_formats_for_other_tools_as_expected(name: str, format_: str, golden: Callable[[str, str], None]) -> None:
    if not (format_ in COMPARE_ONLY and record_of(name).kind == "bench"):
        golden(f"{name}.{format_}.txt", rendered(name, format_))


@pytest.mark.parametrize("name", RECORDS)
def test_page_as_expected_but_for_the_drawings(name: str, golden: Callable[[str, str], None]) -> None:
    # What is inside a drawing differs between versions of matplotlib; that it is there, and its label, does not.
    page = SVG.sub(r"\1\2", rendered(name, "html"))
    golden(f"{name}.html", re.sub(r"<style>.*?</style>", "<style></style>", page, flags=re.DOTALL))


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize(("level", "width"), [(Level.QUIET, 80), (Level.NORMAL, 80), (Level.VERBOSE, 200)])
def test_terminal_as_expected(name: str, level: Level, width: int, golden: Callable[[str, str], None]) -> None:
    golden(f"{name}-{level.name.lower()}-{width}.txt", on_terminal(record_of(name), name, width=width, level=level))


@pytest.mark.parametrize("name", ["bench", "compare"])
def test_colours_as_expected(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{name}-colour.ansi", on_terminal(record_of(name), name, width=120, level=Level.NORMAL, colour=True))


def test_no_colour_on_request() -> None:
    text = on_terminal(record_of("compare"), "compare", width=120, level=Level.NORMAL, colour=True, no_colour=True)
    assert "\x1b[31m" not in text
    assert "\x1b[32m" not in text


@pytest.mark.parametrize("name", ["bench", "compare", "interrupted"])
@pytest.mark.parametrize("width", [80, 100, 132, 240])
@pytest.mark.parametrize("level", list(Level))
def test_nothing_is_wider_than_the_terminal(name: str, width: int, level: Level) -> None:
    for line in on_terminal(record_of(name), name, width=width, level=level).splitlines():
        assert cell_len(line) <= width, line


def test_a_colour_never_stands_alone() -> None:
    """Without colour the words that fail are in capitals, and still there."""
    text = rendered("compare", "text")
    assert "REGRESSED" in text
    assert "INVALID" in text
    assert "MISSED" in rendered("bench", "text")


def test_the_worst_comes_first() -> None:
    text = rendered("compare", "text")
    order = [
        text.index(word) for word in ("REGRESSED", "INVALID", "inconclusive", "incomparable", "missing", "improved", "unchanged")
    ]
    assert order == sorted(order)


@pytest.mark.parametrize("format_", ["text", "markdown", "html", "json"])
def test_every_case_and_every_caution_is_told(format_: str) -> None:
    for name in ("bench", "compare"):
        record, text = record_of(name), rendered(name, format_)
        for caution in record.cautions:
            for part in (caution.what, caution.remedy):
                assert _flat(part) in _flat(text), part
        for absent in record.absent:
            assert absent.reason in text


def test_a_worker_whose_pages_were_exchanged_says_so() -> None:
    record = RECORDS["compare"]()
    run = record.cases[0]
    first, *others = run.workers
    assert first.samples is not None
    exchanged = replace(run, workers=(replace(first, samples=replace(first.samples, exchange=60)), *others))
    page = RENDERERS["html"](replace(record, cases=(exchanged, *record.cases[1:])), context("compare"))
    assert page.count("measured, pages exchanged halfway") == 1
    assert "pages exchanged halfway" not in RENDERERS["html"](record, context("compare"))


@pytest.mark.parametrize("name", RECORDS)
def test_the_summary_keeps_its_schema(name: str) -> None:
    text = rendered(name, "json")
    assert text.isascii()
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(text))


def test_the_schema_refuses_what_is_not_a_summary() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    document = json.loads(rendered("compare", "json"))
    changes: list[dict[str, object]] = [{"schema": 2}, {"kind": "profile"}, {"kind": "bench"}, {"surprise": 1}, {"counts": {}}]
    for change in changes:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(json_schema()).validate({**document, **change})


class _Reader(HTMLParser):
    """What a browser would see: elements, attributes, text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


@pytest.mark.parametrize("name", RECORDS)
def test_the_page_needs_nothing_but_itself(name: str) -> None:
    for tag, attributes in read(rendered(name, "html")).seen:
        assert tag not in {"script", "link", "img", "iframe", "object", "embed", "base"}
        for attribute, value in attributes.items():
            assert not attribute.startswith("on")
            if attribute in {"href", "src", "xlink:href"}:
                assert value is not None and value.startswith("#")


@pytest.mark.parametrize("name", RECORDS)
def test_the_page_has_no_id_twice_and_no_broken_reference(name: str) -> None:
    page = rendered(name, "html")
    reader = read(page)
    ids = [attributes["id"] for _, attributes in reader.seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = {value[1:] for _, a in reader.seen for key, value in a.items() if key in {"href", "xlink:href"} and value}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", page))
    assert wanted <= set(ids)


@pytest.mark.parametrize("name", ["bench", "compare"])
def test_the_drawings_follow_the_scheme_and_can_be_read_aloud(name: str) -> None:
    drawings = re.findall(r'<svg class="plot".*?</svg>', rendered(name, "html"), re.DOTALL)
    assert drawings
    for drawing in drawings:
        assert 'role="img" aria-label="' in drawing
        assert not re.search(r"#[0-9a-f]{6}", drawing), "a colour that does not follow light and dark"


def test_the_page_is_the_same_every_time() -> None:
    assert RENDERERS["html"](RECORDS["interrupted"](), context("interrupted")) == rendered("interrupted", "html")


def test_hostile_strings_stay_text_on_the_page() -> None:
    reader = read(rendered("hostile", "html"))
    tags = [tag for tag, _ in reader.seen]
    assert "script" not in tags
    assert "bold" not in tags
    text = "".join(reader.text)
    for hostile in (HOSTILE[0], HOSTILE[4], HOSTILE[5]):
        assert hostile in text


@pytest.mark.parametrize("format_", [*SUFFIX, *EXCHANGED, "pyperf"])
def test_no_character_acts_behind_the_readers_back(format_: str) -> None:
    text = rendered("hostile", format_)
    text.encode("utf-8")
    for character in "\x1b\x07\r\u202e\u202c\u200b\udcff":
        assert character not in text, hex(ord(character))


def test_hostile_strings_stay_in_their_markdown_cell() -> None:
    lines = rendered("hostile", "markdown").splitlines()
    for title in [line for line in lines if set(line) <= set("|-: ") and "---" in line]:
        columns = len(re.findall(r"(?<!\\)\|", title))
        row = lines.index(title) + 1
        while row < len(lines) and lines[row].startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", lines[row])) == columns
            row += 1


def test_a_terminal_markup_is_no_markup() -> None:
    assert HOSTILE[4] in rendered("hostile", "text")


@pytest.mark.parametrize(("width", "broken"), [(40, False), (28, True)])
def test_words_are_broken_only_where_that_helps(width: int, broken: bool) -> None:
    numbers = 4 if width == 40 else 1
    table = Table(
        "",
        (Column("operation"), *[Column("P50", numeric=True)] * numbers),
        (Row((cell("spread_from_an_episode"), *[cell("12,345 us")] * numbers)),),
    )
    stream = io.StringIO()
    print_sections([Section("", Level.QUIET, (table,))], console=Console(file=stream, width=width), level=Level.NORMAL)
    assert ("spread_from_an_episode" not in stream.getvalue()) is broken


def test_light_commands_do_not_pay_for_drawing() -> None:
    """Listing the formats must import neither matplotlib nor rich nor numpy."""
    import subprocess

    code = "import sys, dualmem_cli.report as r; list(r.RENDERERS); print([m for m in ('matplotlib','rich','numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _flat(text: str) -> str:
    """Words only: dialects break lines, use other signs and escape."""
    return "".join(re.findall(r"[A-Za-z0-9]+", text.replace("&#x27;", "'")))


EXPLAINED = Explanation(
    case="similarity/avx2/count=16",
    title="similarity count 16, avx2",
    headline="Grew: memcpy called by copy_row +14.2 points (+11.7 to +17.0).",
    lines=("perf 6.1.187, event cpu-clock, after the verdict.", "Again: dualmem profile --diff a.folded b.folded"),
    shifts=(
        FunctionShift("memcpy", "called by copy_row", (0, 120), (0.0, 0.142), 0.142, 0.117, 0.17, 1, ("+16.5 (+13.0 to +20.8)",)),
        FunctionShift("dm_<dot>", "libdualmem.so", (500, 420), (0.62, 0.496), -0.124, -0.17, -0.08, -1, ("-0.5 (-2.0 to +1.0)",)),
    ),
    more_titles=("adds to the time, %",),
    counted=(
        CountedChange(
            engine="callgrind",
            tool="valgrind-3.19.0",
            operations=2048,
            costs=("instructions", "l1d_misses", "ll_misses", "branch_misses"),
            figures=(
                FigureChange("instructions", 10_240.0, 11_776.5),
                FigureChange("l1d_misses", 0.25, 48.25),
                FigureChange("allocator_calls", 0.0, 0.0),
            ),
            functions=(
                FunctionCounts("copy_<row>", "libdualmem.so", (0.0, 0.0, 0.0, 0.0), (1_536.5, 48.0, 0.0, 0.5), (
                    LineCount("native/simd/row.c", 41, "memcpy(own, row, 3072); /* <all> of it */", (12.0, 0.0, 0.0, 0.0), 1_524.5),
                )),
                FunctionCounts("dm_dot", "libdualmem.so", (900.0, 0.0, 0.0, 0.0), (890.0, 0.0, 0.0, 0.0), ()),
            ),
            notes=("4 threads were counted together",),
            headline="Counted by callgrind: instructions +15.0 % (10,240 to 11,776 per operation).",
        ),
        CountedChange("counters", "perf stat", 64, (), (
            FigureChange("cycles", None, None, "the processor has no such counter"),
            FigureChange("branches", None, None, "the processor has no such counter"),
            FigureChange("minor_faults", 0.0, 0.001),
        )),
    ),
    folded=("", ""),
    reason="More work: +15.0 % instructions, most of them in copy_<row> (row.c:41).",
    hot=(
        LineShift("copy_<row>", "native/simd/row.c", 41, "memcpy(own, row, 3072); /* <all> */", (0, 120), (0.0, 0.142), 0.16, 0.13, 0.21),
        LineShift("dm_dot", "native/simd/dot.c", 7, "", (500, 420), (0.62, 0.496), -0.04, -0.1, 0.02),
    ),
    alone=Estimate(0.01, -0.02, 0.04, 0.961, Unit.RATIO, 12, "median"),
)  # fmt: skip
GRAPHS = FlameGraphs({EXPLAINED.case: "<!doctype html><title>a page of its own</title>"}, "'sha256-AAAA'")


@pytest.mark.parametrize("format_", ["text", "markdown", "html"])
def test_an_explanation_as_expected(format_: str, golden: Callable[[str, str], None]) -> None:
    page = RENDERERS[format_](
        replace(record_of("compare"), explanations=(EXPLAINED,)), replace(context("compare"), flame_graphs=GRAPHS)
    )
    start = {"text": "Why ", "markdown": "### Why ", "html": "<section><h2>Why "}[format_]
    end = {"text": "\n\n", "markdown": "\n### ", "html": "</section>"}[format_]
    golden(f"compare-explained.{SUFFIX[format_]}", start + page.partition(start)[2].partition(end)[0] + "\n")
    if format_ == "html":
        assert "script-src 'sha256-AAAA'" in page
        assert "script-src" not in rendered("compare", "html"), "a page that embeds nothing runs nothing"


def test_an_explanation_as_json() -> None:
    document = json.loads(RENDERERS["json"](replace(record_of("compare"), explanations=(EXPLAINED,)), context("compare")))
    jsonschema.Draft202012Validator(json_schema()).validate(document)
    (each,) = document["explanations"]
    assert each["counted"][0]["figures"][0] == {
        "name": "instructions",
        "baseline": 10_240.0,
        "candidate": 11_776.5,
        "reason": "",
        "unit": "1/op",
    }
    assert each["counted"][1]["figures"][0]["baseline"] is None
    assert each["counted"][0]["functions"][0]["lines"][0]["line"] == 41


def test_a_record_keeps_its_explanations_and_old_ones_load() -> None:
    record = replace(record_of("compare"), explanations=(EXPLAINED,))
    text = to_json(record)
    assert from_json(text, path="x") == record
    old = json.loads(text)
    del old["explanations"]
    assert from_json(json.dumps(old).encode(), path="x").explanations == ()

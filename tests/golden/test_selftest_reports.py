"""A self-test in every dialect, word for word, and its drawings."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
from golden.selftest import selftest_record
from rich.cells import cell_len
from rich.console import Console

from dualmem_cli.judge.curve import operating_curve
from dualmem_cli.judge.outcome import selftest_status
from dualmem_cli.model.curve import OperatingCurve, Standing
from dualmem_cli.model.selftest import SelftestRecord
from dualmem_cli.report import Level, ReportContext
from dualmem_cli.report.compose_selftest import compose_selftest
from dualmem_cli.report.layout import FigureKind
from dualmem_cli.report.plane import PALETTE
from dualmem_cli.report.plots_selftest import save_selftest_png
from dualmem_cli.report.selftest import SELFTEST_RENDERERS, json_schema
from dualmem_cli.report.terminal import print_layout

DRAWN = (FigureKind.DETECTION, FigureKind.SECONDS, FigureKind.RIVALS, FigureKind.RIVALS_IN_TURN)
SVG = re.compile(r'<svg class="plot"[^>]*>.*?</svg>', re.DOTALL)


def made(record: SelftestRecord) -> tuple[SelftestRecord, OperatingCurve, ReportContext]:
    curve = operating_curve(record)
    status = selftest_status(curve, interrupted=record.interrupted)
    return (
        record,
        curve,
        ReportContext(record_path="reports/s.json", page_path="reports/s.html", exit_status=status, next_command=""),
    )


@cache
def usual() -> tuple[SelftestRecord, OperatingCurve, ReportContext]:
    return made(selftest_record())


@cache
def rendered(format_: str) -> str:
    return SELFTEST_RENDERERS[format_](*usual())


@pytest.mark.parametrize(("format_", "suffix"), [("text", "txt"), ("markdown", "md")])
def test_renders_as_expected(format_: str, suffix: str, golden: Callable[[str, str], None]) -> None:
    golden(f"selftest.{suffix}", rendered(format_))


def test_page_as_expected_but_for_the_drawings(golden: Callable[[str, str], None]) -> None:
    page = SVG.sub("<svg></svg>", rendered("html"))
    golden("selftest.html", re.sub(r"<style>.*?</style>", "<style></style>", page, flags=re.DOTALL))


def test_everything_is_told_in_every_dialect() -> None:
    _, curve, _ = usual()
    for text in (flat(on_terminal(width=400, level=Level.NORMAL)), flat(rendered("markdown")), flat(rendered("html"))):
        for comparison in curve.comparisons:
            assert flat(comparison.name) in text
            assert flat(comparison.source) in text
        for clause in curve.clauses:
            if clause.load is None:
                assert flat(clause.name) in text
                assert flat(clause.shown) in text
        assert flat("worker 3 died of signal 11") in text


def test_the_summary_is_plain_json_and_agrees_with_the_curve() -> None:
    _, curve, context = usual()
    document = json.loads(rendered("json"))
    assert document["exit"]["status"] == context.exit_status.value
    points = document["curve"]["points"]
    assert [(p["planted"], p["load"]) for p in points] == [(p.planted, p.load) for p in curve.points]
    verdict, rate = points[0]["verdicts"][0]
    assert verdict == "regressed"
    assert rate["total"] == curve.points[0].regressed.total
    assert "Infinity" not in rendered("json")
    assert "NaN" not in rendered("json")


def test_several_machines_have_a_table() -> None:
    record = selftest_record()
    half = len(record.trials) // 2
    trials = tuple(replace(trial, machine=int(place >= half) + 2 * (place == 0)) for place, trial in enumerate(record.trials))
    shared = replace(record, trials=trials, elsewhere=(replace(record.machine, cpu="Other CPU"),))
    for format_ in ("text", "markdown", "html"):
        text = flat(SELFTEST_RENDERERS[format_](*made(shared)))
        assert flat("on 2 machines") in text
        assert flat("Other CPU") in text
        assert flat("3: unknown") in text
        assert flat(f"{half - 1:,}") in text
    document = json.loads(SELFTEST_RENDERERS["json"](*made(shared)))
    jsonschema.Draft202012Validator(json_schema()).validate(document)
    assert [rates["trials"] for rates in document["curve"]["machines"]] == [half - 1, len(trials) - half, 1]
    assert "By machine" not in rendered("text")


def test_the_summary_keeps_its_published_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    validator = jsonschema.Draft202012Validator(json_schema())
    document = json.loads(rendered("json"))
    validator.validate(document)
    status = document["exit"]
    changes: list[dict[str, object]] = [
        {"schema": 2},
        {"kind": "compare"},
        {"surprise": 1},
        {"curve": {}},
        {"exit": {**status, "status": 4}},
    ]
    for change in changes:
        with pytest.raises(jsonschema.ValidationError):
            validator.validate({**document, **change})
    document["curve"]["points"][0]["load"] = "moonlight"
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(document)


@pytest.mark.parametrize("width", [80, 100, 132, 240])
@pytest.mark.parametrize("level", list(Level))
def test_nothing_is_wider_than_the_terminal(width: int, level: Level) -> None:
    for line in on_terminal(width=width, level=level).splitlines():
        assert cell_len(line) <= width, line


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_the_page_needs_nothing_but_itself_and_follows_the_scheme() -> None:
    reader = _Tags()
    reader.feed(rendered("html"))
    for tag, attributes in reader.seen:
        assert tag not in {"script", "link", "img", "iframe"}
        for attribute, value in attributes.items():
            if attribute in {"href", "src", "xlink:href"}:
                assert value is not None and value.startswith("#")
    drawings = SVG.findall(rendered("html"))
    assert len(drawings) == len(DRAWN)
    for drawing in drawings:
        assert 'role="img" aria-label="' in drawing
        assert not re.search(r"#[0-9a-f]{6}", drawing)


def test_a_curve_has_a_dot_per_size_and_load() -> None:
    _, curve, _ = usual()
    detection = SVG.findall(rendered("html"))[0]
    dots = re.findall(r'd="(M[^"]*)"[^>]*stroke-linecap: round', detection)
    assert sum(path.count("M") for path in dots) == len(curve.points)
    assert all(f">{load}<" in detection for load in {point.load for point in curve.points})


@pytest.mark.parametrize("format_", sorted(SELFTEST_RENDERERS))
def test_one_size_is_told_in_tables_and_not_drawn(format_: str) -> None:
    record = selftest_record()
    unchanged = made(replace(record, trials=tuple(trial for trial in record.trials if trial.planted == 0)))
    assert not unchanged[1].drawable and usual()[1].drawable
    text = SELFTEST_RENDERERS[format_](*unchanged)
    assert "<svg" not in text
    assert "nanobench" in text


@pytest.mark.parametrize("kind", DRAWN)
def test_png(kind: FigureKind, tmp_path: Path) -> None:
    from matplotlib.image import imread

    path = tmp_path / "curve.png"
    save_selftest_png(usual()[1], kind, path=path, dots_per_inch=100)
    pixels = imread(path)[:, :, :3]
    band = tuple(int(PALETTE["band"][i : i + 2], 16) / 255 for i in (1, 3, 5))
    shaded = (abs(pixels - band).max(axis=2) < 0.02).mean()
    assert shaded > 0.2 if kind is not FigureKind.SECONDS else shaded < 0.01


def test_what_was_violated_stands_out_without_colour() -> None:
    record, curve, context = usual()
    broken = tuple(replace(clause, standing=Standing.VIOLATED) for clause in curve.clauses)
    text = SELFTEST_RENDERERS["text"](record, replace(curve, clauses=broken), context)
    assert "VIOLATED" in text


@pytest.mark.parametrize("count", [0, 1, 40])
@pytest.mark.parametrize("format_", list(SELFTEST_RENDERERS))
def test_an_interrupted_self_test_can_be_shown(format_: str, count: int) -> None:
    record = selftest_record()
    text = SELFTEST_RENDERERS[format_](*made(replace(record, interrupted=True, trials=record.trials[:count], builds=())))
    assert "interrupted" in text


def test_nothing_but_invalid_trials_can_be_shown() -> None:
    record = selftest_record()
    for renderer in SELFTEST_RENDERERS.values():
        assert (
            "signal 11" in renderer(*made(replace(record, trials=record.trials[-1:]))) or renderer is SELFTEST_RENDERERS["json"]
        )


def test_a_hostile_problem_stays_text() -> None:
    record = selftest_record(unchanged=1, each=1)
    nasty = replace(record.trials[-1], problem="</td><script>x</script>|\x1b[31m\u202e", kind="<b>")
    args = made(replace(record, trials=(*record.trials, nasty), tool="<i>"))
    assert "<script>" not in SELFTEST_RENDERERS["html"](*args)
    for renderer in SELFTEST_RENDERERS.values():
        assert not set("\x1b\u202e") & set(renderer(*args))


def on_terminal(*, width: int, level: Level) -> str:
    stream = io.StringIO()
    print_layout(compose_selftest(*usual()), console=Console(file=stream, width=width), level=level)
    return stream.getvalue()


def flat(text: str) -> str:
    return "".join(re.findall(r"[A-Za-z0-9]+", text.replace("&#x27;", "'").replace("&gt;", "").replace("&lt;", "")))

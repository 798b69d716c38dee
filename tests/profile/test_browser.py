"""The page in a real browser: what a person can do with it, at 400 and 1,600 pixels, and resized up to 4,000."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from golden.records import RECORDS
from profile_pairs import HOSTILE, hostile_pair, known_pair

from dualmem_cli.errors import ExitStatus
from dualmem_cli.model.explanation import CountedChange, Explanation, FigureChange, FunctionCounts, LineCount
from dualmem_cli.profile.difference import difference
from dualmem_cli.profile.difference_page import render_difference
from dualmem_cli.profile.flamegraph import render_page, script_source
from dualmem_cli.profile.folded import Profile
from dualmem_cli.report import RENDERERS, ReportContext
from dualmem_cli.report.context import FlameGraphs

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
ROW = 21
WIDTHS = (400, 1600)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if BROWSER is None:
        pytest.skip("no Chromium on PATH (apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install playwright)")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=BROWSER, args=QUIET.split())
        yield started
        started.close()


class Driver:
    """An open page, with everything it complained of or asked the network for."""

    def __init__(self, browser: Any, path: Path, *, width: int, **options: Any) -> None:
        self.complaints: list[str] = []
        self.context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce", **options)
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.heard(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.heard(request.url))
        self.page.goto(path.as_uri())

    def heard(self, words: str) -> None:
        """Keep what the page itself said or asked for: not its own file, nor the advice about reading pixels, which only tests do."""
        if not words.startswith("file://") and "willReadFrequently" not in words:
            self.complaints.append(words)

    def text(self, selector: str) -> str:
        return (
            str(self.page.locator(f"{selector} >> visible=true").first.inner_text())
            .replace("\xa0", " ")
            .replace("\N{MINUS SIGN}", "-")
        )

    def spot(self, share: float, depth: int) -> dict[str, float]:
        """A point of the visible canvas: `share` of the way from the left, in the row of that depth (flame: root at the bottom)."""
        box = self.page.locator("canvas >> visible=true").bounding_box()
        return {"x": box["width"] * share, "y": box["height"] - ROW * depth - ROW / 2}

    def hover(self, share: float, depth: int) -> str:
        self.page.locator("canvas >> visible=true").hover(position=self.spot(share, depth))
        return self.text(".detail")

    def click(self, share: float, depth: int) -> None:
        self.page.locator("canvas >> visible=true").click(position=self.spot(share, depth))
        self.settle()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.settle()

    def settle(self) -> None:
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def pixel(self, share: float, depth: int) -> tuple[int, int, int]:
        """Colour a little below the row's top edge, where no label is."""
        spot = self.spot(share, depth)
        red, green, blue, _ = self.page.evaluate(
            """([x, y]) => { const c = [...document.querySelectorAll("canvas")].find((c) => c.offsetParent);
            return [...c.getContext("2d").getImageData(x * devicePixelRatio, y * devicePixelRatio, 1, 1).data]; }""",
            [spot["x"], spot["y"] - ROW / 2 + 3],
        )
        return red, green, blue


@pytest.fixture
def path(profile: Profile, tmp_path: Path) -> Path:
    perf = replace(profile, engine="perf", stacks=((("main (worker)", "spin (worker)"), 40),), samples=40)
    page = tmp_path / "page.html"
    page.write_text(render_page([profile, perf], title="known shares", subtitle="case"), encoding="utf-8")
    return page


@pytest.fixture(params=WIDTHS)
def driver(request: pytest.FixtureRequest, browser: Any, path: Path) -> Iterator[Driver]:
    opened = Driver(browser, path, width=request.param)
    yield opened
    assert opened.complaints == []
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    opened.context.close()


def test_hover_says_share_and_half_width(driver: Driver) -> None:
    assert driver.hover(0.3, 3).split("\n") == [
        "dm_dot_avx2 libdualmem.so",
        "total 60.0 % ± 9.6 (60 of 100 samples) · self 60.0 % ± 9.6",
    ]
    assert driver.hover(0.7, 2).startswith("fold loop.py\ntotal 20.0 % ± 7.8")
    assert driver.hover(0.95, 2).startswith("all samples")  # main's own samples carry nothing
    driver.page.mouse.move(1, 1)
    assert driver.text(".detail").startswith("all samples")


def test_click_zooms_and_escape_returns(driver: Driver) -> None:
    reset = driver.page.locator("#reset")
    assert reset.is_disabled()
    driver.click(0.7, 2)
    assert reset.is_enabled()
    for share in (0.02, 0.98):  # the box now has the whole width, and its callee too
        assert driver.hover(share, 3).startswith(
            "fold loop.py\ntotal 20.0 % ± 7.8 (20 of 100 samples) · self 20.0 % ± 7.8 · 100.0 % ± 0.0 of fold"
        )
    driver.click(0.5, 1)  # its caller: out by one
    assert driver.hover(0.3, 3).startswith("dm_dot_avx2")
    driver.press("Escape")
    assert reset.is_disabled()
    driver.click(0.3, 2)
    reset.click()
    driver.settle()
    assert driver.hover(0.85, 3).startswith("[kernel]")


def test_search_marks_and_counts_each_sample_once(driver: Driver) -> None:
    before, other = driver.pixel(0.7, 2), driver.pixel(0.3, 3)
    driver.press("/")
    driver.page.keyboard.type("FOLD")
    assert driver.text("#match") == "1 function, 20.0 % ± 7.8"
    driver.settle()
    red, green, blue = driver.pixel(0.7, 2)
    assert (red, green, blue) != before
    assert red > green < blue  # magenta
    assert driver.pixel(0.3, 3) != other  # dimmed
    driver.press("Enter")
    assert driver.text(".detail").startswith("fold loop.py")
    driver.press("Escape")
    assert driver.page.input_value("#search") == ""
    driver.settle()
    assert driver.pixel(0.7, 2) == before
    driver.page.locator("#search").fill("nowhere")
    assert driver.text("#match") == "no match"
    driver.page.locator("#search").fill(".so")
    assert driver.text("#match") == "2 functions, 70.0 % ± 9.0"


def test_keyboard_walks(driver: Driver) -> None:
    driver.page.locator("canvas >> visible=true").focus()
    driver.press("ArrowUp", "ArrowUp", "ArrowUp")
    assert driver.text(".detail").startswith("dm_dot_avx2")
    driver.press("ArrowUp")
    assert driver.text(".detail").startswith("dm_dot_avx2")  # a leaf
    driver.press("ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight")
    assert driver.text(".detail").startswith("write libc.so.6")
    driver.press("Enter")
    assert driver.page.locator("#reset").is_enabled()
    driver.press("ArrowLeft")
    assert driver.text(".detail").startswith("write libc.so.6")  # its neighbour is out of sight
    driver.press("ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp")
    assert driver.text(".detail").startswith("write libc.so.6")  # back towards the zoomed box, not into its heavier brothers
    driver.press("Home")
    assert driver.page.locator("#reset").is_disabled()


def test_icicle_turns_it_upside_down(driver: Driver) -> None:
    driver.page.locator("#flip").click()
    driver.settle()
    assert driver.page.locator("#flip").get_attribute("aria-pressed") == "true"
    canvas = driver.page.locator("canvas >> visible=true")
    canvas.hover(position={"x": 20, "y": ROW * 3.5})
    assert driver.text(".detail").startswith("dm_dot_avx2")
    canvas.focus()
    driver.page.mouse.move(1, 1)
    driver.press("ArrowDown", "ArrowDown")
    assert driver.text(".detail").startswith("[libffi]")


def test_tabs(driver: Driver) -> None:
    driver.page.locator("[role=tab]").nth(0).focus()
    driver.press("ArrowRight")
    assert driver.page.locator("[role=tab]").nth(1).get_attribute("aria-selected") == "true"
    assert driver.hover(0.5, 2).startswith("spin worker\ntotal 100.0 % ± 0.0 (40 of 40 samples)")
    assert driver.page.locator("table >> visible=true").count() == 1


def test_table_finds_in_the_graph(driver: Driver) -> None:
    driver.page.get_by_role("button", name="write libc.so.6").click()
    driver.settle()
    assert driver.page.input_value("#search") == "write (libc.so.6)"
    assert driver.text("#match") == "1 function, 10.0 % ± 5.9"
    assert driver.text(".detail").startswith("write libc.so.6")


def test_resizing_keeps_the_picture_sharp(browser: Any, path: Path) -> None:
    driver = Driver(browser, path, width=1600, device_scale_factor=2)
    for width in (400, 4000, 900):
        driver.page.set_viewport_size({"width": width, "height": 900})
        driver.settle()
        box = driver.page.locator("canvas >> visible=true").bounding_box()
        assert width * 0.9 < box["width"] <= width
        assert driver.page.evaluate("document.querySelector('canvas').width") == pytest.approx(box["width"] * 2, abs=2)
        assert driver.hover(0.3, 3).startswith("dm_dot_avx2")
    assert driver.complaints == []
    driver.context.close()


def test_dark_mode_repaints(browser: Any, path: Path) -> None:
    driver = Driver(browser, path, width=900, color_scheme="light")
    light = driver.pixel(0.3, 3)
    driver.page.emulate_media(color_scheme="dark")
    driver.settle()
    dark = driver.pixel(0.3, 3)
    assert sum(dark) < sum(light) - 150
    assert sum(map(int, driver.page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)"))) < 120
    driver.context.close()


def test_without_javascript_the_tables_are_there(browser: Any, path: Path) -> None:
    driver = Driver(browser, path, width=900, java_script_enabled=False)
    assert driver.page.locator("table >> visible=true").count() == 2
    assert driver.page.locator("canvas >> visible=true").count() == 0
    assert driver.page.locator(".bar >> visible=true").count() == 0
    assert driver.page.get_by_text("The graph needs JavaScript").first.is_visible()
    driver.context.close()


def test_hostile_names_do_nothing(browser: Any, profile: Profile, tmp_path: Path) -> None:
    names = [
        "</script><script>window.owned=1</script>",
        "<img src=x onerror=window.owned=1> (a.so)",
        "<!--<script>",
        "</script x",
    ]
    names += ["\u2028'\"`${window.owned=1}"]
    evil = replace(profile, title=names[0], notes=tuple(names), stacks=tuple(sorted(((name,), 20) for name in names)))
    page = tmp_path / "evil.html"
    page.write_text(render_page([evil], title=names[0], subtitle=names[1]), encoding="utf-8")
    driver = Driver(browser, page, width=900)
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        driver.hover(share, 1)
        driver.click(share, 1)
        driver.press("Escape")
    for button in driver.page.locator("tbody button").all():
        button.click()
    assert driver.text("h1") == names[0]
    assert driver.page.evaluate("window.owned === undefined && !document.querySelector('img')")
    assert driver.complaints == []
    driver.context.close()


def test_ten_thousand_frames_and_a_chain_of_two_thousand(browser: Any, profile: Profile, tmp_path: Path) -> None:
    wide: dict[tuple[str, ...], int] = {
        ("main (a.py)", f"branch {i % 100} (a.py)", f"leaf {i} (a.so)"): 1 + i % 7 for i in range(10_000)
    }
    deep: dict[tuple[str, ...], int] = {("main (a.py)", *(f"call {i} (a.so)" for i in range(2_000))): 30_000}
    big = replace(profile, stacks=tuple(sorted({**wide, **deep}.items())), samples=sum(wide.values()) + 30_000)
    page = tmp_path / "big.html"
    page.write_text(render_page([big], title="big", subtitle="case"), encoding="utf-8")
    driver = Driver(browser, page, width=1600)
    driver.page.locator("#search").fill("leaf 77")
    assert driver.text("#match").startswith("111 functions, ")  # 77, 770 to 779, 7700 to 7799
    driver.press("Enter")
    assert driver.text(".detail").startswith("leaf 77")
    driver.page.locator("#search").fill("call 1999 ")
    driver.press("Enter")
    assert driver.text(".detail").startswith("call 1999 a.so")  # scrolled to, two thousand rows up
    driver.press("Escape")
    driver.page.locator("canvas").focus()
    driver.press("Enter")
    assert driver.page.locator("#reset").is_enabled()
    assert driver.complaints == []
    driver.context.close()


@pytest.fixture
def difference_path(profile: Profile, tmp_path: Path) -> Path:
    page = tmp_path / "difference.html"
    page.write_text(render_difference(difference(*known_pair(profile)), title="known", subtitle="case"), encoding="utf-8")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600, 4000])
def test_a_difference(browser: Any, difference_path: Path, width: int, scheme: str) -> None:
    driver = Driver(browser, difference_path, width=width, color_scheme=scheme)
    grown, same = driver.hover(0.9, 3), driver.pixel(0.3, 3)
    assert grown == (
        "copy_row libdualmem.so\nnew: +14.6 points (+12.1 to +17.5) · baseline 0.0 % (0 of 803) · candidate 14.6 % (124 of 847)"
    )
    red, green, blue = driver.pixel(0.9, 3)
    assert red > green + 30 > blue, "grew is red"
    assert max(same) - min(same) < 12, "what does not differ is grey"
    assert driver.hover(0.3, 3).split("\n")[1].startswith("no significant difference: -0.9 points (-6.1 to +4.4)")
    driver.page.mouse.move(1, 1)
    driver.page.get_by_role("tab").nth(2).click()
    driver.settle()
    assert driver.text("[role=tab][aria-selected=true]") == "Vanished 12.5 %"
    assert driver.hover(0.5, 3).startswith(
        "dm_prefetch libdualmem.so\nvanished: -12.5 points (-15.2 to -10.1) · baseline 12.5 % (100 of 803)"
    )
    red, green, blue = driver.pixel(0.5, 3)
    assert blue > red + 30, "shrank is blue"
    assert driver.page.locator(".gone .stage").evaluate("e => getComputedStyle(e).borderStyle") == "dashed"
    assert driver.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    table = driver.page.locator(".compared")
    assert table.evaluate("e => e.scrollWidth <= e.clientWidth"), "no column is out of sight"
    assert driver.complaints == []
    driver.context.close()


def test_the_table_of_a_difference_finds_what_only_another_tab_has(browser: Any, difference_path: Path) -> None:
    driver = Driver(browser, difference_path, width=900)
    driver.page.get_by_role("button", name="dm_prefetch").click()
    driver.settle()
    assert driver.text("[role=tab][aria-selected=true]") == "Baseline"
    assert driver.text("#match") == "1 function, 12.5 %"
    assert driver.text(".detail").startswith("dm_prefetch")
    driver.press("Escape")
    driver.page.locator("canvas >> visible=true").focus()
    driver.press("ArrowUp", "Enter")
    assert driver.page.locator("#reset").is_enabled()
    driver.press("Home")
    assert driver.page.locator("#reset").is_disabled()
    assert driver.complaints == []
    driver.context.close()


def hostile_counts() -> CountedChange:
    line = LineCount(HOSTILE[0], 7, HOSTILE[1] * 4, (1.0, 2.0, 3.0, 4.0), 5.0)
    function = FunctionCounts(HOSTILE[0], HOSTILE[1], (1e6, 0.0, 0.0, 0.0), (2e6, 1.0, 0.5, 0.25), (line,))
    figures = (FigureChange(HOSTILE[0], 1.0, 2.0), FigureChange("cycles", None, None, HOSTILE[1]))
    return CountedChange(
        "callgrind", "valgrind-3.19.0", 8, ("instructions", "l1d_misses", "ll_misses", "branch_misses"), figures, (function,)
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_a_difference_inside_of_a_report(browser: Any, profile: Profile, tmp_path: Path, width: int) -> None:
    """The page around it runs no script but this one; the report's own policy and the inner page's hold both."""
    inner = render_difference(difference(*hostile_pair(profile)), title=HOSTILE[0], subtitle=HOSTILE[1])
    why = Explanation(case="c", title=HOSTILE[1], headline=HOSTILE[0], lines=(), counted=(hostile_counts(),))
    context = ReportContext("r.json", "r.html", ExitStatus.REGRESSION, "", FlameGraphs({"c": inner}, script_source()))
    page = tmp_path / "report.html"
    page.write_text(RENDERERS["html"](replace(RECORDS["compare"](), explanations=(why,)), context), encoding="utf-8")
    driver = Driver(browser, page, width=width)
    frame = driver.page.frame_locator("iframe")
    frame.locator("canvas >> visible=true").hover()
    assert frame.get_by_role("tab").count() == 3
    frame.get_by_role("tab").nth(1).click()
    assert frame.locator(".detail >> visible=true").inner_text().startswith("all samples")
    assert [f.evaluate("window.owned === undefined") for f in driver.page.frames] == [True, True]
    assert driver.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
    assert driver.complaints == []
    driver.context.close()

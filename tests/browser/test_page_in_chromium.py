"""The page in a real browser: nothing sticks out sideways at any width, in either scheme, and nothing is fetched."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from chronicles import usual
from golden.records import RECORDS

from dualmem_cli.errors import ExitStatus
from dualmem_cli.report import RENDERERS, ReportContext
from dualmem_cli.report.compose_history import HistoryContext
from dualmem_cli.report.history import HISTORY_RENDERERS

WIDTHS = (400, 700, 900, 1200, 1600, 2400, 4000)
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=5000",
)
# Frames of one document see each other; the page's own policy holds inside its frame.
HARNESS = """<!doctype html><body>{frames}<script>
addEventListener("load", () => {{
  const found = [...document.querySelectorAll("iframe")].map(frame => {{
    const root = frame.contentDocument.documentElement;
    for (const closed of root.querySelectorAll("details")) closed.open = true;
    const right = Math.max(...[...root.querySelectorAll("body *")]
      .filter(e => e.matches("caption") || !e.closest(".scroll, svg, thead")).map(e => e.getBoundingClientRect().right));
    return [frame.clientWidth, root.scrollWidth, Math.ceil(right), root.getBoundingClientRect().height];
  }});
  document.body.textContent = JSON.stringify(found);
}});
</script>"""


def written(name: str) -> str:
    """The page of a record, or of a history."""
    if name == "history":
        return HISTORY_RENDERERS["html"](usual(), HistoryContext("reports/history.duckdb", last=20, named=True))
    return RENDERERS["html"](RECORDS[name](), ReportContext("reports/a.json", "reports/a.html", ExitStatus.OK, "dualmem compare"))


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here: that the page fits every width was not checked")
@pytest.mark.parametrize("name", [*RECORDS, "history"])
def test_nothing_sticks_out(name: str, tmp_path: Path) -> None:
    page = html.escape(written(name))
    frames = "".join(f'<iframe style="width:{width}px;height:900px;border:0" srcdoc="{page}"></iframe>' for width in WIDTHS)
    harness = tmp_path / "harness.html"
    harness.write_text(HARNESS.format(frames=frames), encoding="utf-8")
    assert BROWSER is not None
    command = [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", harness.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    match = re.search(r"\[\[.*\]\]", done.stdout)
    assert match is not None, done.stderr[-2000:]
    measured = json.loads(match[0])
    assert [frame for frame, *_ in measured] == list(WIDTHS)
    for frame, content, right, height in measured:
        assert height > 500, "the page was not laid out"
        assert content <= frame, f"at {frame} pixels the page is {content} wide"
        assert right <= frame, f"at {frame} pixels something reaches to {right}"

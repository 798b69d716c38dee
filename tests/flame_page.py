"""The page of a profile as a browser would see it, and names that try to break out of it."""

from html.parser import HTMLParser

HOSTILE = [
    "</script><script>window.owned=1</script>",
    "<img src=x onerror=window.owned=1> (a.so)",
    '" onmouseover="window.owned=1',
    "<!--<script>",
    "</script x",
    "</script/",
    "]]> &amp; &lt;b&gt;",
    "@@SCRIPT@@ @@DATA@@",
    "\u2028line\u2029",
]


class Page(HTMLParser):
    """Collects what a browser would see: elements with attributes, the text of scripts and styles, the rows of the tables."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "script":
            self.scripts.append("")
        elif tag == "style":
            self.styles.append("")

    def handle_data(self, text: str) -> None:
        if self.lasttag == "script" and self.cdata_elem == "script":
            self.scripts[-1] += text
        elif self.cdata_elem == "style":
            self.styles[-1] += text
        elif self.rows and self.rows[-1]:
            self.rows[-1][-1] += text.rstrip("\n")

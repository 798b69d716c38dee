"""Makes matplotlib's SVG fit to stand inside a page: small, without ids that clash, in the page's colours and font."""

import re
from collections.abc import Mapping

_PROLOG = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_STYLE = re.compile(r"\s*<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
_ROOT = re.compile(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>')
_GROUP_ID = re.compile(r'<(g|path|text) id="[^"]*"')
_GEOMETRY = re.compile(r'\b(d|x|y|transform|points|width|height)="([^"]*)"')
_NUMBER = re.compile(r"-?\d+\.\d+")
_FONT = re.compile(r"font: ([\d.]+)px [^;\"]*")
_BLANKS = re.compile(r">\s+<")
_HEX = re.compile(r"#[0-9a-f]{6}\b")


def page_svg(drawing: str, *, palette: Mapping[str, str], label: str) -> str:
    """The drawing as an inline element. `label` must be escaped already; each colour of `palette` (name -> #rrggbb) becomes the CSS
    variable of its name. Coordinates keep a tenth of a unit: a unit is about a pixel.
    """
    names = {colour: name for name, colour in palette.items()}
    text = _METADATA.sub("", _STYLE.sub("", _PROLOG.sub("", drawing)))
    text = _GROUP_ID.sub(_without_id(text), text)
    text = _GEOMETRY.sub(lambda match: f'{match[1]}="{_NUMBER.sub(_rounded, match[2]).strip()}"', text)
    text = _FONT.sub(r"font-size: \1px", text)
    text = _HEX.sub(lambda match: f"var(--{names[match[0]]})" if match[0] in names else match[0], text)
    text = re.sub(r" ?\n(?=[MLCQZ])", "", text)
    text = _ROOT.sub(lambda match: f'<svg class="plot" viewBox="{match[1]}" role="img" aria-label="{label}">', text, count=1)
    return _BLANKS.sub("><", text).strip()


def _without_id(text: str) -> "_Replacement":
    return _Replacement(frozenset(re.findall(r'(?:url\(#|href="#)([^")]+)', text)))


class _Replacement:
    """Drops the ids that nothing refers to: every drawing of matplotlib has a figure_1."""

    def __init__(self, used: frozenset[str]) -> None:
        self._used = used

    def __call__(self, match: re.Match[str]) -> str:
        name = match[0].partition('"')[2].rstrip('"')
        return match[0] if name in self._used else f"<{match[1]}"


def _rounded(match: re.Match[str]) -> str:
    text = f"{float(match[0]):.1f}"
    return text.removesuffix(".0") if text != "-0.0" else "0"

"""Counts in the page: what an operation costs, the functions, and the hottest source lines with their text. No script, all escaped."""

import html
from collections.abc import Iterable, Sequence

from dualmem_cli.model.units import count_text, count_title
from dualmem_cli.profile.counts import COSTS, Counts, Figure, FunctionCost, LineCost

FUNCTION_ROWS = 30
LINE_ROWS = 40
_SPARK = (600, 80)  # width and height of the drawing of memory over time


def render_counts(counts: Counts) -> str:
    """Render one engine's counts as a section of the page."""
    parts = [f'<p class="line">{html.escape(counts.facts)}</p>']
    parts += [f'<p class="note">{html.escape(note)}</p>' for note in counts.notes]
    parts.append(_table("Per operation", ("quantity", "value", "", ""), map(_figure_row, counts.figures), kind="figures"))
    if counts.series:
        parts.append(_drawing(counts.series))
    if counts.functions:
        shown = counts.functions[:FUNCTION_ROWS]
        caption = _caption("functions", len(shown), len(counts.functions))
        parts.append(
            _table(caption, (*_cost_titles(), "with callees", "calls", "function"), map(_function_row, shown), kind="costs")
        )
    if counts.lines:
        hottest = counts.lines[:LINE_ROWS]
        caption = _caption("source lines", len(hottest), len(counts.lines))
        parts.append(_table(caption, (*_cost_titles(), "line", "in function", "source"), map(_line_row, hottest), kind="costs"))
    name = html.escape(counts.engine)
    return f'<section class="counts" aria-label="{name}">\n<h2>{name}</h2>\n{"".join(parts)}</section>\n'


def quantity(figure: Figure) -> tuple[str, str]:
    """A figure's value and what a reader must know beside it, both in words."""
    if figure.value is None:
        return "not known", figure.reason
    remarks = []
    if figure.low is not None and figure.high is not None and figure.low != figure.high:
        remarks.append(f"{count_text(figure.low)} to {count_text(figure.high)}")
    if figure.running < 0.999:
        remarks.append(f"counted {figure.running:.0%} of the time")
    return (size(figure.value) if figure.unit == "B" else count_text(figure.value)), "; ".join(remarks)


def size(bytes_: float) -> str:
    """Bytes for a person."""
    for step, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if abs(bytes_) >= step:
            return f"{bytes_ / step:.1f} {name}"
    return f"{bytes_:.0f} B"


def _cost_titles() -> tuple[str, ...]:
    return tuple(count_title(name) for name in COSTS)


def _caption(what: str, shown: int, of: int) -> str:
    return f"All {what}, per operation" if shown == of else f"The {shown} hottest {what} of {of}, per operation"


def _table(caption: str, titles: Sequence[str], rows: Iterable[str], *, kind: str) -> str:
    head = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in titles)
    return (
        f'<div class="scroll">\n<table class="{kind}">\n<caption>{html.escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{''.join(rows)}</tbody>\n</table>\n</div>\n"
    )


def _figure_row(figure: Figure) -> str:
    value, remark = quantity(figure)
    unit = "" if figure.value is None or figure.unit == "B" else "per operation" if figure.unit == "1/op" else figure.unit
    cells = "".join(f"<td>{html.escape(text)}</td>" for text in (count_title(figure.name), value, unit))
    return f'<tr>{cells}<th scope="row">{html.escape(remark)}</th></tr>\n'


def _costs(costs: Sequence[float]) -> str:
    return "".join(f"<td>{count_text(cost)}</td>" for cost in costs)


def _function_row(function: FunctionCost) -> str:
    where = " ".join(text for text in (function.place, function.file if function.file != "???" else "") if text)
    return (
        f"<tr>{_costs(function.costs)}<td>{count_text(function.inclusive)}</td><td>{count_text(function.calls)}</td>"
        f'<th scope="row"><span class=name>{html.escape(function.name)}</span> <span class="place">{html.escape(where)}</span></th></tr>\n'
    )


def _line_row(line: LineCost) -> str:
    text = "" if line.source is None else line.source
    return (
        f'<tr>{_costs(line.costs)}<td title="{html.escape(line.file)}">{html.escape(line.where)}</td>'
        f'<td>{html.escape(line.function)}</td><th scope="row"><code>{html.escape(text)}</code></th></tr>\n'
    )


def _drawing(series: Sequence[tuple[float, int]]) -> str:
    """Resident memory over time, from zero to its peak."""
    width, height = _SPARK
    longest, highest = max(at for at, _ in series) or 1.0, max(value for _, value in series) or 1
    points = " ".join(f"{at / longest * width:.1f},{height - value / highest * height:.1f}" for at, value in series)
    words = f"Resident memory over {longest:.1f} s, peak {size(float(highest))}"
    return (
        f'<figure class="memory"><svg viewBox="0 0 {width} {height}" role="img" aria-label="{words}" preserveAspectRatio="none">'
        f'<polyline points="{points}"/></svg><figcaption>{words}</figcaption></figure>\n'
    )

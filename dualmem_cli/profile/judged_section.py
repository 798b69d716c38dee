"""What a scenario's [profile] limits, in words and as a part of the page."""

import html
import math
from collections.abc import Sequence

from dualmem_cli.model.units import count_text, count_title
from dualmem_cli.profile.marked import NOT_SHOWN, MarkedShare
from dualmem_cli.profile.sentences import printable
from dualmem_cli.profile.twin import TwinCounts, TwinRow

_NAMED = 6  # functions in a sentence
_TELLING = 1e-3  # below this, what one miss more would change goes without saying


def render_judged(shares: Sequence[MarkedShare], twin: TwinCounts | None) -> str:
    """The part of the page, "" without anything to say. No script, all escaped."""
    parts = []
    for share in shares:
        parts.append(
            f'<p class="headline">{html.escape(share_words(share))}</p>\n<p class="line">{html.escape(parts_words(share))}</p>\n'
        )
    if twin is not None:
        parts.append(f'<p class="headline">{html.escape(twin_verdict(twin))}</p>\n')
        titles = ("quantity", twin.kernel, twin.single, "change", "verdict", "")
        head = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in titles)
        body = "".join(
            f'<tr><th scope="row">{html.escape(name)}</th>{"".join(f"<td>{html.escape(text)}</td>" for text in cells)}'
            f"<td>{html.escape(remark)}</td></tr>\n"
            for name, *cells, remark in map(twin_cells, twin.rows)
        )
        parts.append(f'<div class="scroll">\n<table class="twin">\n<caption>{html.escape(twin_words(twin))}</caption>\n')
        parts.append(f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n")
        parts += [f'<p class="note">{html.escape(note)}</p>\n' for note in twin_notes(twin)]
    return "".join(parts)


def share_words(share: MarkedShare) -> str:
    """'Dual-only functions: 1.8 % [1.2, 2.6] of 1,245 samples (perf), at most 5 %: ok'."""
    interval = f" [{100 * share.low:.1f}, {100 * share.high:.1f}]" if share.unit == "samples" else ""
    limit = f", at most {count_text(100 * share.limit)} %: {share.verdict}" if share.limit is not None else ""
    return f"Dual-only functions: {_percent(share)} %{interval} of {share.all:,} {share.unit} ({share.engine}){limit}"


def parts_words(share: MarkedShare) -> str:
    """The functions behind it, what the samples are worth, and how to show what is not shown."""
    named = [f"{printable(name)} {100 * part:.2g} %" for name, part in share.functions[:_NAMED]]
    more = len(share.functions) - len(named)
    words = ["; ".join(named) + (f"; and {more} more" if more > 0 else "") if named else "None of them was seen"]
    if share.design_effect > 1:
        words.append(f"design effect {share.design_effect:.2f}: worth {share.all / share.design_effect:,.0f} independent samples")
    if share.verdict == NOT_SHOWN:
        words.append("the interval reaches beyond the limit: sample for longer (--seconds)")
    return ". ".join(words) + "."


def twin_words(twin: TwinCounts) -> str:
    """What is compared."""
    counted = f"{twin.operations:,} operation{'' if twin.operations == 1 else 's'}"
    return f"Beside the single-type twin: {twin.kernel} and {twin.single}, {counted} of each counted, per operation"


def twin_verdict(twin: TwinCounts) -> str:
    """Whether the misses keep their limit."""
    if twin.limit is None:
        return "Cache misses beyond the twin's are not limited: [profile] misses would."
    return f"Cache misses beyond the twin's, at most {count_text(100 * twin.limit)} %: {twin.verdict}"


def twin_cells(row: TwinRow) -> tuple[str, str, str, str, str, str]:
    """Name, both counts, change, verdict, remark."""
    change = "from 0" if math.isinf(row.change) else f"{100 * row.change:+.2f} %"
    remarks = [row.reason] if row.reason else []
    if math.isinf(row.one):
        remarks.append("the twin has none")
    elif row.one >= _TELLING:
        remarks.append(f"one more in all would be {100 * row.one:.2g} %")
    return count_title(row.name), count_text(row.dual), count_text(row.single), change, row.verdict, "; ".join(remarks)


def twin_notes(twin: TwinCounts) -> tuple[str, ...]:
    """What the marks leave out."""
    if not twin.unmarked:
        return ()
    named = ", ".join(f"{printable(name)} ({100 * share:.1f} %)" for name, share in twin.unmarked[:_NAMED])
    return (f"{twin.single} does not run {named}, and [profile] dual does not name them: are they there because of two types?",)


def _percent(share: MarkedShare) -> str:
    return f"{100 * share.share:.1f}" if share.unit == "samples" else f"{100 * share.share:.2f}"

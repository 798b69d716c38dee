"""The differential flame graph: one page, with the candidate's graph, the baseline's, and what vanished in a part of its own; and
its text in the two-column format of Brendan Gregg's difffolded.pl."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from dualmem_cli.profile.difference import FEWEST, Change, Difference, FunctionChange, side_tree, step_of
from dualmem_cli.profile.flamegraph import TABLE_ROWS, asset, document, fill, named_nodes
from dualmem_cli.profile.folded import write_stack
from dualmem_cli.profile.frames import split_place
from dualmem_cli.profile.sentences import headline, sampled, signed, stack_count

_HYPHEN_FIRST = re.compile(r"(?:^|(?<=[ (]))-(?=\d)")
MINUS = "\N{MINUS SIGN}"
_HYPHEN = re.compile(r"(?<=[ (])-(?=\d+\.\d)")
Extra = Mapping[str, tuple[str, ...]]
"""More columns of the table: for the name of a function one text per column."""


def render_difference(
    difference: Difference, *, title: str, subtitle: str, extra: Extra | None = None, extra_titles: Sequence[str] = ()
) -> str:
    """Render a difference as a page. `extra` are columns beside the shares that were found otherwise, such as counted instructions."""
    vanished, gone = difference.only(0)
    tabs = ["Candidate", "Baseline"]
    graphs = [_graph(difference, 1), _graph(difference, 0)]
    lines = [
        f"Width is the candidate's share. {difference.candidate.line()}",
        f"Width is the baseline's share. {difference.baseline.line()}",
    ]
    if vanished:
        share = f"{100 * gone / difference.baseline.samples:.1f} %"
        tabs.append(f"Vanished {share}")
        graphs.append(_graph(difference, 0, gone_only=True))
        lines.append(
            f"Only {stack_count(vanished)} that the baseline has and the candidate has not: {share} of the baseline's samples "
            f"({gone:,} of {difference.baseline.samples:,}). Width is the share among them."
        )
    sections = "".join(_section(i, tab, line) for i, (tab, line) in enumerate(zip(tabs, lines, strict=True)))
    notes = (*difference.notes, *dict.fromkeys((*difference.baseline.notes, *difference.candidate.notes)))
    words = _HYPHEN.sub(MINUS, headline(difference))
    return document(
        title=title,
        subtitle=subtitle,
        headline=f'<p class="headline">{html.escape(words)}</p>\n<p class="line">{html.escape(sampled(difference))}</p>\n'
        + "".join(f'<p class="note">{html.escape(note)}</p>\n' for note in notes),
        tabs=tabs,
        tabs_label="Whose samples",
        sections=sections + _table(difference, extra or {}, extra_titles),
        graphs=graphs,
        reading=fill(asset("difference_reading.html.in"), {"FEWEST": str(FEWEST)}),
    )


def write_difference(difference: Difference) -> str:
    """Write a difference as text: per stack the samples of the baseline and of the candidate. The facts stand in a first line that
    other readers pass over. Counts are as sampled: a reader of two columns scales them itself (difffolded.pl -n)."""
    facts = {
        side: {key: value for key, value in asdict(profile).items() if key not in ("stacks", "marked", "leaves")}
        for side, profile in (("baseline", difference.baseline), ("candidate", difference.candidate))
    }
    lines = [f"# dualmem difference {json.dumps(facts, ensure_ascii=True)}"]
    old, new = dict(difference.baseline.stacks), dict(difference.candidate.stacks)
    lines += [f"{write_stack(stack)} {old.get(stack, 0)} {new.get(stack, 0)}" for stack in sorted(old.keys() | new.keys())]
    return "\n".join(lines) + "\n"


def _graph(difference: Difference, side: int, *, gone_only: bool = False) -> dict[str, Any]:
    tree, changes = side_tree(difference, side, gone_only=gone_only)
    return {
        "samples": tree.samples[0],
        "unit": difference.candidate.unit,
        "of": difference.samples,
        **named_nodes(tree.names),
        "parent": tree.parents,
        "self": tree.self_samples,
        "step": [step_of(change) for change in changes],
        "both": [[c.baseline, c.candidate, round(100 * c.low, 2), round(100 * c.high, 2)] for c in changes],
    }


def _section(number: int, name: str, line: str) -> str:
    return fill(
        asset("difference_section.html.in"),
        {
            "NUMBER": str(number),
            "ENGINE": html.escape(name),
            "LINE": html.escape(line),
            "CLASS": ' class="gone"' if number == 2 else "",
        },
    )


def _table(difference: Difference, extra: Extra, extra_titles: Sequence[str]) -> str:
    functions = [function for function in difference.functions if function.own.baseline or function.own.candidate]
    shown = functions[:TABLE_ROWS]
    grew, shrank = len(difference.of(1)), len(difference.of(-1))
    return fill(
        asset("difference_table.html.in"),
        {
            "CAPTION": f"Functions by the change of their own share, in points: {grew} grew, {shrank} shrank, "
            f"{len(functions) - grew - shrank} without a significant difference"
            + (f"; the first {TABLE_ROWS} are shown." if len(functions) > TABLE_ROWS else "."),
            "MORE": "".join(f'<th scope="col" class="more">{html.escape(title)}</th>' for title in extra_titles),
            "ROWS": "".join(
                _row(function, difference, extra.get(function.name, ("",) * len(extra_titles)), extra_titles)
                for function in shown
            ),
        },
    )


def _row(function: FunctionChange, difference: Difference, extra: Sequence[str], titles: Sequence[str]) -> str:
    name, place = split_place(function.name)
    change = ("same", "grew", "shrank")[function.own.direction]
    n, m = difference.samples
    where = f' <span class="place">{html.escape(place)}</span>' if place else ""
    caller = f' <span class="place">called by {html.escape(split_place(function.caller)[0])}</span>' if function.caller else ""
    cells = (
        f"{_mark(function.own)}{_minus(function.own.value)}",
        f"{_minus(function.own.low)} to {_minus(function.own.high)}",
        f"{100 * function.own.baseline / n:.1f} ({function.own.baseline:,})",
        f"{100 * function.own.candidate / m:.1f} ({function.own.candidate:,})",
    )
    more = "".join(
        f'<td class="more" data-label="{html.escape(title)}">{html.escape(_HYPHEN_FIRST.sub(MINUS, text))}</td>'
        for title, text in zip(titles, extra, strict=True)
    )
    return (
        f'<tr data-change="{change}">{"".join(f"<td>{text}</td>" for text in cells)}{more}'
        f'<th scope="row" data-frame="{html.escape(function.name)}" data-change="{change}">'
        f"<span class=name>{html.escape(name)}</span>{where}{caller}</th></tr>\n"
    )


def _mark(change: Change) -> str:
    return ("", "▲ ", "▼ ")[change.direction]


def _minus(share: float) -> str:
    return signed(share).replace("-", MINUS)

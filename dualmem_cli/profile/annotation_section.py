"""The hottest lines and the assembly in the page: folded until asked for, no script, all escaped."""

import html
from collections.abc import Iterable, Sequence

from dualmem_cli.profile.annotation import AnnotatedFunction, Annotation, HotLine, SampledInstruction
from dualmem_cli.profile.folded import half_width

LINE_ROWS = 20
FUNCTIONS = 3
_AROUND = 6  # instructions shown on either side of one with samples
_FEW = 200  # instructions of a function that is shown whole


def render_annotation(annotation: Annotation) -> str:
    """Render the hottest source lines, and the instructions of the hottest functions."""
    parts = [f'<p class="note">{html.escape(note)}.</p>' for note in annotation.notes]
    if annotation.lines:
        parts.append(_line_table(annotation))
    parts += [_assembly(function, annotation.samples) for function in annotation.functions[:FUNCTIONS] if function.samples]
    return f'<div class="counts annotation">\n{"".join(parts)}</div>\n' if parts else ""


def _line_table(annotation: Annotation) -> str:
    shown = annotation.lines[:LINE_ROWS]
    which = "All source lines with samples" if len(shown) == len(annotation.lines) else f"The {len(shown)} hottest source lines"
    caption = (
        f"{which}, in per cent of {annotation.samples:,} samples. A sample is on the line that is waited for, or on the next one."
    )
    head = "".join(f'<th scope="col">{title}</th>' for title in ("self %", "line", "in function", "source"))
    rows = "".join(_line_row(line, annotation.samples) for line in shown)
    return (
        f'<div class="scroll lines">\n<table>\n<caption>{html.escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
    )


def _line_row(line: HotLine, samples: int) -> str:
    share = line.samples / samples
    return (
        f"<tr><td>{100 * share:.1f} ± {100 * half_width(share, samples):.1f}</td>"
        f'<td title="{html.escape(line.file)}">{html.escape(line.where)}</td><td>{html.escape(line.function)}</td>'
        f'<th scope="row"><code>{html.escape(line.source or "")}</code></th></tr>\n'
    )


def _assembly(function: AnnotatedFunction, samples: int) -> str:
    title = f"Assembly of {function.name} ({function.place}): {100 * function.samples / samples:.1f} % of the samples"
    rows = "".join(_instruction_rows(shown_of(function.instructions), samples))
    head = "".join(f'<th scope="col">{title}</th>' for title in ("self %", "address", "line", "instruction"))
    return (
        f'<details>\n<summary>{html.escape(title)}</summary>\n<div class="scroll">\n<table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table>\n</div>\n</details>\n"
    )


def shown_of(instructions: Sequence[SampledInstruction]) -> tuple[SampledInstruction | None, ...]:
    """All of a short function; of a long one what lies around samples, with None for what is left out."""
    if len(instructions) <= _FEW:
        return tuple(instructions)
    near = {j for i, each in enumerate(instructions) if each.samples for j in range(i - _AROUND, i + _AROUND + 1)}
    shown: list[SampledInstruction | None] = []
    for i, each in enumerate(instructions):
        if i in near:
            shown.append(each)
        elif not shown or shown[-1] is not None:
            shown.append(None)
    return tuple(shown)


def _instruction_rows(instructions: Iterable[SampledInstruction | None], samples: int) -> Iterable[str]:
    before = ""
    for each in instructions:
        if each is None:
            yield '<tr><td></td><td></td><td></td><th scope="row">...</th></tr>\n'
            continue
        share = f"{100 * each.samples / samples:.1f}" if each.samples else ""
        place = f"{each.file.rpartition('/')[2]}:{each.line}" if each.file else ""
        yield (
            f"<tr><td>{share}</td><td>{each.address:x}</td><td>{html.escape(place) if place != before else ''}</td>"
            f'<th scope="row"><code>{html.escape(each.text)}</code></th></tr>\n'
        )
        before = place

"""Source lines of two builds side by side: which of them add to the time, and which prefetches are gone."""

from collections import Counter
from collections.abc import Sequence

from dualmem_cli.model.explanation import LineShift, SourceLine
from dualmem_cli.profile.annotation import Annotation, HotLine
from dualmem_cli.profile.shares import difference_interval

Key = tuple[str, str, str]


def line_shifts(baseline: Annotation, candidate: Annotation, *, ratio: float, design_effect: float) -> tuple[LineShift, ...]:
    """What each line adds to the baseline's time per operation, most first: `ratio` times its share of the candidate's samples less its
    share of the baseline's. Lines are matched by their text, since numbers move with every line above."""
    old, new = _by_text(baseline.lines), _by_text(candidate.lines)
    samples = (baseline.samples, candidate.samples)
    found = []
    for key in old.keys() | new.keys():
        line = new.get(key) or old[key]
        counts = (old[key].samples if key in old else 0, new[key].samples if key in new else 0)
        first, second = counts[0] / samples[0], counts[1] / samples[1]
        low, high = difference_interval(counts, samples, design_effect=design_effect, ratio=ratio)
        found.append(
            LineShift(
                line.function, line.file, line.line, line.source or "", counts, (first, second), ratio * second - first, low, high
            )
        )
    return tuple(sorted(found, key=lambda shift: (-shift.added, shift.file, shift.line)))


def dropped_prefetches(baseline: Annotation, candidate: Annotation) -> tuple[SourceLine, ...]:
    """Lines of the baseline's hot functions that ask for data ahead of time, and have no counterpart in the candidate's. A function that is
    gone as a whole says nothing: it may have another name. Nor does a line without its text, which cannot be looked for."""
    there = Counter((_file(line), line.source) for line in candidate.prefetches)
    functions = {instruction.function for function in candidate.functions for instruction in function.instructions}
    dropped = []
    for line in baseline.prefetches:
        if there[_file(line), line.source]:
            there[_file(line), line.source] -= 1
        elif line.function in functions and line.source:
            dropped.append(SourceLine(line.function, line.file, line.line, line.source or ""))
    return tuple(dropped)


def _by_text(lines: Sequence[HotLine]) -> dict[Key, HotLine]:
    """Lines of equal text in one function are one: they cannot be told apart where numbers have moved."""
    found: dict[Key, HotLine] = {}
    for line in lines:
        key = (line.function, _file(line), line.source or str(line.line))
        before = found.get(key)
        more = before.samples if before else 0
        found[key] = HotLine(line.function, line.file, (before or line).line, line.source, line.samples + more)
    return found


def _file(line: HotLine) -> str:
    return line.file.rpartition("/")[2]

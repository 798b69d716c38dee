"""From what was found of both builds to one sentence: why the candidate is slower, as far as the evidence goes.

What decides, in this order: whether one thread alone is slower as well, whether more instructions are executed, whether more misses are
simulated; what is left is a wait. Where the evidence decides nothing, nothing is said.
"""

from dataclasses import dataclass

from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.explanation import CountedChange, FigureChange, LineCount, LineShift, SourceLine

SAME_INSTRUCTIONS = 0.01
SAME_MISSES = 0.02
_LEAST_MISSES = 0.01  # per operation
_EQUAL = 0.25  # of what several threads lose: with less than this, one thread loses nothing to speak of


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known. `change` is the verdict's; `counted` what a simulated processor counted, None where it did not. `threads` is what the
    case asks for; `alone` the change with one thread, None where it was not measured. `grown` is the line, and `grown_function` the
    function, whose part of the time grew most, surely. `dropped` are lines of the baseline that ask for data ahead of time and are gone
    from the candidate."""

    change: Estimate
    counted: CountedChange | None
    threads: int = 1
    alone: Estimate | None = None
    grown: LineShift | None = None
    grown_function: str = ""
    dropped: tuple[SourceLine, ...] = ()


def reason(evidence: Evidence) -> str:
    """The sentence; "" where the evidence leaves it open."""
    if evidence.threads > 1 and evidence.alone is not None:
        if _equal_alone(evidence.change, evidence.alone):
            return _contention(evidence, evidence.alone)
        if evidence.alone.low <= _EQUAL * evidence.change.value:
            return f"With one thread the change is {_interval(evidence.alone)}: too wide to say whether several threads are needed for it."
    waits = _waits(evidence)
    if waits and evidence.threads > 1 and evidence.alone is None and not _works_more(evidence.counted):
        return f"{waits} Or its {evidence.threads} threads wait for each other: with one alone it was not measured."
    if waits and evidence.threads > 1 and evidence.alone is not None:
        return f"With one thread it is slower as well ({_interval(evidence.alone)}), so it is not contention. {waits}"
    return waits


def _equal_alone(change: Estimate, alone: Estimate) -> bool:
    """Whether one thread is surely not slower by more than a small part of what several are."""
    return alone.high < _EQUAL * change.low


def _contention(evidence: Evidence, alone: Estimate) -> str:
    """What threads lose only together."""
    return (
        f"Only with several threads: {evidence.threads} threads are {100 * evidence.change.value:.1f} % slower, of one thread "
        f"alone the change is {_interval(alone)}. That is contention: threads write to one cache line (false sharing: look at what "
        f"lies beside what they write), or wait for one lock{_where(evidence)}."
    )


def _waits(evidence: Evidence) -> str:
    """From the counts: more work, more misses, or, where both are the same, a wait that something hid before."""
    change = evidence.counted
    instructions = _pair(change, "instructions")
    if change is None or instructions is None:
        return _dropped(evidence)
    grown = _growth(instructions)
    if _works_more(change):
        return f"More work: {100 * grown:+.1f} % instructions{_most_work(change)}."
    if grown < -SAME_INSTRUCTIONS and not evidence.dropped:
        return ""
    for name, title in (("ll_misses", "misses of the last cache"), ("l1d_misses", "misses of the first cache")):
        pair = _pair(change, name)
        if pair is not None and pair[1] - pair[0] > max(_LEAST_MISSES, SAME_MISSES * pair[0]):
            return (
                f"The same instructions, but {title} grew from {pair[0]:.3g} to {pair[1]:.3g} per operation{_missing(change)}: "
                "its data became larger, or lies otherwise."
            )
    return _hidden(evidence, change)


def _growth(pair: tuple[float, float]) -> float:
    return pair[1] / pair[0] - 1.0 if pair[0] else 0.0


def _works_more(change: CountedChange | None) -> bool:
    instructions = _pair(change, "instructions")
    return instructions is not None and _growth(instructions) > SAME_INSTRUCTIONS


def _hidden(evidence: Evidence, change: CountedChange) -> str:
    """As many instructions, as many misses: time that nothing executes."""
    words = f"The same instructions take longer{_where(evidence)}, and no simulated cache is missed more often"
    pair = _pair(change, "ll_misses") or (0.0, 0.0)
    first = _pair(change, "l1d_misses") or (0.0, 0.0)
    if max(pair[1], first[1]) < _LEAST_MISSES:
        return (
            f"{words}; nor is any missed to speak of. So it is no wait for memory: look at where the code lies, at instructions that "
            "wait for each other, and at instructions that are slower than those before."
        )
    waited = "a wait for memory that was hidden before is not hidden any more"
    if evidence.dropped:
        return f"{words}{_missing(change)}: {waited}. {_dropped(evidence)}"
    return f"{words}{_missing(change)}: {waited}. Look at prefetches, and at loads that could be under way at the same time."


def _dropped(evidence: Evidence) -> str:
    if not evidence.dropped:
        return ""
    first = evidence.dropped[0]
    more = f" and {len(evidence.dropped) - 1} more" if len(evidence.dropped) > 1 else ""
    source = f", `{first.source}`" if first.source else ""
    return (
        f"The baseline asks for data ahead of time in {first.function} ({first.where}{source}){more}; "
        "the candidate has no such prefetch."
    )


def _most_work(change: CountedChange) -> str:
    most = max(change.functions, key=lambda function: function.instructions, default=None)
    if most is None or most.instructions <= 0:
        return ""
    lines = sorted(most.lines, key=lambda line: -line.costs[0]) or sorted(
        (line for function in change.functions for line in function.lines), key=lambda line: -line.called
    )
    return f", most of them in {most.name}{f' ({_at(lines[0])})' if lines else ''}"


def _missing(change: CountedChange) -> str:
    return f" (most are at {_at(change.missing)})" if change.missing else ""


def _where(evidence: Evidence) -> str:
    if evidence.grown is not None:
        return f" in {evidence.grown.function} (samples grew at {evidence.grown.where})"
    return f" in {evidence.grown_function}" if evidence.grown_function else ""


def _at(line: LineCount) -> str:
    name = f"{line.file.rpartition('/')[2]}:{line.line}"
    return f"{name}, `{line.source}`" if line.source else name


def _pair(change: CountedChange | None, name: str) -> tuple[float, float] | None:
    figure: FigureChange | None = next((f for f in change.figures if f.name == name), None) if change else None
    if figure is None or figure.baseline is None or figure.candidate is None:
        return None
    return figure.baseline, figure.candidate


def _interval(change: Estimate) -> str:
    return f"{_percent(change.value)} ({_percent(change.low)} to {_percent(change.high)})"


def _percent(share: float) -> str:
    return f"{100 * share:+.1f} %"

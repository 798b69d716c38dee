"""Read the text of `perf script -F comm,tid,time,event,ip,sym,dso`.

A sample is a header line, its frames (leaf first, indented: address, symbol, object in brackets) and an empty line. A lost-event
record is a header line alone. Read line by line: a capture of seconds is hundreds of thousands of lines.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from dualmem_cli.profile.frames import normalise, split_place

_FRAME = re.compile(r"\s+([0-9a-f]+)(?: (.*))?$")
_TIME = re.compile(r"\s(\d+\.\d+):")
_LOST = re.compile(r": PERF_RECORD_(LOST(?:_SAMPLES)?)\s+lost (\d+)")


@dataclass(frozen=True, slots=True)
class Script:
    """Normalised stacks (root first) with counts, samples that perf lost, and the seconds from the first sample to the last."""

    stacks: tuple[tuple[tuple[str, ...], int], ...]
    lost: int
    seconds: float


def parse_script(lines: Iterable[str]) -> Script:
    """Fold the text of perf script. Each sample counts once; a sample without any frame is `[unknown]`."""
    stacks: Counter[tuple[str, ...]] = Counter()
    lost: Counter[str] = Counter()
    times: list[float] = []
    frames: list[str] | None = None
    for ended in lines:
        line = ended.rstrip("\n")
        found = _FRAME.match(line) if frames is not None else None
        if found and frames is not None:
            frames.append(_frame(found[2] or ""))
            continue
        if frames is not None:
            stacks[tuple(reversed(frames)) or ("[unknown]",)] += 1
            frames = None
        missed = _LOST.search(line)
        if missed:
            lost[missed[1]] += int(missed[2])
        elif line.strip() and not line.startswith("#"):
            frames = []
            at = _TIME.search(line)
            times += [float(at[1])] if at else []
    if frames is not None:
        stacks[tuple(reversed(frames)) or ("[unknown]",)] += 1
    # Newer kernels report the same loss twice, as it happens and as a total at the end: never add the two.
    return Script(tuple(stacks.items()), max(lost.values(), default=0), max(times) - min(times) if times else 0.0)


def _frame(text: str) -> str:
    name, place = split_place(text)
    return f"{name} (inlined)" if place == "inlined" else normalise(name, place)

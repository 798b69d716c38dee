"""Read the text of `perf script -F comm,tid,time,event,ip,sym,dso`.

An address of a frame of a program or library is one of its file (perf has taken the place off that it was mapped to).

A sample is a header line, its frames (leaf first, indented: address, symbol, object in brackets) and an empty line. A lost-event
record is a header line alone. Read line by line: a capture of seconds is hundreds of thousands of lines.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dualmem_cli.profile.frames import normalise, split_place

_FRAME = re.compile(r"\s+([0-9a-f]+)(?: (.*))?$")
_TIME = re.compile(r"\s(\d+\.\d+):")
_LOST = re.compile(r": PERF_RECORD_(LOST(?:_SAMPLES)?)\s+lost (\d+)")


@dataclass(frozen=True, slots=True)
class Script:
    """Normalised stacks (root first) with counts, samples that perf lost, and the seconds from the first sample to the last. `leaves`:
    the path of the object and the address in it where a stack ends, with counts; of a focus, only stacks that are inside of it."""

    stacks: tuple[tuple[tuple[str, ...], int], ...]
    lost: int
    seconds: float
    leaves: tuple[tuple[str, int, int], ...] = ()


def parse_script(lines: Iterable[str], *, focus: Sequence[str] = ()) -> Script:
    """Fold the text of perf script. Each sample counts once; a sample without any frame is `[unknown]`."""
    stacks: Counter[tuple[str, ...]] = Counter()
    leaves: dict[bool, Counter[tuple[str, int]]] = {False: Counter(), True: Counter()}
    leaf: tuple[str, int] | None = None
    wanted = frozenset(focus)

    def end(frames: list[str]) -> None:
        stacks[tuple(reversed(frames)) or ("[unknown]",)] += 1
        if leaf is not None:
            leaves[any(split_place(frame)[0] in wanted for frame in frames)][leaf] += 1

    lost: Counter[str] = Counter()
    times: list[float] = []
    frames: list[str] | None = None
    for ended in lines:
        line = ended.rstrip("\n")
        found = _FRAME.match(line) if frames is not None else None
        if found and frames is not None:
            if not frames:
                leaf = _position(found[1], found[2] or "")
            frames.append(_frame(found[2] or ""))
            continue
        if frames is not None:
            end(frames)
            frames = None
        missed = _LOST.search(line)
        if missed:
            lost[missed[1]] += int(missed[2])
        elif line.strip() and not line.startswith("#"):
            frames, leaf = [], None
            at = _TIME.search(line)
            times += [float(at[1])] if at else []
    if frames is not None:
        end(frames)
    kept = leaves[True] or leaves[False]  # as `fold`: where nothing is in focus, everything is
    # Newer kernels report the same loss twice, as it happens and as a total at the end: never add the two.
    return Script(
        tuple(stacks.items()),
        max(lost.values(), default=0),
        max(times) - min(times) if times else 0.0,
        tuple((path, address, count) for (path, address), count in sorted(kept.items())),
    )


def _position(address: str, text: str) -> tuple[str, int] | None:
    """Where in which file; None for the kernel and for what lies in no file."""
    path = split_place(text)[1].removesuffix(" (deleted)")
    return (path, int(address, 16)) if path.startswith("/") else None


def _frame(text: str) -> str:
    name, place = split_place(text)
    return f"{name} (inlined)" if place == "inlined" else normalise(name, place)

"""Read the text of `perf script -F comm,tid,time,event,ip,sym,dso`.

An address of a frame of a program or library is one of its file (perf has taken the place off that it was mapped to).

A sample is a header line, its frames (leaf first, indented: address, symbol, object in brackets) and an empty line. A lost-event
record is a header line alone. Read line by line: a capture of seconds is hundreds of thousands of lines.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample: when (None where it does not say), and its frames, leaf first, as address within the object and text."""

    at: float | None
    frames: tuple[tuple[int, str], ...]


def read_samples(lines: Iterable[str], lost: Counter[str]) -> Iterator[Sample]:
    """The samples in the text of perf script, one by one; how many perf says it lost is added to `lost`."""
    frames: list[tuple[int, str]] | None = None
    at: float | None = None
    for ended in lines:
        line = ended.rstrip("\n")
        found = _FRAME.match(line) if frames is not None else None
        if found and frames is not None:
            frames.append((int(found[1], 16), found[2] or ""))
            continue
        if frames is not None:
            yield Sample(at, tuple(frames))
            frames = None
        missed = _LOST.search(line)
        if missed:
            lost[missed[1]] += int(missed[2])
        elif line.strip() and not line.startswith("#"):
            frames = []
            time = _TIME.search(line)
            at = float(time[1]) if time else None
    if frames is not None:
        yield Sample(at, tuple(frames))


def parse_script(lines: Iterable[str], *, focus: Sequence[str] = ()) -> Script:
    """Fold the text of perf script. Each sample counts once; a sample without any frame is `[unknown]`."""
    stacks: Counter[tuple[str, ...]] = Counter()
    leaves: dict[bool, Counter[tuple[str, int]]] = {False: Counter(), True: Counter()}
    wanted = frozenset(focus)
    lost: Counter[str] = Counter()
    times: list[float] = []
    for sample in read_samples(lines, lost):
        frames = [_frame(text) for _, text in sample.frames]
        stacks[tuple(reversed(frames)) or ("[unknown]",)] += 1
        times += [sample.at] if sample.at is not None else []
        leaf = _position(*sample.frames[0]) if sample.frames else None
        if leaf is not None:
            leaves[any(split_place(frame)[0] in wanted for frame in frames)][leaf] += 1
    kept = leaves[True] or leaves[False]  # as `fold`: where nothing is in focus, everything is
    # Newer kernels report the same loss twice, as it happens and as a total at the end: never add the two.
    return Script(
        tuple(stacks.items()),
        max(lost.values(), default=0),
        max(times) - min(times) if times else 0.0,
        tuple((path, address, count) for (path, address), count in sorted(kept.items())),
    )


def _position(address: int, text: str) -> tuple[str, int] | None:
    """Where in which file; None for the kernel and for what lies in no file."""
    path = split_place(text)[1].removesuffix(" (deleted)")
    return (path, address) if path.startswith("/") else None


def _frame(text: str) -> str:
    name, place = split_place(text)
    return f"{name} (inlined)" if place == "inlined" else normalise(name, place)

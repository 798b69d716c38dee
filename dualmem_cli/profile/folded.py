"""Folded stacks: the one form between samplers and pictures, and its text.

The text is the format that every flame graph tool reads: one line per distinct stack, root first, frames joined by `;`, a space, the
count. Frame names may hold spaces (only the last one of a line separates). What would break a line is written as in a URL: `%`, `;`,
control characters, and spaces at either end of a name. The facts of the capture stand in a first line `# dualmem {...}`, which ends in
a brace so that other readers, who expect a number there, pass over it.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dualmem_cli.errors import DataError
from dualmem_cli.profile.frames import collapse, is_unknown, split_place
from dualmem_cli.profile.marked import Marked, together

Stack = tuple[str, ...]

_HEADER = "# dualmem "
_ESCAPED = re.compile(r"[%;\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]|\A\s|\s\Z")
_ESCAPE = re.compile(r"(?:%[0-9A-F]{2})+")


@dataclass(frozen=True, slots=True)
class Profile:
    """One capture. Stacks are root first and sorted; `samples` is the sum of their counts.

    `rate_*` in samples per second; `seconds` is how long samples were taken; `errors` are samples the engine lost or could not unwind;
    `outside` are samples of start-up that the target's focus left out; `unknown_share` is the share of unnamed frames among all frames of
    all kept samples, before grouping. `notes` are sentences a reader must know: a fallback, an invisible kernel.
    `unit` is what is counted: "samples", or what an engine counted exactly ("instructions"): rates are then 0, and shares have no interval.
    all kept samples, before grouping. `notes` are sentences a reader must know: a fallback, an invisible kernel. `design_effect`: as many
    samples tell as much as one independent sample would; 1 where one capture cannot tell how far captures scatter.
    `leaves` are the places where samples were taken, as far as the sampler tells them: path of the object, address in it, samples. No file
    keeps them: they are good for as long as the object is there.
    """

    title: str
    engine: str
    sampler: str  # the tool and its version
    event: str
    rate_asked: float
    rate_achieved: float
    samples: int
    errors: int
    outside: int
    unknown_share: float
    seconds: float
    stacks: tuple[tuple[Stack, int], ...]
    notes: tuple[str, ...] = ()
    unit: str = "samples"

    @property
    def exact(self) -> bool:
        """Whether the counts are of everything that happened rather than of samples of it."""
        return self.unit != "samples"

    design_effect: float = 1.0
    marked: Marked | None = None  # of the target's marked functions, where it has some; not kept in the folded text
    leaves: tuple[tuple[str, int, int], ...] = ()

    def line(self) -> str:
        """The line every capture prints: without these facts a flame graph cannot be trusted."""
        if self.exact:
            unknown = f"{self.unknown_share * 100:.1f} % unknown frames"
            return f"{self.sampler}: event {self.event}, {self.samples:,} {self.unit} counted, {unknown}"
        outside = f" (and {self.outside} of start-up left out)" if self.outside else ""
        return (
            f"{self.sampler}: event {self.event}, {self.rate_asked:.0f} samples/s asked, {self.rate_achieved:.0f} achieved, "
            f"{self.samples} samples{outside}, {self.errors} error{'' if self.errors == 1 else 's'}, "
            f"{self.unknown_share * 100:.1f} % unknown frames"
        )


@dataclass(frozen=True, slots=True)
class Fold:
    """What `fold` made of raw stacks; fields as in Profile. `focused` is whether the focus was found at all."""

    stacks: tuple[tuple[Stack, int], ...]
    samples: int
    outside: int
    unknown_share: float
    focused: bool


def half_width(share: float, samples: int) -> float:
    """Half the width of the 95 % interval of a share estimated from `samples` independent samples: 1.96 sqrt(p (1 - p) / n).

    The normal approximation: it reads 0 at p = 0 and p = 1, and is too narrow when n p or n (1 - p) is below about 5.
    """
    return 1.96 * math.sqrt(max(share * (1 - share), 0.0) / samples) if samples else 0.0


def fold(raw: Iterable[tuple[Sequence[str], int]], focus: Sequence[str]) -> Fold:
    """Merge normalised stacks (root first, with counts), starting each at its outermost focus frame.

    When no stack has a focus frame (the compiler may have inlined it) all are kept: a graph with start-up in it is better than none.
    """
    inside: Counter[Stack] = Counter()
    outside: Counter[Stack] = Counter()
    wanted = frozenset(focus)
    for frames, count in raw:
        at = next((i for i, frame in enumerate(frames) if split_place(frame)[0] in wanted), None) if wanted else 0
        if at is None:
            outside[tuple(frames)] += count
        else:
            inside[tuple(frames[at:])] += count
    focused = bool(wanted) and bool(inside)
    kept, left_out = (inside, outside.total()) if inside else (outside, 0)
    all_frames = sum(len(stack) * count for stack, count in kept.items())
    unknown = sum(sum(map(is_unknown, stack)) * count for stack, count in kept.items())
    merged: Counter[Stack] = Counter()
    for stack, count in kept.items():
        merged[collapse(stack)] += count
    return Fold(tuple(sorted(merged.items())), merged.total(), left_out, unknown / all_frames if all_frames else 0.0, focused)


def merge(profiles: Sequence[Profile]) -> Profile:
    """Add up captures of the same target by the same engine and event.

    Raises ValueError for none, or for captures whose samples mean different things.
    """
    if not profiles:
        raise ValueError("nothing to merge")
    first = profiles[0]
    if any((p.engine, p.event, p.title, p.unit) != (first.engine, first.event, first.title, first.unit) for p in profiles):
        raise ValueError("captures of different targets, engines or events cannot be added")
    stacks: Counter[Stack] = Counter()
    for profile in profiles:
        stacks.update(dict(profile.stacks))
    leaves: Counter[tuple[str, int]] = Counter()
    for path, address, count in (leaf for profile in profiles for leaf in profile.leaves):
        leaves[path, address] += count
    weights = [sum(len(stack) * count for stack, count in p.stacks) for p in profiles]
    seconds = sum(p.seconds for p in profiles)
    taken = sum(p.rate_achieved * p.seconds for p in profiles)
    return Profile(
        title=first.title,
        engine=first.engine,
        sampler=first.sampler,
        event=first.event,
        rate_asked=max(p.rate_asked for p in profiles),
        rate_achieved=taken / seconds if seconds else 0.0,
        samples=stacks.total(),
        errors=sum(p.errors for p in profiles),
        outside=sum(p.outside for p in profiles),
        unknown_share=sum(p.unknown_share * w for p, w in zip(profiles, weights, strict=True)) / max(sum(weights), 1),
        seconds=seconds,
        stacks=tuple(sorted(stacks.items())),
        notes=tuple(dict.fromkeys(note for p in profiles for note in p.notes)),
        unit=first.unit,
        marked=_merged(profiles),
        leaves=tuple((path, address, count) for (path, address), count in sorted(leaves.items())),
    )


def _merged(profiles: Sequence[Profile]) -> Marked | None:
    """None where one capture does not know it: a share of the rest would pass for that of all."""
    found = [profile.marked for profile in profiles if profile.marked is not None]
    return together(found) if len(found) == len(profiles) else None


def write_folded(profile: Profile) -> str:
    """Write a profile as folded text, facts first."""
    facts = asdict(profile)
    del facts["stacks"], facts["marked"], facts["leaves"]
    lines = [_HEADER + json.dumps(facts, ensure_ascii=True)]
    lines += [f"{write_stack(stack)} {count}" for stack, count in profile.stacks]
    return "\n".join(lines) + "\n"


def write_stack(stack: Stack) -> str:
    """The frames of one line, root first."""
    return ";".join(_escape(frame) for frame in stack)


def read_folded(text: str, *, source: str) -> Profile:
    """Read what `write_folded` wrote. `source` names the text in errors (DataError)."""
    lines = text.split("\n")
    if not lines[0].startswith(_HEADER):
        raise DataError(f"{source}:1: no capture facts", hint="Only folded files written by dualmem profile can be read back.")
    try:
        facts: dict[str, Any] = json.loads(lines[0].removeprefix(_HEADER))
        stacks = tuple(_read_line(line, f"{source}:{i}") for i, line in enumerate(lines[1:], 2) if line)
        return Profile(**{**facts, "notes": tuple(facts["notes"]), "stacks": stacks})
    except (TypeError, KeyError, ValueError) as error:
        raise DataError(f"{source}: damaged ({error})", hint="Capture again: dualmem profile.") from None


def _read_line(line: str, where: str) -> tuple[Stack, int]:
    names, _, count = line.rpartition(" ")
    if not names or not count.isascii() or not count.isdigit():
        raise DataError(f"{where}: not a folded stack", hint="Each line is frames joined by ';', a space and a count.")
    return tuple(_unescape(name) for name in names.split(";")), int(count)


def _escape(name: str) -> str:
    return _ESCAPED.sub(lambda found: "".join(f"%{byte:02X}" for byte in found.group().encode("utf-8", "surrogatepass")), name)


def _unescape(name: str) -> str:
    return _ESCAPE.sub(lambda found: bytes.fromhex(found.group().replace("%", "")).decode("utf-8", "surrogatepass"), name)

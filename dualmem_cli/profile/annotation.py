"""The hottest source lines and instructions: where in a function the samples lie.

A sample's address is where the processor would have gone on: the instruction that it waited for stands there, or just before.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dualmem_cli.errors import DualmemError
from dualmem_cli.profile.assembly import Instruction, Symbol, disassemble, functions_of
from dualmem_cli.profile.counts import source_line
from dualmem_cli.profile.folded import Profile
from dualmem_cli.profile.frames import normalise, split_place

MOST_FUNCTIONS = 6
_HOT = 0.01  # of all samples


@dataclass(frozen=True, slots=True)
class SampledInstruction:
    """An instruction with its samples. `file` is "" where debug information does not know it; `function` is what its line is a part of,
    which may have been inlined."""

    address: int
    text: str
    file: str
    line: int
    function: str
    samples: int


@dataclass(frozen=True, slots=True)
class AnnotatedFunction:
    """A function of one object, instruction by instruction; `samples` are all that lie in it."""

    name: str
    place: str
    samples: int
    instructions: tuple[SampledInstruction, ...]


@dataclass(frozen=True, slots=True)
class HotLine:
    """A source line with the samples of its instructions: `function` is what it is a part of, inlined or not. `source` is None where the
    file is not here."""

    function: str
    file: str
    line: int
    source: str | None
    samples: int

    @property
    def where(self) -> str:
        """Basename and line: 'fan.c:12'."""
        return f"{self.file.rpartition('/')[2]}:{self.line}"


@dataclass(frozen=True, slots=True)
class Annotation:
    """`functions` and `lines` hottest first, of `samples` in all; `prefetches`: the lines of these functions that ask for data ahead of
    time. `notes` say what is missing and how to get it."""

    samples: int
    functions: tuple[AnnotatedFunction, ...]
    lines: tuple[HotLine, ...]
    prefetches: tuple[HotLine, ...]
    notes: tuple[str, ...]

    def document(self, *, lines: int) -> dict[str, Any]:
        """As a JSON document, with the hottest lines."""
        return {**asdict(self), "lines": [asdict(line) for line in self.lines[:lines]]}


def annotate(profile: Profile, sources: Sequence[Path], *, also: Collection[str] = ()) -> Annotation:
    """Disassemble the functions that have most samples, and those called `also`. Never raises for what is missing: a note says it."""
    notes: list[str] = []
    if not profile.leaves:
        return Annotation(profile.samples, (), (), (), (f"{profile.engine} tells no addresses",))
    found: list[tuple[str, str, int, tuple[SampledInstruction, ...]]] = []
    try:
        for path in dict.fromkeys(path for path, _, _ in profile.leaves):
            addresses = Counter({address: count for known, address, count in profile.leaves if known == path})
            if Path(path).is_file() and addresses.total() >= _HOT * profile.samples:
                found += _of_object(Path(path), addresses, least=_HOT * profile.samples, also=also)
    except DualmemError as error:
        notes.append(str(error))
    found.sort(key=lambda entry: (-entry[2], entry[0]))
    kept = [entry for at, entry in enumerate(found) if at < MOST_FUNCTIONS or entry[0] in also]
    functions = tuple(AnnotatedFunction(*entry) for entry in kept)
    cache: dict[str, list[str] | None] = {}
    lines, prefetches = _lines(functions, sources, cache)
    if functions and not lines:
        notes.append("no source lines: the library has no debug information. Remedy: build with -g")
    missing = sorted({line.file.rpartition("/")[2] for line in lines if line.source is None})
    if missing:
        notes.append(f"without source text, since it is not here: {', '.join(missing[:4])}{' ...' if len(missing) > 4 else ''}")
    return Annotation(profile.samples, functions, lines, prefetches, tuple(notes))


def _of_object(
    path: Path, addresses: Counter[int], *, least: float, also: Collection[str]
) -> list[tuple[str, str, int, tuple[SampledInstruction, ...]]]:
    found = []
    for symbol in functions_of(path):
        samples = sum(count for address, count in addresses.items() if symbol.begin <= address < symbol.end)
        name = split_place(normalise(symbol.name, path.name))[0]
        if samples >= max(least, 1) or name in also:
            found.append((name, path.name, samples, sampled(disassemble(path, symbol), addresses, symbol)))
    return found


def sampled(instructions: Sequence[Instruction], addresses: Counter[int], symbol: Symbol) -> tuple[SampledInstruction, ...]:
    """Put the samples of a function to its instructions. An address inside of one belongs to it."""
    counts: Counter[int] = Counter()
    begins = [instruction.address for instruction in instructions]
    for address, count in addresses.items():
        if symbol.begin <= address < symbol.end:
            at = max((begin for begin in begins if begin <= address), default=None)
            if at is not None:
                counts[at] += count
    return tuple(
        SampledInstruction(
            each.address, each.text, each.file, each.line, split_place(normalise(each.function, "x"))[0], counts[each.address]
        )
        for each in instructions
    )


def _lines(
    functions: Sequence[AnnotatedFunction], sources: Sequence[Path], cache: dict[str, list[str] | None]
) -> tuple[tuple[HotLine, ...], tuple[HotLine, ...]]:
    samples: Counter[tuple[str, str, int]] = Counter()
    ahead: Counter[tuple[str, str, int]] = Counter()
    for function in functions:
        for instruction in function.instructions:
            if instruction.file:
                key = (instruction.function or function.name, instruction.file, instruction.line)
                samples[key] += instruction.samples
                if instruction.text.startswith(("prefetch", "prfm")):
                    ahead[key] += 1

    def line(key: tuple[str, str, int], count: int) -> HotLine:
        text = source_line(key[1], key[2], sources, cache)
        return HotLine(*key, None if text is None else text.strip(), count)

    hot = sorted((key for key, count in samples.items() if count), key=lambda key: (-samples[key], key))
    return tuple(line(key, samples[key]) for key in hot), tuple(line(key, samples[key]) for key in sorted(ahead))

"""Marked functions in perf's samples, inlined ones included, by the address of every frame."""

from collections import Counter
from collections.abc import Iterable, Sequence

from dualmem_cli.profile.engines.engine import refuse
from dualmem_cli.profile.engines.inlined import inline_chains, outermost, segments
from dualmem_cli.profile.engines.perf_script import read_samples
from dualmem_cli.profile.frames import normalise, split_place
from dualmem_cli.profile.marked import Marked, marked_of
from dualmem_cli.profile.target import Marking


def marked_in_script(lines: Iterable[str], marking: Marking, focus: Sequence[str]) -> Marked:
    """The marked functions of the samples inside of the focus (as in `fold`). perf gives addresses as offsets in the object's file; one
    that tells absolute addresses is refused, or nothing would be found and nothing said."""
    place = str(marking.mapped)
    mapped = segments(marking.mapped)
    stacks: list[tuple[int, ...]] = []
    for sample in read_samples(lines, Counter()):
        names = [split_place(text) for _, text in sample.frames]
        if focus and not any(normalise(name, "") in focus for name, _ in names):
            continue
        stacks.append(
            tuple(_address(at, mapped) for (at, _), (_, where) in zip(sample.frames, names, strict=True) if where == place)
        )
    addresses = {address for stack in stacks for address in stack}
    if not addresses:
        raise refuse(f"no sample lies in {marking.mapped.name}", "Sample for longer, or at a higher rate.")
    if min(addresses) < 0:
        raise refuse("this perf does not tell where in an object a sample lies", "Use perf 5.1 or newer, or --with callgrind.")
    chains = inline_chains(marking.symbols, addresses)
    marks = {address: outermost(chain, marking.patterns) for address, chain in chains.items()}
    return marked_of([_first_mark(stack, marks) for stack in stacks])


def _first_mark(stack: Sequence[int], marks: dict[int, str]) -> str:
    return next((marks[address] for address in reversed(stack) if marks.get(address)), "")


def _address(offset: int, mapped: Sequence[tuple[int, int, int]]) -> int:
    """The address that an offset in the file has, as debug information knows it; -1 where it is in nothing that is mapped."""
    return next((offset - start + address for start, length, address in mapped if start <= offset < start + length), -1)

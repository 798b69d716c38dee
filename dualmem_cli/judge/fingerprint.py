"""Two machines, or two builds, field by field: in what they differ, and in nothing else. Pure; the words are the report's."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from dualmem_cli.model.kernel import Library
from dualmem_cli.model.machine import Machine
from dualmem_cli.model.units import human

# The kernel reserves a little more or less memory at each boot.
_SAME_MEMORY = 0.01


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that differs, as text; "" where it is not known."""

    name: str
    before: str
    after: str


def machine_changes(before: Machine, after: Machine) -> tuple[FieldChange, ...]:
    """The fields in which two machines differ, in the order of the fingerprint. A fact that is known on one side only is a difference; one
    that is known on neither is none."""
    changes = []
    for field in fields(Machine):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if field.name == "memory_bytes" and abs(new - old) <= _SAME_MEMORY * max(old, new):
            continue
        if field.name == "numa_nodes" and not (old and new):
            continue  # a record from before it was kept is not of another machine
        if old != new:
            changes.append(
                FieldChange(field.name.removesuffix("_bytes").replace("_", " "), _text(field.name, old), _text(field.name, new))
            )
    return tuple(changes)


def place_of(machine: Machine, known: Sequence[Machine]) -> int:
    """The index of the machine among those that are known; their number when it is a new one."""
    return next((index for index, other in enumerate(known) if not machine_changes(other, machine)), len(known))


def toolchain_changes(before: Library, after: Library) -> tuple[FieldChange, ...]:
    """In what two builds were compiled differently, as far as both say how they were."""
    pairs = (("compiler", before.compiler, after.compiler), ("flags", before.flags, after.flags))
    return tuple(FieldChange(name, old, new) for name, old, new in pairs if old and new and old != new)


def _text(name: str, value: object) -> str:
    if name == "memory_bytes" and isinstance(value, int):
        return human(value, "B")
    if name == "caches" and isinstance(value, tuple):
        return ", ".join(f"{cache} {human(size, 'B')}" for cache, size in value)
    return " ".join(value) if isinstance(value, tuple) else str(value)

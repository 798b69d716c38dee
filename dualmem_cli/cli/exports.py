"""--export FORMAT=FILE: further formats of a finished run, each in its file. What is wrong with the wish is said before anything is
measured; what cannot be written is said at the end, and costs nothing that was measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dualmem_cli.cli.streams import printed
from dualmem_cli.errors import DualmemError
from dualmem_cli.model.record import Record
from dualmem_cli.plan.spelling import did_you_mean
from dualmem_cli.report import COMPARE_ONLY, RENDERERS, ReportContext

STDOUT = "-"


@dataclass(frozen=True, slots=True)
class Export:
    """A format and where it goes; STDOUT is stdout, after the table."""

    format_: str
    target: str


def parse_exports(wishes: Sequence[str] | None, *, kind: str) -> tuple[Export, ...]:
    """The exports of a run of `kind` ("bench", "compare"). Raises DualmemError for a format that is not known or that the kind cannot have,
    and for two that would overwrite each other."""
    found: list[Export] = []
    for wish in wishes or ():
        format_, equals, target = wish.partition("=")
        if not equals or not target:
            raise DualmemError(f'--export "{wish}" names no file', hint="Write FORMAT=FILE, such as junit=dualmem.xml.")
        check_format(format_, kind=kind)
        if target != STDOUT and any(export.target == target for export in found):
            raise DualmemError(f"two exports go to {target}", hint="Give each a file of its own.")
        found.append(Export(format_, target))
    return tuple(found)


def check_format(format_: str, *, kind: str) -> None:
    """Raises DualmemError for a format that is not known, or that a record of `kind` cannot have."""
    if format_ not in RENDERERS:
        raise DualmemError(f'"{format_}" is not a format; {did_you_mean(format_, RENDERERS)}')
    if format_ in COMPARE_ONLY and kind == "bench":
        other = format_.removesuffix("-baseline")
        raise DualmemError(f'a bench has no baseline that "{format_}" could show', hint=f'Its own numbers are "{other}".')


def write_exports(record: Record, context: ReportContext, exports: Sequence[Export]) -> tuple[str, ...]:
    """Write every export that can be written. Returns one line for each that could not."""
    return tuple(problem for export in exports if (problem := _write(record, context, export)))


def _write(record: Record, context: ReportContext, export: Export) -> str:
    try:
        text = RENDERERS[export.format_](record, context)
        if export.target == STDOUT:
            printed(lambda: print(text, end=""))
        else:
            Path(export.target).write_text(text, encoding="utf-8")
    except DualmemError as error:
        return f"{export.format_}: {error.what}"
    except OSError as error:
        return f"{export.target}: {error.strerror}"
    return ""

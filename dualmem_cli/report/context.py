"""What a renderer has to be told because no record knows it: where the files are, how the run ends, and drawings that others made."""

from collections.abc import Mapping
from dataclasses import dataclass

from dualmem_cli.errors import ExitStatus


@dataclass(frozen=True, slots=True)
class FlameGraphs:
    """Pages to embed, by case, and what their policy calls the script that they share."""

    pages: Mapping[str, str]
    script: str


@dataclass(frozen=True, slots=True)
class ReportContext:
    """`record_path` and `page_path` as they are to be shown ("" for a file that was not written); `next_command` "" for none;
    `flame_graphs` of explained cases, for dialects that can hold them."""

    record_path: str
    page_path: str
    exit_status: ExitStatus
    next_command: str
    flame_graphs: FlameGraphs | None = None

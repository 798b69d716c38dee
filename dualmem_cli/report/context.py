"""What a renderer has to be told because no record knows it: where the files are and how the run ends."""

from dataclasses import dataclass

from dualmem_cli.errors import ExitStatus
from dualmem_cli.report.explanation import Explanation


@dataclass(frozen=True, slots=True)
class ReportContext:
    """`record_path` and `page_path` as they are to be shown ("" for a file that was not written); `next_command` "" for none;
    `explanations` of regressed cases, where they were looked for."""

    record_path: str
    page_path: str
    exit_status: ExitStatus
    next_command: str
    explanations: tuple[Explanation, ...] = ()

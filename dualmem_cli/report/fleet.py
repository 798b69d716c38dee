"""The one JSON document of a run on a fleet: the summary of each machine's record, what nobody measured, and how it ends."""

import json
from collections.abc import Sequence

from dualmem_cli.errors import ExitStatus
from dualmem_cli.model.record import Record
from dualmem_cli.report import summary
from dualmem_cli.report.context import ReportContext

FLEET_SUMMARY_VERSION = 1


def render(
    machines: Sequence[tuple[str, Record, ReportContext]], unmeasured: Sequence[tuple[str, str]], *, status: ExitStatus
) -> str:
    """ASCII only. `unmeasured` names each scenario or compare that was not done, and why."""
    document = {
        "schema": FLEET_SUMMARY_VERSION,
        "exit": {"status": status.value, "name": status.name.lower().replace("_", " ")},
        "machines": [{"name": name, "summary": summary.summary(record, context)} for name, record, context in machines],
        "unmeasured": [{"what": what, "why": why} for what, why in unmeasured],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def json_schema() -> dict[str, object]:
    """The schema of this document, with that of a summary inside."""
    inner = summary.json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dualmem fleet summary",
        "type": "object",
        "additionalProperties": False,
        "required": ["schema", "exit", "machines", "unmeasured"],
        "properties": {
            "schema": {"const": FLEET_SUMMARY_VERSION},
            "exit": _object(status={"type": "integer"}, name={"type": "string"}),
            "machines": {"type": "array", "items": _object(name={"type": "string"}, summary={"$ref": inner["$id"]})},
            "unmeasured": {"type": "array", "items": _object(what={"type": "string"}, why={"type": "string"})},
        },
        "$defs": {"summary": inner},
    }


def _object(**properties: object) -> dict[str, object]:
    return {"type": "object", "additionalProperties": False, "required": list(properties), "properties": properties}

"""Records of self-tests as JSON files. The raw samples are a file of their own beside them, named in `raw`."""

from pathlib import Path
from typing import Any

from dualmem_cli.model.record import Record
from dualmem_cli.model.selftest import SELFTEST_SCHEMA, SelftestRecord
from dualmem_cli.store.documents import Document, parsed, read
from dualmem_cli.store.records import RECORD

SELFTEST = Document(
    model=SelftestRecord,
    version=SELFTEST_SCHEMA,
    noun="self-test record",
    title="dualmem self-test record",
    unbounded=(("Trial", ("change", "low", "high")),),
)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of self-test records."""
    return SELFTEST.json_schema()


def save(record: SelftestRecord, path: Path) -> None:
    """Write the record so that `path` always holds a whole one. Raises RecordError."""
    SELFTEST.save(record, path)


def load(path: Path) -> SelftestRecord:
    """Read a self-test record. Raises RecordError."""
    return SELFTEST.load(path)


def load_either(path: Path) -> Record | SelftestRecord:
    """Read a record of any kind: what `dualmem report` is given. Raises RecordError."""
    text = read(path)
    if parsed(text, path=str(path)).get("kind") == "selftest":
        return SELFTEST.from_json(text, path=str(path))
    return RECORD.from_json(text, path=str(path))

"""Records of self-tests as JSON files."""

from pathlib import Path

from dualmem_cli.model.selftest import SelftestRecord
from dualmem_cli.store.records import write_atomically


def save(record: SelftestRecord, path: Path) -> None:
    """Write the record whole. Raises RecordError."""
    from pydantic import TypeAdapter

    write_atomically(path, TypeAdapter(SelftestRecord).dump_json(record))

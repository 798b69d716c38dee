"""Records as JSON files, and where they are kept."""

import contextlib
import re
from pathlib import Path
from typing import Any

from dualmem_cli.errors import RecordError
from dualmem_cli.model.record import SCHEMA_VERSION, Record
from dualmem_cli.store.documents import Document, write_atomically

__all__ = ["RECORD", "from_json", "json_schema", "latest", "load", "new_path", "save", "to_json", "write_atomically"]

RECORD = Document(
    model=Record,
    version=SCHEMA_VERSION,
    noun="record",
    title="dualmem record",
    unbounded=(("Estimate", ("value", "low", "high")),),
)


def to_json(record: Record) -> bytes:
    """One JSON document, samples included."""
    return RECORD.to_json(record)


def from_json(text: bytes, *, path: str) -> Record:
    """The record in `text`. Raises RecordError that says whether it is damaged, foreign or from another version."""
    return RECORD.from_json(text, path=path)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of record files."""
    return RECORD.json_schema()


def save(record: Record, path: Path) -> None:
    """Write the record so that `path` always holds a whole one, also when the machine stops or the disk fills. Raises RecordError."""
    RECORD.save(record, path)


def load(path: Path) -> Record:
    """Read a record file. Raises RecordError."""
    return RECORD.load(path)


def new_path(folder: Path, *, created: str, kind: str) -> Path:
    """A path for a new record that no other run uses: the empty file is made here, exclusively."""
    stamp = created[:19].replace(":", "-")
    for attempt in range(1000):
        path = folder / (f"{stamp}-{kind}.json" if attempt == 0 else f"{stamp}-{kind}-{attempt}.json")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.open("x").close()
        except FileExistsError:
            continue
        except OSError as error:
            raise RecordError(f"{path}: {error.strerror}", hint="Choose another folder with --reports.") from None
        return path
    raise RecordError(f"{folder}: a thousand records of {stamp}", hint="Clean it up.")


def latest(folder: Path, *, kind: str) -> Path | None:
    """The newest record of that kind in `folder`, by name: the time, the kind, and a number where two were made in one second. Empty
    files of runs that were killed before their first save are passed over."""
    named = re.compile(rf"\d{{4}}-\d\d-\d\dT\d\d-\d\d-\d\d-{kind}(-\d+)?\.json")
    paths = [path for path in folder.glob(f"*-{kind}*.json") if named.fullmatch(path.name) and path.stat().st_size > 0]
    return max(paths, default=None, key=lambda path: (path.name[:19], path.stat().st_mtime_ns))


def of_pair(folder: Path, *, digests: tuple[str, str], most: int) -> tuple[tuple[Path, Record], ...]:
    """Earlier compares of two builds, in this order, among the newest `most` records of `folder`; the newest first. What cannot be read is
    passed over: it is not asked for by name."""
    named = sorted(folder.glob("*-compare*.json"), key=lambda path: path.name, reverse=True)[:most]
    found = []
    for path in named:
        with contextlib.suppress(OSError, RecordError):
            text = path.read_bytes()
            if all(digest.encode() in text for digest in digests):  # reading a record whole costs a hundred times as much
                record = RECORD.from_json(text, path=str(path))
                if tuple(build.digest for build in record.builds) == digests:
                    found.append((path, record))
    return tuple(found)

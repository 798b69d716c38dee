"""Records as JSON files. The JSON Schema is made from the model, so file and code cannot disagree."""

import contextlib
import json
import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualmem_cli.errors import RecordError
from dualmem_cli.model.record import SCHEMA_VERSION, Record

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@cache
def _adapter() -> "TypeAdapter[Record]":
    from pydantic import TypeAdapter

    return TypeAdapter(Record)


def to_json(record: Record) -> bytes:
    """One JSON document, samples included. Infinities and NaN are written as null-free strings, so that nothing is lost."""
    return _adapter().dump_json(record)


def from_json(text: bytes, *, path: str) -> Record:
    """The record in `text`. Raises RecordError that says whether it is damaged, foreign or from another version."""
    from pydantic import ValidationError

    try:
        raw = json.loads(text)
    except ValueError:
        raise RecordError(f"{path}: not JSON", hint="The file is damaged or is not a record.") from None
    version = raw.get("schema") if isinstance(raw, dict) else None
    if version != SCHEMA_VERSION:
        found = f"schema {version}" if isinstance(version, int) else "no schema number"
        raise RecordError(f"{path}: {found}; this dualmem reads records of schema {SCHEMA_VERSION}")
    try:
        return _adapter().validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecordError(f"{path}: {where}: {first['msg']}", hint="The record was damaged or edited.") from None


def json_schema() -> dict[str, Any]:
    """The JSON Schema of record files."""
    schema = _adapter().json_schema()
    for bound in ("value", "low", "high"):  # pydantic writes infinities as text and does not say so in the schema
        schema["$defs"]["Estimate"]["properties"][bound] = {
            "anyOf": [{"type": "number"}, {"enum": ["Infinity", "-Infinity", "NaN"]}]
        }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "dualmem record"}


def save(record: Record, path: Path) -> None:
    """Write the record so that `path` always holds a whole one, also when the machine stops or the disk fills. Raises RecordError."""
    write_atomically(path, to_json(record))


def load(path: Path) -> Record:
    """Read a record file. Raises RecordError."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}", hint="Give the path of a record, such as reports/*.json.") from None
    return from_json(text, path=str(path))


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


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary file beside `path`, flush it to the disk, rename it into place."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise RecordError(f"{path}: {error.strerror}", hint="Make room or choose another folder with --reports.") from None

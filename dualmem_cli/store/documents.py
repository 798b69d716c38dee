"""Documents as JSON files: a noun of the model, its JSON Schema made from it, so that file and code cannot disagree. Written so that
a path always holds a whole one.
"""

import contextlib
import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dualmem_cli.errors import RecordError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")
_NUMBER = {"anyOf": [{"type": "number"}, {"enum": ["Infinity", "-Infinity", "NaN"]}]}


@dataclass(frozen=True)  # without slots: the adapter is made once, and only where a file is read or written
class Document(Generic[T]):
    """One kind of file. `noun` names it in messages ("record"), `title` in its schema; `unbounded` says which numbers may be infinite:
    pydantic writes those as text and does not say so in the schema."""

    model: type[T]
    version: int
    noun: str
    title: str
    unbounded: tuple[tuple[str, tuple[str, ...]], ...]

    @cached_property
    def _adapter(self) -> "TypeAdapter[T]":
        from pydantic import TypeAdapter

        return TypeAdapter(self.model)

    def to_json(self, value: T) -> bytes:
        """One JSON document. Infinities and NaN are written as strings, so that nothing is lost."""
        return self._adapter.dump_json(value)

    def from_json(self, text: bytes, *, path: str) -> T:
        """The noun in `text`. Raises RecordError that says whether it is damaged, foreign or from another version."""
        from pydantic import ValidationError

        version = parsed(text, path=path).get("schema")
        if version != self.version:
            found = f"schema {version}" if isinstance(version, int) else "no schema number"
            raise RecordError(f"{path}: {found}; this dualmem reads {self.noun}s of schema {self.version}")
        try:
            return self._adapter.validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            if where == "kind" and first["type"] == "literal_error":
                raise RecordError(
                    f'{path}: a file of kind "{first["input"]}", where a {self.noun} is wanted',
                    hint=f"Give one of kind {first['ctx']['expected']}.",
                ) from None
            raise RecordError(f"{path}: {where}: {first['msg']}", hint=f"The {self.noun} was damaged or edited.") from None

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of such files."""
        schema = self._adapter.json_schema()
        for noun, names in self.unbounded:
            for name in names:
                schema["$defs"][noun]["properties"][name] = _NUMBER
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": self.title}

    def save(self, value: T, path: Path) -> None:
        """Write it so that `path` always holds a whole one, also when the machine stops or the disk fills. Raises RecordError."""
        write_atomically(path, self.to_json(value))

    def load(self, path: Path) -> T:
        """Read such a file. Raises RecordError."""
        return self.from_json(read(path), path=str(path))


def read(path: Path) -> bytes:
    """The bytes of a file that should be a document. Raises RecordError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}", hint="Give the path of a record, such as reports/*.json.") from None


def parsed(text: bytes, *, path: str) -> dict[str, Any]:
    """The JSON object in `text`, empty where it is JSON of another sort. Raises RecordError where it is none."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):  # of a hundred thousand brackets
        raise RecordError(f"{path}: not JSON", hint="The file is damaged or is not a record.") from None
    return raw if isinstance(raw, dict) else {}


def write_atomically(path: Path, content: bytes, *, hint: str = "Make room or choose another folder with --reports.") -> None:
    """Write to a temporary file beside `path`, flush it to the disk, rename it into place. Raises RecordError with this hint. What is no
    file (/dev/stdout, a pipe) is written to: root would put a file in its place."""
    target = Path(os.path.realpath(path))
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}", hint=hint) from None
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)  # Ctrl-C leaves none either

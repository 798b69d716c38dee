"""Tables of TOML files, validated, and every mistake in one worded as file, line, key and the nearest valid key."""

import re
import tomllib
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from dualmem_cli.errors import ScenarioError
from dualmem_cli.plan.spelling import did_you_mean


class Table(BaseModel):
    """What every table has in common."""

    # Strict: TOML has types, and "60" or true where a number belongs is a mistake. A NaN would pass every comparison with a limit.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


T = TypeVar("T", bound=Table)


class BadKeyError(Exception):
    """Carries one mistake out of a nested table: where, what kind, message, valid keys."""


def read_toml(text: str, *, path: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises ScenarioError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path}:{_with_line(str(error), text)}", hint="Mend the TOML syntax there.") from None


def read_table(model: type[T], raw: dict[str, Any], *, text: str, path: str) -> T:
    """The whole file as `model`. Raises ScenarioError for its first mistake."""
    try:
        return model.model_validate(raw)
    except BadKeyError as error:
        location, kind, message, known = error.args
    except ValidationError as error:
        first = _first(error)
        location, kind, message = first["loc"], first["type"], first["msg"]
        known = _known_keys(model, location)
    raise _scenario_error(text, path, location, kind, message, known) from None


def titled_schema(model: type[Table], title: str) -> dict[str, Any]:
    """The JSON Schema of files that are such a table."""
    return {**model.model_json_schema(), "$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}


def nested(table: type[T], raw: dict[str, Any], *, key: str) -> T:
    """The table under `key` as the one kind that it is, so that an error names this kind's keys."""
    try:
        return table.model_validate(raw)
    except ValidationError as error:
        first = _first(error)
        raise BadKeyError((key, *first["loc"]), first["type"], first["msg"], tuple(table.model_fields)) from None


def located(text: str, path: str, keys: tuple[str, ...], message: str) -> ScenarioError:
    """A mistake that only what is known beyond the table could show, at the line of its key."""
    table = f"[{keys[0]}] " if len(keys) > 1 else ""
    return ScenarioError(f'{path}:{line_of(text, keys)}: {table}"{keys[-1]}": {message}')


def line_of(text: str, keys: tuple[str, ...]) -> int:
    """The line on which a key stands, as far as it can be found in the text: else that of the innermost table around it, else 1. Tables may
    be written as [headers] or inline, key = { ... }."""
    wanted = ".".join(keys)
    found, longest, table = 1, 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+\s*([\w.\-]+)\s*\]+", line)
        assignment = re.match(r"\s*[\"']?([\w.\-]+)[\"']?\s*=", line)
        if header:
            here = table = header[1]
        elif assignment:
            here = f"{table}.{assignment[1]}" if table else assignment[1]
        else:
            continue
        if len(here) > longest and f"{wanted}.".startswith(f"{here}."):
            found, longest = number, len(here)
    return found


def _first(error: ValidationError) -> Any:
    """The mistake to name: a key that does not exist before one that is missing, which is often the same one misspelt."""
    mistakes = error.errors()
    telling = ("extra_forbidden", "too_short", "finite_number")  # before "not a number", which an empty list is not either
    return next((mistake for mistake in mistakes if mistake["type"] in telling), mistakes[0])


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[str, ...]:
    """The valid keys of the table in which `location` lies."""
    for part in location[:-1]:
        field = model.model_fields.get(str(part))
        model = (_table_in(field.annotation) if field else None) or model  # the name of an entry leads no further
    return tuple(model.model_fields)


def _table_in(annotation: Any) -> type[BaseModel] | None:
    """The table that a field holds, itself or as the values of its entries."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((table for inner in get_args(annotation) if (table := _table_in(inner))), None)


def _scenario_error(
    text: str, path: str, location: tuple[int | str, ...], kind: str, message: str, known: tuple[str, ...]
) -> ScenarioError:
    keys = tuple(str(part) for part in location if not isinstance(part, int) and part not in ("float", "list[float]"))
    where = f"{path}:{line_of(text, keys)}: "
    table = f"[{keys[0]}] " if len(keys) > 1 else ""
    key = keys[-1] if keys else "scenario"
    match kind:
        case "extra_forbidden":
            return ScenarioError(f'{where}{table}"{key}" is not a key here; {did_you_mean(key, known)}')
        case "missing":
            return ScenarioError(f'{where}{table}"{key}" is missing', hint="Every scenario needs it; see `dualmem schema`.")
        case _:
            return ScenarioError(f'{where}{table}"{key}": {message[0].lower()}{message[1:]}')


def _with_line(message: str, text: str) -> str:
    """The parser's "... (at line 3, column 4)" as "3: ...", like every other message."""
    match = re.search(r"\(at line (\d+), column \d+\)", message)
    line, said = (int(match[1]), message[: match.start()]) if match else (len(text.splitlines()) or 1, message)
    return f"{line}: {said.strip()}"

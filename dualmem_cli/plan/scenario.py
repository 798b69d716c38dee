"""Scenario files: TOML text in, a validated Scenario out, every mistake named with file, line, key and the nearest valid key."""

import hashlib
import re
import tomllib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from dualmem_cli.errors import ScenarioError
from dualmem_cli.model.machine import ISA_LEVELS
from dualmem_cli.model.scenario import (
    Budget,
    ClusteredData,
    Data,
    FileData,
    Gate,
    GaussianData,
    Measure,
    Mode,
    Needs,
    ProfileLimits,
    Reference,
    Scenario,
)
from dualmem_cli.plan.limits import parse_limit, parse_most, parse_size
from dualmem_cli.plan.spelling import did_you_mean

_Fraction = Annotated[float, Field(gt=0, lt=10)]
_Name = Annotated[str, Field(min_length=1)]


class _Table(BaseModel):
    # Strict: TOML has types, and "60" or true where a number belongs is a mistake. A NaN would pass every comparison with a limit.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class GaussianTable(_Table):
    """[data] that is generated without any structure."""

    synthetic: Literal["gaussian"]
    rows: int = Field(ge=1, le=100_000_000)
    queries: int = Field(default=200, ge=1, le=1_000_000)
    dim: int = Field(default=768, ge=1, le=4096)
    seed: int = Field(default=1, ge=0)


class ClusteredTable(_Table):
    """[data] that is generated in clusters, and checked against what it promises."""

    synthetic: Literal["clustered"]
    rows: int = Field(ge=1, le=100_000_000)
    queries: int = Field(default=200, ge=1, le=1_000_000)
    dim: int = Field(default=768, ge=1, le=4096)
    clusters: int = Field(default=100, ge=1, description="number of centres")
    intrinsic: int = Field(default=32, ge=1, description="dimensions of the subspace that the data fills")
    similarity: float = Field(default=0.7, gt=0, lt=1, description="promised mean cosine of two rows of one cluster; verified")
    seed: int = Field(default=1, ge=0)


class FileTable(_Table):
    """[data] from a file: .npy, .fvecs, or .hdf5 in the ann-benchmarks layout. Paths are relative to the scenario file."""

    file: _Name
    queries_file: str = Field(default="", description="vectors to look up; default: the last `queries` rows, held out")
    rows: int = Field(default=0, ge=0, description="take the first so many rows; 0: all")
    queries: int = Field(default=200, ge=1)
    normalise: bool = Field(default=True, description="scale rows to unit length")


class MeasureTable(_Table):
    """How much is measured."""

    mode: Literal["block", "latency"] = "block"
    workers: int = Field(default=8, ge=2, le=1000, description="fresh processes; the unit of inference")
    samples: int | None = Field(
        default=None,
        ge=4,
        le=100_000,
        description="block: samples per worker and arm; default: 40 to 80, by the noise of the case",
    )
    sample_us: float = Field(default=100.0, ge=10, le=1e7, description="block: wanted length of one sample")
    warmup_ms: float | None = Field(
        default=None, ge=0, le=60_000, description="per worker; default: 3 for a quiet case, 8 for a noisy one"
    )
    operations: int = Field(default=1000, ge=10, le=10_000_000, description="latency: operations per pass")
    passes: int = Field(default=3, ge=1, le=100, description="latency: passes over the same operations")
    empty: str = Field(default="", description="kernel that is this one's empty loop; its time is subtracted")
    timeout_s: float = Field(default=60.0, gt=0, le=86_400)


class GateTable(_Table):
    """Thresholds of `dualmem compare`, as fractions (0.05 is 5 %)."""

    time: _Fraction = 0.05
    recall_floor: float = Field(default=0.0, ge=0, le=1)
    metrics: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict, description="declared metric -> allowed worsening"
    )


class ControlTable(_Table):
    """The single-type twin: overhead = dual / single - 1."""

    kernel: _Name
    variant: str = ""
    limit: _Fraction = 0.05


class BesideTable(_Table):
    """A slower way of the same, run interleaved: the speed-up is reported."""

    variant: _Name
    kernel: str = ""
    speedup: float = Field(gt=0, description="the smallest wanted")


class ProfileTable(_Table):
    """What `dualmem profile` judges."""

    dual: list[Annotated[str, Field(pattern=r"^[A-Za-z_*][\w*]*$")]] = Field(
        default_factory=list,
        description="functions that exist only because there are two types, inlined ones as well; * stands for any characters",
    )
    dual_share: str = Field(default="", description='the most that may be spent in them and below, such as "< 5 %"')
    operations: int = Field(
        default=0, ge=0, description="how many are counted, the same everywhere; default: as many as take some milliseconds"
    )
    misses: str = Field(
        default="", description='cache misses per operation: the most beyond those of [control], such as "< 10 %"'
    )


class NeedsTable(_Table):
    """What a machine must have, or the scenario is not measured on it. A fleet sends it to a machine that has it."""

    isa: list[Literal[ISA_LEVELS]] = Field(default_factory=list, description="levels, as `dualmem doctor` names them")  # type: ignore[valid-type]
    cores: int = Field(default=0, ge=0, le=100_000, description="processors that it may run on")
    numa_nodes: int = Field(default=0, ge=0, le=10_000)
    memory: str = Field(default="", description='memory of the machine, such as "64 GiB"')


class ScenarioFile(_Table):
    """One scenario: one question."""

    question: str = Field(min_length=1)
    kernel: str = Field(min_length=1)
    variants: list[_Name] = Field(default_factory=lambda: ["auto"], min_length=1)
    data: GaussianTable | ClusteredTable | FileTable | None = None
    params: dict[str, float | Annotated[list[float], Field(min_length=1)]] = Field(
        default_factory=dict, description="kernel parameters; lists are swept"
    )
    measure: MeasureTable = MeasureTable()
    budget: dict[str, str] = Field(default_factory=dict, description='quantity -> limit, such as time = "<= 50 us"')
    gate: GateTable = GateTable()
    control: ControlTable | None = None
    beside: BesideTable | None = None
    needs: NeedsTable = NeedsTable()
    profile: ProfileTable = ProfileTable()

    @model_validator(mode="before")
    @classmethod
    def _choose_data(cls, raw: Any) -> Any:
        """Validate [data] as the one kind that it is, so that an error names this kind's keys."""
        if not isinstance(raw, dict) or "data" not in raw:
            return raw
        data = raw["data"]
        if not isinstance(data, dict):
            raise _BadKeyError(("data",), "dict_type", "a table is wanted: [data]", ())
        kind = data.get("synthetic")
        if "synthetic" in data and (not isinstance(kind, str) or kind not in _SYNTHETIC):
            raise _BadKeyError(("data", "synthetic"), "literal", f"one of {', '.join(map(repr, _SYNTHETIC))} is wanted", ())
        return {**raw, "data": _nested(_SYNTHETIC[kind] if isinstance(kind, str) else FileTable, data)}


_SYNTHETIC: dict[str, type[_Table]] = {"gaussian": GaussianTable, "clustered": ClusteredTable}


def _nested(table: type[_Table], raw: dict[str, Any]) -> _Table:
    try:
        return table.model_validate(raw)
    except ValidationError as error:
        first = _first(error)
        raise _BadKeyError(("data", *first["loc"]), first["type"], first["msg"], tuple(table.model_fields)) from None


def _first(error: ValidationError) -> Any:
    """The mistake to name: a key that does not exist before one that is missing, which is often the same one misspelt."""
    mistakes = error.errors()
    telling = ("extra_forbidden", "too_short", "finite_number")  # before "not a number", which an empty list is not either
    return next((mistake for mistake in mistakes if mistake["type"] in telling), mistakes[0])


class _BadKeyError(Exception):
    """Carries one mistake out of a nested table: where, what kind, message, valid keys."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema of scenario files."""
    schema = TypeAdapter(ScenarioFile).json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "dualmem scenario"
    return schema


def parse_scenario(text: str, *, path: str, name: str) -> Scenario:
    """Parse and validate one scenario. `path` is for messages and for resolving data files; `name` is the file's stem."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path}:{_with_line(str(error), text)}", hint="Mend the TOML syntax there.") from None
    try:
        table = ScenarioFile.model_validate(raw)
    except _BadKeyError as error:
        location, kind, message, known = error.args
        raise _scenario_error(text, path, location, kind, message, known) from None
    except ValidationError as error:
        first = _first(error)
        raise _scenario_error(text, path, first["loc"], first["type"], first["msg"], _known_keys(first["loc"])) from None
    return Scenario(
        name=name,
        question=table.question,
        kernel=table.kernel,
        variants=tuple(dict.fromkeys(table.variants)),
        data=_data(table.data),
        parameters=tuple(
            (key, tuple(dict.fromkeys(value if isinstance(value, list) else [value]))) for key, value in table.params.items()
        ),
        measure=_measure(table.measure),
        budgets=tuple(_budget(quantity, limit, text, path) for quantity, limit in table.budget.items()),
        gate=Gate(time=table.gate.time, recall_floor=table.gate.recall_floor, metrics=tuple(table.gate.metrics.items())),
        control=Reference(table.control.kernel, table.control.variant, table.control.limit) if table.control else None,
        beside=Reference(table.beside.kernel or table.kernel, table.beside.variant, table.beside.speedup)
        if table.beside
        else None,
        path=path,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        source=text,
        needs=_needs(table.needs, text, path),
        profile=_profile(table, text, path),
    )


def _budget(quantity: str, limit: str, text: str, path: str) -> Budget:
    try:
        return parse_limit(quantity, limit)
    except ValueError as error:
        raise ScenarioError(f'{path}:{line_of(text, ("budget", quantity))}: [budget] "{quantity}": {error}') from None


def _needs(table: NeedsTable, text: str, path: str) -> Needs:
    try:
        memory = parse_size(table.memory) if table.memory else 0
    except ValueError as error:
        raise ScenarioError(f'{path}:{line_of(text, ("needs", "memory"))}: [needs] "memory": {error}') from None
    return Needs(tuple(dict.fromkeys(table.isa)), table.cores, table.numa_nodes, memory)


def _profile(table: ScenarioFile, text: str, path: str) -> ProfileLimits:
    wanted = table.profile
    missing = ""
    if wanted.misses and table.control is None:
        missing = '"misses" is compared with those of the single-type twin, and no [control] names one'
    if wanted.dual_share and not wanted.dual:
        missing = '"dual_share" is of the functions that "dual" names, and it names none'
    if missing:
        key = "misses" if missing.startswith('"misses') else "dual_share"
        raise ScenarioError(f"{path}:{line_of(text, ('profile', key))}: [profile] {missing}", hint="See `dualmem schema`.")
    limits = {}
    for key, limit in (("dual_share", wanted.dual_share), ("misses", wanted.misses)):
        try:
            limits[key] = parse_most(key, limit) if limit else None
        except ValueError as error:
            raise ScenarioError(f'{path}:{line_of(text, ("profile", key))}: [profile] "{key}": {error}') from None
    return ProfileLimits(tuple(dict.fromkeys(wanted.dual)), operations=wanted.operations, **limits)


def _data(table: GaussianTable | ClusteredTable | FileTable | None) -> Data | None:
    match table:
        case None:
            return None
        case FileTable():
            return FileData(kind="file", **table.model_dump())
        case GaussianTable():
            return GaussianData(kind="gaussian", **table.model_dump(exclude={"synthetic"}))
        case ClusteredTable():
            return ClusteredData(kind="clustered", **table.model_dump(exclude={"synthetic"}))


def _measure(table: MeasureTable) -> Measure:
    return Measure(
        mode=Mode(table.mode),
        workers=table.workers,
        samples=table.samples,
        sample_ns=table.sample_us * 1e3,
        warmup_ns=None if table.warmup_ms is None else table.warmup_ms * 1e6,
        operations=table.operations,
        passes=table.passes,
        empty=table.empty,
        timeout_s=table.timeout_s,
    )


def _known_keys(location: tuple[int | str, ...]) -> tuple[str, ...]:
    """The valid keys of the table in which `location` lies."""
    table: type[BaseModel] = ScenarioFile
    tables: dict[str, type[BaseModel]] = {
        "measure": MeasureTable, "gate": GateTable, "control": ControlTable, "beside": BesideTable, "needs": NeedsTable,
        "profile": ProfileTable,
    }  # fmt: skip
    if len(location) > 1:
        table = tables.get(str(location[0]), ScenarioFile)
    return tuple(table.model_fields)


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


def line_of(text: str, keys: tuple[str, ...]) -> int:
    """The line on which a key stands, as far as it can be found in the text: else its table's line, else 1. Tables may be
    written as [headers] or inline, key = { ... }."""
    found, table = 1, ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+\s*([\w.\-]+)\s*\]+", line)
        if header:
            table = header[1]
            if keys and (table == keys[0] or table == ".".join(keys)):
                found = number
        assignment = re.match(r"\s*[\"']?([\w.\-]+)[\"']?\s*=", line)
        if not assignment or not keys:
            continue
        if assignment[1] == keys[-1] and table == ".".join(keys[:-1]):
            return number
        if not table and assignment[1] == keys[0]:
            found = number
    return found


def _with_line(message: str, text: str) -> str:
    """The parser's "... (at line 3, column 4)" as "3: ...", like every other message."""
    match = re.search(r"\(at line (\d+), column \d+\)", message)
    line, said = (int(match[1]), message[: match.start()]) if match else (len(text.splitlines()) or 1, message)
    return f"{line}: {said.strip()}"

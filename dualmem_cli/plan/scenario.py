"""Scenario files: TOML text in, a validated Scenario out, every mistake named with file, line, key and the nearest valid key."""

import hashlib
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dualmem_cli.model.machine import ISA_LEVELS
from dualmem_cli.model.scenario import Gate, Measure, Mode, Needs, ProfileLimits, Reference, Scenario
from dualmem_cli.plan.data_table import DataTable, choose_data, data_of
from dualmem_cli.plan.limits import parse_most, parse_size, read_limits
from dualmem_cli.plan.toml_table import Table, line_of, located, read_table, read_toml, titled_schema

__all__ = ["ScenarioFile", "json_schema", "line_of", "parse_scenario"]

_Fraction = Annotated[float, Field(gt=0, lt=10)]
_Name = Annotated[str, Field(min_length=1)]


class MeasureTable(Table):
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


class GateTable(Table):
    """Thresholds of `dualmem compare`, as fractions (0.05 is 5 %)."""

    time: _Fraction = 0.05
    recall_floor: float = Field(default=0.0, ge=0, le=1)
    metrics: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict, description="declared metric -> allowed worsening"
    )


class ControlTable(Table):
    """The single-type twin: overhead = dual / single - 1."""

    kernel: _Name
    variant: str = ""
    limit: _Fraction = 0.05


class BesideTable(Table):
    """A slower way of the same, run interleaved: the speed-up is reported."""

    variant: _Name
    kernel: str = ""
    speedup: float = Field(gt=0, description="the smallest wanted")


class ProfileTable(Table):
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


class NeedsTable(Table):
    """What a machine must have, or the scenario is not measured on it. A fleet sends it to a machine that has it."""

    isa: list[Literal[ISA_LEVELS]] = Field(default_factory=list, description="levels, as `dualmem doctor` names them")  # type: ignore[valid-type]
    cores: int = Field(default=0, ge=0, le=100_000, description="processors that it may run on")
    numa_nodes: int = Field(default=0, ge=0, le=10_000)
    memory: str = Field(default="", description='memory of the machine, such as "64 GiB"')


class ScenarioFile(Table):
    """One scenario: one question."""

    question: str = Field(min_length=1)
    kernel: str = Field(min_length=1)
    variants: list[_Name] = Field(default_factory=lambda: ["auto"], min_length=1)
    data: DataTable | None = None
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
        return choose_data(raw)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of scenario files."""
    return titled_schema(ScenarioFile, "dualmem scenario")


def parse_scenario(text: str, *, path: str, name: str) -> Scenario:
    """Parse and validate one scenario. `path` is for messages and for resolving data files; `name` is the file's stem."""
    table = read_table(ScenarioFile, read_toml(text, path=path), text=text, path=path)
    return Scenario(
        name=name,
        question=table.question,
        kernel=table.kernel,
        variants=tuple(dict.fromkeys(table.variants)),
        data=data_of(table.data),
        parameters=tuple(
            (key, tuple(dict.fromkeys(value if isinstance(value, list) else [value]))) for key, value in table.params.items()
        ),
        measure=_measure(table.measure),
        budgets=read_limits(table.budget, key="budget", text=text, path=path),
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


def _needs(table: NeedsTable, text: str, path: str) -> Needs:
    try:
        memory = parse_size(table.memory) if table.memory else 0
    except ValueError as error:
        raise located(text, path, ("needs", "memory"), str(error)) from None
    return Needs(tuple(dict.fromkeys(table.isa)), table.cores, table.numa_nodes, memory)


def _profile(table: ScenarioFile, text: str, path: str) -> ProfileLimits:
    wanted = table.profile
    if wanted.misses and table.control is None:
        raise located(
            text, path, ("profile", "misses"), "compared with those of the single-type twin, and no [control] names one"
        )
    if wanted.dual_share and not wanted.dual:
        raise located(text, path, ("profile", "dual_share"), 'a share of the functions that "dual" names, and it names none')
    limits = {}
    for key, limit in (("dual_share", wanted.dual_share), ("misses", wanted.misses)):
        try:
            limits[key] = parse_most(key, limit) if limit else None
        except ValueError as error:
            raise located(text, path, ("profile", key), str(error)) from None
    return ProfileLimits(tuple(dict.fromkeys(wanted.dual)), operations=wanted.operations, **limits)


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

"""Load scenarios: what is done to a store, how fast and how long. TOML text in, a validated LoadScenario out, as scenario.py does it."""

import hashlib
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dualmem_cli.errors import ScenarioError
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.model.workload import (
    ArrivalKind,
    Arrivals,
    Burst,
    KeyChoice,
    LoadGate,
    LoadMeasure,
    LoadScenario,
    OperationMix,
    Twin,
)
from dualmem_cli.plan.data_table import DataTable, choose_data, data_of
from dualmem_cli.plan.limits import LOAD_RATIOS, LOAD_TIMES, nearest_quantity, operation_of, read_limits
from dualmem_cli.plan.scenario import parse_scenario
from dualmem_cli.plan.toml_table import Table, located, read_table, read_toml, titled_schema

_Fraction = Annotated[float, Field(gt=0, lt=10)]
_Name = Annotated[str, Field(min_length=1)]
_Seconds = Annotated[float, Field(gt=0, le=7 * 86_400)]
_GATED = {"time": 0.05}  # unless the file says otherwise
_SATURATED = tuple(quantity for quantity in LOAD_TIMES if quantity != "time")  # what grows without end beyond the highest rate


class BurstTable(Table):
    """[measure.burst]: bursts take turns with calms, both of exponentially distributed length."""

    factor: float = Field(default=10.0, gt=1, le=1e6, description="rate in a burst / rate in a calm")
    burst_s: _Seconds = Field(default=0.1, description="mean length of a burst")
    calm_s: _Seconds = Field(default=0.9, description="mean length of a calm")


class LoadMeasureTable(Table):
    """[measure] of a load: when operations arrive, by how many threads and how long."""

    mode: Literal["load"]
    arrivals: Literal["constant", "poisson", "bursty", "closed", "trace"] | None = Field(
        default=None, description="default: poisson, with a [trace] as it says"
    )
    rate: float | None = Field(default=None, gt=0, le=1e8, description="operations per second; needed unless a [trace] says it")
    burst: BurstTable | None = None
    threads: int = Field(default=1, ge=1, le=256, description="that play")
    warmup_s: float = Field(default=2.0, ge=0, le=86_400, description="of the schedule, played before what is measured")
    steady_s: _Seconds | None = Field(default=None, description="of the schedule; default: 60, of a [trace] all that is left")
    section_s: float = Field(default=5.0, ge=0.01, le=7 * 86_400, description="of the schedule, played without a pause")
    workers: int = Field(default=3, ge=1, le=1000, description="fresh processes; the unit of inference")
    seed: int = Field(default=1, ge=0, description="of the trace that is made")
    timeout_s: float = Field(default=60.0, gt=0, le=86_400, description="how long after the end of its schedule a play may last")


class MixTable(Table):
    """One entry of [mix]: a kind of operation."""

    share: float = Field(gt=0, le=1, description="of all operations")
    keys: Literal["uniform", "zipfian", "latest"] = "uniform"
    theta: float = Field(default=0.99, gt=0, le=10, description="zipfian, latest: how skewed")


class TraceTable(Table):
    """[trace]: operations from a file instead of a [mix]."""

    file: _Name = Field(description=".dmtrace; relative to the scenario file")


class TwinTable(Table):
    """[control]: the single-type twin, which plays the same trace; overhead = dual / single - 1."""

    variant: _Name
    workload: str = Field(default="", description="default: the scenario's")
    limit: _Fraction = Field(
        default=0.05, description='of all operations together and of each kind; [budget] "form.overhead" says another'
    )
    workers: int = Field(default=8, ge=2, le=1000, description="fresh processes in which both play the trace side by side")
    passes: int = Field(
        default=1, ge=1, le=1000, description="over the trace in each of them, a second at most; what inserts needs room for all"
    )


class LoadScenarioFile(Table):
    """One load scenario: one question about a store in use."""

    question: str = Field(min_length=1)
    workload: str = Field(min_length=1)
    variants: list[_Name] = Field(default_factory=lambda: ["dual"], min_length=1)
    data: DataTable | None = None
    params: dict[str, float] = Field(default_factory=dict, description="workload parameters; what is also a metric is a promise")
    measure: LoadMeasureTable
    mix: dict[str, MixTable] = Field(default_factory=dict, description="operation -> its share and its keys")
    trace: TraceTable | None = None
    saturation: dict[str, str] = Field(
        default_factory=dict, description='search the highest rate that keeps these, such as p99 = "<= 5 ms"'
    )
    budget: dict[str, str] = Field(default_factory=dict, description='quantity -> limit, such as "lookup.p99" = "<= 1 ms"')
    gate: dict[str, Annotated[float, Field(ge=0, lt=10)]] = Field(
        default_factory=dict,
        description="quantity -> threshold of dualmem compare, as a fraction; errors: share of operations that may fail",
    )
    control: TwinTable | None = None

    @model_validator(mode="before")
    @classmethod
    def _choose_data(cls, raw: Any) -> Any:
        return choose_data(raw)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of load scenario files."""
    return titled_schema(LoadScenarioFile, "dualmem load scenario")


def parse_any_scenario(text: str, *, path: str, name: str) -> Scenario | LoadScenario:
    """A scenario of either kind: one that names a workload, or mode "load", is a load scenario."""
    raw = read_toml(text, path=path)
    measure = raw.get("measure")
    load = "workload" in raw or (isinstance(measure, dict) and measure.get("mode") == "load")
    return parse_load_scenario(text, path=path, name=name) if load else parse_scenario(text, path=path, name=name)


def parse_load_scenario(text: str, *, path: str, name: str) -> LoadScenario:
    """Parse and validate one load scenario. `path` is for messages and for resolving files; `name` is the file's stem."""
    table = read_table(LoadScenarioFile, read_toml(text, path=path), text=text, path=path)
    _check(table, text, path)
    return LoadScenario(
        name=name,
        question=table.question,
        workload=table.workload,
        variants=tuple(dict.fromkeys(table.variants)),
        data=data_of(table.data),
        parameters=tuple(table.params.items()),
        measure=_measure(table.measure, trace=table.trace is not None),
        mix=tuple(OperationMix(kind, entry.share, KeyChoice(entry.keys), entry.theta) for kind, entry in table.mix.items()),
        trace=table.trace.file if table.trace else "",
        saturation=read_limits(table.saturation, key="saturation", text=text, path=path),
        budgets=read_limits(table.budget, key="budget", text=text, path=path),
        gate=_gate(table.gate),
        control=_twin(table),
        path=path,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        source=text,
    )


def _measure(table: LoadMeasureTable, *, trace: bool) -> LoadMeasure:
    kind = ArrivalKind(table.arrivals or ("trace" if trace else "poisson"))
    burst = table.burst or BurstTable()
    steady_s = table.steady_s if trace else table.steady_s or 60.0
    return LoadMeasure(
        arrivals=Arrivals(kind, table.rate, Burst(**burst.model_dump()) if kind is ArrivalKind.BURSTY else None),
        threads=table.threads,
        warmup_ns=round(table.warmup_s * 1e9),
        steady_ns=None if steady_s is None else round(steady_s * 1e9),
        section_ns=round(table.section_s * 1e9),
        workers=table.workers,
        seed=table.seed,
        timeout_s=table.timeout_s,
    )


def _twin(table: LoadScenarioFile) -> Twin | None:
    control = table.control
    return (
        Twin(control.workload or table.workload, control.variant, control.limit, control.workers, control.passes)
        if control
        else None
    )


def _gate(table: dict[str, float]) -> LoadGate:
    quantities = {quantity: threshold for quantity, threshold in table.items() if quantity != "errors"}
    return LoadGate(errors=table.get("errors", 0.0), quantities=tuple((quantities or _GATED).items()))


def _check(table: LoadScenarioFile, text: str, path: str) -> None:
    """What one key means for another. Raises ScenarioError."""
    measure = table.measure
    if bool(table.mix) == (table.trace is not None):
        what = "both a [mix] and a [trace]" if table.mix else "neither a [mix] nor a [trace]"
        raise ScenarioError(f"{path}:1: {what}", hint="A load is made of one, or read from the other.")
    if table.trace:
        if measure.arrivals not in (None, "trace", "closed"):
            raise located(text, path, ("measure", "arrivals"), "a [trace] says itself when operations arrive; trace or closed")
    else:
        _check_mix(table, text, path)
    if measure.burst and measure.arrivals != "bursty":
        raise located(text, path, ("measure", "burst"), 'belongs to arrivals = "bursty"')
    if measure.section_s > (measure.steady_s or 60.0) and not table.trace:
        raise located(text, path, ("measure", "section_s"), f"a section is longer than the {measure.steady_s or 60:g} s measured")
    if table.saturation and measure.arrivals == "closed":
        raise located(text, path, ("measure", "arrivals"), "closed has no rate that [saturation] could search")
    _check_quantities(table, text, path)


def _check_mix(table: LoadScenarioFile, text: str, path: str) -> None:
    measure = table.measure
    if measure.arrivals == "trace":
        raise located(text, path, ("measure", "arrivals"), "there is no [trace] that could say when operations arrive")
    if measure.rate is None:
        raise located(text, path, ("measure", "rate"), "is missing; say how many operations per second")
    total = sum(entry.share for entry in table.mix.values())
    if abs(total - 1.0) > 1e-6:
        raise located(text, path, ("mix",), f"the shares add up to {total:g}, and must add up to 1")
    for kind, entry in table.mix.items():
        if "theta" in entry.model_fields_set and entry.keys == "uniform":
            raise located(text, path, ("mix", kind, "theta"), "uniform keys have no skew; zipfian and latest have")


def _check_quantities(table: LoadScenarioFile, text: str, path: str) -> None:
    """Names that no load measures; those of metrics and of operations are the library's to know (load_check.py)."""
    shares = ("achieved", "overhead") if table.control else ("achieved",)
    tables = (("saturation", table.saturation, _SATURATED), ("gate", table.gate, (*LOAD_TIMES, "achieved", "errors")))
    for key, entries, known in tables:
        for quantity in entries:
            if operation_of(quantity)[1] not in known:
                raise located(text, path, (key, quantity), f"is not measured by a load; {nearest_quantity(quantity, known)}")
    for limit in read_limits(table.saturation, key="saturation", text=text, path=path):
        if not limit.minimum and limit.limit <= 0:
            raise located(text, path, ("saturation", limit.quantity), "no rate keeps a limit of nothing")
    for quantity, threshold in table.gate.items():
        if quantity != "errors" and threshold == 0:
            raise located(text, path, ("gate", quantity), "input should be greater than 0")
        if quantity == "errors" and threshold >= 1:
            raise located(text, path, ("gate", quantity), f"is a share below 1, and {threshold:g} allows every operation to fail")
    for quantity in table.budget:
        if (rest := operation_of(quantity)[1]) in LOAD_RATIOS and rest not in (*shares, "errors"):
            raise located(text, path, ("budget", quantity), "needs a [control]")

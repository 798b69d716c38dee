"""Load scenarios: what is right is read, and every mistake is named with file, line, key and the nearest valid key."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from fabricated_load import LIBRARY, POPULATIONS, SCENARIO, TEXT, WORKLOAD

from dualmem_cli.errors import ExitStatus, ScenarioError
from dualmem_cli.model.scenario import Budget, GaussianData, Scenario
from dualmem_cli.model.workload import (
    ArrivalKind,
    Arrivals,
    Burst,
    KeyChoice,
    KeySpace,
    LoadGate,
    LoadScenario,
    OperationMix,
    Twin,
)
from dualmem_cli.plan.limits import LOAD_TIMES, operation_of, parse_limit
from dualmem_cli.plan.load_check import check_operations, parameters_of, populations, workloads_of
from dualmem_cli.plan.load_scenario import json_schema, parse_any_scenario, parse_load_scenario

SCENARIOS = Path(__file__).parents[2] / "scenarios"
MEASURE = '[measure]\nmode = "load"\nrate = 10\n'
MIX = "[mix]\nread = { share = 1 }\n"
HEAD = 'question = "q"\nworkload = "w"\n'
BASE = HEAD + MEASURE + MIX


def mistake(text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        parse_load_scenario(text, path="f.toml", name="f")
    assert caught.value.status is ExitStatus.USAGE
    assert "\n" not in str(caught.value)
    return str(caught.value)


# What of BASE (lines 1 to 7) is replaced by what, or the text after BASE; the message or its beginning.
MISTAKES = {
    "unknown key": ('workload = "w"', 'worklaod = "w"', 'f.toml:2: "worklaod" is not a key here; did you mean "workload"?'),
    "kernel beside workload": ('workload = "w"', 'workload = "w"\nkernel = "k"', 'f.toml:3: "kernel" is not a key here'),
    "no workload": ('workload = "w"\n', "", 'f.toml:1: "workload" is missing.'),
    "no measure": (MEASURE, "", 'f.toml:1: "measure" is missing.'),
    "no rate": ("rate = 10\n", "", 'f.toml:3: [measure] "rate": is missing; say how many operations per second'),
    "no mode": ('mode = "load"\n', "", 'f.toml:3: [measure] "mode" is missing.'),
    "another mode": ('"load"', '"block"', "f.toml:4: [measure] \"mode\": input should be 'load'"),
    "misspelt in measure": ("rate = 10", "rte = 10", 'f.toml:5: [measure] "rte" is not a key here; did you mean "rate"?'),
    "rate of nothing": ("rate = 10", "rate = 0", 'f.toml:5: [measure] "rate": input should be greater than 0'),
    "rate as text": ("rate = 10", 'rate = "10"', 'f.toml:5: [measure] "rate": input should be a valid number'),
    "infinite rate": ("rate = 10", "rate = inf", 'f.toml:5: [measure] "rate": input should be a finite number'),
    "unknown arrivals": ("rate = 10", 'rate = 10\narrivals = "poison"', "f.toml:6: [measure] \"arrivals\": input should be 'constant',"),
    "arrivals of no trace": ("rate = 10", 'rate = 10\narrivals = "trace"', 'f.toml:6: [measure] "arrivals": there is no [trace]'),
    "bursts without bursty": (MIX, f"[measure.burst]\nfactor = 3\n{MIX}", 'f.toml:6: [measure] "burst": belongs to arrivals = "bursty"'),
    "misspelt in burst": (
        "rate = 10", 'rate = 10\narrivals = "bursty"\nburst = { fctor = 3 }',
        'f.toml:7: [measure] "fctor" is not a key here; did you mean "factor"?',
    ),
    "a burst that is none": (
        "rate = 10", 'rate = 10\narrivals = "bursty"\n[measure.burst]\nfactor = 1', 'f.toml:8: [measure] "factor": input should be greater',
    ),
    "a section too long": ("rate = 10", "rate = 10\nsteady_s = 3", 'f.toml:3: [measure] "section_s": a section is longer than the 3 s'),
    "a section of nothing": (
        "rate = 10", "rate = 10\nsection_s = 1e-9", 'f.toml:6: [measure] "section_s": input should be greater than or equal to 0.01',
    ),
    "no threads": ("rate = 10", "rate = 10\nthreads = 0", 'f.toml:6: [measure] "threads": input should be greater than or equal to 1'),
    "shares above one": ("share = 1 ", "share = 1.5 ", 'f.toml:7: [mix] "share": input should be less than or equal to 1'),
    "shares that do not add up": ("share = 1 ", "share = 0.9 ", 'f.toml:6: "mix": the shares add up to 0.9, and must add up to 1'),
    "misspelt in mix": ("share = 1 ", "shre = 1 ", 'f.toml:7: [mix] "shre" is not a key here; did you mean "share"?'),
    "unknown keys": ("share = 1 ", 'share = 1, keys = "zipf" ', "f.toml:7: [mix] \"keys\": input should be 'uniform',"),
    "skew of uniform keys": ("share = 1 ", "share = 1, theta = 0.9 ", 'f.toml:7: [mix] "theta": uniform keys have no skew'),
    "skew in a table of its own": (
        MIX, "[mix.read]\nshare = 1\ntheta = 0.9\n", 'f.toml:8: [mix] "theta": uniform keys have no skew',
    ),
    "neither mix nor trace": (MIX, "", "f.toml:1: neither a [mix] nor a [trace]."),
    "mix and trace": (MIX, f'{MIX}[trace]\nfile = "x"\n', "f.toml:1: both a [mix] and a [trace]."),
    "arrivals beside a trace": (
        f"rate = 10\n{MIX}", 'arrivals = "poisson"\n[trace]\nfile = "x"\n', 'f.toml:5: [measure] "arrivals": a [trace] says itself',
    ),
    "a trace without file": (MIX, "[trace]\n", 'f.toml:6: [trace] "file" is missing.'),
    "a sweep": (MIX, f"[params]\nn = [1, 2]\n{MIX}", 'f.toml:7: [params] "n": input should be a valid number'),
    "misspelt in control": (MIX, f'{MIX}[control]\nvariant = "s"\nlimt = 1\n', 'f.toml:10: [control] "limt" is not a key here; did you'),
    "misspelt in data": (MIX, f'{MIX}[data]\nsynthetic = "gaussian"\nrow = 3\n', 'f.toml:10: [data] "row" is not a key here; did you mean'),
    "budget in another unit": (MIX, f'{MIX}[budget]\n"read.p99" = "<= 3 MiB"\n', 'f.toml:9: [budget] "read.p99": "<= 3 MiB" has the unit'),
    "budget of a share in time": (MIX, f'{MIX}[budget]\nachieved = "<= 3 ms"\n', 'f.toml:9: [budget] "achieved": "<= 3 ms" has the unit'),
    "overhead of a kind without twin": (
        MIX, f'{MIX}[budget]\n"read.overhead" = "<= 5 %"\n', 'f.toml:9: [budget] "read.overhead": needs a [control]',
    ),
    "overhead of a kind as a time": (
        MIX, f'{MIX}[control]\nvariant = "s"\n[budget]\n"read.overhead" = "<= 5 us"\n',
        'f.toml:11: [budget] "read.overhead": "<= 5 us" has the unit us',
    ),
    "one process beside its twin": (
        MIX, f'{MIX}[control]\nvariant = "s"\nworkers = 1\n', 'f.toml:10: [control] "workers": input should be greater',
    ),
    "overhead without twin": (MIX, f'{MIX}[budget]\noverhead = "<= 5 %"\n', 'f.toml:9: [budget] "overhead": needs a [control]'),
    "gate of nothing": (MIX, f"{MIX}[gate]\np99 = 0\n", 'f.toml:9: [gate] "p99": input should be greater than 0'),
    "gate of what is not measured": (
        MIX, f'{MIX}[gate]\n"read.p98" = 0.1\n', 'f.toml:9: [gate] "read.p98": is not measured by a load; did you mean "read.p9',
    ),
    "saturation by a mean": (MIX, f'{MIX}[saturation]\ntime = "<= 5 ms"\n', 'f.toml:9: [saturation] "time": is not measured by a load'),
    "saturation of a closed loop": (
        f"rate = 10\n{MIX}", f'rate = 10\narrivals = "closed"\n{MIX}[saturation]\np99 = "<= 5 ms"\n',
        'f.toml:6: [measure] "arrivals": closed has no rate that [saturation] could search',
    ),
    "saturation that nothing keeps": (
        MIX, f'{MIX}[saturation]\np99 = "<= 0 us"\n', 'f.toml:9: [saturation] "p99": no rate keeps a limit of nothing',
    ),
    "TOML": ("rate = 10", "rate = ", "f.toml:5: Invalid value"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_every_mistake_is_named(name: str) -> None:
    old, new, wanted = MISTAKES[name]
    assert old in BASE
    said = mistake(BASE.replace(old, new, 1))
    assert said.startswith(wanted), said


@pytest.mark.parametrize(
    "key", ["question", "workload", "variants", "params", "measure", "mix", "trace", "saturation", "budget", "gate"]
)
def test_no_value_of_any_type_escapes_as_another_error(key: str) -> None:
    parts = {"question": '"q"', "workload": '"w"', "measure": '{mode = "load", rate = 1}', "mix": "{read = {share = 1}}"}
    others = "".join(f"{name} = {value}\n" for name, value in parts.items() if name != key)
    line = 1 + others.count("\n")
    for value in ("[[1]]", "{a = {b = 1}}", "1979-05-27T07:32:00Z", "[{x = 1}]", "false", "-1e308"):
        assert mistake(f"{others}{key} = {value}\n").startswith(f"f.toml:{line}: "), (key, value)


def test_defaults() -> None:
    read = parse_load_scenario(BASE, path="dir/f.toml", name="f")
    assert (read.name, read.path, read.workload, read.variants, read.data) == ("f", "dir/f.toml", "w", ("dual",), None)
    measure = read.measure
    assert measure.arrivals == Arrivals(ArrivalKind.POISSON, 10.0, None)
    assert (measure.threads, measure.workers, measure.seed, measure.timeout_s) == (1, 3, 1, 60.0)
    assert (measure.warmup_ns, measure.steady_ns, measure.section_ns) == (2 * 10**9, 60 * 10**9, 5 * 10**9)
    assert read.mix == (OperationMix("read", 1.0, KeyChoice.UNIFORM, 0.99),)
    assert read.gate == LoadGate(errors=0.0, quantities=(("time", 0.05),))
    assert (read.trace, read.saturation, read.budgets, read.control, read.parameters) == ("", (), (), None, ())
    assert len(read.digest) == 64


def test_everything_stated_is_read() -> None:
    assert SCENARIO.variants == ("dual",)
    assert SCENARIO.data == GaussianData("gaussian", 500, 20, 768, 1)
    assert SCENARIO.mix[0] == OperationMix("read", 0.5, KeyChoice.LATEST, 0.99)
    assert SCENARIO.budgets == (Budget("p99", 5e6, False), Budget("read.p99", 1e6, False), Budget("hit_rate", 0.9, True))
    assert SCENARIO.control == Twin("store", "single", 0.05, workers=8, passes=1)
    text = (
        BASE.replace("rate = 10", 'rate = 10\narrivals = "bursty"\n[measure.burst]\nfactor = 3')
        + '[gate]\nerrors = 0.01\n"read.p99.9" = 0.2\np99 = 0.1\n[saturation]\np99 = "<= 5 ms"\n"read.max" = "<= 1 s"\n'
    )
    read = parse_load_scenario(text, path="f.toml", name="f")
    assert read.measure.arrivals == Arrivals(ArrivalKind.BURSTY, 10.0, Burst(3.0, 0.1, 0.9))
    assert read.gate == LoadGate(errors=0.01, quantities=(("read.p99.9", 0.2), ("p99", 0.1)))
    assert read.saturation == (Budget("p99", 5e6, False), Budget("read.max", 1e9, False))


def test_a_trace_says_when_and_how_long() -> None:
    text = HEAD + '[measure]\nmode = "load"\n[trace]\nfile = "x.dmtrace"\n'
    read = parse_load_scenario(text, path="f.toml", name="f")
    assert (read.trace, read.mix) == ("x.dmtrace", ())
    assert (read.measure.arrivals, read.measure.steady_ns) == (Arrivals(ArrivalKind.TRACE, None, None), None)
    closed = parse_load_scenario(text.replace('"load"\n', '"load"\narrivals = "closed"\nsteady_s = 3\n'), path="f.toml", name="f")
    assert (closed.measure.arrivals.kind, closed.measure.steady_ns) == (ArrivalKind.CLOSED, 3 * 10**9)


def test_shipped_load_scenarios_are_valid() -> None:
    paths = sorted((SCENARIOS / "load").glob("*.toml"))
    assert {"mixed_60s", "mixed_short", "saturation", "wordnet"} <= {path.stem for path in paths}
    for path in paths:
        read = parse_any_scenario(path.read_text(), path=str(path), name=path.stem)
        assert isinstance(read, LoadScenario)
        assert read.question.endswith("?")
        assert not read.trace or (path.parent / read.trace).is_file()


def test_the_example_of_the_reference_is_valid() -> None:
    page = (SCENARIOS.parent / "docs" / "reference" / "scenarios.md").read_text(encoding="utf-8")
    (example,) = (block for block in re.findall(r"^```toml\n(.*?)^```", page, flags=re.S | re.M) if "workload" in block)
    assert isinstance(parse_any_scenario(example, path="f.toml", name="f"), LoadScenario)


def test_the_reference_run_is_a_scenario() -> None:
    path = SCENARIOS / "load" / "mixed_60s.toml"
    measure = parse_load_scenario(path.read_text(), path=str(path), name=path.stem).measure
    assert (measure.arrivals.rate, measure.steady_ns) == (1000.0, 60 * 10**9)


def test_both_kinds_are_told_apart() -> None:
    kernel = parse_any_scenario('question = "q"\nkernel = "k"\n', path="f.toml", name="f")
    assert isinstance(kernel, Scenario)
    assert isinstance(parse_any_scenario(BASE, path="f.toml", name="f"), LoadScenario)
    with pytest.raises(ScenarioError, match='"kernel" is not a key here'):
        parse_any_scenario('question = "q"\nkernel = "k"\n[measure]\nmode = "load"\n', path="f.toml", name="f")


def test_schema() -> None:
    schema = json_schema()
    assert set(schema["properties"]) == {
        "question", "workload", "variants", "data", "params", "measure", "mix", "trace", "saturation", "budget", "gate", "control",
    }  # fmt: skip
    for text in (BASE, TEXT):
        jsonschema.validate(tomllib.loads(text), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(BASE.replace("share", "shre")), schema)


def test_operations_of_quantities() -> None:
    for quantity in LOAD_TIMES:
        assert operation_of(quantity) == ("", quantity)
        assert operation_of(f"read.{quantity}") == ("read", quantity)
        assert parse_limit(f"read.{quantity}", "<= 2 ms").limit == 2e6
    assert operation_of("read.overhead") == ("read", "overhead")
    assert parse_limit("read.overhead", "<= 8 %") == Budget("read.overhead", 0.08, minimum=False)
    assert operation_of("hit_rate") == ("", "hit_rate")
    assert operation_of("read.hits") == ("", "read.hits")


# --- against a library ----------------------------------------------------------------------------------------------------

UNFIT = {
    "workload": ('"store"', '"stor"', 'f.toml:2: "stor" is not a workload of lib; did you mean "store"?'),
    "variant": ('["dual"]', '["dul"]', 'f.toml:3: "dul" is not a variant of store; did you mean "dual"?'),
    "twin": ('variant = "single"', 'variant = "singel"', 'f.toml:31: [control] "singel" is not a variant of store; did you mean "single"?'),
    "twin's workload": (
        'variant = "single"', 'variant = "single"\nworkload = "strore"', 'f.toml:32: [control] "strore" is not a workload of lib; did',
    ),
    "operation": ("lookup = {", "lookpu = {", 'f.toml:21: [mix] "lookpu" is not an operation of store/dual; did you mean "lookup"?'),
    "parameter": ("episodes =", "episods =", 'f.toml:11: [params] "episods" is not a parameter of store; did you mean "episodes"?'),
    "fraction": ("= 100\n", "= 100.5\n", 'f.toml:11: [params] "episodes" is a whole number, not 100.5'),
    "range": ("= 100\n", "= 0\n", 'f.toml:11: [params] "episodes" is 0, outside of 1 to 1e+06'),
    "data": ('[data]\nsynthetic = "gaussian"\nrows = 500\nqueries = 20\n', "", "f.toml:2: store needs vectors, and the scenario"),
    "metric": ("hit_rate", "hit_rat", 'f.toml:28: [budget] "hit_rat" is not measured by this scenario; did you mean "hit_rate"?'),
    "budget of what is not measured": ('"read.p99"', '"read.p98"', 'f.toml:27: [budget] "read.p98" is not measured by this'),
    "limit on what is not done": ('"read.p99"', '"rad.p99"', 'f.toml:27: [budget] "rad" is not performed by this scenario; did you mean'),
    "gate on what is not done": ("[control]", '[gate]\n"rad.p99" = 0.1\n[control]', 'f.toml:31: [gate] "rad" is not performed'),
    "saturation by what is not done": ("[control]", '[saturation]\n"rad.p99" = "<= 1 s"\n[control]', 'f.toml:31: [saturation] "rad"'),
}  # fmt: skip


@pytest.mark.parametrize("name", UNFIT)
def test_what_only_the_library_can_know(name: str) -> None:
    old, new, wanted = UNFIT[name]
    assert old in TEXT
    scenario = parse_load_scenario(TEXT.replace(old, new, 1), path="f.toml", name="f")
    with pytest.raises(ScenarioError) as caught:
        workloads_of(scenario, LIBRARY)
    assert str(caught.value).startswith(wanted), str(caught.value)


def test_what_fits() -> None:
    assert [workload.variant for workload in workloads_of(SCENARIO, LIBRARY)] == ["dual", "single"]
    assert parameters_of(SCENARIO, WORKLOAD) == {"episodes": 100.0, "recall": 1.0}
    found = populations(SCENARIO, WORKLOAD, rows=500, queries=20)
    assert found == POPULATIONS | {KeySpace.CONCEPT: 0, KeySpace.BINDING: 0}


def test_operations_of_a_trace_are_checked_too() -> None:
    scenario = replace(SCENARIO, mix=(), trace="x.dmtrace")
    check_operations(scenario, WORKLOAD, ("read", "form"))
    with pytest.raises(ScenarioError, match='"reed" is not an operation of store/dual; did you mean "read"'):
        check_operations(scenario, WORKLOAD, ("reed",))
    with pytest.raises(ScenarioError, match='"read" is not performed by this scenario; known: form'):
        check_operations(scenario, WORKLOAD, ("form",))

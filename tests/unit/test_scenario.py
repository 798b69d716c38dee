"""Scenario files: what is right is read, and every mistake is named with file, line, key and the nearest valid key."""

from pathlib import Path

import pytest

from dualmem_cli.errors import ExitStatus, ScenarioError
from dualmem_cli.model.scenario import Budget, ClusteredData, FileData, GaussianData, Mode, ProfileLimits, Reference
from dualmem_cli.plan.limits import BLOCK_QUANTITIES, LATENCY_QUANTITIES, parse_limit
from dualmem_cli.plan.scenario import json_schema, line_of, parse_scenario

HEAD = 'question = "q"\nkernel = "k"\n'


def mistake(text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, path="f.toml", name="f")
    assert caught.value.status is ExitStatus.USAGE
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Text after HEAD (lines 1 and 2), or the whole text where it begins with "!"; the message in full or its beginning.
MISTAKES = {
    "unknown key": ('kernl = "x"', 'f.toml:3: "kernl" is not a key here; did you mean "kernel"?'),
    "unknown in a table": ("[measure]\nworker = 3", 'f.toml:4: [measure] "worker" is not a key here; did you mean "workers"?'),
    "unknown, nothing near": ("[gate]\nzzz = 3", 'f.toml:4: [gate] "zzz" is not a key here; known: metrics, recall_floor, time'),
    "misspelt and so missing": ('!question = "q"\nkernl = "k"', 'f.toml:2: "kernl" is not a key here; did you mean "kernel"?'),
    "unknown in data": ('[data]\nfile = "x.npy"\nqueris = 3', 'f.toml:5: [data] "queris" is not a key here; did you mean "queries"?'),
    "misspelt in data": (
        '[data]\nsynthetic = "gaussian"\nrow = 3',
        'f.toml:5: [data] "row" is not a key here; did you mean "rows"?',
    ),
    "unknown in beside": ('[beside]\nvariant = "x"\nspedup = 3', 'f.toml:5: [beside] "spedup" is not a key here; did you mean'),
    "a clustered key in a gaussian set": (
        '[data]\nsynthetic = "gaussian"\nrows = 9\nclusters = 3',
        'f.toml:6: [data] "clusters" is not a key here; known: dim, queries, rows, seed, synthetic',
    ),
    "both kinds of data": ('[data]\nfile = "x.npy"\nsynthetic = "clustered"\nrows = 9', 'f.toml:4: [data] "file" is not a key here'),
    "unknown kind of data": (
        '[data]\nsynthetic = "gaussien"\nrows = 9',
        "f.toml:4: [data] \"synthetic\": one of 'gaussian', 'clustered' is wanted",
    ),
    "kind of data is a list": ("[data]\nsynthetic = []\nrows = 9", 'f.toml:4: [data] "synthetic": one of'),
    "data is no table": ("data = 3", 'f.toml:3: "data": a table is wanted: [data]'),
    "empty file": ("!", 'f.toml:1: "question" is missing. Every scenario needs it; see `dualmem schema`.'),
    "missing kernel": ('!question = "q"', 'f.toml:1: "kernel" is missing.'),
    "missing rows": ('[data]\nsynthetic = "gaussian"', 'f.toml:3: [data] "rows" is missing.'),
    "unknown in profile": ('[profile]\ndaul = ["f"]', 'f.toml:4: [profile] "daul" is not a key here; did you mean "dual"?'),
    "misses of no twin": ('[profile]\nmisses = "< 10 %"', 'f.toml:4: [profile] "misses": compared with those of the single-type twin'),
    "a share of nothing": ('[profile]\ndual_share = "< 5 %"', 'f.toml:4: [profile] "dual_share": a share of the functions'),
    "a share at least": (
        '[profile]\ndual = ["f"]\ndual_share = "> 5 %"',
        'f.toml:5: [profile] "dual_share": "> 5 %" is not the most that dual_share may be; write it as "< 5 %"',
    ),
    "misses in ms": (
        '[control]\nkernel = "t"\n[profile]\nmisses = "< 5 ms"',
        'f.toml:6: [profile] "misses": "< 5 ms" is not the most that misses may be',
    ),
    "no name of a function": ('[profile]\ndual = ["f()"]', 'f.toml:4: [profile] "dual": string should match pattern'),
    "missing twin": ("[control]\nlimit = 0.1", 'f.toml:3: [control] "kernel" is missing.'),
    "text for a list": ('variants = "a"', 'f.toml:3: "variants": input should be a valid list'),
    "number in a list of text": ('variants = ["a", 3]', 'f.toml:3: "variants": input should be a valid string'),
    "no variants": ("variants = []", 'f.toml:3: "variants": list should have at least 1 item'),
    "nameless variant": ('variants = [""]', 'f.toml:3: "variants": string should have at least 1 character'),
    "text for a number": ('[measure]\nsamples = "60"', 'f.toml:4: [measure] "samples": input should be a valid integer'),
    "truth for a number": ("[params]\ncount = true", 'f.toml:4: [params] "count": input should be a valid number'),
    "text for a parameter": ('[params]\ncount = "16"', 'f.toml:4: [params] "count": input should be a valid number'),
    "text in a sweep": ('[params]\ncount = [1, "b"]', 'f.toml:4: [params] "count": input should be a valid number'),
    "date for a parameter": ("[params]\ncount = 1979-05-27", 'f.toml:4: [params] "count": input should be'),
    "table for a parameter": ("[params.count]\ny = 1", 'f.toml:3: [params] "count": input should be a valid number'),
    "empty sweep": ("[params]\ncount = []", 'f.toml:4: [params] "count": list should have at least 1 item'),
    "NaN parameter": ("[params]\ncount = nan", 'f.toml:4: [params] "count": input should be a finite number'),
    "infinite parameter": ("[params]\ncount = [1, inf]", 'f.toml:4: [params] "count": input should be a finite number'),
    "integer beyond every float": (f"[params]\ncount = {'9' * 400}", 'f.toml:4: [params] "count": input should be'),
    "NaN gate": ("[gate]\ntime = nan", 'f.toml:4: [gate] "time": input should be a finite number'),
    "NaN gate of a metric": ("[gate.metrics]\nbytes = nan", 'f.toml:4: [gate] "bytes": input should be a finite number'),
    "negative gate of a metric": ("[gate.metrics]\nbytes = -1", 'f.toml:4: [gate] "bytes": input should be greater than or equal to 0'),
    "gate of nothing": ("[gate]\ntime = 0", 'f.toml:4: [gate] "time": input should be greater than 0'),
    "infinite speed-up": ('[beside]\nvariant = "x"\nspeedup = inf', 'f.toml:5: [beside] "speedup": input should be a finite number'),
    "one worker": ("[measure]\nworkers = 1", 'f.toml:4: [measure] "workers": input should be greater than or equal to 2'),
    "unknown mode": ('[measure]\nmode = "blok"', "f.toml:4: [measure] \"mode\": input should be 'block' or 'latency'"),
    "recall above one": ("[gate]\nrecall_floor = 1.5", 'f.toml:4: [gate] "recall_floor": input should be less than or equal to 1'),
    "number for a budget": ("[budget]\ntime = 5", 'f.toml:4: [budget] "time": input should be a valid string'),
    "budget without comparison": ('[budget]\ntime = "50 us"', 'f.toml:4: [budget] "time": "50 us" is not a limit; write a comparison'),
    # The message holds the example "<= 50 us": it must not be taken for the culprit.
    "second budget wrong": ('[budget]\np50 = "<= 50 us"\np99 = "fast"', 'f.toml:5: [budget] "p99": "fast" is not a limit;'),
    "budget in another unit": (
        '[budget]\ntime = "<= 5 MiB"',
        'f.toml:4: [budget] "time": "<= 5 MiB" has the unit MiB, and time is limited in one of: ns, us, ms, s',
    ),
    "time budget without unit": ('[budget]\np99 = "<= 100"', 'f.toml:4: [budget] "p99": "<= 100" has the unit none, and p99'),
    "budget beyond every number": (
        f'[budget]\ntime = "<= {"9" * 400} us"',
        'f.toml:4: [budget] "time": "<= 99999999999999999..." is beyond',
    ),
    "ten thousand digits": (
        f'[control]\nkernel = "t"\n[profile]\nmisses = "< {"9" * 9999} %"',
        'f.toml:6: [profile] "misses": "< 999999999999999999..." is beyond',
    ),
    "a cluster for every atom": (
        f'[data]\nsynthetic = "clustered"\nrows = 9\nclusters = {10**30}',
        'f.toml:6: [data] "clusters": input should be less than or equal to 100000000',
    ),
    "dimensions beyond an embedding's": (
        '[data]\nsynthetic = "clustered"\nrows = 9\nintrinsic = 5000',
        'f.toml:6: [data] "intrinsic": input should be less than or equal to 4096',
    ),
    "a similarity that no float can scatter": (
        '[data]\nsynthetic = "clustered"\nrows = 9\nsimilarity = 1e-300',
        'f.toml:6: [data] "similarity": input should be greater than or equal to 0.001',
    ),
    "recall in time": ('[budget]\nrecall = ">= 1 us"', 'f.toml:4: [budget] "recall": ">= 1 us" has the unit us, and recall'),
    "inline table": ("measure = {worker = 3}", 'f.toml:3: [measure] "worker" is not a key here; did you mean "workers"?'),
    "quoted key": ('[measure]\n"worker" = 3', 'f.toml:4: [measure] "worker" is not a key here'),
    "table is a number": ("measure = 3", 'f.toml:3: "measure": input should be'),
    "comments are not keys": ("# worker = 3\n[measure]\n# worker = 3\nworker = 3", 'f.toml:6: [measure] "worker" is not'),
    "same key in two tables": ("[gate]\ntime = 0.1\n[measure]\ntime = 3", 'f.toml:6: [measure] "time" is not a key here'),
    "TOML value": ("x = ", "f.toml:3: Invalid value"),
    "TOML table": ("[measure", "f.toml:3: Expected ']'"),
    "TOML end": ('x = "abc', "f.toml:3: Unterminated string"),
    "duplicate key": ('kernel = "z"', "f.toml:3: Cannot overwrite a value"),
    "duplicate table": ("[measure]\n[measure]", "f.toml:4: Cannot declare"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_every_mistake_is_named(name: str) -> None:
    text, wanted = MISTAKES[name]
    said = mistake(text[1:] if text.startswith("!") else HEAD + text)
    assert said.startswith(wanted), said


def test_line_endings_do_not_matter() -> None:
    text = (HEAD + "[measure]\nworker = 3\n").replace("\n", "\r\n")
    assert mistake(text).startswith('f.toml:4: [measure] "worker"')


@pytest.mark.parametrize(
    "key", ["question", "kernel", "variants", "params", "measure", "budget", "gate", "control", "beside", "profile"]
)
def test_no_value_of_any_type_escapes_as_another_error(key: str) -> None:
    others = "".join(f'{name} = "x"\n' for name in ("question", "kernel") if name != key)
    line = 1 + others.count("\n")
    for value in ("[[1]]", "{a = {b = 1}}", "1979-05-27T07:32:00Z", "[{x = 1}]", "false", "-1e308"):
        assert mistake(f"{others}{key} = {value}\n").startswith(f"f.toml:{line}: "), (key, value)


def test_defaults() -> None:
    read = parse_scenario(HEAD, path="dir/f.toml", name="f")
    assert (read.name, read.path, read.kernel, read.variants, read.data) == ("f", "dir/f.toml", "k", ("auto",), None)
    measure = read.measure
    assert (measure.mode, measure.workers, measure.samples) == (Mode.BLOCK, 8, None)
    assert (measure.sample_ns, measure.warmup_ns) == (100e3, None)
    assert (read.gate.time, read.gate.recall_floor, read.gate.metrics) == (0.05, 0.0, ())
    assert (read.control, read.beside, read.budgets, read.parameters) == (None, None, (), ())
    assert len(read.digest) == 64


def test_everything_stated_is_read() -> None:
    read = parse_scenario(
        HEAD
        + 'variants = ["a", "b", "a"]\n[params]\ncount = [16, 4, 16]\ndim = 3\n[measure]\nmode = "latency"\nsample_us = 20\n'
        + '[budget]\np99 = "<= 100 us"\nrecall = ">= 95 %"\nbytes = "<= 1.5 KiB"\n'
        + '[gate]\ntime = 0.1\nmetrics = {bytes = 0}\n[control]\nkernel = "twin"\n[beside]\nvariant = "slow"\nspeedup = 2\n',
        path="f.toml",
        name="f",
    )
    assert read.variants == ("a", "b"), "a variant named twice is measured once"
    assert read.parameters == (("count", (16.0, 4.0)), ("dim", (3.0,)))
    assert read.budgets == (Budget("p99", 100e3, False), Budget("recall", 0.95, True), Budget("bytes", 1536.0, False))
    assert (read.gate.time, read.gate.metrics) == (0.1, (("bytes", 0.0),))
    assert (read.control, read.beside) == (Reference("twin", "", 0.05), Reference("k", "slow", 2.0))
    assert (read.measure.mode, read.measure.sample_ns) == (Mode.LATENCY, 20e3)


def test_what_a_profile_is_judged_by() -> None:
    read = parse_scenario(
        HEAD
        + '[control]\nkernel = "t"\n[profile]\ndual = ["a", "b_*", "a"]\ndual_share = "<= 5 %"\nmisses = "< 0.1"\noperations = 3\n',
        path="f",
        name="f",
    )
    assert read.profile == ProfileLimits(("a", "b_*"), 0.05, misses=0.1, operations=3)
    assert parse_scenario(HEAD + '[profile]\ndual = ["a"]', path="f", name="f").profile == ProfileLimits(("a",))
    assert parse_scenario(HEAD, path="f", name="f").profile == ProfileLimits()


def test_data_of_every_kind() -> None:
    def data(table: str) -> object:
        return parse_scenario(f"{HEAD}[data]\n{table}", path="f.toml", name="f").data

    assert data('file = "x.npy"') == FileData("file", "x.npy", "", 0, 200, True)
    assert data('synthetic = "gaussian"\nrows = 9') == GaussianData("gaussian", 9, 200, 768, 1)
    assert data('synthetic = "clustered"\nrows = 9\nintrinsic = 3') == ClusteredData("clustered", 9, 200, 768, 100, 3, 0.7, 1)


def test_shipped_scenarios_are_valid() -> None:
    paths = sorted((Path(__file__).parents[2] / "scenarios").glob("*.toml"))
    assert paths
    for path in paths:
        assert parse_scenario(path.read_text(), path=str(path), name=path.stem).question.endswith("?")


@pytest.mark.parametrize("text", ["<= 1 us", "<1us", " <=  1   us ", "<= 1.0 us"])
def test_limits_are_read_with_any_spacing(text: str) -> None:
    assert parse_limit("time", text) == Budget("time", 1000.0, False)


@pytest.mark.parametrize(
    "text", ["", "1 us", "<= us", "<= -1 us", "<= 1e3 us", "== 1 us", "<= 1 fortnight", "<= 1 us us", "<= nan us"]
)
def test_what_is_not_a_limit(text: str) -> None:
    with pytest.raises(ValueError, match="is not a limit"):
        parse_limit("time", text)


def test_every_measured_quantity_has_units() -> None:
    for quantity in (*BLOCK_QUANTITIES, *LATENCY_QUANTITIES):
        assert parse_limit(quantity, "<= 2 ms").limit == 2e6
        with pytest.raises(ValueError, match="has the unit %"):
            parse_limit(quantity, "<= 2 %")
    assert parse_limit("a_metric", ">= 3").limit == 3.0


def test_line_of_unknown_keys_is_the_first() -> None:
    assert line_of("a = 1\n[t]\nb = 2\n", ("t", "b")) == 3
    assert line_of("a = 1\n[t]\nb = 2\n", ("t", "zz")) == 2
    assert line_of("a = 1\n[t.u]\nb = 2\n", ("t", "u")) == 2
    assert line_of("", ("t", "zz")) == line_of("a = 1", ()) == 1


def test_schema_names_every_table() -> None:
    schema = json_schema()
    assert set(schema["properties"]) == {
        "question", "kernel", "variants", "data", "params", "measure", "budget", "gate", "control", "beside", "needs", "profile",
    }  # fmt: skip
    assert schema["additionalProperties"] is False

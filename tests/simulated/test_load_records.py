"""What a history and other tools are told of loads: the same numbers as the report, under names of their own."""

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from chronicles import entry
from fabricated_loads import POPULATION, Slower, bench, compare, load, players

from dualmem_cli.errors import ExitStatus
from dualmem_cli.model.metric import Better
from dualmem_cli.model.record import Record
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.report import RENDERERS, ReportContext
from dualmem_cli.store.history import History

CONTEXT = ReportContext(record_path="r.json", page_path="r.html", exit_status=ExitStatus.OK, next_command="")


@pytest.fixture(scope="module")
def benched(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return bench(players(), tmp_path_factory.mktemp("bench"), load(measure="workers = 2"))


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return compare(players(Slower(1.08)), tmp_path_factory.mktemp("compare"), load('[gate]\ntime = 0.05\n"update.p50" = 0.05\n'))


def test_the_history_keeps_percentiles_of_all_and_of_each_kind(benched: Record, tmp_path: Path) -> None:
    told = {quantity.name: quantity.estimate for quantity in benched.bench[0].quantities}
    with History(tmp_path / "h.duckdb", write=True) as history:
        history.add(entry(benched))
        series = {one.measured.quantity: one for one in history.series()}
    for name in ("p50", "p99", "lookup.p50", "lookup.p99", "update.time", "achieved", "errors", "memory_bytes"):
        assert series[name].points[0].value == told[name].value
    assert series["achieved"].measured.better is Better.HIGHER
    assert series["update.p99"].measured.better is Better.LOWER
    assert not [name for name in series if "service" in name or name.endswith(("max", "operations"))]
    assert {one.measured.case for one in series.values()} == {"load/dual"}


def test_another_rate_or_number_of_threads_begins_another_series(benched: Record, tmp_path: Path) -> None:
    faster = bench(players(), tmp_path / "faster", load(measure="rate = 1100"))
    crowd = bench(players(), tmp_path / "crowd", load(measure="threads = 2"))
    again = bench(players(), tmp_path / "again", load('[budget]\np99 = "<= 1 ms"\n', measure="workers = 2"))
    (known, other, third, same) = (entry(made).amounts[0].measured for made in (benched, faster, crowd, again))
    assert len({known, other, third}) == 3
    assert same == known


def test_the_history_keeps_verdicts_and_times_of_a_compare(compared: Record) -> None:
    kept = entry(compared)
    verdicts = {judged.case: judged.verdict for judged in kept.verdicts}
    assert verdicts["load/dual/update time"] is Verdict.REGRESSED
    assert verdicts["load/dual/lookup time"] is Verdict.UNCHANGED
    assert {judged.kernel for judged in kept.verdicts} == {"used"}
    values = {amount.measured.quantity: amount.value for amount in kept.amounts}
    assert values["update.p50"] == pytest.approx(54_000, rel=0.01)
    assert set(values) == {"lookup.time", "update.time", "update.p50"}


@pytest.mark.parametrize("name", ["text", "markdown", "html", "job-summary"])
def test_numbers_beyond_all_measure_stay_readable(tmp_path: Path, name: str) -> None:
    """A store may say anything of itself; 1e300 with all its digits breaks every table."""
    vast = replace(POPULATION, metrics=(*POPULATION.metrics[:4], 1e300, 1e-300, -1e300))
    fake = players()
    fake.population = {("", ""): vast}
    told = bench(fake, tmp_path, load())
    assert not told.bench[0].problem
    text = RENDERERS[name](told, CONTEXT)
    assert name != "html" or "e+" in text  # the others leave these out
    assert not re.findall(r"[0-9,]{20,}", re.sub(r"[0-9a-f]{16,}", "", re.sub(r"<svg.*?</svg>", "", text, flags=re.S)))


def test_formats_of_repetitions_have_one_for_every_player(benched: Record, compared: Record) -> None:
    document = json.loads(RENDERERS["google-benchmark"](benched, CONTEXT))
    names = [each["name"] for each in document["benchmarks"]]
    assert names.count("load/dual/p99") == names.count("load/dual/lookup.p50") == 2
    lines = RENDERERS["benchstat"](compared, CONTEXT).splitlines()
    update = "BenchmarkDualmem/scenario=load/variant=dual/operation=update "
    values = [float(line.split()[2]) for line in lines if line.startswith(update) and line.endswith(" ns/op")]
    players_of_each = len(compared.loads[0].players)
    assert len(values) == 2 * players_of_each
    old, new = (sum(side) / players_of_each for side in (values[:players_of_each], values[players_of_each:]))
    assert new / old == pytest.approx(1.08, abs=0.01)
    assert "load/dual lookup.p50" in RENDERERS["pyperf-baseline"](compared, CONTEXT)


def test_ci_systems_are_pointed_to_the_line_of_the_load(compared: Record, benched: Record) -> None:
    red = replace(CONTEXT, exit_status=ExitStatus.REGRESSION)
    (error, *_) = RENDERERS["github"](compared, red).splitlines()
    line = compared.loads[0].scenario.source.splitlines().index("time = 0.05") + 1
    assert error.startswith(f"::error file=load.toml,line={line},title=regressed")
    broken = replace(benched, bench=(replace(benched.bench[0], quantities=(), problem="a fault"),))
    assert "file=load.toml,line=2," in RENDERERS["github"](broken, red)
    timed = replace(compared.loads[0], players=tuple(replace(each, seconds=3.0) for each in compared.loads[0].players))
    suite = ElementTree.fromstring(RENDERERS["junit"](replace(compared, loads=(timed,)), red))[0]
    assert float(suite.get("time", "")) == pytest.approx(3.0 * len(timed.players), abs=0.01)
    assert {case.get("file") for case in suite.iter("testcase")} == {"load.toml"}

"""Loads through the real command line and the real player, on a store whose costs are known (tests/subjects/used.h)."""

import contextlib
import html
import os
import re
import shutil
import signal
import socket
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest
from command_line import Dualmem
from fabricated_loads import bench, players
from fabricated_loads import load as fabricated_load
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from dualmem_cli.cli.bench import soaked
from dualmem_cli.cli.watching import Watching, served
from dualmem_cli.errors import DualmemError
from dualmem_cli.model.record import Record
from dualmem_cli.report.exposition import CONTENT_TYPE
from dualmem_cli.store import records

LOAD = """question = "does it keep up?"
workload = "used"

[params]
steps = 2000
{params}
[measure]
mode = "load"
rate = {rate}
warmup_s = 0.05
steady_s = {steady}
section_s = {section}
workers = 1

[mix]
lookup = {{ share = 0.6 }}
update = {{ share = 0.3 }}
insert = {{ share = 0.1 }}
{tail}"""


def load(
    dualmem: Dualmem, *, rate: int = 2000, steady: float = 0.8, section: float = 0.1, params: str = "", tail: str = ""
) -> Path:
    path = dualmem.folder / "load.toml"
    path.write_text(LOAD.format(rate=rate, steady=steady, section=section, params=params, tail=tail))
    return path


def loaded(dualmem: Dualmem, kind: str = "bench") -> Record:
    (path,) = (dualmem.folder / "reports").glob(f"*-{kind}.json")
    return records.load(path)


def quantities(record: Record) -> dict[str, float]:
    return {quantity.name: quantity.estimate.value for quantity in record.bench[0].quantities}


def test_a_stall_of_50_ms_is_in_the_response_and_not_in_the_service_times(dualmem: Dualmem) -> None:
    """At 10,000 operations a second 500 of them wait: 5 % of all. One is slow."""
    path = load(dualmem, rate=10_000, steady=1.05, section=0.15, params="stall_at = 6000")
    done = dualmem("bench", "-q", path, "--library", dualmem.subject("used_ok"), "--times")
    assert done.status == 0, done
    record = loaded(dualmem)
    found = quantities(record)
    assert found["p99.9"] > 30e6
    assert found["max"] >= 50e6
    services = [kind.service for played in record.loads[0].steady() for kind in played.kinds]
    assert max(service.max_ns for service in services) >= 50e6
    times = (dualmem.folder / "reports" / record.loads[0].times).stat().st_size
    assert times == 16 * sum(played.operations for _, played in record.loads[0].players[0].plays)


def test_a_store_that_lost_an_episode_is_refused_in_one_line(dualmem: Dualmem) -> None:
    done = dualmem("bench", "-q", load(dualmem), "--library", dualmem.subject("used_loses"), "--json")
    assert done.status == 3
    assert done.json["cases"][0]["problem"].endswith("episodes 1000 is promised, 999 found")


def test_a_crash_in_the_middle_costs_the_load_and_keeps_what_was_played(dualmem: Dualmem) -> None:
    done = dualmem("bench", "-q", load(dualmem, params="crash_at = 1000"), "--library", dualmem.subject("used_ok"))
    assert done.status == 3, done
    record = loaded(dualmem)
    assert "SIGABRT" in record.bench[0].problem
    assert record.loads[0].steady()
    assert "INVALID" in done.out


def test_metrics_are_served_while_it_goes_on_and_an_interruption_keeps_what_was_played(dualmem: Dualmem) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    metrics = dualmem.folder / "metrics.txt"
    process = dualmem.start(
        "bench", "-q", load(dualmem, steady=60), "--library", dualmem.subject("used_ok"), "--metrics", metrics, "--metrics-port", str(port)
    )  # fmt: skip
    _wait_for(process, metrics, 'dualmem_load_sections_total{part="steady"} 3')
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"] == CONTENT_TYPE
        served = answer.read().decode()
    players = list(psutil.Process(process.pid).children(recursive=True))
    assert players
    os.kill(process.pid, signal.SIGTERM)
    done = dualmem.finish(process)
    assert done.status == 130, done
    record = loaded(dualmem)
    assert record.interrupted
    assert len(record.loads[0].steady()) >= 3
    assert quantities(record)["lookup.service.p50"] > 0
    assert not [found for found in players if found.is_running() and found.status() != psutil.STATUS_ZOMBIE]
    for text in (served, metrics.read_text()):
        _check_metrics(text)


def _check_metrics(text: str) -> None:
    families = {family.name: family for family in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]
    told = families["dualmem_load_response_seconds"].samples
    assert {s.labels.get("quantile") for s in told if s.labels["operation"] == "lookup"} >= {"0.5", "0.95", "0.99", None}
    assert families["dualmem_load_operations"].type == "counter"
    stores = {s.labels["metric"]: s.value for s in families["dualmem_load_store"].samples}
    assert stores["hit_rate"] == 0.9
    assert stores["episodes"] > 1000


def _wait_for(process: Any, path: Path, text: str) -> None:
    until = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < until:
        if path.is_file() and text in path.read_text():
            return
        time.sleep(0.02)
    raise AssertionError((process.poll(), path.is_file() and path.read_text()))


def test_a_soak_finds_a_leak(dualmem: Dualmem) -> None:
    path = load(dualmem, rate=4000, steady=0.4, section=0.1)
    done = dualmem("bench", "-q", path, "--library", dualmem.subject("used_leaks"), "--soak", "1.2s")
    assert done.status == 0, done
    record = loaded(dualmem)
    assert quantities(record)["rss_growth"] > 0
    (told,) = [caution.what for caution in record.cautions if "resident" in caution.what]
    assert told.startswith("resident memory grows by")


def test_a_regression_of_one_operation_is_named_and_explained(dualmem: Dualmem, tmp_path: Path) -> None:
    """Counted with the valgrind that is here; a perf that does nothing stands in the way of samples, which take seconds."""
    (tmp_path / "perf").write_text("#!/bin/sh\necho broken >&2; exit 1\n")
    (tmp_path / "perf").chmod(0o755)
    path = load(dualmem, tail="[gate]\ntime = 0.05\n")
    done = dualmem(
        "compare", path, "--library", dualmem.subject("used_slower_update"), "--against", dualmem.subject("used_ok"),
        "--export=markdown=m.md", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
    )  # fmt: skip
    assert done.status == 1, done
    assert re.search(r"REGRESSED +load +dual/update time +\+[78]\.\d %", done.out), done.out
    assert "1 regressed, 2 unchanged" in done.out
    assert "explaining [1/1] load dual/update: up to 2 min" in done.err
    (told,) = loaded(dualmem, "compare").explanations
    assert told.case == "load/dual/update time"
    assert told.headline.startswith("No sampler works here")
    if shutil.which("valgrind") is None:
        assert any(line.startswith("Not counted by callgrind: valgrind is not installed") for line in told.lines)
        return
    because = "% instructions, most of them in used_operate (used.h:"
    assert re.match(r"More work: \+[78]\.\d " + re.escape(because), told.reason), told.reason
    (counted,) = told.counted
    instructions = next(figure for figure in counted.figures if figure.name == "instructions")
    assert instructions.candidate is not None
    assert instructions.baseline is not None
    assert instructions.candidate / instructions.baseline == pytest.approx(1.08, abs=0.002)
    (record,) = (dualmem.folder / "reports").glob("*-compare.json")
    for text in (
        done.out,
        (dualmem.folder / "m.md").read_text(),
        record.with_suffix(".html").read_text(),
        dualmem("report", record, "--format", "json").out,
    ):
        assert because in html.unescape(" ".join(text.replace("\\", "").split())), text


def test_an_interrupted_compare_is_gone_on_with(dualmem: Dualmem) -> None:
    sides = ("--library", dualmem.subject("used_slower_update"), "--against", dualmem.subject("used_ok"))
    path = load(dualmem, tail="[gate]\ntime = 0.05\n")
    process = dualmem.start("compare", path, *sides, "--no-explain")
    assert process.stderr is not None
    assert process.stderr.readline() == "[1/1] load dual\n"
    seen: set[int] = set()
    while len(seen) < 3 and process.poll() is None:
        time.sleep(0.01)
        with contextlib.suppress(psutil.Error):
            seen |= {child.pid for child in psutil.Process(process.pid).children() if child.name() == "dualmem-player"}
    os.kill(process.pid, signal.SIGINT)
    cut = dualmem.finish(process)
    assert cut.status == 130, cut
    (first,) = (dualmem.folder / "reports").glob("*-compare.json")
    before = records.load(first).loads[0].players
    assert 1 <= len(before) < 6
    assert f"interrupted with {len(before)} of the 6 processes that the first look wants" in " ".join(cut.out.split())
    assert f"Next: dualmem compare --continue {first.relative_to(dualmem.folder)}" in cut.out
    done = dualmem("compare", "-q", "--continue", first, *sides, "--no-explain")
    assert done.status == 1, done
    assert re.search(r"REGRESSED +load +dual/update time +\+[78]\.\d %", done.out), done.out
    (second,) = (path for path in (dualmem.folder / "reports").glob("*-compare*.json") if path != first)
    assert records.load(second).loads[0].players[: len(before)] == before
    assert records.load(second).explanations == ()
    path.write_text(path.read_text().replace("rate = 2000", "rate = 2001"))
    other = dualmem("compare", "-q", "--continue", first, *sides)
    assert other.status == 5, other
    assert "load is not the scenario that it was" in other.err
    assert other.err.count("\n") == 1


def test_builds_with_other_results_are_not_compared(dualmem: Dualmem) -> None:
    against = ("--against", dualmem.subject("used_ok"))
    done = dualmem("compare", "-q", load(dualmem), "--library", dualmem.subject("used_wrong_update"), *against)
    assert done.status == 3, done
    assert "the builds give different results: update" in " ".join(done.out.split())


def test_a_port_or_a_file_that_cannot_be_had_is_told_before_anything_is_played() -> None:
    with (
        pytest.raises(DualmemError, match=r"^192\.0\.2\.1:0: ") as raised,
        served(Watching(file=None, terminal=False), port=0, host="192.0.2.1"),
    ):
        pass
    assert raised.value.hint == "Choose another port with --metrics-port."
    with pytest.raises(DualmemError, match="/proc/no/folder") as unwritten:
        Watching(file=Path("/proc/no/folder"), terminal=False)
    assert unwritten.value.hint == "Choose another file with --metrics."


def test_a_file_that_cannot_be_written_any_more_is_told_in_the_end(tmp_path: Path) -> None:
    watching = Watching(file=tmp_path / "metrics", terminal=False)
    (tmp_path / "metrics").unlink()
    (tmp_path / "metrics").mkdir()
    bench(players(), tmp_path / "work", fabricated_load(), watch=watching)
    assert watching.lost.startswith(str(tmp_path / "metrics"))
    (tmp_path / "metrics").rmdir()
    bench(players(), tmp_path / "again", fabricated_load(), watch=watching)
    assert watching.lost == ""


@pytest.mark.parametrize(
    ("soak", "asked", "loads", "told"),
    [
        ("soon", {}, 1, '--soak: "soon" is not a time'),
        ("0s", {}, 1, '--soak: "0s" is not a time'),
        ("1h", {}, 2, "--soak repeats one load"),
        ("1h", {}, 0, "--soak, --times and --metrics are about loads"),
        ("", {"times": True}, 0, "--soak, --times and --metrics are about loads"),
        ("", {"watched": True}, 0, "--soak, --times and --metrics are about loads"),
    ],
)
def test_options_about_loads(soak: str, asked: dict[str, bool], loads: int, told: str) -> None:
    chosen = tuple(fabricated_load(name=f"load{number}") for number in range(loads))
    with pytest.raises(DualmemError) as raised:
        soaked(soak, **{"times": False, "watched": False, **asked}, chosen=(), loads=chosen)
    assert raised.value.what == told


def test_a_kernel_library_has_no_workloads(dualmem: Dualmem) -> None:
    done = dualmem("bench", "-q", load(dualmem), "--library", dualmem.subject("ok"))
    assert done.status == 2, done
    assert "has no workloads. A load scenario needs a library that exports some." in done.err
    assert not list((dualmem.folder / "reports").glob("*.json"))

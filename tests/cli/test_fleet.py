"""A fleet on this machine: Dask's own scheduler and workers of the real command line, killed where it hurts."""

import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import distributed
import jsonschema
import numpy as np
import psutil
import pytest
from command_line import Done, Dualmem, is_worker

from dualmem_cli import __version__
from dualmem_cli.report.fleet import json_schema as fleet_schema

Process = subprocess.Popen[str]


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of a scheduler for the whole file: it outlives its workers."""
    folder = tmp_path_factory.mktemp("scheduler")
    options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--dashboard-address", "127.0.0.1:0")
    with subprocess.Popen(
        [sys.executable, "-m", "dask", "scheduler", *options, "--scheduler-file", str(folder / "file")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
    ) as process:
        wait_for(lambda: (folder / "file").is_file() and (folder / "file").stat().st_size > 0)
        with distributed.Client(scheduler_file=str(folder / "file"), set_as_default=False) as client:  # type: ignore[no-untyped-call]
            yield client
        process.terminate()


def wait_for(what: Callable[[], object], *, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.02)


def gone(processes: list[psutil.Process]) -> bool:
    return not [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("address", ["nonsense", "tls://127.0.0.1:1"])
def test_an_address_that_is_none_is_one_line(dualmem: Dualmem, address: str) -> None:
    done = dualmem("fleet", "status", address)
    assert done.status == 3
    (line,) = done.err.splitlines()
    assert f"{address}: no scheduler answers there" in line


class Fleet:
    """Workers by name, each a process of the command line."""

    def __init__(self, dualmem: Dualmem, scheduler: Any) -> None:
        self.dualmem, self.scheduler = dualmem, scheduler
        self.address: str = scheduler.scheduler.address
        self.processes: dict[str, Process] = {}

    def join(self, *names: str, **environment: str) -> None:
        for name in names:
            self.processes[name] = self.dualmem.start("fleet", "worker", self.address, "--name", name, **environment)
        self.wait_joined(*names)

    def join_with_less(self, name: str) -> None:
        """A worker of Dask's own command, which says of itself that it is a machine of this kind and nothing else."""
        offers = f"machine=1 {platform.machine()}=1"
        command = ["dask", "worker", self.address, "--no-nanny", "--nthreads", "1", "--name", name, "--resources", offers]
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env=self.dualmem.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.dualmem.started.append(process)
        self.processes[name] = process
        self.wait_joined(name)

    def wait_joined(self, *names: str) -> None:
        wait_for(lambda: set(names) <= self.known())

    def known(self) -> set[str]:
        """The names of the machines that the scheduler knows."""
        workers = self.scheduler.sync(self.scheduler.scheduler.identity, n_workers=-1)["workers"]
        return {str(worker["name"]) for worker in workers.values()}

    def arguments(self, *scenarios: Path, subject: str = "ok") -> tuple[str | Path, ...]:
        return ("bench", *scenarios, "--library", self.dualmem.subject(subject), "--fleet", self.address)

    def bench(self, *scenarios: Path) -> Done:
        return self.dualmem(*self.arguments(*scenarios))

    def start(self, *scenarios: Path, subject: str = "ok", options: tuple[str, ...] = ()) -> Process:
        return self.dualmem.start(*self.arguments(*scenarios, subject=subject), *options)

    def records(self) -> dict[str, Any]:
        """The newest record of each machine."""
        written = (path for path in (self.dualmem.folder / "reports").glob("*-on-*.json") if path.stat().st_size)
        paths = sorted(written)
        return {path.stem.rpartition("-on-")[2].partition("-")[0]: json.loads(path.read_text()) for path in paths}

    def measured(self) -> dict[str, list[str]]:
        """The scenarios of every case in the records, by machine."""
        return {name: [case["case"]["scenario"] for case in record["cases"]] for name, record in self.records().items()}

    def errands(self, *names: str) -> list[psutil.Process]:
        """The processes that measure for these machines, or for all."""
        found = []
        for name in names or tuple(self.processes):
            if self.processes[name].poll() is None:
                found += psutil.Process(self.processes[name].pid).children(recursive=True)
        return found

    def wait_measuring(self, *among: str) -> str:
        """The name of a machine whose worker process measures."""
        found: list[str] = []

        def look() -> bool:
            found.extend(name for name in among if any(map(is_worker, self.errands(name))))
            return bool(found)

        wait_for(look)
        return found[0]


@pytest.fixture
def fleet(dualmem: Dualmem, scheduler: Any) -> Iterator[Fleet]:
    made = Fleet(dualmem, scheduler)
    yield made
    left = made.errands()
    for process in made.processes.values():
        process.kill()
        process.communicate()
    wait_for(lambda: gone(left))
    wait_for(lambda: not made.known())


def slow(dualmem: Dualmem, name: str, *, tail: str = "") -> Path:
    """A scenario whose two workers take some three tenths of a second each: on a busy machine a look at the processes takes as long."""
    return dualmem.scenario(name, tail=f"[params]\nwork = 9000000\n{tail}", timeout=60)


NEEDS_A_CORE = "[needs]\ncores = 1"


def test_two_machines_of_which_one_has_less(fleet: Fleet) -> None:
    """In one test, because workers take a second to begin."""
    fleet.join_with_less("less")
    fleet.join("full")
    for step in (
        scenarios_go_to_machines_that_can_one_at_a_time_and_data_travels,
        every_machine_judges_on_its_own_and_the_worst_news_wins,
        what_only_the_lost_machine_could_do_is_named_and_the_rest_is_kept,
    ):
        step(fleet)
        for path in (fleet.dualmem.folder / "reports").glob("*-on-*"):
            path.unlink()


def scenarios_go_to_machines_that_can_one_at_a_time_and_data_travels(fleet: Fleet) -> None:
    dualmem = fleet.dualmem
    np.save(dualmem.folder / "rows.npy", np.random.default_rng(1).standard_normal((300, 16)).astype(np.float32))
    head = '[data]\nfile = "rows.npy"\nqueries = 20'
    made = {
        name: dualmem.scenario(name, kernel="cosine", head=head, tail=tail, samples=2000, timeout=60)
        for name, tail in {
            "picky1": NEEDS_A_CORE,
            "picky2": NEEDS_A_CORE,
            "any": "",
            "never": "[needs]\nnuma_nodes = 10000\nmemory = '1 GiB'",
        }.items()
    }
    process = fleet.start(*made.values(), subject="vectors")
    most = 0
    while process.poll() is None:
        most = max(most, sum(map(is_worker, fleet.errands())))
        time.sleep(0.01)
    done = dualmem.finish(process)
    assert done.status == 3, done
    assert "dualmem: never was not measured: no machine has 10000 NUMA nodes\n" in done.err
    assert "Machine full\n" in done.out
    assert "Machine less\n" in done.out
    assert most == 1, "both are one machine, and it measures one thing at a time"
    measured = fleet.measured()
    assert sorted(measured["full"]) == ["picky1", "picky2"]
    assert measured["less"] == ["any"], "the free machine took what it could"
    for record in fleet.records().values():
        assert not record["interrupted"]
        assert (record["data"][0]["rows"], record["data"][0]["source"]) == (280, "file/rows.npy")
        assert "dualmem-errand-" not in json.dumps(record), "no folder of the machine it was made on"
    assert len(list((dualmem.folder / "reports").glob("*-on-*.html"))) == 2


def every_machine_judges_on_its_own_and_the_worst_news_wins(fleet: Fleet) -> None:
    """`slower_10` costs 10 % more, so every machine must find that out for itself."""
    dualmem = fleet.dualmem
    everywhere, picky = (
        dualmem.scenario(name, samples=200, tail=tail) for name, tail in (("anywhere", ""), ("picky", NEEDS_A_CORE))
    )
    sides = ("--library", dualmem.subject("slower_10"), "--against", dualmem.subject("ok"))
    done = dualmem("compare", everywhere, picky, *sides, "--fleet", fleet.address)
    assert done.status == 1, done
    assert done.out.count("REGRESSED") == 3
    verdicts = {
        name: [(found["case"].partition("/")[0], found["verdict"]) for found in record["compare"]]
        for name, record in fleet.records().items()
    }
    assert verdicts == {"less": [("anywhere", "regressed")], "full": [("anywhere", "regressed"), ("picky", "regressed")]}


def what_only_the_lost_machine_could_do_is_named_and_the_rest_is_kept(fleet: Fleet) -> None:
    process = fleet.start(slow(fleet.dualmem, "picky", tail=NEEDS_A_CORE), fleet.dualmem.scenario("quick"))
    fleet.wait_measuring("full")
    fleet.processes["full"].kill()
    done = fleet.dualmem.finish(process)
    assert done.status == 3, done
    assert "dualmem: picky was not measured: no machine has 1 core\n" in done.err
    assert fleet.measured() == {"less": ["quick"]}


def test_a_machine_that_is_killed_in_the_middle_loses_nothing(fleet: Fleet) -> None:
    fleet.join("one", "two")
    process = fleet.start(*(slow(fleet.dualmem, name) for name in ("a", "b", "c")), options=("--json",))
    victim = fleet.wait_measuring("one", "two")
    measuring = fleet.errands(victim)
    fleet.processes[victim].kill()
    done = fleet.dualmem.finish(process)
    assert done.status == 0, done
    assert f"machine {victim} was lost: what it had not finished goes to another" in done.err
    cases = [name for names in fleet.measured().values() for name in names]
    assert sorted(cases) == ["a", "b", "c"], "nothing is lost, and nothing is there twice"
    jsonschema.validate(done.json, fleet_schema())
    shown = {machine["name"]: [case["scenario"] for case in machine["summary"]["cases"]] for machine in done.json["machines"]}
    assert shown == fleet.measured(), "the document says the same"
    assert (done.json["exit"], done.json["unmeasured"]) == ({"status": 0, "name": "ok"}, [])
    wait_for(lambda: gone(measuring))


def test_ctrl_c_keeps_what_was_gathered_and_ends_what_runs_elsewhere(fleet: Fleet) -> None:
    fleet.join("solo")
    long = fleet.dualmem.scenario("long", tail="[params]\nwork = 900000000", timeout=600)
    process = fleet.start(fleet.dualmem.scenario("quick"), long)
    wait_for(lambda: fleet.measured().get("solo") == ["quick"] and any(map(is_worker, fleet.errands("solo"))))
    (machine,) = fleet.dualmem("fleet", "status", fleet.address, "--json").json["machines"]
    assert (machine["name"], machine["state"]) == ("solo", "long")
    assert machine["machine"]["cores"] == psutil.cpu_count()
    assert "solo  " in fleet.dualmem("fleet", "status", fleet.address).out
    running = fleet.errands("solo")
    os.kill(process.pid, signal.SIGINT)
    done = fleet.dualmem.finish(process)
    assert done.status == 130, done
    record = fleet.records()["solo"]
    assert record["interrupted"] is True
    assert [case["case"]["scenario"] for case in record["cases"]] == ["quick"]
    wait_for(lambda: gone(running))
    fleet.processes["solo"].send_signal(signal.SIGTERM)
    assert fleet.dualmem.finish(fleet.processes["solo"]).status == 0


def says(done: Done, text: str) -> None:
    assert done.status == 3, done
    assert done.err.count("\n") == 1, done.err
    assert text in done.err


def test_what_a_person_is_told_when_it_cannot_be(fleet: Fleet, tmp_path: Path) -> None:
    dualmem = fleet.dualmem
    nobody = "tcp://127.0.0.1:9"
    unheard = dualmem.start(*fleet.arguments(dualmem.scenario())[:-1], nobody)
    says(
        fleet.bench(dualmem.scenario()), f"no machine works for {fleet.address}. Start one: dualmem fleet worker {fleet.address}."
    )
    assert f"No machine works for {fleet.address}" in dualmem("fleet", "status", fleet.address).out
    done = dualmem(*fleet.arguments(dualmem.scenario()), "--export", "junit=x.xml")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "--export does not go with --fleet. A fleet has a record per machine" in done.err
    other = tmp_path / "other"
    other.mkdir()
    patch = "import dualmem_cli.measure.provenance as known\nknown.tool_digest = lambda: 'another'"
    (other / "sitecustomize.py").write_text(patch)
    fleet.join("stranger", PYTHONPATH=f"{other}{os.pathsep}{dualmem.environment['PYTHONPATH']}")
    says(
        fleet.bench(dualmem.scenario()),
        f"machine stranger runs another dualmem ({__version__}, another) than this one ({__version__}, ",
    )
    says(dualmem("fleet", "worker", fleet.address, "--name", "stranger"), 'a machine called "stranger" works for')
    says(dualmem.finish(unheard), f"{nobody}: no scheduler answers there (")
    assert list((dualmem.folder / "reports").glob("*.json")) == []


def test_without_dask_one_line_and_the_rest_as_before(dualmem: Dualmem, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "distributed.py").write_text("raise ImportError('No module named distributed')")
    path = f"{tmp_path / 'none'}{os.pathsep}{dualmem.environment['PYTHONPATH']}"
    done = dualmem("bench", dualmem.scenario(), "--library", dualmem.subject("ok"), "--fleet", "tcp://x:1", PYTHONPATH=path)
    says(done, "a fleet needs Dask's distributed (No module named distributed). Install it: pip install 'dualmem[fleet]'.")
    assert "--fleet ADDRESS" in dualmem("bench", "--help", PYTHONPATH=path).out

"""The self-test's library: the planted share is exact, inert builds are inert, loads end."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dualmem_cli.errors import BuildError, DualmemError
from dualmem_cli.measure import inert
from dualmem_cli.measure.host import Host
from dualmem_cli.measure.load import loaded, placed
from dualmem_cli.model.selftest import Load

Worker = Any  # the class of conftest.py, which pytest does not let a test module import

pytestmark = pytest.mark.usefixtures("package")
PERCENTS = (0, 2, 3, 4, 5, 6, 8, 10)
# Steps of one operation with the default parameters: what the sources declare, written down a second time on purpose.
STEPS = {"compute": 500, "memory": 64, "latency": 16, "nanosecond": 1, "millisecond": 240_000}


@pytest.fixture(autouse=True)
def _installed(package: Path, build: Path) -> None:
    (package / "_native" / "selftest").symlink_to(build / "selftest")


def _observed(library: Path, kernel: str, *, seed: int, counts: list[int], mebibytes: int = 1) -> tuple[list[int], float]:
    """Checksums of the calls of run, and the steps counted after the last."""
    parameters = {"mebibytes": float(mebibytes)} if kernel in ("memory", "latency") else {}
    with (
        Host.load(library) as host,
        host.kernel(kernel, "plain", parameters=parameters, data=None, queries=None, seed=seed) as running,
    ):
        return [running.run(count) for count in counts], running.metrics()["steps"]


@pytest.mark.parametrize("kernel", STEPS)
@pytest.mark.parametrize("percent", PERCENTS)
def test_the_share_is_exact_and_unseen(build: Path, kernel: str, percent: int) -> None:
    draw = random.Random(f"{kernel} {percent}")
    counts = [draw.randint(1, 3 if kernel == "millisecond" else 700) for _ in range(9)]
    seed = draw.getrandbits(64)
    plain, _ = _observed(build / "selftest/0/selftest.0.so", kernel, seed=seed, counts=counts)
    link = draw.randrange(4)
    checksums, steps = _observed(build / f"selftest/{percent}/selftest.{link}.so", kernel, seed=seed, counts=counts)
    assert checksums == plain
    assert len(set(checksums)) == len(checksums)
    assert steps == sum(counts) * STEPS[kernel] * (100 + percent) // 100
    other, _ = _observed(build / f"selftest/{percent}/selftest.0.so", kernel, seed=seed ^ 1, counts=counts)
    assert other != plain


def test_sizes_differ_in_data_alone(build: Path, tmp_path: Path) -> None:
    if shutil.which("objcopy") is None:
        pytest.skip("objcopy is not there to cut out the code")

    def code(percent: int, link: int) -> bytes:
        target = tmp_path / "text"
        library = build / f"selftest/{percent}/selftest.{link}.so"
        subprocess.run(["objcopy", "-O", "binary", "--only-section=.text", library, target], check=True)
        return target.read_bytes()

    for link in range(4):
        assert len({code(percent, link) for percent in PERCENTS}) == 1
    assert len({code(0, link) for link in range(4)}) == 4


@pytest.mark.parametrize(
    ("kernel", "iterations"), [("compute", 400), ("memory", 3000), ("latency", 12_000), ("nanosecond", 200_000)]
)
def test_instructions_grow_by_the_share(build: Path, worker: Worker, tmp_path: Path, kernel: str, iterations: int) -> None:
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not there to count instructions")

    def instructions(percent: int) -> int:
        request = worker.request(
            *("measure", [str(build / f"selftest/{percent}/selftest.0.so")], [f"0 {kernel} plain 1.0"]),
            *(["parameter mebibytes 1"] if kernel in ("memory", "latency") else []),
            *(f"iterations {iterations}", "schedule 0"),
        )
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={tmp_path / 'out'}", "--toggle-collect=dmx_timed_run"]
        done = subprocess.run(
            [*command, worker.executable], input=request.encode(), capture_output=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr.decode()
        found = re.search(r"^(?:summary|totals): (\d+)", (tmp_path / "out").read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1])

    assert instructions(10) / instructions(0) == pytest.approx(1.10, rel=1e-3)


def test_inert_builds(build: Path, tmp_path: Path) -> None:
    first = inert.make_inert(1, folder=tmp_path / "first")
    again = inert.make_inert(1, folder=tmp_path / "again")
    second = inert.make_inert(2, folder=tmp_path / "second")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert len({path.read_bytes() for path in (*first, *second)}) == 2 * inert.LINKS
    for kernel in STEPS:
        expected = _observed(build / "selftest/0/selftest.0.so", kernel, seed=7, counts=[1, 4])
        for path in (*first, *second):
            assert _observed(path, kernel, seed=7, counts=[1, 4]) == expected


def test_inert_edits_keep_every_function(build: Path) -> None:
    for path in (build / "selftest" / "source").glob("*.c"):
        text = path.read_text()
        bodies = inert._FUNCTION.findall(text)
        assert len(bodies) == len(re.findall(r"^\}$", text, re.MULTILINE)), f"a function of {path.name} is not recognised"
        for seed in range(5):
            varied = inert.varied(text, random.Random(seed))
            assert all(match.group() in varied for match in inert._FUNCTION.finditer(text))


def test_inert_without_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match=r"cc is not there.*apt-get install"):
        inert.make_inert(1, folder=tmp_path / "none")


# ---- loads


def _children(executable: Path) -> Iterator[tuple[int, str]]:
    """Processes of that executable that are not dead yet: their id and state letter."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "exe").resolve() == executable.resolve():
                    yield int(entry.name), (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue


def _cpus() -> tuple[int, ...]:
    return tuple(sorted(os.sched_getaffinity(0)))


@pytest.fixture
def own_worker(build: Path, tmp_path: Path) -> Path:
    """A copy, so that other tests' workers are not counted."""
    return Path(shutil.copy(build / "dualmem-worker", tmp_path / "load-worker"))


@pytest.mark.parametrize("load", Load)
def test_loads_run_and_end(own_worker: Path, load: Load) -> None:
    cpus = _cpus()
    if load in (Load.OTHER_CORE, Load.BANDWIDTH) and len(cpus) < 2:
        pytest.skip("one processor only")
    measured, processes = placed(load, cpus=cpus)
    with loaded(load, cpus=cpus, executable=own_worker, seed=1, longest_s=20) as yielded:
        assert yielded == measured
        running = list(_children(own_worker))
        assert len(running) == len(processes)
        assert sorted(os.sched_getaffinity(pid).pop() for pid, _ in running) == sorted(cpu for _, cpu in processes)
    assert not list(_children(own_worker))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_loads_end_on_exceptions(own_worker: Path, error: type[BaseException]) -> None:
    with (
        pytest.raises(error),
        loaded(Load.SAME_CORE, cpus=_cpus(), executable=own_worker, seed=1, longest_s=20),
    ):
        raise error
    assert not list(_children(own_worker))


def test_loads_end_with_a_killed_parent(own_worker: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from dualmem_cli.measure.load import loaded\n"
        "from dualmem_cli.model.selftest import Load\n"
        f"with loaded(Load.BURSTS, cpus={_cpus()!r}, executable=Path({str(own_worker)!r}), seed=1, longest_s=60):\n"
        "    print('loaded', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == b"loaded\n"
        assert len(list(_children(own_worker))) == len(_cpus())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 10
    while (left := [pid for pid, state in _children(own_worker) if state != "Z"]) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left


def test_a_load_ends_by_itself(own_worker: Path, worker: Worker) -> None:
    for kind in ("spin", "bursts", "bandwidth"):
        answer = worker.say(worker.request("load", [], [], f"load {kind}", f"cpu {_cpus()[0]}", "duration 1000000"))
        assert answer.returncode == 0 and answer.names == ["hello", "phase", "done"]
        assert answer.phases == [("load", None)]


def test_loads_that_are_refused(own_worker: Path, worker: Worker) -> None:
    say = worker.say
    say(worker.request("load", [], [], "load spin")).refused("request", None, "`task load` needs `duration`")
    say(worker.request("load", [], [], "duration 1")).refused("request", None, "`task load` needs `load`")
    say(worker.request("load", [], [], "load burst", "duration 1")).refused("request", None, "not one of spin, bursts, bandwidth")
    say(worker.request("spin", ["ok"], ["0 spin plain 1"], "load spin", "duration 1")).refused(
        "request", None, "`task load` alone"
    )
    with (
        pytest.raises(DualmemError, match="the load does not start: cannot run on processor 60000"),
        loaded(Load.SAME_CORE, cpus=(60000,), executable=own_worker, seed=1, longest_s=1),
    ):
        pass
    with pytest.raises(DualmemError, match="the load bandwidth needs a second processor"):
        placed(Load.BANDWIDTH, cpus=(3,))

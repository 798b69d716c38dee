"""Kernels inside of this process, against numpy."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from worker_requests import matrix_bytes

import dualmem_cli
from dualmem_cli.errors import BuildError, DualmemError
from dualmem_cli.measure import host as host_module
from dualmem_cli.measure.host import Host
from dualmem_cli.measure.loop import main as loop_main
from dualmem_cli.measure.prepared import prepared_file
from dualmem_cli.measure.worker import WorkerProcesses
from dualmem_cli.model.kernel import Output
from dualmem_cli.model.plan import Case, Task, WorkerArm, WorkerRequest

pytestmark = pytest.mark.usefixtures("package")


@pytest.fixture
def vectors() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(11)
    return rng.normal(size=(40, 33)).astype(np.float32), rng.normal(size=(6, 33)).astype(np.float32)


def test_describes_what_the_worker_describes(subjects: Path, build: Path) -> None:
    processes = WorkerProcesses(build / "dualmem-worker")
    for name in ("ok", "vectors", "newer_minor", "unsupported", "big_table", "latency_stall"):
        path = subjects / f"{name}.so"
        with Host.load(path) as host:
            assert host.library == processes.describe(str(path))


def test_output_against_numpy(subjects: Path, vectors: Any) -> None:
    data, queries = vectors
    with Host.load(subjects / "vectors.so") as host:
        with host.kernel("dot", "plain", parameters={}, data=data, queries=queries, seed=1) as kernel:
            for step in range(8):
                kernel.run(1)
                expected = data.astype(float) @ queries[step % 6].astype(float)
                np.testing.assert_allclose(kernel.output(), expected, rtol=1e-12)
        with host.kernel("cosine", "plain", parameters={}, data=data, queries=queries, seed=1) as kernel:  # prepares first
            kernel.run(2)
            expected = data.astype(float) @ queries[1].astype(float) / np.linalg.norm(data.astype(float), axis=1)
            np.testing.assert_allclose(kernel.output(), expected, rtol=1e-12)
        with host.kernel("nearest", "plain", parameters={"k": 3}, data=data, queries=queries, seed=1) as kernel:
            assert kernel.kernel.output is Output.NEIGHBOURS
            assert kernel.parameters == {"k": 3.0}
            kernel.run(6)
            expected = np.argsort(-(queries.astype(float) @ data.astype(float).T), axis=1)[:, :3]
            np.testing.assert_array_equal(kernel.output().reshape(6, 3), expected)


@pytest.mark.parametrize("columns", [1, 15, 16, 17, 768])
def test_any_layout_of_the_arrays(subjects: Path, columns: int) -> None:
    """float64, Fortran order, slices with gaps: all become aligned, padded float32 rows."""
    rng = np.random.default_rng(columns)
    data = np.asfortranarray(rng.normal(size=(9, columns)))
    queries = rng.normal(size=(8, columns * 2))[::2, ::2]
    with (
        Host.load(subjects / "vectors.so") as host,
        host.kernel("dot", "plain", parameters={}, data=data, queries=queries, seed=1) as kernel,
    ):
        kernel.run(3)
        expected = data.astype(np.float32).astype(float) @ queries[2].astype(np.float32).astype(float)
        np.testing.assert_allclose(kernel.output(), expected, rtol=1e-10, atol=1e-10)


def test_checksums_and_metrics(subjects: Path) -> None:
    def checksums(name: str, *, seed: int) -> list[int]:
        with (
            Host.load(subjects / name) as host,
            host.kernel("spin", "plain", parameters={"work": 10}, data=None, queries=None, seed=seed) as kernel,
        ):
            assert kernel.metrics()["population"] == 1
            assert kernel.output().size == 0
            return [kernel.run(3), kernel.run(4)]

    first = checksums("ok.so", seed=1)
    assert first[0] != first[1]
    assert first == checksums("ok.so", seed=1) == checksums("slower_10.so", seed=1)
    assert first != checksums("ok.so", seed=2)
    assert first != checksums("lies.so", seed=1)


def test_an_unknown_metric_is_nan(subjects: Path) -> None:
    with (
        Host.load(subjects / "nan_metric.so") as host,
        host.kernel("spin", "plain", parameters={}, data=None, queries=None, seed=1) as kernel,
    ):
        assert np.isnan(kernel.metrics()["population"])


def test_latency(subjects: Path) -> None:
    with (
        Host.load(subjects / "latency_stall.so") as host,
        host.kernel("spin", "plain", parameters={"work": 10}, data=None, queries=None, seed=1) as kernel,
    ):
        latency = kernel.latency(operations=200, passes=3)
        assert latency.operations == latency.every.count == 600
        assert latency.fastest.count == 100
        assert latency.every.max_ns >= 200_000
        assert sum(count for _, count in latency.every.buckets) == 600
        with pytest.raises(DualmemError, match="at least one operation"):
            kernel.latency(operations=0, passes=1)


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        ("wrong_abi", "kernel table version 99.0"),
        ("no_symbol", "exports no dm_library_get"),
        ("no_size", "dm_kernel.size is 0"),
        ("missing", "No such file"),
    ],
)
def test_a_library_that_cannot_be_opened(subjects: Path, subject: str, message: str) -> None:
    path = subjects / f"{subject}.so"
    with pytest.raises(DualmemError, match=message) as caught:
        Host.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "variant", "parameters", "message"),
    [
        ("nearist", "plain", {}, "has no kernel nearist/plain. Did you mean nearest/plain?"),
        ("zzzzzz", "q", {}, "has no kernel zzzzzz/q. It has dot/plain, cosine/plain, nearest/plain."),
        ("nearest", "plain", {"kk": 1}, "nearest/plain has no parameter kk. Did you mean k?"),
        ("dot", "plain", {"k": 1}, "dot/plain has no parameter k. It has none."),
        ("nearest", "plain", {"k": 500}, "nearest/plain: k: 500 is above the maximum 100"),
        ("nearest", "plain", {"k": float("nan")}, "nearest/plain: k: the value is not a number"),
        ("nearest", "plain", {"k": 41}, "nearest/plain: k is above the number of rows"),
    ],
)
def test_what_a_kernel_refuses(subjects: Path, vectors: Any, name: str, variant: str, parameters: Any, message: str) -> None:
    data, queries = vectors
    with Host.load(subjects / "vectors.so") as host, pytest.raises(DualmemError, match=re.escape(message)):
        host.kernel(name, variant, parameters=parameters, data=data, queries=queries, seed=1)


def test_matrices_that_do_not_fit(subjects: Path, vectors: Any, tmp_path: Path) -> None:
    data, queries = vectors
    (tmp_path / "text").write_text("no matrix")
    cases: list[tuple[Any, Any, str]] = [
        (None, None, "needs data"),
        (data, None, "needs queries"),
        (data, queries[:, :5], "the data has 33 columns, the queries have 5"),
        (data, queries[0], "queries has the shape (33,)"),
        (np.empty((0, 33)), queries, "needs data"),
        (tmp_path / "text", queries, "is not a matrix file"),
    ]
    with Host.load(subjects / "vectors.so") as host:
        for bad_data, bad_queries, message in cases:
            with pytest.raises(DualmemError, match=re.escape(message)):
                host.kernel("dot", "plain", parameters={}, data=bad_data, queries=bad_queries, seed=1)


def test_unsupported_and_refusing(subjects: Path) -> None:
    with Host.load(subjects / "unsupported.so") as host, pytest.raises(DualmemError, match="vector unit of 4096 bits"):
        host.kernel("spin", "plain", parameters={}, data=None, queries=None, seed=1)
    with Host.load(subjects / "refuses_setup.so") as host, pytest.raises(DualmemError, match='work: "1000" does not fit'):
        host.kernel("spin", "plain", parameters={}, data=None, queries=None, seed=1)


def test_use_after_close(subjects: Path) -> None:
    with Host.load(subjects / "ok.so") as host:
        kernel = host.kernel("spin", "plain", parameters={}, data=None, queries=None, seed=1)
        other = host.kernel("spin", "plain", parameters={}, data=None, queries=None, seed=1)
        kernel.close()
        kernel.close()
        with pytest.raises(DualmemError, match="this kernel was closed"):
            kernel.run(1)
        assert other.run(1)
    for use in (lambda: other.run(1), other.output, other.metrics, lambda: other.latency(operations=1, passes=1)):
        with pytest.raises(DualmemError, match="this kernel was closed"):
            use()
    with pytest.raises(DualmemError, match="this library was closed"):
        host.kernel("spin", "plain", parameters={}, data=None, queries=None, seed=1)
    host.close()


def test_without_the_extension(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, subjects: Path) -> None:
    monkeypatch.setattr(dualmem_cli, "__path__", [str(tmp_path)])
    monkeypatch.setattr(host_module, "_loaded", [])
    with pytest.raises(BuildError, match="the native part was not built"):
        Host.load(subjects / "ok.so")
    (tmp_path / "_native").mkdir()
    (tmp_path / "_native" / "_host.abi3.so").write_text("not a shared object")
    with pytest.raises(BuildError, match="does not load"):
        Host.load(subjects / "ok.so")


def test_prepared_by_a_process_of_its_own(subjects: Path, build: Path, vectors: Any, tmp_path: Path) -> None:
    data, queries = vectors
    for name, matrix in (("data", data), ("queries", queries)):
        (tmp_path / name).write_bytes(matrix_bytes(matrix))
    request = WorkerRequest(
        task=Task.SPIN,
        libraries=(str(subjects / "vectors.so"),),
        arms=(WorkerArm(library=0, kernel="cosine", variant="plain"),),
        data=str(tmp_path / "data"),
        queries=str(tmp_path / "queries"),
    )
    case = Case(scenario="s", kernel="cosine", variant="plain", parameters=(), stated=(), data="d")

    def prepared(executable: Path) -> Path:
        return prepared_file(WorkerProcesses(executable), request, case, build="b", cache=tmp_path / "cache", timeout_s=20)

    path = prepared(build / "dualmem-worker")
    assert prepared(Path("nowhere")) == path, "what is there is not made again"
    with Host.load(subjects / "vectors.so") as host:
        with host.kernel("cosine", "plain", parameters={}, data=data, queries=queries, seed=1, prepared=path) as kernel:
            kernel.run(1)
            expected = data.astype(float) @ queries[0].astype(float) / np.linalg.norm(data.astype(float), axis=1)
            np.testing.assert_allclose(kernel.output(), expected, rtol=1e-12)
        with pytest.raises(DualmemError, match="has no prepare"):
            host.kernel("dot", "plain", parameters={}, data=data, queries=queries, seed=1, prepared=path)
    path.unlink()
    with pytest.raises(DualmemError, match="prepare: "):
        prepared_file(
            WorkerProcesses(build / "dualmem-worker"), replace(request, data=""), case, build="b", cache=tmp_path, timeout_s=20
        )
    assert not list((tmp_path / "prepared").iterdir()), "nothing half made is left"


def test_loop(subjects: Path, package: Path) -> None:
    """As py-spy starts it: a process of its own."""
    script = (
        f"import dualmem_cli, runpy; dualmem_cli.__path__.insert(0, {str(package)!r}); "
        "runpy.run_module('dualmem_cli.measure.loop', run_name='__main__')"
    )
    command = [sys.executable, "-c", script, str(subjects / "ok.so"), "spin", "plain", "0.2", "--parameter", "work=50"]
    path = os.pathsep.join(str(Path(entry).parent) for entry in dualmem_cli.__path__[1:])
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=True, env={**os.environ, "PYTHONPATH": path}
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    assert set(answer) == {"operations", "seconds"}
    assert answer["operations"] > 10 and answer["seconds"] >= 0.2


def test_loop_errors(subjects: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert loop_main([str(subjects / "ok.so"), "spin", "fast", "0.1"]) == 2
    assert "has no kernel spin/fast. Did you mean spin/plain?" in capsys.readouterr().err
    for bad in ("work", "work=", "=3", "work=x"):
        with pytest.raises(SystemExit) as caught:
            loop_main([str(subjects / "ok.so"), "spin", "plain", "0.1", "--parameter", bad])
        assert caught.value.code == 2

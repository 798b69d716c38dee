"""Parameters, matrices and prepared files, seen from the caller of a worker."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from worker_requests import FIXED, SPIN, matrix_bytes

Worker = Any  # the class of conftest.py, which pytest does not let a test module import


@pytest.fixture
def matrices(tmp_path: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], tuple[str, str]]:
    """50 x 20 data and 7 x 20 queries, float32 as float64, and the request lines that name their files."""
    rng = np.random.default_rng(5)
    data, queries = (rng.normal(size=(rows, 20)).astype(np.float32) for rows in (50, 7))
    (tmp_path / "data matrix").write_bytes(matrix_bytes(data))
    (tmp_path / "queries").write_bytes(matrix_bytes(queries))
    lines = (f"data {tmp_path / 'data matrix'}", f"queries {tmp_path / 'queries'}")
    return data.astype(float), queries.astype(float), lines


# ---- parameters


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("parameter k 500", "k: 500 is above the maximum 100"),
        ("parameter k 0", "k: 0 is below the minimum 1"),
        ("parameter k -3", "k: -3 is below the minimum 1"),
        ("parameter k 2.5", "k: 2.5 is not a whole number"),
        ("parameter kk 5", "no kernel of this request declares the parameter kk"),
    ],
)
def test_parameters_out_of_range(worker: Worker, matrices: Any, line: str, message: str) -> None:
    answer = worker.measure(["vectors"], ["0 nearest plain 1.0"], *FIXED, *matrices[2], line)
    answer.refused("setup", None if "kk" in line else 0, message)


def test_a_parameter_is_for_the_arms_that_declare_it(worker: Worker, matrices: Any) -> None:
    arms = ["0 dot plain 1.0", "0 nearest plain 1.0"]
    answer = worker.measure(["vectors"], arms, "iterations 1", "schedule 01", "check 7", *matrices[2], "parameter k 3")
    assert answer.one("checked")["outputs"] == [50, 21]
    assert answer.one("checked")["differences"] == [0, None]


# ---- data


def test_outputs_against_numpy(worker: Worker, matrices: Any, tmp_path: Path) -> None:
    data, queries, lines = matrices
    answer = worker.measure(["vectors"], ["0 dot plain 1.0"], *FIXED, *lines, "check 3", f"output 0 {tmp_path / 'out'}")
    assert answer.returncode == 0
    np.testing.assert_allclose(np.fromfile(tmp_path / "out", dtype="<f8"), data @ queries[2], rtol=1e-12)


def test_neighbours_are_read_only_when_they_are_whole(worker: Worker, matrices: Any, tmp_path: Path) -> None:
    data, queries, lines = matrices
    arms = ["0 nearest plain 1.0", "1 nearest plain 1.0"]
    libraries = ["vectors", "fails_recall"]
    common = ("iterations 1", "schedule 01", *lines, "parameter k 4")
    assert worker.measure(libraries, arms, *common).one("checked")["outputs"] == [0, 0]
    assert worker.measure(libraries, arms, *common, "check 6").one("checked")["outputs"] == [0, 0]
    assert worker.measure(libraries, arms, *common, "check 7").one("checked")["outputs"] == [28, 28]
    asked = worker.measure(libraries, arms, *common, f"output 0 {tmp_path / 'best'}", f"output 1 {tmp_path / 'worst'}")
    assert asked.one("checked")["outputs"] == [28, 28]
    order = np.argsort(-(queries @ data.T), axis=1)
    np.testing.assert_array_equal(np.fromfile(tmp_path / "best").reshape(7, 4), order[:, :4])
    np.testing.assert_array_equal(np.fromfile(tmp_path / "worst").reshape(7, 4), order[:, :-5:-1])


def test_data_that_is_missing(worker: Worker, matrices: Any) -> None:
    arm = ["0 dot plain 1.0"]
    worker.measure(["vectors"], arm, *FIXED).refused("setup", 0, "dot/plain needs data, but no data is given")
    worker.measure(["vectors"], arm, *FIXED, matrices[2][0]).refused("setup", 0, "dot/plain needs queries beside its data")


def test_queries_without_rows_are_the_kernels_business(worker: Worker, matrices: Any, tmp_path: Path) -> None:
    (tmp_path / "none").write_bytes(matrix_bytes(np.empty((0, 20))))
    answer = worker.measure(["vectors"], ["0 dot plain 1.0"], *FIXED, matrices[2][0], f"queries {tmp_path / 'none'}")
    answer.refused("setup", 0, "the queries have no rows")


def test_columns_that_disagree(worker: Worker, matrices: Any, tmp_path: Path) -> None:
    (tmp_path / "wide").write_bytes(matrix_bytes(np.ones((3, 21))))
    answer = worker.measure(["vectors"], ["0 dot plain 1.0"], *FIXED, matrices[2][0], f"queries {tmp_path / 'wide'}")
    answer.refused("setup", 0, "the data has 20 columns, the queries have 21")


GOOD = matrix_bytes(np.ones((3, 20)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"DMMATRIX", "is not a matrix file"),
        (b"NUMPY" + GOOD[5:], "is not a matrix file"),
        (matrix_bytes(np.ones((3, 20)), version=2), "has matrix version 2"),
        (GOOD[:-1], "was cut off or damaged"),
        (GOOD + b"\0", "was cut off or damaged"),
        (GOOD[:64], "was cut off or damaged"),
        (matrix_bytes(np.ones((3, 20)), stride=20), "do not fit a stride of 20"),
        (matrix_bytes(np.ones((3, 20)), stride=16), "do not fit a stride of 16"),
        (matrix_bytes(np.ones((3, 0))), "do not fit a stride of 0"),
        (struct.pack("<8sIIQQQ", b"DMMATRIX", 1, 0, 2**62, 16, 16).ljust(64, b"\0"), "was cut off or damaged"),
        (struct.pack("<8sIIQQQ", b"DMMATRIX", 1, 0, 1, 16, 2**62).ljust(64, b"\0"), "do not fit a stride"),
    ],
)
def test_a_damaged_matrix(worker: Worker, tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(content)
    error = worker.measure(["ok"], [SPIN], *FIXED, f"data {path}").refused("open", None, message)
    assert str(path) in error["message"]
    assert error["status"] in {4, 5}


def test_no_such_matrix(worker: Worker, tmp_path: Path) -> None:
    worker.measure(["ok"], [SPIN], *FIXED, f"data {tmp_path / 'x'}").refused("open", None, "No such file or directory")
    worker.measure(["ok"], [SPIN], *FIXED, f"data {tmp_path}").refused("open", None, "is not a file")


# ---- prepare


def test_prepare_then_measure(worker: Worker, matrices: Any, tmp_path: Path) -> None:
    data, queries, lines = matrices
    arm = ["0 cosine plain 1.0"]
    path = tmp_path / "prepared file"
    prepared = worker.say(worker.request("prepare", ["vectors"], arm, *lines, f"path {path}"))
    assert prepared.returncode == 0 and prepared.names[-1] == "done"
    strange = worker.say(worker.request("prepare", ["vectors"], arm, *lines, "parameter k 3", f"path {path}"))
    assert strange.returncode == 0  # another arm of the same case may declare k
    assert ("prepare", 0) in prepared.phases and ("setup", 0) not in prepared.phases
    np.testing.assert_allclose(np.fromfile(path), np.linalg.norm(data, axis=1), rtol=1e-12)
    measured = worker.measure(["vectors"], arm, *FIXED, *lines, f"prepared 0 {path}", f"output 0 {tmp_path / 'out'}")
    assert measured.returncode == 0
    np.testing.assert_allclose(np.fromfile(tmp_path / "out"), data @ queries[0] / np.linalg.norm(data, axis=1), rtol=1e-12)


def test_prepared_files_that_do_not_fit(worker: Worker, matrices: Any, tmp_path: Path) -> None:
    lines, arm = matrices[2], ["0 cosine plain 1.0"]
    (tmp_path / "short").write_bytes(b"12345678")
    worker.measure(["vectors"], arm, *FIXED, *lines).refused("setup", 0, "needs the file that its prepare writes")
    worker.measure(["vectors"], arm, *FIXED, *lines, f"prepared 0 {tmp_path / 'short'}").refused(
        "setup", 0, "made for other data"
    )
    worker.measure(["vectors"], arm, *FIXED, *lines, f"prepared 0 {tmp_path / 'x'}").refused("setup", 0, "No such file")
    dot = ["0 dot plain 1.0"]
    worker.measure(["vectors"], dot, *FIXED, *lines, f"prepared 0 {tmp_path / 'short'}").refused("setup", 0, "has no prepare")
    request = worker.request("prepare", ["vectors"], dot, *lines, f"path {tmp_path / 'out'}")
    worker.say(request).refused("prepare", 0, "dot/plain has nothing to prepare")
    request = worker.request("prepare", ["vectors"], arm, *lines, f"path {tmp_path}/no/where")
    assert worker.say(request).refused("prepare", 0, "cannot write")["status"] == 4

"""Vector files of three formats, good and damaged, and synthetic sets that keep what they promise."""

import io
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from dualmem_cli.errors import DataError
from dualmem_cli.measure import vectors
from dualmem_cli.model.scenario import ClusteredData, FileData, GaussianData

ROWS = np.random.default_rng(1).standard_normal((50, 12)).astype(np.float32)


def spec(file: str, *, queries_file: str = "", rows: int = 0, queries: int = 10, normalise: bool = False) -> FileData:
    return FileData(kind="file", file=file, queries_file=queries_file, rows=rows, queries=queries, normalise=normalise)


def fvecs(rows: NDArray[np.float32]) -> bytes:
    heads = np.full((len(rows), 1), rows.shape[1], dtype="<i4")
    return np.hstack([heads, rows.astype("<f4").view("<i4")]).tobytes()


def npy(array: NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def mistake(folder: Path, name: str, content: bytes, **changes: object) -> str:
    (folder / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        vectors.read_file(spec(name, **changes), directory=folder)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(folder / name))
    return str(caught.value)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", "<i4", "<u1", "<i8"])
def test_npy_of_any_number_type(tmp_path: Path, dtype: str) -> None:
    array = (ROWS * 10).astype(dtype) if dtype != "<u1" else np.abs(ROWS * 10).astype(dtype)
    np.save(tmp_path / "x.npy", array)
    data, queries = vectors.read_file(spec("x.npy"), directory=tmp_path)
    assert data.dtype == queries.dtype == np.float32
    np.testing.assert_array_equal(data, array[:-10].astype(np.float32))
    np.testing.assert_array_equal(queries, array[-10:].astype(np.float32))


def test_npy_in_fortran_order_or_not_contiguous(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.asfortranarray(ROWS))
    data, _ = vectors.read_file(spec("x.npy"), directory=tmp_path)
    np.testing.assert_array_equal(data, ROWS[:-10])
    assert data.flags["C_CONTIGUOUS"]


def test_fvecs(tmp_path: Path) -> None:
    (tmp_path / "x.fvecs").write_bytes(fvecs(ROWS))
    data, queries = vectors.read_file(spec("x.fvecs"), directory=tmp_path)
    np.testing.assert_array_equal(np.vstack([data, queries]), ROWS)


@pytest.mark.parametrize("suffix", ["hdf5", "h5"])
def test_hdf5(tmp_path: Path, suffix: str) -> None:
    with h5py.File(tmp_path / f"x.{suffix}", "w") as file:
        file["train"], file["test"] = ROWS, ROWS[:20] * 2
    data, queries = vectors.read_file(spec(f"x.{suffix}"), directory=tmp_path)
    np.testing.assert_array_equal(data, ROWS)
    np.testing.assert_array_equal(queries, ROWS[:10] * 2)


def test_a_queries_file_leaves_the_data_whole(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", ROWS)
    (tmp_path / "q.fvecs").write_bytes(fvecs(ROWS[:7] * 3))
    data, queries = vectors.read_file(spec("x.npy", queries_file="q.fvecs"), directory=tmp_path)
    np.testing.assert_array_equal(data, ROWS)
    np.testing.assert_array_equal(queries, ROWS[:7] * 3)


def test_held_out_queries_are_not_among_the_data(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(60, dtype=np.float32).reshape(-1, 1))
    data, queries = vectors.read_file(spec("x.npy", rows=30, queries=10), directory=tmp_path)
    assert data.ravel().tolist() == list(range(30)), "the first rows"
    assert queries.ravel().tolist() == list(range(50, 60)), "the last ones, held out before the rows are limited"


def test_rows_are_scaled_to_unit_length_and_zero_rows_stay(tmp_path: Path) -> None:
    rows = np.vstack([ROWS, np.zeros((1, 12)), np.full((1, 12), 1e-30), np.full((1, 12), 1e30)]).astype(np.float32)
    np.save(tmp_path / "x.npy", np.vstack([rows, ROWS[:10]]))
    data, _ = vectors.read_file(spec("x.npy", normalise=True), directory=tmp_path)
    lengths = np.linalg.norm(data.astype(np.float64), axis=1)
    assert lengths[50] == 0.0
    np.testing.assert_allclose(np.delete(lengths, 50), 1.0, atol=1e-6)


def _npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, x=ROWS)
    return buffer.getvalue()


def _huge() -> bytes:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 1000000), }"
    padded = header + b" " * (118 - len(header) - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded + b"\0" * 64


def _mixed() -> bytes:
    content = bytearray(fvecs(ROWS))
    content[13 * 4 * 3] = 11
    return bytes(content)


DAMAGED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "empty npy": ("x.npy", lambda: b"", "damaged"),
    "short npy": ("x.npy", lambda: npy(ROWS)[:-1], "damaged"),
    "npy header only": ("x.npy", lambda: npy(ROWS)[:100], "damaged"),
    "text": ("x.npy", lambda: b"0.1 0.2\n0.3 0.4\n" * 40, "damaged"),
    "zip": ("x.npy", lambda: b"PK\x03\x04" + b"\0" * 400, "damaged"),
    "npz": ("x.npy", _npz, "damaged"),
    "pickle": ("x.npy", lambda: npy(np.array([{"a": 1}], dtype=object)), "damaged"),
    "a header that asks for everything": ("x.npy", _huge, "damaged"),
    "vector": ("x.npy", lambda: npy(ROWS[0]), "is not a matrix of numbers"),
    "cube": ("x.npy", lambda: npy(ROWS.reshape(5, 10, 12)), "is not a matrix of numbers"),
    "no rows": ("x.npy", lambda: npy(ROWS[:0]), "is not a matrix of numbers"),
    "complex": ("x.npy", lambda: npy(ROWS.astype(np.complex64)), "is not a matrix of numbers"),
    "strings": ("x.npy", lambda: npy(np.array([["a", "b"]])), "is not a matrix of numbers"),
    "truth": ("x.npy", lambda: npy(ROWS > 0), "is not a matrix of numbers"),
    "empty fvecs": ("x.fvecs", lambda: b"", "are not rows of"),
    "short fvecs": ("x.fvecs", lambda: fvecs(ROWS)[:-4], "are not rows of 12 float32 each"),
    "short by a byte": ("x.fvecs", lambda: fvecs(ROWS)[:-1], "are not rows of 12 float32 each"),
    "dimension 0": ("x.fvecs", lambda: b"\0" * 400, "are not rows of 0 float32 each"),
    "negative dimension": ("x.fvecs", lambda: b"\xff" * 400, "are not rows of -1 float32 each"),
    "mixed dimensions": ("x.fvecs", _mixed, "its rows have different dimensions"),
    "empty hdf5": ("x.hdf5", lambda: b"", "damaged"),
    "text as hdf5": ("x.h5", lambda: b"hello" * 100, "damaged"),
    "unknown suffix": ("x.csv", lambda: b"1,2\n", "unknown kind of file. Known: .npy, .fvecs, .hdf5, .h5"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    file, make, wanted = DAMAGED[name]
    assert wanted in mistake(tmp_path, file, make())


def test_an_hdf5_of_another_layout_is_named(tmp_path: Path) -> None:
    for number, fill in enumerate(
        (
            lambda file: file.create_dataset("train", data=ROWS),
            lambda file: (file.create_group("train"), file.create_dataset("test", data=ROWS)),
            lambda file: (file.create_dataset("train", data=ROWS), file.create_dataset("test", data=ROWS[0])),
            lambda file: (file.create_dataset("train", data=ROWS[:0]), file.create_dataset("test", data=ROWS)),
            lambda file: (file.create_dataset("train", data=b"text"), file.create_dataset("test", data=ROWS)),
        )
    ):
        name = f"{number}.hdf5"
        with h5py.File(tmp_path / name, "w") as file:
            fill(file)  # type: ignore[no-untyped-call]
        content = (tmp_path / name).read_bytes()
        mistake(tmp_path, name, content)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_with_a_nan_is_named(tmp_path: Path, bad: float) -> None:
    rows = ROWS.copy()
    rows[17, 3] = bad
    assert "row 17 has a NaN or an infinity" in mistake(tmp_path, "x.npy", npy(rows))


def test_a_number_beyond_float32_is_an_infinity(tmp_path: Path) -> None:
    rows = ROWS.astype(np.float64)
    rows[3, 0] = 1e300
    assert "row 3 has a NaN or an infinity" in mistake(tmp_path, "x.npy", npy(rows))


@pytest.mark.parametrize(("columns", "fine"), [(1, True), (4096, True), (4097, False)])
def test_embeddings_have_up_to_4096_columns(tmp_path: Path, columns: int, fine: bool) -> None:
    content = npy(np.ones((12, columns), dtype=np.float32))
    if fine:
        (tmp_path / "x.npy").write_bytes(content)
        assert vectors.read_file(spec("x.npy"), directory=tmp_path)[0].shape == (2, columns)
    else:
        assert "4097 columns; embeddings have 1 to 4096" in mistake(tmp_path, "x.npy", content)


def test_what_was_asked_for_must_be_there(tmp_path: Path) -> None:
    content = npy(ROWS)
    assert "leaves none to look up in after holding out 50" in mistake(tmp_path, "x.npy", content, queries=50)
    assert "has 40 rows, the scenario asks for 41" in mistake(tmp_path, "x.npy", content, rows=41)
    np.save(tmp_path / "q.npy", ROWS[:, :5])
    assert "data have 12 columns, queries 5" in mistake(tmp_path, "x.npy", content, queries_file="q.npy")
    with pytest.raises(DataError, match=r"gone.npy: no such file. \[data\] paths are relative to the scenario file"):
        vectors.read_file(spec("x.npy", queries_file="gone.npy"), directory=tmp_path)


def test_gaussian_sets_are_seeded_unit_rows() -> None:
    one = GaussianData(kind="gaussian", rows=300, queries=20, dim=33, seed=5)
    data, queries = vectors.gaussian(one)
    assert (data.shape, queries.shape) == ((300, 33), (20, 33))
    assert data.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(data.astype(np.float64), axis=1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(data, vectors.gaussian(one)[0])
    assert not np.array_equal(data, vectors.gaussian(GaussianData("gaussian", 300, 20, 33, 6))[0])
    assert abs(float((data @ data.T)[np.triu_indices(300, 1)].mean())) < 0.01, "no structure"


@pytest.mark.parametrize("similarity", [0.3, 0.7, 0.9])
@pytest.mark.parametrize(("intrinsic", "dim"), [(32, 128), (16, 768), (200, 64)])
def test_clustered_sets_keep_their_promise(similarity: float, intrinsic: int, dim: int) -> None:
    one = ClusteredData(
        "clustered", rows=3000, queries=50, dim=dim, clusters=30, intrinsic=intrinsic, similarity=similarity, seed=2
    )
    data, queries, measured = vectors.clustered(one)
    assert abs(measured - similarity) <= vectors.SIMILARITY_TOLERANCE
    assert (data.shape, queries.shape) == ((3000, dim), (50, dim))
    np.testing.assert_allclose(np.linalg.norm(data.astype(np.float64), axis=1), 1.0, atol=1e-6)
    assert np.linalg.matrix_rank(data[:250].astype(np.float64), tol=1e-3) <= min(intrinsic, dim)


def test_the_measured_similarity_is_that_of_the_rows() -> None:
    """Against the definition: the mean cosine over all pairs of one cluster, found here from the rows alone."""
    one = ClusteredData("clustered", rows=600, queries=5, dim=400, clusters=3, intrinsic=200, similarity=0.7, seed=4)
    data, _, measured = vectors.clustered(one)
    cosines = data.astype(np.float64) @ data.astype(np.float64).T
    centres: list[int] = []
    for row in range(600):  # greedy: rows of one cluster are alike, centres of a 200-dimensional space are not
        if not centres or cosines[row, centres].max() < 0.45:
            centres.append(row)
    assert len(centres) == 3
    members = cosines[:, centres].argmax(axis=1)
    same = np.equal.outer(members, members) & ~np.eye(600, dtype=bool)
    assert measured == pytest.approx(float(cosines[same].mean()), abs=0.01)


def test_one_row_per_cluster_has_no_similarity() -> None:
    one = ClusteredData("clustered", rows=2, queries=1, dim=8, clusters=100_000, intrinsic=8, similarity=0.7, seed=1)
    assert np.isnan(vectors.clustered(one)[2])

"""Recall@k against brute force in float64, with ties, duplicates and nonsense."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dualmem_cli.measure.data import write_matrix
from dualmem_cli.measure.recall import recall


class Store:
    """Data and queries on disk, and the exact answer by sorting everything."""

    def __init__(self, folder: Path, data: "NDArray[np.float32]", queries: "NDArray[np.float32]") -> None:
        self.data, self.queries = data, queries
        write_matrix(folder / "data", data)
        write_matrix(folder / "queries", queries)
        self.paths = (folder / "data", folder / "queries")

    def best(self, k: int, *, rows: int | None = None) -> "NDArray[np.float64]":
        data = self.data[:rows].astype(np.float64)
        cosine = data @ self.queries.astype(np.float64).T / np.linalg.norm(data, axis=1, keepdims=True)
        return np.argsort(-cosine, axis=0, kind="stable")[:k].T.astype(np.float64)

    def recall(self, answer: "NDArray[np.float64]", *, k: int, rows: int | None = None) -> float:
        return recall(answer.ravel(), data=self.paths[0], queries=self.paths[1], rows=rows or len(self.data), k=k)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    random = np.random.default_rng(7)
    return Store(
        tmp_path, random.standard_normal((300, 24)).astype(np.float32), random.standard_normal((11, 24)).astype(np.float32)
    )


@pytest.mark.parametrize("k", [1, 10, 300])
def test_the_exact_answer_has_recall_one_in_any_order(store: Store, k: int) -> None:
    assert store.recall(store.best(k), k=k) == 1.0
    assert store.recall(store.best(k)[:, ::-1], k=k) == 1.0


def test_every_missing_neighbour_counts(store: Store) -> None:
    answer = store.best(10)
    answer[:, 7:] = store.best(300)[:, -3:]
    assert store.recall(answer, k=10) == pytest.approx(0.7)
    answer[4] = store.best(300)[4, -10:]
    assert store.recall(answer, k=10) == pytest.approx(0.7 * 10 / 11)


def test_random_answers_against_a_plain_count(store: Store) -> None:
    random = np.random.default_rng(2)
    for _ in range(20):
        answer = random.integers(0, 300, (11, 10)).astype(np.float64)
        best = store.best(10)
        plain = sum(len(set(found) & set(wanted)) for found, wanted in zip(answer, best, strict=True)) / 110
        assert store.recall(answer, k=10) == pytest.approx(plain)


def test_a_repeated_row_counts_once(store: Store) -> None:
    answer = np.repeat(store.best(10)[:, :1], 10, axis=1)
    assert store.recall(answer, k=10) == pytest.approx(0.1)


@pytest.mark.parametrize("nonsense", [-1.0, 300.0, 1e300, -1e300, np.nan, np.inf, -np.inf, 2.0**63, 0.5])
def test_a_row_that_does_not_exist_counts_as_not_found(store: Store, nonsense: float) -> None:
    answer = store.best(10)
    answer[:, 3] = nonsense
    assert store.recall(answer, k=10) == pytest.approx(0.9)


def test_half_a_row_number_is_no_row(store: Store) -> None:
    assert store.recall(store.best(10) + 0.5, k=10) == 0.0


def test_rows_that_took_no_part_are_no_answer(store: Store) -> None:
    assert store.recall(store.best(10, rows=100), k=10, rows=100) == 1.0
    answer = store.best(10, rows=100)
    answer[:, 0] = 100.0
    assert store.recall(answer, k=10, rows=100) == pytest.approx(0.9)


def test_more_answers_than_asked_for_are_not_a_second_chance(store: Store) -> None:
    wide = store.best(20)[:, ::-1]
    assert store.recall(wide, k=10) == 0.0, "the first ten of each query count, and these are the worst of twenty"


def test_fewer_answers_than_asked_for(store: Store) -> None:
    assert store.recall(store.best(5), k=10) == 0.5
    assert store.recall(np.empty((11, 0)), k=10) == 0.0


def test_an_answer_of_another_shape_has_found_nothing(store: Store) -> None:
    assert store.recall(store.best(10).ravel()[:-1], k=10) == 0.0


def test_more_neighbours_than_rows(tmp_path: Path) -> None:
    rows = np.eye(4, dtype=np.float32)
    small = Store(tmp_path, rows, rows[:2])
    assert small.recall(np.tile(np.arange(4.0), (2, 1)), k=10) == 1.0
    assert small.recall(np.tile(np.arange(4.0), (2, 1)), k=10, rows=9) == 1.0


def test_ties_are_not_errors(tmp_path: Path) -> None:
    """Five copies of the best row: any of them is a right answer, a worse row is not."""
    random = np.random.default_rng(3)
    rows = random.standard_normal((40, 16)).astype(np.float32)
    rows[10:15] = rows[0] * np.array([[1], [2], [3], [0.5], [7]], dtype=np.float32)
    tied = Store(tmp_path, rows, rows[:1])
    for best in (0, 10, 11, 12, 13, 14):
        assert tied.recall(np.array([[float(best)]]), k=1) == 1.0
    assert tied.recall(np.array([[1.0]]), k=1) == 0.0


def test_cosine_not_product(tmp_path: Path) -> None:
    rows = np.array([[100.0, 99.0], [0.1, 0.0]], dtype=np.float32)
    store = Store(tmp_path, rows, np.array([[1.0, 0.0]], dtype=np.float32))
    assert store.recall(np.array([[1.0]]), k=1) == 1.0
    assert store.recall(np.array([[0.0]]), k=1) == 0.0


def test_zero_rows_are_no_trap(tmp_path: Path) -> None:
    rows = np.zeros((5, 4), dtype=np.float32)
    rows[2] = 1.0
    store = Store(tmp_path, rows, np.ones((1, 4), dtype=np.float32))
    assert store.recall(np.array([[2.0]]), k=1) == 1.0
    assert store.recall(np.array([[1.0]]), k=1) == 0.0

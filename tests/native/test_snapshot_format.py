"""The snapshot file as docs/reference/snapshot.md describes it, read by the code that stands there."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reference" / "snapshot.md"
EPISODES = 50
PARTNERS = 2


def _documented_reader() -> Callable[[Path], Any]:
    code = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1], names)
    reader: Callable[[Path], Any] = names["read_snapshot"]
    return reader


@pytest.mark.parametrize("dim", [7, 16])
def test_the_documented_reader_reads_what_the_library_wrote(build: Path, tmp_path: Path, dim: int) -> None:
    file = tmp_path / "store"
    subprocess.run([build / "snapshot_speed", file, str(EPISODES), str(dim), str(PARTNERS)], check=True, capture_output=True)
    episodes, concepts, rows, centroids, associations, bindings = _documented_reader()(file)
    written = np.load(f"{file}.npy")
    assert np.array_equal(np.vstack([rows, centroids]).view("u4"), written.view("u4"))
    assert episodes["index"].tolist() == list(range(EPISODES))
    assert episodes["id"].tolist() == [[number, 1] for number in range(EPISODES)]
    assert concepts["id"].tolist() == [[number, 2] for number in range(EPISODES // 10)]
    assert set(episodes["strength"]) == {1.0}
    assert set(bindings["strength"]) == {0.5}
    pairs = list(zip(bindings["episode"].tolist(), bindings["concept"].tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    assert {episode for episode, _ in pairs} == set(range(EPISODES))
    assert associations.tolist() == _rings()
    bound = np.bincount(bindings["concept"], minlength=len(concepts))
    assert np.array_equal(bound + 2 * PARTNERS, concepts["version"])
    assert set(episodes["version"]) == {2 + 2 * PARTNERS}


def _rings() -> list[tuple[int, int, int, float]]:
    """Each node with the PARTNERS that follow in the ring of its type, the k-th with weight 1 / k: once, the lower one first."""
    weights = {
        (kind, min(one, (one + k) % count), max(one, (one + k) % count)): float(np.float32(1 / k))
        for kind, count in enumerate((EPISODES, EPISODES // 10))
        for one in range(count)
        for k in range(1, PARTNERS + 1)
    }
    assert len(weights) == PARTNERS * (EPISODES + EPISODES // 10)
    return [(*ends, weights[ends]) for ends in sorted(weights)]


def test_a_store_without_associations_has_an_empty_section(build: Path, tmp_path: Path) -> None:
    file = tmp_path / "store"
    subprocess.run([build / "snapshot_speed", file, str(EPISODES), "3"], check=True, capture_output=True)
    _, concepts, _, _, associations, bindings = _documented_reader()(file)
    assert len(associations) == 0
    assert np.array_equal(np.bincount(bindings["concept"], minlength=len(concepts)), concepts["version"])

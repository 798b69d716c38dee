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
    subprocess.run([build / "snapshot_speed", file, str(EPISODES), str(dim)], check=True, capture_output=True)
    episodes, concepts, rows, centroids, bindings = _documented_reader()(file)
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
    assert np.array_equal(np.bincount(bindings["concept"], minlength=len(concepts)), concepts["version"])

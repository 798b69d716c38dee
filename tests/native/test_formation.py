"""Concept formation against scipy: the same clusters, from the same vectors and times."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from dualmem_cli.measure.host import Host

pytestmark = pytest.mark.usefixtures("package")

SCENARIO_DATA = Path(__file__).resolve().parents[2] / "scenarios" / "data" / "wordnet-2k-768.f16.npy"
CUT = 0.5201
COHERENCE = 0.5619
Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def library(build: Path) -> Path:
    subprocess.run(["cmake", "--build", build, "--target", "dualmem_links"], check=True, capture_output=True)
    return build / "links" / "libdualmem.0.so"


class Draws:
    """splitmix64, as the kernel draws the order and the times of its episodes from the seed."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def below(self, bound: int) -> int:
        mask = 2**64 - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        mixed = self.state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & mask
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
        return (mixed ^ (mixed >> 31)) % bound


def access_hours(count: int, *, hours: float, seed: int) -> Array:
    draws = Draws(seed)
    seconds = []
    for i in range(count):
        draws.below(i + 1)  # the order of the list, which the labels must not depend on
        seconds.append(draws.below(1 + int(hours * 3600)))
    return np.array(seconds) / 3600


def similarities(data: Array, at: Array) -> Array:
    rows = data.astype(np.float32).astype(float)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    similarity: Array = np.clip(unit @ unit.T, -1, 1) * np.exp(-np.abs(at[:, None] - at[None, :]) / 24)
    return similarity


def scipy_labels(similarity: Array) -> tuple[Array, float]:
    """Labels, and how far the nearest merge of the whole dendrogram is from the cut."""
    distances = 1 - (similarity + similarity.T) / 2
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), method="average")
    return fcluster(tree, 1 - CUT, criterion="distance"), float(np.min(np.abs(tree[:, 2] - (1 - CUT))))


def concepts_of(labels: Array, similarity: Array) -> list[float]:
    """Coherences of the clusters that become concepts, best first."""
    kept: list[tuple[float, float]] = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) >= 3:
            pairs = similarity[np.ix_(members, members)][np.triu_indices(len(members), 1)]
            if pairs.mean() >= COHERENCE:
                kept.append((pairs.mean() * len(members), float(pairs.mean())))
    return [coherence for _, coherence in sorted(kept, reverse=True)[:5]]


def same_partition(a: Array, b: Array) -> bool:
    pairs = len({(x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)})
    return pairs == len(set(a.tolist())) == len(set(b.tolist()))


def check(library: Path, data: Array, *, hours: float, seed: int, variant: str = "auto", threads: int = 1) -> Array:
    parameters = {"episodes": len(data), "hours": hours, "threads": threads}
    with (
        Host.load(library) as host,
        host.kernel("concept_formation", variant, parameters=parameters, data=data, queries=data[:1], seed=seed) as kernel,
    ):
        kernel.run(1)
        output = kernel.output()
        kernel.run(2)  # other orders of the list
        np.testing.assert_array_equal(kernel.output(), output)
        metrics = kernel.metrics()
    labels, coherences = output[: len(data)], output[len(data) :]
    similarity = similarities(data, access_hours(len(data), hours=hours, seed=seed))
    expected, margin = scipy_labels(similarity)
    assert margin > 1e-6, "the data has a merge too close to the cut to tell"
    assert same_partition(labels, expected)
    assert metrics["clusters"] == len(np.unique(expected))
    concepts = concepts_of(expected, similarity)
    assert metrics["concepts"] == len(concepts)
    np.testing.assert_allclose(coherences, concepts + [0.0] * (5 - len(concepts)), atol=1e-6)
    return labels


def clustered(rng: np.random.Generator, *, rows: int, clusters: int, dim: int, noise: float) -> Array:
    centres = rng.normal(size=(clusters, dim))
    return (centres[rng.integers(clusters, size=rows)] + noise * rng.normal(size=(rows, dim))).astype(np.float32)


@pytest.mark.parametrize("hours", [0, 24, 240])
@pytest.mark.parametrize("threads", [1, 3])
def test_real_vectors(library: Path, hours: float, threads: int) -> None:
    data = np.load(SCENARIO_DATA).astype(np.float32)[:1500]
    labels = check(library, data, hours=hours, seed=7, threads=threads)
    assert len(np.unique(labels)) < len(labels)


@pytest.mark.parametrize("variant", ["scalar", "auto"])
@pytest.mark.parametrize(("clusters", "noise", "hours"), [(12, 0.5, 0), (12, 0.9, 6), (40, 0.7, 24), (3, 0.2, 48), (1, 0.95, 3)])
def test_clustered_vectors(library: Path, variant: str, clusters: int, noise: float, hours: float) -> None:
    rng = np.random.default_rng(clusters)
    data = clustered(rng, rows=400, clusters=clusters, dim=70, noise=noise)
    labels = check(library, data, hours=hours, seed=3, variant=variant)
    assert 1 < len(np.unique(labels)) < len(labels) or noise < 0.3


def test_vectors_without_structure(library: Path) -> None:
    data = np.random.default_rng(5).normal(size=(500, 8)).astype(np.float32)
    check(library, data, hours=12, seed=11)
    data[::7] = 0  # zero vectors are like nothing
    labels = check(library, data, hours=12, seed=11)
    assert all(np.sum(labels == label) == 1 for label in labels[::7])


def test_one_component_of_many(library: Path) -> None:
    """Everything is connected: the whole matrix and a linkage of all episodes."""
    data = clustered(np.random.default_rng(8), rows=900, clusters=1, dim=96, noise=0.8)
    check(library, data, hours=8, seed=2, threads=2)

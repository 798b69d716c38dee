"""Data sets as workers map them: made or read once, checked, kept in a cache under their content's digest."""

import hashlib
import json
import os
import struct
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualmem_cli.errors import DataError, naming
from dualmem_cli.measure import vectors
from dualmem_cli.model.record import DataFacts
from dualmem_cli.model.scenario import ClusteredData, Data, FileData, GaussianData

if TYPE_CHECKING:
    from dualmem_cli.measure.vectors import Vectors

_MAGIC = b"DMMATRIX"
_GENERATOR_VERSION = 1


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set on disk, ready to be mapped."""

    facts: DataFacts
    data: Path
    queries: Path


def cache_directory() -> Path:
    """Where costly things are kept between runs: $DUALMEM_CACHE, else the user's cache folder."""
    chosen = os.environ.get("DUALMEM_CACHE")
    return Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dualmem"


def materialise(spec: Data, *, directory: Path, cache: Path) -> Dataset:
    """The data set of a scenario, from the cache when it was made before. `directory` is the scenario's, for relative paths."""
    recipe = _recipe(spec, directory)
    folder = cache / "data" / hashlib.sha256(recipe.encode()).hexdigest()
    facts_path = folder / "facts.json"
    if not facts_path.is_file():
        try:
            with naming(folder):
                _make(spec, directory, folder)
        except MemoryError:
            raise DataError("the data set does not fit into this machine's memory", hint="Lower [data] rows or dim.") from None
    try:
        facts = DataFacts(**json.loads(facts_path.read_text()))
    except (OSError, ValueError, TypeError):
        raise DataError(f"{facts_path}: damaged", hint=f"Delete {folder} and run again.") from None
    return Dataset(facts=facts, data=folder / "data.matrix", queries=folder / "queries.matrix")


def _recipe(spec: Data, directory: Path) -> str:
    """What determines the content: the options, and for files their bytes."""
    recipe: dict[str, Any] = {"version": _GENERATOR_VERSION, **asdict(spec)}
    if isinstance(spec, FileData):
        for key in ("file", "queries_file"):
            if recipe[key]:
                recipe[key] = _digest_of_file(directory / recipe[key])
    return json.dumps(recipe, sort_keys=True)


def _digest_of_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}", hint="[data] paths are relative to the scenario file.") from None


def _make(spec: Data, directory: Path, folder: Path) -> None:
    promised = measured = None
    match spec:
        case FileData():
            data, queries = vectors.read_file(spec, directory=directory)
            source = spec.file
        case GaussianData():
            data, queries = vectors.gaussian(spec)
            source = f"gaussian, seed {spec.seed}"
        case ClusteredData():
            data, queries, measured = vectors.clustered(spec)
            promised = spec.similarity
            source = f"{spec.clusters} clusters, {spec.intrinsic} intrinsic dimensions, seed {spec.seed}"
            if not abs(measured - promised) <= vectors.SIMILARITY_TOLERANCE:
                raise DataError(
                    f"the clustered set promises a mean similarity of {promised:g} and has {measured:.3f}",
                    hint="Use more rows per cluster, or more intrinsic dimensions.",
                )
    digest = hashlib.sha256(data.tobytes() + queries.tobytes()).hexdigest()
    facts = DataFacts(
        digest=digest,
        source=source,
        rows=len(data),
        queries=len(queries),
        dim=data.shape[1],
        promised_similarity=promised,
        measured_similarity=measured,
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made beside its place and renamed: two runs at once make it twice, and neither sees the other's half.
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "set"
        made.mkdir()
        write_matrix(made / "data.matrix", data)
        write_matrix(made / "queries.matrix", queries)
        (made / "facts.json").write_text(json.dumps(asdict(facts)))
        try:
            made.rename(folder)
        except OSError:
            if not (folder / "facts.json").is_file():
                raise


def write_matrix(path: Path, matrix: "Vectors") -> None:
    """Write a matrix file (docs/reference/worker-protocol.md): rows padded with zeros to a multiple of 16 floats."""
    import numpy as np

    rows, columns = matrix.shape
    stride = -(-columns // 16) * 16
    padded = np.zeros((rows, stride), dtype="<f4")
    padded[:, :columns] = matrix
    with path.open("wb") as file:
        file.write(struct.pack("<8sIIQQQ24x", _MAGIC, 1, 0, rows, columns, stride))
        file.write(padded.data)  # tofile says of a full disk how many numbers it holds


def read_matrix(path: Path) -> "Vectors":
    """Read a matrix file back, rows x columns, mapped."""
    import numpy as np

    with path.open("rb") as file:
        magic, version, _, rows, columns, stride = struct.unpack("<8sIIQQQ24x", file.read(64))
    if magic != _MAGIC or version != 1:
        raise DataError(f"{path}: not a matrix file", hint="Delete it; it is made anew.")
    return np.memmap(path, dtype="<f4", mode="r", offset=64, shape=(rows, stride))[:, :columns]

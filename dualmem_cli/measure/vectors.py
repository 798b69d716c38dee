"""Reading and generating vectors: files of three formats, and synthetic sets that keep what they promise."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualmem_cli.errors import DataError
from dualmem_cli.model.scenario import ClusteredData, FileData, GaussianData

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

_SUFFIXES = (".npy", ".fvecs", ".hdf5", ".h5")
# How far the measured mean similarity of a clustered set may lie from the promised one.
SIMILARITY_TOLERANCE = 0.02


def read_file(spec: FileData, *, directory: Path) -> "tuple[Vectors, Vectors]":
    """Data and queries of a file, rows x dim float32. Raises DataError naming the file."""
    path = directory / spec.file
    data, queries = _read(path)
    if spec.queries_file:
        queries = _read(directory / spec.queries_file)[0]
    elif queries is None:
        if len(data) <= spec.queries:
            raise DataError(
                f"{path}: has {len(data)} rows, which leaves none to look up in after holding out {spec.queries} queries",
                hint="Lower [data] queries, or give a queries_file.",
            )
        data, queries = data[: -spec.queries], data[-spec.queries :]
    if spec.rows > len(data):
        raise DataError(f"{path}: has {len(data)} rows, the scenario asks for {spec.rows}", hint="Lower [data] rows.")
    data = data[: spec.rows or None]
    queries = queries[: spec.queries]
    if data.shape[1] != queries.shape[1]:
        raise DataError(f"{path}: data have {data.shape[1]} columns, queries {queries.shape[1]}", hint="They must agree.")
    return _checked(data, path, normalise=spec.normalise), _checked(queries, path, normalise=spec.normalise)


def _read(path: Path) -> "tuple[Any, Any]":
    if not path.is_file():
        raise DataError(f"{path}: no such file", hint="[data] paths are relative to the scenario file.")
    try:
        match path.suffix:
            case ".npy":
                return _read_npy(path), None
            case ".fvecs":
                return _read_fvecs(path), None
            case ".hdf5" | ".h5":
                return _read_hdf5(path)
    except (OSError, ValueError, KeyError, MemoryError) as error:  # MemoryError: a damaged header that asks for 10^18 rows
        said = (str(error).splitlines() or ["more than fits into memory"])[0]
        raise DataError(f"{path}: {said}", hint="The file is damaged or not what its name says.") from None
    raise DataError(f"{path}: unknown kind of file", hint=f"Known: {', '.join(_SUFFIXES)}.")


def _read_npy(path: Path) -> Any:
    import numpy as np

    with path.open("rb") as file:
        # Not np.load: for a file that is no .npy it may return an archive, or raise EOFError or BadZipFile.
        return _matrix(np.lib.format.read_array(file, allow_pickle=False))


def _matrix(array: Any) -> Any:
    if array.ndim != 2 or array.dtype.kind not in "fiu" or 0 in array.shape:
        raise ValueError(f"an array of shape {array.shape} and type {array.dtype} is not a matrix of numbers")
    return array


def _read_fvecs(path: Path) -> Any:
    """Each row: int32 dimension, then that many float32, little-endian (the TEXMEX layout)."""
    import numpy as np

    words = np.fromfile(path, dtype="<i4")
    dim = int(words[0]) if len(words) else 0
    if not 1 <= dim <= 4096 or len(words) % (dim + 1):
        raise ValueError(f"{4 * len(words)} bytes are not rows of {dim} float32 each")
    rows = words.reshape(-1, dim + 1)
    if (rows[:, 0] != dim).any():
        raise ValueError("its rows have different dimensions")
    return rows[:, 1:].view("<f4")


def _read_hdf5(path: Path) -> "tuple[Any, Any]":
    import h5py
    import numpy as np

    with h5py.File(path, "r") as file:
        sets = [file.get(name) for name in ("train", "test")]
        if not all(isinstance(found, h5py.Dataset) for found in sets):
            raise ValueError("it has no 'train' and 'test' (the ann-benchmarks layout)")
        train, test = (_matrix(np.asarray(found)) for found in sets)
        return train, test


def _checked(array: Any, path: Path, *, normalise: bool) -> "Vectors":
    """float32, finite, 1..4096 columns, rows of unit length when asked for (a zero row stays zero)."""
    import numpy as np

    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes an infinity, which is reported below
        matrix = np.ascontiguousarray(array, dtype=np.float32)
    if not 1 <= matrix.shape[1] <= 4096:
        raise DataError(f"{path}: {matrix.shape[1]} columns; embeddings have 1 to 4096")
    bad = ~np.isfinite(matrix).all(axis=1)
    if bad.any():
        raise DataError(f"{path}: row {int(bad.argmax())} has a NaN or an infinity", hint="Remove such rows.")
    return unit_rows(matrix) if normalise else matrix


def unit_rows(matrix: "Vectors") -> "Vectors":
    """Rows scaled to length 1 in double precision; zero rows are left alone."""
    import numpy as np

    norms = np.linalg.norm(matrix.astype(np.float64), axis=1, keepdims=True)
    scaled = np.zeros(matrix.shape, dtype=np.float64)
    np.divide(matrix, norms, out=scaled, where=norms > 0)
    return scaled.astype(np.float32)


def gaussian(spec: GaussianData) -> "tuple[Vectors, Vectors]":
    """Unit rows of independent standard normals."""
    import numpy as np

    generator = np.random.default_rng(spec.seed)
    both = unit_rows(generator.standard_normal((spec.rows + spec.queries, spec.dim), dtype=np.float32))
    return both[: spec.rows], both[spec.rows :]


def clustered(spec: ClusteredData) -> "tuple[Vectors, Vectors, float]":
    """Rows scattered round `clusters` centres inside a random subspace of `intrinsic` dimensions, queries from the same mixture, and
    the measured mean cosine of pairs of rows of one cluster.

    A row is c + s z, scaled to length 1: c a unit centre, z standard normal / sqrt(intrinsic), both in the subspace. Two rows of a
    cluster then have a mean cosine of about 1 / (1 + s^2), so s = sqrt(1 / similarity - 1).
    """
    import numpy as np

    generator = np.random.default_rng(spec.seed)
    inner = min(spec.intrinsic, spec.dim)
    basis = np.linalg.qr(generator.standard_normal((spec.dim, inner)))[0].T.astype(np.float32)
    centres = unit_rows(generator.standard_normal((spec.clusters, inner), dtype=np.float32))
    scatter = float(np.sqrt(1.0 / spec.similarity - 1.0) / np.sqrt(inner))
    count = spec.rows + spec.queries
    members = generator.integers(0, spec.clusters, count)
    noise = generator.standard_normal((count, inner), dtype=np.float32)
    both = unit_rows(unit_rows(centres[members] + np.float32(scatter) * noise) @ basis)
    data, queries = both[: spec.rows], both[spec.rows :]
    return data, queries, _similarity_within(data, members[: spec.rows])


def _similarity_within(data: "Vectors", members: "NDArray[np.int64]") -> float:
    """The mean cosine of up to 20,000 pairs of unit rows of one cluster, from the rows themselves; NaN when no cluster has two rows."""
    import numpy as np

    order = np.argsort(members, kind="stable")
    first, second = order[:-1], order[1:]
    same = members[first] == members[second]
    chosen = np.random.default_rng(0).permutation(np.flatnonzero(same))[:20_000]
    if not len(chosen):
        return float("nan")
    pairs = data[first[chosen]].astype(np.float64), data[second[chosen]].astype(np.float64)
    return float(np.einsum("ij,ij->i", *pairs).mean())

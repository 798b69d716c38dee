"""[data] of scenario files: the vectors that a kernel or a workload works on."""

from typing import Any, Literal

from pydantic import Field

from dualmem_cli.model.scenario import ClusteredData, Data, FileData, GaussianData
from dualmem_cli.plan.toml_table import BadKeyError, Table, nested


class GaussianTable(Table):
    """[data] that is generated without any structure."""

    synthetic: Literal["gaussian"]
    rows: int = Field(ge=1, le=100_000_000)
    queries: int = Field(default=200, ge=1, le=1_000_000)
    dim: int = Field(default=768, ge=1, le=4096)
    seed: int = Field(default=1, ge=0)


class ClusteredTable(Table):
    """[data] that is generated in clusters, and checked against what it promises."""

    synthetic: Literal["clustered"]
    rows: int = Field(ge=1, le=100_000_000)
    queries: int = Field(default=200, ge=1, le=1_000_000)
    dim: int = Field(default=768, ge=1, le=4096)
    clusters: int = Field(default=100, ge=1, le=100_000_000, description="number of centres")
    intrinsic: int = Field(default=32, ge=1, le=4096, description="dimensions of the subspace that the data fills")
    similarity: float = Field(
        default=0.7, ge=0.001, lt=1, description="promised mean cosine of two rows of one cluster; verified"
    )
    seed: int = Field(default=1, ge=0)


class FileTable(Table):
    """[data] from a file: .npy, .fvecs, or .hdf5 in the ann-benchmarks layout. Paths are relative to the scenario file."""

    file: str = Field(min_length=1)
    queries_file: str = Field(default="", description="vectors to look up; default: the last `queries` rows, held out")
    rows: int = Field(default=0, ge=0, description="take the first so many rows; 0: all")
    queries: int = Field(default=200, ge=1)
    normalise: bool = Field(default=True, description="scale rows to unit length")


DataTable = GaussianTable | ClusteredTable | FileTable
_SYNTHETIC: dict[str, type[GaussianTable] | type[ClusteredTable]] = {"gaussian": GaussianTable, "clustered": ClusteredTable}


def choose_data(raw: Any) -> Any:
    """A file with its [data] validated as the one kind that it is."""
    if not isinstance(raw, dict) or "data" not in raw:
        return raw
    data = raw["data"]
    if not isinstance(data, dict):
        raise BadKeyError(("data",), "dict_type", "a table is wanted: [data]", ())
    kind = data.get("synthetic")
    if "synthetic" in data and (not isinstance(kind, str) or kind not in _SYNTHETIC):
        raise BadKeyError(("data", "synthetic"), "literal", f"one of {', '.join(map(repr, _SYNTHETIC))} is wanted", ())
    table: type[DataTable] = _SYNTHETIC[kind] if isinstance(kind, str) else FileTable
    return {**raw, "data": nested(table, data, key="data")}


def data_of(table: DataTable | None) -> Data | None:
    """The data set that a table describes."""
    match table:
        case None:
            return None
        case FileTable():
            return FileData(kind="file", **table.model_dump())
        case GaussianTable():
            return GaussianData(kind="gaussian", **table.model_dump(exclude={"synthetic"}))
        case ClusteredTable():
            return ClusteredData(kind="clustered", **table.model_dump(exclude={"synthetic"}))

"""A scenario: one question, as its file states it, validated."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class Mode(StrEnum):
    """How a case is timed."""

    BLOCK = "block"  # blocks of operations in C; time per operation
    LATENCY = "latency"  # one clock pair per operation; percentiles


@dataclass(frozen=True, slots=True)
class GaussianData:
    """Independent standard normal components, rows scaled to unit length: no structure at all."""

    kind: Literal["gaussian"]
    rows: int
    queries: int
    dim: int
    seed: int


@dataclass(frozen=True, slots=True)
class ClusteredData:
    """Unit rows round `clusters` random centres in a subspace of `intrinsic` dimensions. `similarity` is the promised mean cosine of
    two rows of one cluster; it is verified after generation (within 0.02) and stands in the record."""

    kind: Literal["clustered"]
    rows: int
    queries: int
    dim: int
    clusters: int
    intrinsic: int
    similarity: float
    seed: int


@dataclass(frozen=True, slots=True)
class FileData:
    """Vectors from a file: .npy, .fvecs, or .hdf5 in the ann-benchmarks layout (train, test). `rows` and `queries` limit what is
    taken (0: all). Without a queries file the last `queries` rows are held out as queries."""

    kind: Literal["file"]
    file: str
    queries_file: str
    rows: int
    queries: int
    normalise: bool


Data = GaussianData | ClusteredData | FileData


@dataclass(frozen=True, slots=True)
class Measure:
    """How much is measured. Times in nanoseconds."""

    mode: Mode
    workers: int  # fresh processes: the unit of inference
    samples: int | None  # per worker and arm (block); None: as many as the noise of the case wants (plan/effort.py)
    sample_ns: float  # wanted length of one sample
    warmup_ns: float | None  # per worker; None: by noise too
    operations: int  # per pass (latency)
    passes: int  # (latency)
    empty: str  # kernel that is this one's empty loop, subtracted; "" for none
    timeout_s: float  # per worker


@dataclass(frozen=True, slots=True)
class Reference:
    """A second kernel or variant of the same library, run interleaved with the subject.

    As `[control]`: the single-type twin; `limit` is the largest overhead = subject / twin - 1.
    As `[beside]`: a slower way; the speed-up = reference / subject is reported; `limit` is the smallest wanted.
    """

    kernel: str
    variant: str  # "" takes the subject's own variant
    limit: float


@dataclass(frozen=True, slots=True)
class Budget:
    """An absolute limit on a reported quantity ("time", "p50", "p99", "recall", or a declared metric), in its stored unit."""

    quantity: str
    limit: float
    minimum: bool  # True: the value must be at least the limit (recall), else at most


@dataclass(frozen=True, slots=True)
class Gate:
    """Thresholds of the relative gate, as fractions."""

    time: float
    recall_floor: float  # lowest recall@k that is still valid; 0 for none
    metrics: tuple[tuple[str, float], ...] = ()  # declared metric -> allowed worsening


@dataclass(frozen=True, slots=True)
class ProfileLimits:
    """What `dualmem profile` judges a case by; None for what is not limited. Fractions."""

    dual: tuple[str, ...] = ()  # names of functions that exist only because there are two types; * stands for any characters
    dual_share: float | None = None  # the most of the samples, or of the instructions, that may be in them and below
    operations: int = 0  # how many are counted; 0: those of some milliseconds
    misses: float | None = None  # how many more cache misses per operation than [control]


@dataclass(frozen=True, slots=True)
class Needs:
    """What a machine must have for a scenario to be measured on it; empty or 0 for what does not matter."""

    isa: tuple[str, ...] = ()  # levels as Machine.isa names them
    cores: int = 0
    numa_nodes: int = 0
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A validated scenario file. `source` is its text, `digest` the SHA-256 of it, `path` where it was read."""

    name: str
    question: str
    kernel: str
    variants: tuple[str, ...]
    data: Data | None
    parameters: tuple[tuple[str, tuple[float, ...]], ...]  # every list is swept
    measure: Measure
    budgets: tuple[Budget, ...]
    gate: Gate
    control: Reference | None
    beside: Reference | None
    path: str
    digest: str
    source: str = field(repr=False)
    needs: Needs = Needs()
    profile: ProfileLimits = ProfileLimits()

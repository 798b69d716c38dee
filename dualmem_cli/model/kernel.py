"""What a kernel library says of itself: the Python image of dm_kernel.h."""

from dataclasses import dataclass
from enum import StrEnum

from dualmem_cli.model.metric import Metric

# Kernels that a library offers to be measured against: what the machine reads and computes at most.
CEILING_READ = "ceiling_read"
CEILING_FLOPS = "ceiling_fma"
CEILINGS = frozenset({CEILING_READ, CEILING_FLOPS})


class Output(StrEnum):
    """What a kernel's output is, and so how two builds are compared (dm_kernel.h, DM_OUTPUT_...)."""

    NONE = "none"
    VALUES = "values"
    NEIGHBOURS = "neighbours"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared parameter with its inclusive range."""

    name: str
    default: float
    minimum: float
    maximum: float
    integer: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class Kernel:
    """One row of a kernel table. `reason` says why it is not supported on this machine."""

    name: str
    variant: str
    summary: str
    tolerance: float
    output: Output
    needs_data: bool
    prepare: bool
    run_each: bool
    supported: bool
    reason: str
    parameters: tuple[Parameter, ...]
    metrics: tuple[Metric, ...]

    def parameter(self, name: str) -> Parameter | None:
        return next((p for p in self.parameters if p.name == name), None)


@dataclass(frozen=True, slots=True)
class Library:
    """A kernel library as it described itself."""

    path: str
    abi: tuple[int, int]
    name: str
    version: str
    compiler: str
    flags: str
    revision: str
    kernels: tuple[Kernel, ...]

    def kernel(self, name: str, variant: str) -> Kernel | None:
        return next((k for k in self.kernels if k.name == name and k.variant == variant), None)

    def variants(self, name: str) -> tuple[Kernel, ...]:
        return tuple(k for k in self.kernels if k.name == name)


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a build: the same objects at other addresses. `path` is absolute, or relative to a stored build."""

    layout: str
    path: str
    sha256: str


DEBUG = ".debug"
"""The suffix of the file beside a link that holds its debug information, where that was kept."""


@dataclass(frozen=True, slots=True)
class Build:
    """A set of links of the same objects. `digest` is the content address: the SHA-256 over the links' digests, sorted."""

    digest: str
    origin: str
    library: Library
    links: tuple[Link, ...]

    @property
    def short(self) -> str:
        return self.digest[:7]

    @property
    def rotated(self) -> bool:
        """Whether more than one layout is there to be averaged over."""
        return len(self.links) > 1

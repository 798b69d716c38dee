"""The machine a record was made on, field by field, so that two records can say in which fields their machines differ."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts read once per run; None or "" where a fact cannot be read here."""

    architecture: str
    cpu: str
    cores: int
    isa: tuple[str, ...]  # the levels that kernels ask for and this CPU has: "avx2", "fma", "avx512f", "neon"
    caches: tuple[tuple[str, int], ...]  # name, bytes
    memory_bytes: int
    microcode: str
    governor: str
    hypervisor: str
    kernel: str
    libc: str
    python: str
    clock_source: str
    huge_pages: str

"""The machine a record was made on, field by field, so that two records can say in which fields their machines differ."""

from dataclasses import dataclass

# The levels of the instruction set that kernels ask for.
ISA_LEVELS = ("sse4.2", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512vnni", "neon", "sve")


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts read once per run; None or "" where a fact cannot be read here."""

    architecture: str
    cpu: str
    cores: int
    isa: tuple[str, ...]  # those of ISA_LEVELS that this CPU has
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
    numa_nodes: int = 0  # with processors or memory; 0 where it is not known, as in records from before it was kept

"""The ceilings of the machine, measured in a bench beside the cases whose distance from them can be said."""

from collections.abc import Sequence
from dataclasses import replace

from dualmem_cli.model.kernel import CEILING_FLOPS, CEILING_READ, CEILINGS, Kernel, Library
from dualmem_cli.model.scenario import Gate, Scenario
from dualmem_cli.plan.cases import DEFAULT_MEASURE

# A first-level cache, two sizes of a second-level one, a third-level one, memory.
_BYTES = (2.0**14, 2.0**17, 2.0**20, 2.0**23, 2.0**27)
_BEYOND = 2.0  # times the last cache: what certainly comes from memory
_MOST_BYTES = 2.0**31
_BYTES_OF_EACH = (2.0**14, 2.0**20)  # of each of several threads, beside memory
_WORKERS = 5
_WORKERS_OF_THREADS = 3
_SAMPLE_NS = 1e6  # of several threads: beside that, to call them together is nothing


def ceiling_scenarios(
    scenarios: Sequence[Scenario], library: Library, *, caches: Sequence[tuple[str, int]] = (), cores: int = 1
) -> tuple[Scenario, ...]:
    """What to measure after `scenarios`: nothing where no kernel of theirs says what it moves or computes, where the library has no
    ceilings, or where a scenario measures them already. One thread, and as many as there are `cores`. `caches`: names and bytes; the last
    size read is larger than all of them."""
    chosen = {scenario.kernel for scenario in scenarios}
    if chosen & CEILINGS:
        return ()
    declared = {metric.name for name in chosen for kernel in library.variants(name) for metric in kernel.metrics}
    read, flops = (library.kernel(name, "auto") for name in (CEILING_READ, CEILING_FLOPS))
    made: list[Scenario] = []
    if read is not None and {"bytes_per_operation", "working_set_bytes"} <= declared:
        memory = _beyond(caches)
        question = "What does one core read from each cache and from memory?"
        made.append(_scenario(read, question, (("bytes", (*_BYTES[:-1], memory)),)))
        question = f"What do {cores} cores together read?"
        made += _by_all(read, question, (("bytes", (*_BYTES_OF_EACH, memory)),), cores)
    if flops is not None and "flops_per_operation" in declared:
        made.append(_scenario(flops, "How much does one core multiply and add in float32?", ()))
        made += _by_all(flops, f"How much do {cores} cores together multiply and add in float32?", (), cores)
    return tuple(made)


def _beyond(caches: Sequence[tuple[str, int]]) -> float:
    """A power of two of bytes that no cache holds."""
    largest = max((size for _, size in caches), default=0)
    size = _BYTES[-1]
    while size < min(_BEYOND * largest, _MOST_BYTES):
        size *= 2
    return size


def _by_all(kernel: Kernel, question: str, parameters: tuple[tuple[str, tuple[float, ...]], ...], cores: int) -> list[Scenario]:
    """The same by several threads, where there are several cores and the kernel can."""
    if cores < 2 or all(parameter.name != "threads" for parameter in kernel.parameters):
        return []
    one = _scenario(kernel, question, (*parameters, ("threads", (float(cores),))))
    measure = replace(one.measure, workers=_WORKERS_OF_THREADS, sample_ns=_SAMPLE_NS)
    return [replace(one, name=f"{kernel.name}_together", measure=measure)]


def _scenario(kernel: Kernel, question: str, parameters: tuple[tuple[str, tuple[float, ...]], ...]) -> Scenario:
    return Scenario(
        name=kernel.name,
        question=question,
        kernel=kernel.name,
        variants=(kernel.variant,),
        data=None,
        parameters=parameters,
        measure=replace(DEFAULT_MEASURE, workers=_WORKERS),
        budgets=(),
        gate=Gate(time=0.05, recall_floor=0.0),
        control=None,
        beside=None,
        path="",
        digest="",
        source="",
    )

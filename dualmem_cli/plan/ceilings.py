"""The ceilings of the machine, measured in a bench beside the cases whose distance from them can be said."""

from collections.abc import Sequence
from dataclasses import replace

from dualmem_cli.model.kernel import CEILING_FLOPS, CEILING_READ, CEILINGS, Kernel, Library
from dualmem_cli.model.scenario import Gate, Scenario
from dualmem_cli.plan.cases import DEFAULT_MEASURE

# A first-level cache, two sizes of a second-level one, a third-level one, memory.
_BYTES = (2.0**14, 2.0**17, 2.0**20, 2.0**23, 2.0**27)
_WORKERS = 5


def ceiling_scenarios(scenarios: Sequence[Scenario], library: Library) -> tuple[Scenario, ...]:
    """What to measure after `scenarios`: nothing where no kernel of theirs says what it moves or computes, where the library has no
    ceilings, or where a scenario measures them already."""
    chosen = {scenario.kernel for scenario in scenarios}
    if chosen & CEILINGS:
        return ()
    declared = {metric.name for name in chosen for kernel in library.variants(name) for metric in kernel.metrics}
    made: list[Scenario] = []
    read, flops = (library.kernel(name, "auto") for name in (CEILING_READ, CEILING_FLOPS))
    if read is not None and {"bytes_per_operation", "working_set_bytes"} <= declared:
        made.append(_scenario(read, "What does one core read from each cache and from memory?", (("bytes", _BYTES),)))
    if flops is not None and "flops_per_operation" in declared:
        made.append(_scenario(flops, "How much does one core multiply and add in float32?", ()))
    return tuple(made)


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

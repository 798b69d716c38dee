"""What a scenario needs and what a machine offers, as amounts by name: a machine is fit where it offers at least every amount. Pure.

What a scenario states under [needs] is required. What follows from its variants, its threads and its data is only wished for: variants of
another processor are listed as absent on any machine, so one scenario file serves all, and of several machines the one that can do most of
it is the best.
"""

from collections.abc import Iterator, Mapping, Sequence

from dualmem_cli.model.machine import Machine
from dualmem_cli.model.scenario import FileData, Needs, Scenario
from dualmem_cli.model.units import Unit, human

Amounts = Mapping[str, float]

_FLOAT_BYTES = 4
# By the last word of a variant's name, as libdualmem writes them (exact_int8_avx512vnni).
_VARIANTS = {
    "avx2": ("avx2", "fma"),
    "avx512": ("avx512f", "avx512bw", "avx512vl"),
    "avx512vnni": ("avx512f", "avx512bw", "avx512vl", "avx512vnni"),
    "neon": ("neon",),
}


def offer_of(machine: Machine, *, cores: int) -> dict[str, float]:
    """What a machine has. `cores`: processors that a run may use there."""
    return {
        machine.architecture: 1.0,
        **dict.fromkeys(machine.isa, 1.0),
        "cores": float(cores or machine.cores),
        "numa_nodes": float(machine.numa_nodes),
        "memory": float(machine.memory_bytes),
    }


def required(needs: Needs) -> dict[str, float]:
    """What must be there."""
    amounts = {"cores": needs.cores, "numa_nodes": needs.numa_nodes, "memory": needs.memory_bytes}
    return dict.fromkeys(needs.isa, 1.0) | {name: float(amount) for name, amount in amounts.items() if amount}


def wished(scenario: Scenario) -> Iterator[dict[str, float]]:
    """What a machine should have as well, the most important first: memory for the data twice, a core for every thread, then what each
    variant's instructions are."""
    data = scenario.data
    if data is not None and not isinstance(data, FileData):
        yield {"memory": 2.0 * _FLOAT_BYTES * (data.rows + data.queries) * data.dim}
    threads = max((max(values) for name, values in scenario.parameters if name == "threads"), default=0.0)
    if threads > 1:
        yield {"cores": threads}
    for variant in scenario.variants:
        levels = _VARIANTS.get(variant.rpartition("_")[2])
        if levels:
            yield dict.fromkeys(levels, 1.0)


def satisfies(offer: Amounts, wanted: Amounts) -> bool:
    """Whether a machine offers at least all of that."""
    return all(offer.get(name, 0.0) >= amount for name, amount in wanted.items())


def wanted_of(scenario: Scenario, offers: Sequence[Amounts], *, base: Amounts) -> dict[str, float]:
    """What to ask of the machines with these offers: `base` and what is required, and every wish in turn that one of them can fulfil beside
    all that. Where no machine has what is required, only that."""
    wanted = {**base, **required(scenario.needs)}
    for wish in wished(scenario):
        more = {**wanted, **{name: max(amount, wanted.get(name, 0.0)) for name, amount in wish.items()}}
        if any(satisfies(offer, more) for offer in offers):
            wanted = more
    return wanted


def lacking(offer: Amounts, wanted: Amounts) -> str:
    """What of it a machine does not have, in words; "" for nothing."""
    return ", ".join(_words(name, amount) for name, amount in wanted.items() if offer.get(name, 0.0) < amount)


def lacking_everywhere(offers: Sequence[Amounts], wanted: Amounts) -> str:
    """What no machine has all of, in words: of the machine that lacks least."""
    return min((lacking(offer, wanted) for offer in offers), key=lambda text: text.count(","), default=lacking({}, wanted))


def _words(name: str, amount: float) -> str:
    match name:
        case "cores":
            return f"{amount:.0f} core{'s' if amount != 1 else ''}"
        case "numa_nodes":
            return f"{amount:.0f} NUMA node{'s' if amount != 1 else ''}"
        case "memory":
            return f"{human(amount, Unit.BYTE)} of memory"
        case _:
            return name

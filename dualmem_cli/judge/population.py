"""Whether a store holds what the scenario promises, as counted by the store itself after set-up. An empty or a wrong store is fast."""

from collections.abc import Iterator

from dualmem_cli.model.load import LoadRun, Population
from dualmem_cli.model.units import significant, whole
from dualmem_cli.model.workload import Workload

_CLOSE = 0.02  # a promised number that is not whole, such as a mean cosine: as for data sets
POPULATION, BINDINGS = "population", "bindings"
WITHIN, BETWEEN = "similarity_within", "similarity_between"


def population_problem(run: LoadRun) -> str:
    """What contradicts the promises, in one line; "" when nothing does."""
    promised = dict(run.scenario.parameters)
    for player in run.players:
        for arm, (workload, population) in enumerate(zip(run.workloads, player.before, strict=False)):
            told = next(_contradictions(workload, population, promised), "")
            if told:
                role = run.arms[arm].role
                return f"{role} {workload.name}/{workload.variant} does not hold what it promises: {told}"
    return ""


def metric_of(workload: Workload, values: tuple[float | None, ...], name: str) -> float | None:
    """A declared metric by its name; None where it is not declared or not known."""
    place = next((index for index, metric in enumerate(workload.metrics) if metric.name == name), None)
    return values[place] if place is not None and place < len(values) else None


def promises(workload: Workload, stated: dict[str, float]) -> tuple[tuple[str, float], ...]:
    """Every parameter that is also a metric, with the value that the store was set up with."""
    metrics = {metric.name for metric in workload.metrics}
    return tuple((p.name, stated.get(p.name, p.default)) for p in workload.parameters if p.name in metrics)


def _contradictions(workload: Workload, population: Population, stated: dict[str, float]) -> Iterator[str]:
    declared = {metric.name for metric in workload.metrics}
    nodes = metric_of(workload, population.metrics, POPULATION)
    if POPULATION in declared and not nodes:
        yield "the store is empty (population 0)" if nodes == 0 else "its population is not known"
    for name, wanted in promises(workload, stated):
        found = metric_of(workload, population.metrics, name)
        parameter = workload.parameter(name)
        exact = parameter is not None and parameter.integer
        if found is None:
            yield f"{name} {significant(wanted, 9)} is promised and not known"
        elif found != wanted if exact else abs(found - wanted) > _CLOSE * max(1.0, abs(wanted)):
            yield f"{name} {significant(wanted, 9)} is promised, {significant(found, 9)} found"
    yield from _structure(workload, population)
    yield from _fans(workload, population)


def _structure(workload: Workload, population: Population) -> Iterator[str]:
    """Concepts are clusters: their members are more alike than others, or the store has no structure to find."""
    within, between = (metric_of(workload, population.metrics, name) for name in (WITHIN, BETWEEN))
    if within is not None and between is not None and within <= between:
        yield f"members of one concept are not more alike than others ({WITHIN} {within:.3f}, {BETWEEN} {between:.3f})"


def _fans(workload: Workload, population: Population) -> Iterator[str]:
    """The fan histogram counts every node once, and every binding once or from both its ends."""
    if population.fans is None:
        return
    nodes, bindings = (metric_of(workload, population.metrics, name) for name in (POPULATION, BINDINGS))
    counted = sum(population.fans)
    if nodes is not None and counted != nodes:
        yield f"the fan histogram counts {counted:,} nodes, the population is {whole(nodes)}"
    ends = sum(fan * count for fan, count in enumerate(population.fans))
    if bindings is not None and ends not in (bindings, 2 * bindings):
        yield f"the fan histogram has {ends:,} ends of bindings, and there are {whole(bindings)} bindings"

"""A load scenario against a library's table: every name and range that only the library can know."""

from collections.abc import Iterable

from dualmem_cli.errors import ScenarioError
from dualmem_cli.model.workload import KeySpace, LoadScenario, Workload, WorkloadLibrary
from dualmem_cli.plan.limits import LOAD_RATIOS, LOAD_TIMES, nearest_quantity, operation_of
from dualmem_cli.plan.spelling import did_you_mean
from dualmem_cli.plan.toml_table import line_of

_COUNTED = {KeySpace.EPISODE: "episodes", KeySpace.CONCEPT: "concepts", KeySpace.BINDING: "bindings"}


def workloads_of(scenario: LoadScenario, library: WorkloadLibrary) -> tuple[Workload, ...]:
    """The workloads that a scenario asks for, one for each of its variants, and last its twin. Raises ScenarioError."""
    found = [_find(scenario, library, scenario.workload, variant, ("workload",), ("variants",)) for variant in scenario.variants]
    if scenario.control:
        twin = scenario.control
        key = ("control", "workload") if twin.workload != scenario.workload else ("control", "variant")
        found.append(_find(scenario, library, twin.workload, twin.variant, key, ("control", "variant")))
    for workload in found:
        check_operations(scenario, workload, (mixed.name for mixed in scenario.mix))
        _check_parameters(scenario, workload)
        if workload.needs_data and scenario.data is None:
            raise _error(scenario, ("workload",), f"{workload.name} needs vectors, and the scenario has no [data]")
    return tuple(found)


def check_operations(scenario: LoadScenario, workload: Workload, names: Iterable[str]) -> None:
    """Raises ScenarioError for an operation that the workload does not have, and for a limit on one that is never performed."""
    performed = tuple(names)
    for name in performed:
        if workload.operation(name) is None:
            near = did_you_mean(name, (operation.name for operation in workload.operations))
            keys = ("mix", name) if scenario.mix else ("trace", "file")
            raise _error(scenario, keys, f'"{name}" is not an operation of {workload.name}/{workload.variant}; {near}')
    if performed:
        _check_limits(scenario, workload, performed)


def parameters_of(scenario: LoadScenario, workload: Workload) -> dict[str, float]:
    """Every parameter of the workload: as stated, else its default."""
    return {parameter.name: parameter.default for parameter in workload.parameters} | dict(scenario.parameters)


def populations(scenario: LoadScenario, workload: Workload, *, rows: int, queries: int) -> dict[KeySpace, int]:
    """How many things of each kind there are after set-up: what the scenario promises, and the rows of its data."""
    values = parameters_of(scenario, workload)
    counted = {space: int(values.get(name, 0)) for space, name in _COUNTED.items()}
    return counted | {KeySpace.DATA: rows, KeySpace.QUERY: queries}


def _find(
    scenario: LoadScenario, library: WorkloadLibrary, name: str, variant: str, name_key: tuple[str, ...], key: tuple[str, ...]
) -> Workload:
    variants = library.variants(name)
    if not variants:
        near = did_you_mean(name, (workload.name for workload in library.workloads))
        raise _error(scenario, name_key, f'"{name}" is not a workload of {library.name}; {near}')
    workload = library.workload(name, variant)
    if workload is None:
        near = did_you_mean(variant, (workload.variant for workload in variants))
        raise _error(scenario, key, f'"{variant}" is not a variant of {name}; {near}')
    return workload


def _check_parameters(scenario: LoadScenario, workload: Workload) -> None:
    for name, value in scenario.parameters:
        parameter = workload.parameter(name)
        if parameter is None:
            near = did_you_mean(name, (p.name for p in workload.parameters))
            raise _error(scenario, ("params", name), f'"{name}" is not a parameter of {workload.name}; {near}')
        if parameter.integer and value != int(value):
            raise _error(scenario, ("params", name), f'"{name}" is a whole number, not {value}')
        if not parameter.minimum <= value <= parameter.maximum:
            span = f"{parameter.minimum:g} to {parameter.maximum:g}"
            raise _error(scenario, ("params", name), f'"{name}" is {value:g}, outside of {span}')


def _check_limits(scenario: LoadScenario, workload: Workload, performed: tuple[str, ...]) -> None:
    """A limit on nothing would always be met."""
    metrics = tuple(metric.name for metric in workload.metrics)
    limits = [("saturation", limit.quantity) for limit in scenario.saturation]
    limits += [("gate", quantity) for quantity, _ in scenario.gate.quantities]
    limits += [("budget", limit.quantity) for limit in scenario.budgets]
    for key, quantity in limits:
        operation, rest = operation_of(quantity)
        if operation and operation not in performed:
            near = did_you_mean(operation, performed)
            raise _error(scenario, (key, quantity), f'"{operation}" is not performed by this scenario; {near}')
        if not operation and key == "budget" and rest not in (known := (*LOAD_TIMES, *LOAD_RATIOS, *metrics)):
            raise _error(
                scenario, (key, quantity), f'"{quantity}" is not measured by this scenario; {nearest_quantity(rest, known)}'
            )


def _error(scenario: LoadScenario, keys: tuple[str, ...], message: str) -> ScenarioError:
    table = f"[{keys[0]}] " if len(keys) > 1 else ""
    return ScenarioError(f"{scenario.path}:{line_of(scenario.source, keys)}: {table}{message}")

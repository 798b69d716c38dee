"""From a scenario and a library to cases: every combination of variants and swept parameters, checked against the table."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from dualmem_cli.errors import ScenarioError
from dualmem_cli.model.kernel import Kernel, Library, Output
from dualmem_cli.model.metric import Better
from dualmem_cli.model.plan import Arm, Case, Role
from dualmem_cli.model.record import Absent
from dualmem_cli.model.scenario import Gate, Measure, Mode, Scenario
from dualmem_cli.plan.limits import BLOCK_QUANTITIES, LATENCY_QUANTITIES
from dualmem_cli.plan.scenario import line_of
from dualmem_cli.plan.spelling import did_you_mean
from dualmem_cli.stats.histogram import LATENCIES_FOR_P999


@dataclass(frozen=True, slots=True)
class Expansion:
    """The cases of one scenario, and what it names that this machine or library does not have."""

    cases: tuple[Case, ...]
    absent: tuple[Absent, ...]


def expand(scenario: Scenario, library: Library, *, data: str) -> Expansion:
    """Cases of `scenario` on `library`; `data` is the digest of its data set ("" for none). Raises ScenarioError."""
    variants = library.variants(scenario.kernel)
    if not variants:
        raise _error(
            scenario, ("kernel",),
            f'"{scenario.kernel}" is not a kernel of {library.name}; '
            f"{did_you_mean(scenario.kernel, (k.name for k in library.kernels))}",
        )  # fmt: skip
    cases: list[Case] = []
    absent: list[Absent] = []
    for variant in scenario.variants:
        kernel = library.kernel(scenario.kernel, variant)
        if kernel is None:
            raise _error(
                scenario, ("variants",),
                f'"{variant}" is not a variant of {scenario.kernel}; {did_you_mean(variant, (k.variant for k in variants))}',
            )  # fmt: skip
        _check(scenario, kernel)
        made = _cases(scenario, kernel, data)
        if kernel.supported:
            cases.extend(made)
        else:
            absent.extend(Absent(case=case.id, reason=f"not supported here: {kernel.reason}") for case in made)
    return Expansion(tuple(cases), tuple(absent))


def _cases(scenario: Scenario, kernel: Kernel, data: str) -> tuple[Case, ...]:
    defaults = {parameter.name: parameter.default for parameter in kernel.parameters}
    stated = tuple(name for name, _ in scenario.parameters)
    return tuple(
        Case(
            scenario=scenario.name,
            kernel=kernel.name,
            variant=kernel.variant,
            parameters=tuple({**defaults, **dict(zip(stated, values, strict=True))}.items()),
            stated=stated,
            data=data,
        )
        for values in product(*(values for _, values in scenario.parameters))
    )


def bench_arms(scenario: Scenario, case: Case, library: Library) -> tuple[Arm, ...]:
    """The subject first, then its empty loop, its single-type twin and the slower way beside it, as far as the scenario names them."""
    arms = [Arm(role=Role.SUBJECT, build=0, kernel=case.kernel, variant=case.variant)]
    if scenario.measure.empty:
        arms.append(_other(scenario, library, Role.EMPTY, scenario.measure.empty, case.variant, ("measure", "empty")))
    if scenario.control:
        variant = scenario.control.variant or case.variant
        arms.append(_other(scenario, library, Role.CONTROL, scenario.control.kernel, variant, ("control", "kernel")))
    if scenario.beside and (scenario.beside.kernel, scenario.beside.variant) != (case.kernel, case.variant):
        arms.append(
            _other(scenario, library, Role.BESIDE, scenario.beside.kernel, scenario.beside.variant, ("beside", "variant"))
        )
    return tuple(arms)


def compare_arms(case: Case) -> tuple[Arm, ...]:
    """The same kernel of two builds: arm 0 the baseline, which also calibrates the shared iteration count."""
    return (
        Arm(role=Role.BASELINE, build=0, kernel=case.kernel, variant=case.variant),
        Arm(role=Role.CANDIDATE, build=1, kernel=case.kernel, variant=case.variant),
    )


def control_arms(case: Case, *, work: float) -> tuple[Arm, ...]:
    """What a compare checks itself with: the baseline, a byte copy of it (build 1) that must be silent, and the baseline called `work`
    times as often, which must be caught."""
    return (
        Arm(role=Role.BASELINE, build=0, kernel=case.kernel, variant=case.variant),
        Arm(role=Role.COPY, build=1, kernel=case.kernel, variant=case.variant),
        Arm(role=Role.MORE, build=0, kernel=case.kernel, variant=case.variant, work=work),
    )


def default_scenarios(libraries: Sequence[Library]) -> tuple[Scenario, ...]:
    """One scenario per kernel of libraries that came without any: declared defaults, block mode, the variants of all of them. Kernels
    that need data are left to scenario files, because no default could say which data."""
    kernels = [kernel for library in libraries for kernel in library.kernels if not kernel.needs_data]
    first = {kernel.name: kernel for kernel in reversed(kernels)}
    names = dict.fromkeys(kernel.name for kernel in kernels)
    return tuple(
        Scenario(
            name=name,
            question=first[name].summary,
            kernel=name,
            variants=tuple(dict.fromkeys(kernel.variant for kernel in kernels if kernel.name == name)),
            data=None,
            parameters=(),
            measure=DEFAULT_MEASURE,
            budgets=(),
            gate=Gate(time=0.05, recall_floor=0.0),
            control=None,
            beside=None,
            path="",
            digest="",
            source="",
        )
        for name in names
    )


DEFAULT_MEASURE = Measure(
    mode=Mode.BLOCK, workers=8, samples=None, sample_ns=100e3, warmup_ns=None,
    operations=1000, passes=3, empty="", timeout_s=60.0,
)  # fmt: skip


def _other(scenario: Scenario, library: Library, role: Role, name: str, variant: str, keys: tuple[str, ...]) -> Arm:
    """An arm beside the subject: the variant asked for, or the only one there is."""
    variants = library.variants(name)
    if not variants:
        raise _error(
            scenario, keys,
            f'"{name}" is not a kernel of {library.name}; {did_you_mean(name, (k.name for k in library.kernels))}',
        )  # fmt: skip
    kernel = library.kernel(name, variant) or (variants[0] if len(variants) == 1 else None)
    if kernel is None:
        raise _error(
            scenario, keys,
            f'{name} has no variant "{variant}"; {did_you_mean(variant, (k.variant for k in variants))}',
        )  # fmt: skip
    if not kernel.supported:
        raise _error(scenario, keys, f"{name}/{kernel.variant} is not supported here: {kernel.reason}")
    return Arm(role=role, build=0, kernel=kernel.name, variant=kernel.variant)


def _check(scenario: Scenario, kernel: Kernel) -> None:
    """Every name and range that only the library can know."""
    for name, values in scenario.parameters:
        parameter = kernel.parameter(name)
        if parameter is None:
            near = did_you_mean(name, (p.name for p in kernel.parameters))
            raise _error(scenario, ("params", name), f'"{name}" is not a parameter of {kernel.name}; {near}')
        for value in values:
            if parameter.integer and value != int(value):
                raise _error(scenario, ("params", name), f'"{name}" is a whole number, not {value}')
            if not parameter.minimum <= value <= parameter.maximum:
                raise _error(
                    scenario,
                    ("params", name),
                    f'"{name}" is {value:g}, outside of {parameter.minimum:g} to {parameter.maximum:g}',
                )
    if kernel.needs_data and scenario.data is None:
        raise _error(
            scenario,
            ("kernel",),
            f"{kernel.name} needs vectors, and the scenario has no [data]; add a file or a synthetic set",
        )
    if scenario.gate.recall_floor and kernel.output is not Output.NEIGHBOURS:
        raise _error(scenario, ("gate", "recall_floor"), f"{kernel.name} returns no neighbours, so it has no recall")
    _check_limits(scenario, kernel)


def _check_limits(scenario: Scenario, kernel: Kernel) -> None:
    """Budgets and metric gates must name something that this scenario measures; a limit on nothing would always be met."""
    metrics = {metric.name for metric in kernel.metrics}
    for name, _ in scenario.gate.metrics:
        if name not in metrics:
            near = did_you_mean(name, metrics)
            raise _error(scenario, ("gate", "metrics", name), f'"{name}" is not a metric of {kernel.name}; {near}')
        if next(metric for metric in kernel.metrics if metric.name == name).better is Better.NEITHER:
            raise _error(scenario, ("gate", "metrics", name), f'"{name}" has no better direction, so it cannot get worse')
    timed = scenario.measure.workers * scenario.measure.operations * scenario.measure.passes
    measured = set(LATENCY_QUANTITIES if scenario.measure.mode is Mode.LATENCY else BLOCK_QUANTITIES)
    measured |= {"recall"} if kernel.output is Output.NEIGHBOURS else set()
    measured |= {"overhead"} if scenario.control else set()
    measured |= {"speedup"} if scenario.beside else set()
    for budget in scenario.budgets:
        if budget.quantity == "p99.9" and "p99.9" in measured and timed < LATENCIES_FOR_P999:
            what = f"P99.9 needs {LATENCIES_FOR_P999:,} latencies, and workers x operations x passes is {timed:,}"
            raise _error(scenario, ("budget", "p99.9"), what)
        if budget.quantity not in measured | metrics:
            near = did_you_mean(budget.quantity, measured | metrics)
            raise _error(
                scenario,
                ("budget", budget.quantity),
                f'"{budget.quantity}" is not measured by this scenario (mode {scenario.measure.mode}); {near}',
            )


def _error(scenario: Scenario, keys: tuple[str, ...], message: str) -> ScenarioError:
    table = f"[{'.'.join(keys[:-1])}] " if len(keys) > 1 else ""
    where = f"{scenario.path}:{line_of(scenario.source, keys)}: " if scenario.path else ""
    return ScenarioError(f"{where}{table}{message}")

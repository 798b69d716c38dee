"""The cases that two builds can be compared on, and those they cannot, each with the reason."""

from dataclasses import dataclass, replace

from dualmem_cli.model.kernel import Kernel, Library
from dualmem_cli.model.plan import Case
from dualmem_cli.model.record import Absent
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.plan.cases import expand


@dataclass(frozen=True, slots=True)
class Unpaired:
    """What is on one side only (missing), or on both and yet not the same thing (incomparable)."""

    label: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Pairing:
    """The cases both builds have, each with the kernel it is judged by; what has no pair; and what this machine cannot run on either
    side, which is no finding about the builds."""

    cases: tuple[tuple[Case, Kernel], ...]
    unpaired: tuple[Unpaired, ...]
    absent: tuple[Absent, ...]


def pair(scenario: Scenario, old: Library, new: Library, *, data: str) -> Pairing:
    """Pair the cases of `scenario`. Raises ScenarioError for a kernel or a variant that neither build knows: that is a mistake, not an
    absence, and a mistyped variant must not pass as one."""
    cases: list[tuple[Case, Kernel]] = []
    unpaired: list[Unpaired] = []
    absent: list[Absent] = []
    for variant in scenario.variants:
        one = replace(scenario, variants=(variant,))
        before, after = old.kernel(scenario.kernel, variant), new.kernel(scenario.kernel, variant)
        if before is None and after is None:
            expand(one, new if new.variants(scenario.kernel) else old, data=data)  # raises, with the nearest name
        elif before is None or after is None:
            unpaired.append(_one_sided(f"{scenario.name}/{variant}", is_new=before is None))
        elif not before.supported and not after.supported:
            absent.append(Absent(f"{scenario.name}/{variant}", f"not supported here: {after.reason}"))
        elif reason := _incomparable(scenario, before, after):
            unpaired.append(Unpaired(f"{scenario.name}/{variant}", Verdict.INCOMPARABLE, reason))
        else:
            # A candidate must not loosen the check that it has to pass.
            judge = replace(after, tolerance=min(before.tolerance, after.tolerance))
            cases += [(_shared(case, before), judge) for case in expand(one, new, data=data).cases]
    return Pairing(tuple(cases), tuple(unpaired), tuple(absent))


def _one_sided(label: str, *, is_new: bool) -> Unpaired:
    return Unpaired(label, Verdict.MISSING, "new: the baseline does not have it" if is_new else "gone: only the baseline has it")


def _incomparable(scenario: Scenario, before: Kernel, after: Kernel) -> str:
    """Why two kernels of one name are not the same operation here, or ""."""
    unknown = [name for name, _ in scenario.parameters if after.parameter(name) and not before.parameter(name)]
    if not before.supported:
        return f"the baseline's is not supported here: {before.reason}"
    if not after.supported:
        return f"the candidate's is not supported here: {after.reason}"
    if unknown:
        return f"the baseline's {scenario.kernel} has no parameter {', '.join(unknown)}"
    if before.output is not after.output:
        return f"its output was {before.output} and is {after.output} now, so results cannot be compared"
    return ""


def _shared(case: Case, before: Kernel) -> Case:
    """The case with the parameters that both sides have; one that is new has its default on the new side."""
    return replace(case, parameters=tuple((name, value) for name, value in case.parameters if before.parameter(name)))

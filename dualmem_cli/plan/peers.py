"""Other libraries' ways of doing the same: arms beside the subject of a bench, interleaved with it in the same workers."""

from collections.abc import Sequence

from dualmem_cli.model.kernel import Kernel, Library
from dualmem_cli.model.plan import Arm, Case, Role
from dualmem_cli.model.record import Absent


def peer_arms(case: Case, peers: Sequence[Library]) -> tuple[tuple[Arm, ...], tuple[Absent, ...]]:
    """Every kernel of the peers with the name of the case's, and those that cannot take the case, each with the reason. The first peer is
    build 1 of the run."""
    arms: list[Arm] = []
    absent: list[Absent] = []
    for build, library in enumerate(peers, 1):
        for kernel in library.variants(case.kernel):
            reason = _refusal(case, kernel)
            if reason:
                absent.append(Absent(f"{case.id} beside {library.name} {kernel.variant}", reason))
            else:
                arms.append(Arm(role=Role.PEER, build=build, kernel=kernel.name, variant=kernel.variant))
    return tuple(arms), tuple(absent)


def _refusal(case: Case, kernel: Kernel) -> str:
    if not kernel.supported:
        return f"not supported here: {kernel.reason}"
    for name, value in case.parameters:
        parameter = kernel.parameter(name)
        if parameter is None:
            return f"it does not declare the parameter {name}"
        if not parameter.minimum <= value <= parameter.maximum:
            return f"{name} {value:g} is outside of {parameter.minimum:g} to {parameter.maximum:g}"
    return ""

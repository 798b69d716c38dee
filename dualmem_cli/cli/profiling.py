"""From a scenario to what the profilers start, and from their outcome to lines."""

import sys
from pathlib import Path

from dualmem_cli.errors import DualmemError
from dualmem_cli.measure.data import cache_directory, materialise
from dualmem_cli.measure.protocol import encode
from dualmem_cli.measure.worker import native_path
from dualmem_cli.model.kernel import Library
from dualmem_cli.model.plan import Case, Task, WorkerArm, WorkerRequest
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.plan.cases import expand
from dualmem_cli.plan.spelling import did_you_mean
from dualmem_cli.profile.engines import ENGINES, Engine, find_engine
from dualmem_cli.profile.session import ProfileOutcome
from dualmem_cli.profile.target import Target


def engines_for(names: list[str] | None) -> tuple[Engine, ...]:
    """The engines asked for, in the order of asking; all of them when none was named."""
    return tuple(find_engine(name) for name in dict.fromkeys(names)) if names else ENGINES


def chosen_case(scenario: Scenario, library: Library, *, wanted: str) -> Case:
    """The case with the id `wanted`, or the scenario's first. Raises DualmemError."""
    expansion = expand(scenario, library, data="")
    by_id = {case.id: case for case in expansion.cases}
    if wanted and wanted not in by_id:
        raise DualmemError(f'"{wanted}" is not a case of {scenario.name}; {did_you_mean(wanted, by_id)}')
    if not by_id:
        reasons = "; ".join(f"{absent.case}: {absent.reason}" for absent in expansion.absent)
        raise DualmemError(f"no case of {scenario.name} can run here: {reasons}", hint="Nothing was measured.")
    return by_id[wanted] if wanted else expansion.cases[0]


def target_for(scenario: Scenario, case: Case, *, link: Path, seconds: float) -> Target:
    """The same work as a Python process that calls the kernel through cffi, and as the C worker alone."""
    dataset = None
    if scenario.data is not None:
        dataset = materialise(scenario.data, directory=Path(scenario.path).parent, cache=cache_directory())
    files = {"--data": dataset.data, "--queries": dataset.queries} if dataset else {}
    request = WorkerRequest(
        task=Task.SPIN,
        libraries=(str(link),),
        arms=(WorkerArm(library=0, kernel=case.kernel, variant=case.variant),),
        parameters=case.parameters,
        data=str(dataset.data) if dataset else "",
        queries=str(dataset.queries) if dataset else "",
        duration_ns=int(seconds * 1e9),
    )
    return Target(
        title=f"{scenario.name} {case.label}",
        case_id=case.id,
        python_argv=(
            *(sys.executable, "-m", "dualmem_cli.measure.loop", str(link), case.kernel, case.variant, str(seconds)),
            *(word for option, path in files.items() for word in (option, str(path))),
            *(word for name, value in case.parameters for word in ("--parameter", f"{name}={value!r}")),
        ),
        native_argv=(str(native_path("dualmem-worker")),),
        native_stdin=encode(request),
        environment=(),
        seconds=seconds,
        focus=("spin", "dmx_timed_run"),  # where the kernel is called: in measure/loop.py, and in the worker
    )


def print_outcome(outcome: ProfileOutcome) -> None:
    """What was captured and where it is; what refused, with its remedy, on stderr."""
    for captured in outcome.captures:
        print(captured.profile.line())
        for note in captured.profile.notes:
            print(f"  note: {note}")
        print(f"  {captured.folded}\n  {captured.speedscope}")
    print(f"flame graph {outcome.page}")
    for refusal in outcome.refusals:
        print(f"dualmem: {refusal.line()}", file=sys.stderr)

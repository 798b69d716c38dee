"""dualmem profile"""

from pathlib import Path
from typing import Annotated

import typer

from dualmem_cli.cli import options


def profile(
    scenario: Annotated[str, typer.Argument(help="Scenario file or name.")],
    with_: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="ENGINE",
            help="pyspy or perf (samplers), callgrind, counters or memory (they count); may be repeated. "
            "Default: the samplers that see what the case runs.",
        ),
    ] = None,
    case: Annotated[str, typer.Option("--case", metavar="ID", help="Which case of the scenario. Default: its first.")] = "",
    seconds: Annotated[float, typer.Option("--seconds", min=0.2, max=3600, help="How long each engine samples.")] = 5.0,
    rate: Annotated[int, typer.Option("--rate", min=10, max=10_000, help="Samples per second asked for.")] = 249,
    operations: Annotated[
        int,
        typer.Option(
            "--operations",
            min=0,
            metavar="N",
            help="Operations per counted sample; give it to compare two builds. Default: some ms.",
        ),
    ] = 0,
    cpu: Annotated[
        list[int] | None, typer.Option("--cpu", metavar="N", help="Keep the target on this processor; may be repeated.")
    ] = None,
    library: options.Library = "",
    reports: options.Reports = options.REPORTS,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Find out where one case of a scenario spends its time (flame graph, folded stacks, speedscope) or what an operation costs
    (instructions, misses, faults, memory; functions and source lines). Never timed: a profiled process runs slower."""
    import json as json_
    import sys

    from dualmem_cli.cli import setting
    from dualmem_cli.cli.profiling import (
        chosen_case,
        engines_for,
        needs_avx512,
        outcome_document,
        print_outcome,
        target_for,
        threads_of,
    )
    from dualmem_cli.measure import builds as binaries
    from dualmem_cli.profile.session import profile_case
    from dualmem_cli.store.records import new_path

    def announce(line: str) -> None:
        if not quiet:
            print(line, file=sys.stderr, flush=True)

    if with_:
        engines_for(with_)  # a misspelt name is said before anything is built
    worker = setting.runner()
    found = binaries.resolve(library, start=Path.cwd())
    described = worker.describe(str(found.links[0]))
    (read,) = setting.read_scenarios(setting.scenario_paths([scenario]))
    point = chosen_case(read, described, wanted=case)
    engines = engines_for(with_, threads=threads_of(point))
    if not case and needs_avx512(point) and any(engine.name == "callgrind" for engine in engines):
        native, point = point, chosen_case(read, described, wanted="", simulated=True)
        announce(f"callgrind: valgrind has no AVX-512, so {point.id} instead of {native.id}")
    kernel = next((k for k in described.kernels if (k.name, k.variant) == (point.kernel, point.variant)), None)
    target = target_for(
        read,
        point,
        link=found.links[0],
        seconds=seconds,
        operations=operations,
        metrics=tuple(metric.name for metric in kernel.metrics) if kernel else (),
        sources=(found.tree or Path.cwd(), Path.cwd()),
        cpus=tuple(cpu or ()),
    )
    stem = new_path(reports, created=setting.utc_now(), kind=f"profile-{read.name}")
    try:
        outcome = profile_case(
            target,
            engines=engines,
            rate=rate,
            directory=reports,
            stem=stem.stem,
            announce=announce,
        )
    finally:
        stem.unlink(missing_ok=True)  # it only reserved the name
    if json:
        print(json_.dumps(outcome_document(outcome, case=point.id), indent=2))
    else:
        print_outcome(outcome)
    return 0

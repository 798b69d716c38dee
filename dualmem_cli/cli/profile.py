"""dualmem profile"""

from pathlib import Path
from typing import Annotated

import typer

from dualmem_cli.cli import options


def profile(
    scenario: Annotated[str, typer.Argument(help="Scenario file or name. None with --diff.")] = "",
    with_: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="ENGINE",
            help="pyspy or perf (samplers), callgrind, counters or memory (they count); may be repeated. "
            "Default: the samplers that see what the case runs; with --against perf, else pyspy.",
        ),
    ] = None,
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="WHAT",
            help="Profile this build as well, both in turns, and show what differs: a baseline's name, a library (.so or folder of links) "
            "or a git revision of this tree.",
        ),
    ] = "",
    diff: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--diff", metavar="A B", help="Show what differs between two .folded files; runs nothing."),
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
            help="Operations per counted sample; give it to compare two builds. Default: [profile] operations, else those of some ms.",
        ),
    ] = 0,
    cpu: Annotated[
        list[int] | None, typer.Option("--cpu", metavar="N", help="Keep the target on this processor; may be repeated.")
    ] = None,
    enforce_budgets: Annotated[
        bool,
        typer.Option(
            "--enforce-budgets", help="Exit 1 when a limit of the scenario's [profile] is missed; measures all that they need."
        ),
    ] = False,
    library: options.Library = "",
    reports: options.Reports = options.REPORTS,
    baselines: options.Baselines = options.BASELINES,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Find out where one case of a scenario spends its time (flame graph, folded stacks, speedscope), what an operation costs
    (instructions, misses, faults, memory; functions and source lines), or what differs between two builds. Never timed: a profiled
    process runs slower."""
    from dualmem_cli.cli import differing, profiling
    from dualmem_cli.errors import DualmemError

    if diff is not None:
        if scenario or against or with_ or case or library or enforce_budgets:
            raise DualmemError(
                "--diff compares two files and runs nothing", hint="Leave everything but --reports and --json out."
            )
        differing.profile_files(diff, reports=reports, json=json)
        return 0
    if not scenario:
        raise DualmemError("which scenario?", hint="Give one, such as dualmem profile similarity, or --diff A.folded B.folded.")
    wanted = profiling.Wanted(
        scenario=scenario,
        engines=tuple(with_ or ()),
        case=case,
        seconds=seconds,
        rate=rate,
        operations=operations,
        cpus=tuple(cpu or ()),
        library=library,
        reports=reports,
        json=json,
        quiet=quiet,
    )
    if against:
        if enforce_budgets:
            raise DualmemError("--enforce-budgets judges one build", hint="Leave --against out; `dualmem compare` judges two.")
        differing.profile_builds(wanted, against=against, baselines=baselines)
        return 0
    return profiling.profile_one(wanted, enforce_budgets=enforce_budgets)

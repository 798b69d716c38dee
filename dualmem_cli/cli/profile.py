"""dualmem profile"""

from pathlib import Path
from typing import Annotated

import typer

from dualmem_cli.cli import options


def profile(
    scenario: Annotated[str, typer.Argument(help="Scenario file or name.")],
    with_: Annotated[
        list[str] | None, typer.Option("--with", metavar="ENGINE", help="pyspy or perf; may be repeated. Default: both.")
    ] = None,
    case: Annotated[str, typer.Option("--case", metavar="ID", help="Which case of the scenario. Default: its first.")] = "",
    seconds: Annotated[float, typer.Option("--seconds", min=0.2, max=3600, help="How long each engine samples.")] = 5.0,
    rate: Annotated[int, typer.Option("--rate", min=10, max=10_000, help="Samples per second asked for.")] = 249,
    library: options.Library = "",
    reports: options.Reports = options.REPORTS,
    quiet: options.Quiet = False,
) -> int:
    """Sample one case of a scenario: flame graph, folded stacks, speedscope. Never timed: a sampled process runs slower."""
    import sys

    from dualmem_cli.cli import setting
    from dualmem_cli.cli.profiling import chosen_case, engines_for, print_outcome, target_for
    from dualmem_cli.measure import builds as binaries
    from dualmem_cli.profile.session import profile_case
    from dualmem_cli.store.records import new_path

    engines = engines_for(with_)
    worker = setting.runner()
    found = binaries.resolve(library, start=Path.cwd())
    described = worker.describe(str(found.links[0]))
    (read,) = setting.read_scenarios(setting.scenario_paths([scenario]))
    point = chosen_case(read, described, wanted=case)
    target = target_for(read, point, link=found.links[0], seconds=seconds)
    stem = new_path(reports, created=setting.utc_now(), kind=f"profile-{read.name}")
    try:
        outcome = profile_case(
            target,
            engines=engines,
            rate=rate,
            directory=reports,
            stem=stem.stem,
            announce=lambda line: None if quiet else print(line, file=sys.stderr, flush=True),
        )
    finally:
        stem.unlink(missing_ok=True)  # it only reserved the name
    print_outcome(outcome)
    return 0

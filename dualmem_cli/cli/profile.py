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
            "--with", metavar="ENGINE", help="pyspy or perf; may be repeated. Default: both; with --against perf, else pyspy."
        ),
    ] = None,
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="WHAT",
            help="Sample this build as well, both in turns, and show what differs: a baseline's name, a library (.so or folder of links) "
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
    library: options.Library = "",
    reports: options.Reports = options.REPORTS,
    baselines: options.Baselines = options.BASELINES,
    quiet: options.Quiet = False,
) -> int:
    """Sample one case of a scenario: flame graph, folded stacks, speedscope. Never timed: a sampled process runs slower."""
    from dualmem_cli.errors import DualmemError

    if diff is not None:
        from dualmem_cli.cli.differing import profile_files

        if scenario or against or with_ or case or library:
            raise DualmemError("--diff compares two files and runs nothing", hint="Leave everything but --reports out.")
        profile_files(diff, reports=reports)
        return 0
    if not scenario:
        raise DualmemError("which scenario?", hint="Give one, such as dualmem profile similarity, or --diff A.folded B.folded.")
    if against:
        return _against(
            against,
            scenario,
            with_,
            case,
            seconds=seconds,
            rate=rate,
            library=library,
            reports=reports,
            baselines=baselines,
            quiet=quiet,
        )
    return _alone(scenario, with_, case, seconds=seconds, rate=rate, library=library, reports=reports, quiet=quiet)


def _alone(
    scenario: str, with_: list[str] | None, case: str, *, seconds: float, rate: int, library: str, reports: Path, quiet: bool
) -> int:
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


def _against(
    against: str,
    scenario: str,
    with_: list[str] | None,
    case: str,
    *,
    seconds: float,
    rate: int,
    library: str,
    reports: Path,
    baselines: Path,
    quiet: bool,
) -> int:
    """Both builds in turns, `seconds` of each in all."""
    import sys

    from dualmem_cli.cli import setting
    from dualmem_cli.cli.differing import engine_for, old_build, profile_against, targets_of
    from dualmem_cli.cli.profiling import chosen_case
    from dualmem_cli.measure import builds as binaries
    from dualmem_cli.profile.turns import ROUNDS

    engine = engine_for(with_)
    (read,) = setting.read_scenarios(setting.scenario_paths([scenario]))
    worker = setting.runner()
    old = old_build(against, baselines=baselines, reports=reports, worker=worker)
    new = setting.keep_build(binaries.resolve(library, start=Path.cwd()), worker=worker, reports=reports)
    point = chosen_case(read, new.library, wanted=case)
    if old.library.kernel(point.kernel, point.variant) is None:
        from dualmem_cli.errors import DualmemError

        raise DualmemError(f"{old.name} has no kernel {point.kernel}/{point.variant}", hint="Choose another case with --case.")
    targets, labels = targets_of(read, point, (old.build, new), seconds=seconds / ROUNDS)
    profile_against(
        targets,
        labels,
        names=(old.name, new.origin),
        engine=engine,
        rate=rate,
        rounds=ROUNDS,
        reports=reports,
        announce=lambda line: None if quiet else print(line, file=sys.stderr, flush=True),
    )
    return 0

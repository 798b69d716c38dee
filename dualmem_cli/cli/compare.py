"""dualmem compare"""

from pathlib import Path
from typing import Annotated

import typer

from dualmem_cli.cli import options


def compare(
    scenarios: options.Scenarios = None,
    baseline: Annotated[
        str, typer.Option("--baseline", metavar="NAME", help='Baseline to judge against. Default: the only one, else "main".')
    ] = "",
    against: Annotated[
        str, typer.Option("--against", metavar="PATH", help="Judge against this library (.so or folder of links) instead.")
    ] = "",
    library: options.Library = "",
    budget: Annotated[float, typer.Option("--budget", min=0.1, help="Seconds to spend on one case at most.")] = 20.0,
    allow_inconclusive: Annotated[
        bool, typer.Option("--allow-inconclusive", help="Exit 0 when a case stays inconclusive.")
    ] = False,
    reports: options.Reports = options.REPORTS,
    baselines: options.Baselines = options.BASELINES,
    export: options.Export = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Judge the current build against a stored baseline, both measured side by side on this machine; exit 1 on a regression."""
    from dualmem_cli import pipeline
    from dualmem_cli.cli import progress, setting, showing
    from dualmem_cli.cli.exports import parse_exports
    from dualmem_cli.cli.sides import baseline_side
    from dualmem_cli.judge.outcome import compare_status
    from dualmem_cli.measure import builds as binaries

    exports = parse_exports(export, kind="compare")
    worker = setting.runner()
    old = baseline_side(baseline, against=against, baselines=baselines, reports=reports, worker=worker)
    found = binaries.resolve(library, start=Path.cwd())
    new = setting.keep_build(found, worker=worker, reports=reports)
    chosen = setting.scenarios_for(scenarios, libraries=(old.build.library, new.library), named=bool(library))
    lab = setting.laboratory(worker=worker, kind="compare", reports=reports, progress=progress.chosen(quiet=quiet))
    opened = pipeline.compare(lab, chosen, (old.build, new), name=old.name, budget_s=budget, earlier=None)
    status = compare_status(opened.record, allow_inconclusive=allow_inconclusive)
    return showing.show(
        opened.record,
        record_path=lab.record_path,
        status=status,
        next_command=_next(status, chosen=scenarios),
        json=json,
        level=showing.level_of(quiet=quiet, verbose=verbose),
        unsaved=opened.unsaved,
        exports=exports,
    )


def _next(status: int, *, chosen: list[str] | None) -> str:
    from dualmem_cli.errors import ExitStatus

    named = " ".join(chosen or [])
    match status:
        case ExitStatus.REGRESSION:
            return f"dualmem profile {named or 'SCENARIO'}"
        case ExitStatus.INCONCLUSIVE:
            return f"dualmem compare {named + ' ' if named else ''}--budget 60"
        case _:
            return ""

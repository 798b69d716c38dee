"""dualmem bench"""

from pathlib import Path
from typing import Annotated

import typer

from dualmem_cli.cli import options


def bench(
    scenarios: options.Scenarios = None,
    library: options.Library = "",
    enforce_budgets: Annotated[
        bool, typer.Option("--enforce-budgets", help="Exit 1 when a budget is missed. Budgets depend on the machine.")
    ] = False,
    peer: Annotated[
        list[Path] | None,
        typer.Option(
            "--peer",
            metavar="PATH",
            help="Another kernel library, measured interleaved with the first wherever it has a kernel of the same name; may be given "
            "several times.",
        ),
    ] = None,
    fleet: options.Fleet = "",
    reports: options.Reports = options.REPORTS,
    history: options.History = None,
    export: options.Export = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Run scenarios and show the figures beside their budgets; save the record and its page."""
    from dualmem_cli import pipeline
    from dualmem_cli.cli import progress, setting, showing
    from dualmem_cli.cli.exports import parse_exports
    from dualmem_cli.cli.history import ready
    from dualmem_cli.judge.outcome import bench_status
    from dualmem_cli.measure import builds as binaries

    exports = parse_exports(export, kind="bench")
    if fleet:
        from dualmem_cli.cli.on_fleet import OnFleet, check_options

        its_own = "Other libraries need what is installed beside them: run it on that machine."
        check_options((("--peer", peer, its_own), ("--export", export, options.EXPORT_LATER)))
    ready(history)
    worker = setting.runner()
    found = binaries.resolve(library, start=Path.cwd())
    build = setting.keep_build(found, worker=worker, reports=reports)
    peers = tuple(setting.keep_build(binaries.named(path), worker=worker, reports=reports) for path in peer or ())
    chosen = setting.scenarios_for(scenarios, libraries=(build.library,), named=bool(library))
    if fleet:
        run = OnFleet(fleet, reports, history, json=json, quiet=quiet, verbose=verbose)
        return run.bench(chosen, build, enforce_budgets=enforce_budgets)
    lab = setting.laboratory(worker=worker, kind="bench", reports=reports, progress=progress.chosen(quiet=quiet))
    opened = pipeline.bench(lab, chosen, build, peers)
    return showing.show(
        opened.record,
        record_path=lab.record_path,
        status=bench_status(opened.record, enforce_budgets=enforce_budgets),
        next_command="dualmem baseline save main",
        json=json,
        level=showing.level_of(quiet=quiet, verbose=verbose),
        unsaved=opened.unsaved,
        exports=exports,
        history=history,
    )

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
    fleet: Annotated[
        str,
        typer.Option(
            "--fleet",
            metavar="ADDRESS",
            help="Measure on the machines that work for this Dask scheduler, such as tcp://host:8786, each scenario on one that "
            "has what it needs. See `dualmem fleet`.",
        ),
    ] = "",
    reports: options.Reports = options.REPORTS,
    export: options.Export = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Run scenarios and show the figures beside their budgets; save the record and its page."""
    from dualmem_cli import pipeline
    from dualmem_cli.cli import progress, setting, showing
    from dualmem_cli.cli.exports import parse_exports
    from dualmem_cli.judge.outcome import bench_status
    from dualmem_cli.measure import builds as binaries

    exports = parse_exports(export, kind="bench")
    if fleet:
        _want_simple(peer, export)
    worker = setting.runner()
    found = binaries.resolve(library, start=Path.cwd())
    build = setting.keep_build(found, worker=worker, reports=reports)
    peers = tuple(setting.keep_build(binaries.named(path), worker=worker, reports=reports) for path in peer or ())
    chosen = setting.scenarios_for(scenarios, libraries=(build.library,), named=bool(library))
    if fleet:
        from dualmem_cli.cli.bench_fleet import bench_on_fleet

        level = showing.level_of(quiet=quiet, verbose=verbose)
        return bench_on_fleet(fleet, chosen, build, reports=reports, enforce_budgets=enforce_budgets, json=json, level=level)
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
    )


def _want_simple(peer: list[Path] | None, export: list[str] | None) -> None:
    """Raises DualmemError for what --fleet cannot take."""
    from dualmem_cli.errors import DualmemError

    if peer:
        raise DualmemError(
            "--peer does not travel with --fleet", hint="Other libraries need what is installed beside them: run it there."
        )
    if export:
        raise DualmemError(
            "--export names one file, and a fleet has a record per machine", hint="dualmem report RECORD --format FORMAT."
        )

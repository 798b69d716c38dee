"""dualmem bench"""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualmem_cli.cli import options

if TYPE_CHECKING:
    from dualmem_cli.model.scenario import Scenario
    from dualmem_cli.model.workload import LoadScenario
    from dualmem_cli.offered import Extent

_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


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
    metrics: Annotated[
        Path | None,
        typer.Option("--metrics", metavar="FILE", help="While a load goes on, write OpenMetrics text there after every section."),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            "--metrics-port", metavar="PORT", min=0, max=65535, help="Serve the same at http://127.0.0.1:PORT/metrics meanwhile."
        ),
    ] = None,
    metrics_host: Annotated[
        str, typer.Option("--metrics-host", metavar="HOST", help="Address to serve at; other machines can read it then.")
    ] = "",
    soak: Annotated[
        str,
        typer.Option("--soak", metavar="TIME", help="Repeat a load's steady phase for so long (90s, 30m, 8h): drift and leaks."),
    ] = "",
    times: Annotated[
        bool, typer.Option("--times", help="Keep when every operation of a load began and ended, in a file beside the record.")
    ] = False,
    fleet: options.Fleet = "",
    reports: options.Reports = options.REPORTS,
    history: options.History = None,
    export: options.Export = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Run scenarios and show the figures beside their budgets; save the record and its page. Load scenarios (scenarios/load) are run where
    they are named."""
    from dualmem_cli import pipeline
    from dualmem_cli.cli import progress, setting, showing
    from dualmem_cli.cli.exports import parse_exports
    from dualmem_cli.cli.history import ready
    from dualmem_cli.cli.watching import LOOPBACK, Watching, served
    from dualmem_cli.errors import DualmemError
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
    chosen, loads = setting.scenarios_for(scenarios, libraries=(build.library,), named=bool(library))
    if metrics_host and metrics_port is None:
        raise DualmemError("--metrics-host is where --metrics-port serves", hint="Give a port as well: --metrics-port 9100.")
    watched = metrics is not None or metrics_port is not None
    extent = soaked(soak, times=times, watched=watched, chosen=chosen, loads=loads)
    if fleet:
        setting.refuse_loads(loads)
        run = OnFleet(fleet, reports, history, json=json, quiet=quiet, verbose=verbose)
        return run.bench(chosen, build, enforce_budgets=enforce_budgets)
    watching = Watching(file=metrics, terminal=bool(loads) and not quiet and sys.stderr.isatty())
    lab = setting.laboratory(worker=worker, kind="bench", reports=reports, progress=progress.chosen(quiet=quiet), watch=watching)
    with served(watching, port=metrics_port, host=metrics_host or LOOPBACK):
        opened = pipeline.bench(lab, chosen, build, peers, loads=loads, extent=extent)
    watching.clear()
    return showing.show(
        opened.record,
        record_path=lab.record_path,
        status=bench_status(opened.record, enforce_budgets=enforce_budgets),
        next_command="" if opened.record.interrupted else "dualmem baseline save main",
        json=json,
        level=showing.level_of(quiet=quiet, verbose=verbose),
        unsaved=opened.unsaved,
        unwritten=watching.lost,
        exports=exports,
        history=history,
    )


def soaked(
    soak: str, *, times: bool, watched: bool, chosen: "tuple[Scenario, ...]", loads: "tuple[LoadScenario, ...]"
) -> "Extent":
    """How far loads are played. Raises DualmemError for a time that is none, and for options about loads without any."""
    from dualmem_cli.errors import DualmemError
    from dualmem_cli.offered import Extent

    if (soak or times or watched) and not loads:
        raise DualmemError("--soak, --times and --metrics are about loads", hint="Name a load scenario, such as mixed_60s.")
    if soak and (len(loads) > 1 or chosen):
        raise DualmemError("--soak repeats one load", hint="Name one load scenario and nothing else.")
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?(s|m|min|h|d)", soak)
    if soak and (match is None or not float(match[1])):
        raise DualmemError(f'--soak: "{soak}" is not a time', hint="Write a number and a unit, such as 30m or 8h.")
    return Extent(soak_s=float(match[1]) * _UNITS[match[2]] if match else 0.0, times=times)

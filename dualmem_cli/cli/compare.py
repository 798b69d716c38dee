"""dualmem compare"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualmem_cli.cli import options

if TYPE_CHECKING:
    from dualmem_cli.model.record import Record


def compare(
    scenarios: options.Scenarios = None,
    baseline: Annotated[
        str, typer.Option("--baseline", metavar="NAME", help='Baseline to judge against. Default: the only one, else "main".')
    ] = "",
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="WHAT",
            help="Judge against this instead: a library (.so or folder of links), a git revision of this tree, which is built and "
            "kept, or a bench record, whose stored numbers are judged as far as they do not depend on a machine.",
        ),
    ] = "",
    library: options.Library = "",
    links: Annotated[
        Path | None,
        typer.Option(
            "--links",
            metavar="DIR",
            help="Several links of both libraries: of the old in DIR/baseline, the new in DIR/candidate.",
        ),
    ] = None,
    budget: Annotated[float, typer.Option("--budget", min=0.1, help="Seconds to spend on one case at most.")] = 20.0,
    continue_: Annotated[
        Path | None,
        typer.Option(
            "--continue",
            metavar="RECORD",
            help="Go on with an earlier compare of the same two builds, of kernels or loads: its verdicts stand, its workers count, "
            "what it left open is measured on.",
        ),
    ] = None,
    allow_inconclusive: Annotated[
        bool, typer.Option("--allow-inconclusive", help="Exit 0 when a case stays inconclusive.")
    ] = False,
    no_explain: Annotated[
        bool,
        typer.Option(
            "--no-explain",
            help="Do not profile both builds of the worst regressed cases (about 15 s each) and kinds of operation (up to 2 min); "
            "three at most.",
        ),
    ] = False,
    fleet: options.Fleet = "",
    reports: options.Reports = options.REPORTS,
    baselines: options.Baselines = options.BASELINES,
    history: options.History = None,
    export: options.Export = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Judge the current build against a stored baseline, both measured side by side on this machine; exit 1 on a regression."""
    from dualmem_cli import pipeline
    from dualmem_cli.cli import explaining, progress, setting, showing
    from dualmem_cli.cli.exports import parse_exports
    from dualmem_cli.cli.history import ready
    from dualmem_cli.cli.sides import Stored, both_sides, check_continues, earlier_of
    from dualmem_cli.errors import DualmemError, ExitStatus
    from dualmem_cli.fallback import compare_stored
    from dualmem_cli.judge.outcome import compare_status

    exports = parse_exports(export, kind="compare")
    if fleet:
        from dualmem_cli.cli.on_fleet import OnFleet, check_options

        check_options((("--continue", continue_, "Run it on that machine."), ("--export", export, options.EXPORT_LATER)))
    ready(history)
    worker = setting.runner()
    old, new = both_sides(
        baseline, against=against, library=library, links=links, baselines=baselines, reports=reports, worker=worker
    )
    earlier = earlier_of(continue_, scenarios=scenarios)
    asked = [scenario.path for scenario in earlier.asked if scenario.path] if earlier else scenarios
    chosen, loads = setting.scenarios_for(asked, libraries=(old.library, new.library), named=bool(library or links))
    if earlier is not None:
        check_continues(earlier, path=str(continue_), old=old, new=new, scenarios=(*chosen, *loads), worker=worker)
    if fleet:
        setting.refuse_loads(loads)
        if isinstance(old, Stored):
            raise DualmemError(f"{old.since.stored_only}, and a fleet measures both builds", hint="Leave out --fleet.")
        run = OnFleet(fleet, reports, history, json=json, quiet=quiet, verbose=verbose)
        return run.compare(
            chosen, (old.build, new), name=old.name, since=old.since, budget_s=budget, allow_inconclusive=allow_inconclusive
        )
    if isinstance(old, Stored) and loads:
        raise DualmemError(f"{loads[0].path}: a load needs both builds", hint="Stored numbers cannot carry its percentiles.")
    shown = progress.chosen(quiet=quiet)
    lab = setting.laboratory(worker=worker, kind="compare", reports=reports, progress=shown, since=old.since)
    if isinstance(old, Stored):
        opened = compare_stored(lab, chosen, old.record, new, name=old.name, reason=old.since.stored_only)
    else:
        opened = pipeline.compare(lab, chosen, (old.build, new), name=old.name, budget_s=budget, earlier=earlier, loads=loads)
    status = compare_status(opened.record, allow_inconclusive=allow_inconclusive)
    explain = None
    if status is ExitStatus.REGRESSION and not no_explain:
        explain = explaining.of(opened.record, builds=explaining.builds_of(old, new), page=lab.record_path, quiet=quiet)
    return showing.show(
        opened.record,
        record_path=lab.record_path,
        status=status,
        next_command=next_command(status, opened.record, path=lab.record_path, chosen=scenarios or []),
        json=json,
        level=showing.level_of(quiet=quiet, verbose=verbose),
        unsaved=opened.unsaved,
        exports=exports,
        history=history,
        explain=explain,
    )


def next_command(status: int, record: "Record", *, path: Path, chosen: list[str]) -> str:
    """What to do about it: look closer, or go on, where more workers or players can say more."""
    from dualmem_cli.errors import ExitStatus
    from dualmem_cli.model.verdict import Verdict

    match status:
        case ExitStatus.REGRESSION:
            return f"dualmem profile {' '.join(chosen) or 'SCENARIO'}" if record.scenarios else ""
        case ExitStatus.INCONCLUSIVE if any(f.change for f in record.compare if f.verdict is Verdict.INCONCLUSIVE):
            return f"dualmem compare --continue {path} --budget 60"
        case ExitStatus.INTERRUPTED if record.compare:
            return f"dualmem compare --continue {path}"
        case _:
            return ""

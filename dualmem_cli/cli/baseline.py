"""dualmem baseline save|list|show"""

from pathlib import Path
from typing import Annotated

import typer

from dualmem_cli.cli import options

app = typer.Typer(help="Keep records and their builds to compare with.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def save(
    name: Annotated[str, typer.Argument(help="Name of the baseline, such as main.")],
    record: Annotated[
        Path | None, typer.Option("--record", metavar="FILE", help="Record to promote. Default: the newest bench.")
    ] = None,
    reports: options.Reports = options.REPORTS,
    baselines: options.Baselines = options.BASELINES,
) -> int:
    """Promote a record and the build it was made with to a baseline."""
    from dualmem_cli.errors import BaselineError
    from dualmem_cli.store import baselines as kept
    from dualmem_cli.store import records

    path = record or records.latest(reports, kind="bench")
    if path is None:
        raise BaselineError(f"{reports} holds no bench record", hint="Run `dualmem bench` first.")
    loaded = records.load(path)
    folder = path.parent / "builds" / loaded.builds[0].digest
    if not folder.is_dir():
        raise BaselineError(f"{path}: the build it was made with is not in {folder.parent}", hint="Run `dualmem bench` again.")
    made = kept.save(baselines, name=name, record=loaded, build_folder=folder)
    print(
        f"baseline {made.name}: build {made.build.short} ({len(made.build.links)} layouts), {len(loaded.cases)} cases, from {path}"
    )
    print("Next: dualmem compare")
    return 0


@app.command("list")
def list_(baselines: options.Baselines = options.BASELINES) -> int:
    """List the baselines: build, revision, when, which machine."""
    from dualmem_cli.errors import BaselineError
    from dualmem_cli.store import baselines as kept

    names = kept.names(baselines)
    if not names:
        print(f"no baselines in {baselines}. Next: dualmem bench && dualmem baseline save main")
    for name in names:
        try:
            found = kept.load(baselines, name)
        except BaselineError as error:
            print(f"{name}: {error}")
            continue
        machine = found.record.machine
        print(
            f"{name}: build {found.build.short} ({found.build.library.name}, revision {found.record.revision or 'not known'}), "
            f"{len(found.record.cases)} cases, {found.record.created}, {machine.cpu} ({machine.architecture})"
        )
    return 0


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of the baseline.")],
    baselines: options.Baselines = options.BASELINES,
    verbose: options.Verbose = False,
) -> int:
    """Show the record of a baseline as `dualmem bench` showed it."""
    from dualmem_cli.cli.report import show_record
    from dualmem_cli.store import baselines as kept

    found = kept.load(baselines, name)
    return show_record(found.record, path=baselines / name / "record.json", format_="text", output=None, verbose=verbose)

"""dualmem baseline save|list|show|gc"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualmem_cli.cli import options

if TYPE_CHECKING:
    from dualmem_cli.model.record import Record
    from dualmem_cli.store.baselines import Baseline

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
    from dualmem_cli.report.phrases import counted
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
        f"baseline {made.name}: build {made.build.short} ({counted(len(made.build.links), 'layout')}), {_measured(loaded)}, from {path}"
    )
    loads = " ".join(load.scenario.name for load in loaded.loads) if not loaded.cases else ""
    print(f"Next: dualmem compare {loads}".rstrip())
    return 0


@app.command("list")
def list_(baselines: options.Baselines = options.BASELINES) -> int:
    """List the baselines: how old, which revision and build, which machine, how large."""
    from dualmem_cli.errors import BaselineError
    from dualmem_cli.store import baselines as kept

    names = kept.names(baselines)
    if not names:
        print(f"no baselines in {baselines}. Next: dualmem bench && dualmem baseline save main")
    for name in names:
        try:
            print(_described(kept.load(baselines, name), folder=baselines))
        except BaselineError as error:
            print(f"{name}: {error}")
    return 0


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of the baseline.")],
    baselines: options.Baselines = options.BASELINES,
    verbose: options.Verbose = False,
) -> int:
    """Show what a baseline is, and its record as `dualmem bench` showed it."""
    from dualmem_cli.cli.report import show_record
    from dualmem_cli.store import baselines as kept

    found = kept.load(baselines, name)
    print(_described(found, folder=baselines))
    return show_record(found.record, path=baselines / name / "record.json", format_="text", output=None, verbose=verbose)


@app.command()
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be removed.")] = False,
    reports: options.Reports = options.REPORTS,
    baselines: options.Baselines = options.BASELINES,
) -> int:
    """Remove builds that no record or baseline refers to, in the reports folder and the cache of revisions, and what killed runs left.

    Records and baselines stay; so does a build that a run used within the last hour."""
    import time

    from dualmem_cli.measure.data import cache_directory
    from dualmem_cli.measure.revisions import FOLDER
    from dualmem_cli.model.units import Unit, human
    from dualmem_cli.report.phrases import counted
    from dualmem_cli.store.sweep import sweep

    found = sweep(reports=reports, baselines=baselines, revisions=cache_directory() / FOLDER, now_s=time.time(), dry_run=dry_run)
    for waste in found.waste if dry_run else ():
        print(f"{waste.path}  {human(waste.size, Unit.BYTE)}  {waste.why}")
    builds = sum(waste.build for waste in found.waste)
    rest = len(found.waste) - builds
    total = sum(waste.size for waste in found.waste)
    young = f"; {counted(found.young, 'build')} used within the last hour left alone" if found.young else ""
    print(
        f"{'would remove' if dry_run else 'removed'} {counted(builds, 'build')} and {counted(rest, 'unfinished folder')}, "
        f"{human(total, Unit.BYTE)} ({total:,} bytes){young}"
    )
    return 0


def _measured(record: "Record") -> str:
    """'22 cases', '1 load', '22 cases and 1 load'."""
    from dualmem_cli.report.phrases import counted

    cases, loads = counted(len(record.cases), "case"), counted(len(record.loads), "load")
    return cases if not record.loads else f"{cases} and {loads}" if record.cases else loads


def _described(found: "Baseline", *, folder: Path) -> str:
    """A baseline in one line: its age, revision, build, machine and size."""
    from dualmem_cli.cli.setting import utc_now
    from dualmem_cli.measure.machine import read_machine
    from dualmem_cli.model.units import Unit, human
    from dualmem_cli.report.phrases import age_text, counted
    from dualmem_cli.report.since import machine_words, short_revision
    from dualmem_cli.store.sweep import size_of

    record, build = found.record, found.build
    age = age_text(record.created, now=utc_now())
    return (
        f"{found.name}: {age or record.created} ({record.created}), revision {short_revision(record.revision) or 'not known'}, "
        f"build {build.short} ({build.library.name}, {counted(len(build.links), 'layout')}), {_measured(record)}, "
        f"{record.machine.cpu} ({record.machine.architecture}; {machine_words(record.machine, read_machine())}), "
        f"{human(size_of(folder / found.name), Unit.BYTE)}"
    )

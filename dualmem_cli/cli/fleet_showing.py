"""What a person sees of a fleet: its machines, and after a bench on it a table for each."""

import json as json_
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from dualmem_cli.cli import showing
from dualmem_cli.cli.history import remember
from dualmem_cli.cli.streams import printed
from dualmem_cli.errors import ExitStatus
from dualmem_cli.fleet.errand import Introduction
from dualmem_cli.fleet.run import Gathered
from dualmem_cli.judge.outcome import worst_status
from dualmem_cli.model.record import Record
from dualmem_cli.model.units import Unit, human
from dualmem_cli.report import Level, ReportContext
from dualmem_cli.report.fleet import render


def print_machines(machines: Sequence[Introduction], strange: Sequence[str], *, address: str) -> None:
    """Two lines per machine."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    if not machines and not strange:
        console.print(f"No machine works for {escape(address)}. Start one there: dualmem fleet worker {escape(address)}")
        return
    width = max((len(each.name) for each in machines), default=0)
    for each in machines:
        machine = each.machine
        cores = f"{each.cores} core{'s' if each.cores != 1 else ''}"
        nodes = f"{machine.numa_nodes or 'unknown'} NUMA node{'s' if machine.numa_nodes != 1 else ''}"
        has = f"{machine.cpu}, {cores}, {nodes}, {human(machine.memory_bytes, Unit.BYTE)}"
        console.print(f"[bold]{escape(each.name):<{width}}[/bold]  {escape(has)}; now: {escape(each.state)}")
        what = f"{machine.architecture} {' '.join(machine.isa)}; dualmem {each.version} ({each.tool[:7]}) at {each.address}"
        console.print(f"{'':<{width}}  {escape(what)}")
    for line in strange:
        console.print(escape(line))


def machines_json(machines: Sequence[Introduction], strange: Sequence[str]) -> str:
    """The same as one document."""
    return json_.dumps({"machines": [asdict(machine) for machine in machines], "others": list(strange)}, indent=2)


def show_gathered(
    gathered: Gathered,
    paths: dict[str, Path],
    *,
    status_of: Callable[[Record], ExitStatus],
    history: Path | None,
    json: bool,
    level: Level,
) -> int:
    """A table and a page for each machine, then what nobody measured. Returns the exit status: the worst of all."""
    statuses = [ExitStatus.MEASUREMENT_FAILED] if gathered.unmeasured or not gathered.records else [ExitStatus.OK]
    statuses += [ExitStatus.INTERRUPTED] if gathered.interrupted else []
    shown = []
    for name, record in sorted(gathered.records.items()):
        status = status_of(record)
        page = str(paths[name].with_suffix(".html"))
        shown.append((name, record, ReportContext(str(paths[name]), page, status, "")))
        if json:
            statuses.append(
                ExitStatus(showing.saved(status, [remember(paths[name], history), showing.write_page(record, shown[-1][2])]))
            )
            continue
        printed(lambda name=name: print(f"Machine {name}"))  # type: ignore[misc]
        done = showing.show(
            record, record_path=paths[name], status=status, next_command="", json=False, level=level, unsaved="", history=history
        )
        statuses.append(ExitStatus(done))
        printed(print)
    worst = worst_status(statuses)
    if json:
        unmeasured = [(each.label, each.why) for each in gathered.unmeasured]
        printed(lambda: print(render(shown, unmeasured, status=worst), end=""))
        return worst
    for each in gathered.unmeasured:
        print(f"dualmem: {each.label} was not measured: {each.why}", file=sys.stderr)
    count = len(gathered.records)
    told = f"{count} machine{'s' if count != 1 else ''}, {len(gathered.unmeasured)} not measured; exit {worst.value}"
    printed(lambda: print(f"{told} ({worst.name.lower().replace('_', ' ')})"))
    return worst

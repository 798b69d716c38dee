"""What a person sees of a fleet: its machines, and after a bench on it a table for each."""

import json as json_
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from dualmem_cli.cli import showing
from dualmem_cli.cli.streams import printed
from dualmem_cli.errors import ExitStatus
from dualmem_cli.fleet.bench import Gathered
from dualmem_cli.fleet.errand import Introduction
from dualmem_cli.judge.outcome import bench_status
from dualmem_cli.model.units import Unit, human
from dualmem_cli.report import RENDERERS, Level, ReportContext


def print_machines(machines: Sequence[Introduction], strange: Sequence[str], *, address: str) -> None:
    """One line per machine."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    if not machines and not strange:
        console.print(f"No machine works for {escape(address)}. Start one there: dualmem fleet worker {escape(address)}")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("machine", "processor", "cores", "ISA", "NUMA nodes", "memory", "dualmem", "now"):
        table.add_column(title, no_wrap=True, justify="right" if title in ("cores", "NUMA nodes", "memory") else "left")
    for each in machines:
        machine = each.machine
        table.add_row(
            *map(escape, (each.name, machine.cpu, str(each.cores), " ".join(machine.isa) or machine.architecture)),
            *map(escape, (str(machine.numa_nodes or "not known"), human(machine.memory_bytes, Unit.BYTE))),
            *map(escape, (f"{each.version} ({each.tool[:7]})", each.state)),
        )
    console.print(table)
    for line in strange:
        console.print(escape(line))


def machines_json(machines: Sequence[Introduction], strange: Sequence[str]) -> str:
    """The same as one document."""
    return json_.dumps({"machines": [asdict(machine) for machine in machines], "others": list(strange)}, indent=2)


def show_gathered(gathered: Gathered, paths: dict[str, Path], *, enforce_budgets: bool, json: bool, level: Level) -> int:
    """A table and a page for each machine, then what nobody measured. Returns the exit status: the worst of all."""
    statuses = [ExitStatus.MEASUREMENT_FAILED] if gathered.unmeasured or not gathered.records else [ExitStatus.OK]
    statuses += [ExitStatus.INTERRUPTED] if gathered.interrupted else []
    summaries = []
    for name, record in sorted(gathered.records.items()):
        status = bench_status(record, enforce_budgets=enforce_budgets)
        context = ReportContext(str(paths[name]), str(paths[name].with_suffix(".html")), status, "")
        if json:
            summaries.append({"machine": name, **json_.loads(RENDERERS["json"](record, context))})
            shown = showing.saved(status, [showing.write_page(record, context)])
        else:
            printed(lambda name=name: print(f"Machine {name}"))  # type: ignore[misc]
            shown = showing.show(
                record, record_path=paths[name], status=status, next_command="", json=False, level=level, unsaved=""
            )
            printed(print)
        statuses.append(ExitStatus(shown))
    worst = max(statuses)
    if json:
        unmeasured = [asdict(each) for each in gathered.unmeasured]
        document = {"schema": 1, "kind": "fleet", "exit": _exit(worst), "machines": summaries, "unmeasured": unmeasured}
        printed(lambda: print(json_.dumps(document, indent=1)))
        return worst
    for each in gathered.unmeasured:
        print(f"dualmem: {each.label} was not measured: {each.why}", file=sys.stderr)
    count = sum(len(record.scenarios) for record in gathered.records.values())
    machines = f"{len(gathered.records)} machine{'s' if len(gathered.records) != 1 else ''}"
    printed(lambda: print(f"{machines}, {len(gathered.unmeasured)} not measured. exit {worst.value}")) if count or worst else None
    return worst


def _exit(status: ExitStatus) -> dict[str, object]:
    return {"status": status.value, "name": status.name.lower().replace("_", " ")}

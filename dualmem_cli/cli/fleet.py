"""dualmem fleet: the machines of a fleet, each started by `worker` and shown by `status`."""

import platform
from typing import Annotated

import typer

from dualmem_cli.cli import options
from dualmem_cli.cli.errand import errand

app = typer.Typer(
    help="Several machines through Dask's scheduler, for `dualmem bench --fleet ADDRESS`. Needs the extra: pip install 'dualmem[fleet]'.",
    no_args_is_help=True,
)
app.command(hidden=True)(errand)

Address = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="Of the scheduler, such as tcp://host:8786 (start one: dask scheduler).")
]


@app.command()
def worker(
    address: Address,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="What this machine is called. Default: its host name.")
    ] = "",
    show_command: Annotated[
        bool, typer.Option("--show-command", help="Print Dask's own command that offers the same, and start nothing.")
    ] = False,
) -> int:
    """Let this machine work for a fleet, one measurement at a time. It tells the scheduler what it has."""
    from dualmem_cli.fleet import service

    called = name or platform.node() or "machine"
    if show_command:
        print(service.command_line(address, name=called))
        return 0
    service.serve(address, name=called)
    return 0


@app.command()
def status(address: Address, json: options.Json = False) -> int:
    """Show the machines of a fleet: what each has and what it does now."""
    from dualmem_cli.cli.fleet_showing import machines_json, print_machines
    from dualmem_cli.fleet.dispatch import introduced
    from dualmem_cli.fleet.engine import connected

    with connected(address) as client:
        machines, strange = introduced(client, address)
    if json:
        print(machines_json(machines, strange))
    else:
        print_machines(machines, strange, address=address)
    return 0

"""dualmem kernels"""

from pathlib import Path
from typing import Annotated

import typer

from dualmem_cli.cli import options


def kernels(
    library: Annotated[
        str, typer.Argument(help="A .so or a folder of links. Default: the working tree, else the packaged one.")
    ] = "",
    json: options.Json = False,
) -> int:
    """What a library offers: kernels, variants, parameters, metrics, and what this CPU can run."""
    from dualmem_cli.cli import setting
    from dualmem_cli.measure import builds as binaries

    found = binaries.resolve(library, start=Path.cwd())
    described = setting.runner().describe(str(found.links[0]))
    if json:
        from pydantic import TypeAdapter

        from dualmem_cli.model.kernel import Library

        print(TypeAdapter(Library).dump_json(described, indent=2).decode())
        return 0
    from dualmem_cli.cli.kernel_table import print_library

    print_library(described, origin=found.origin, layouts=len(found.links))
    return 0

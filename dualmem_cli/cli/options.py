"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from dualmem_cli.report import RENDERERS

Scenarios = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SCENARIO",
        help="Scenario files, or names of scenarios in ./scenarios or of the shipped ones. Default: all of these.",
    ),
]
Library = Annotated[
    str,
    typer.Option(
        "--library",
        metavar="PATH",
        help="Kernel library to measure: a .so, or a folder with several links of one. Default: the working tree, built first; "
        "outside of a checkout the packaged libdualmem.",
    ),
]
Fleet = Annotated[
    str,
    typer.Option(
        "--fleet",
        metavar="ADDRESS",
        help="Measure on the machines that work for this Dask scheduler, such as tcp://host:8786. See `dualmem fleet`.",
    ),
]
Reports = Annotated[Path, typer.Option("--reports", metavar="DIR", help="Where records and pages are written.")]
Baselines = Annotated[Path, typer.Option("--baselines", metavar="DIR", help="Where baselines are kept.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout instead of the table.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr, only the verdicts.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show every quantity of every case.")]
Export = Annotated[
    list[str] | None,
    typer.Option(
        "--export",
        metavar="FORMAT=FILE",
        help="Write this format to a file as well; - is stdout, after the table. May be given several times. "
        f"Formats: {', '.join(RENDERERS)}.",
    ),
]

Database = Annotated[
    Path, typer.Option("--database", metavar="FILE", envvar="DUALMEM_HISTORY", help="The file of the history.", show_envvar=True)
]
History = Annotated[
    Path | None,
    typer.Option(
        "--history", metavar="FILE", envvar="DUALMEM_HISTORY", help="Add the record to this history too.", show_envvar=True
    ),
]

REPORTS = Path("reports")
HISTORY = REPORTS / "history.duckdb"
BASELINES = Path("baselines")
EXPORT_LATER = "A fleet has a record per machine: dualmem report RECORD --format FORMAT."

"""dualmem trace make|show|convert"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualmem_cli.cli import options

if TYPE_CHECKING:
    from dualmem_cli.model.workload import LoadScenario
    from dualmem_cli.trace import Trace

app = typer.Typer(
    help="Make, show and convert traces: what is done to a store, and when.", no_args_is_help=True, rich_markup_mode=None
)

_Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")]


@app.command()
def make(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="A load scenario with a [mix].")],
    output: _Output,
    library: options.Library = "",
) -> int:
    """Make the trace of a load scenario: the same one that a bench of it plays."""
    from dualmem_cli.errors import ScenarioError
    from dualmem_cli.store.traces import save_trace

    read = _load_scenario(scenario)
    if read.trace:
        raise ScenarioError(f"{scenario}: its trace is there already: {scenario.parent / read.trace}", hint="Show it.")
    made = _made(read, library)
    save_trace(made, output)
    print(f"{output}: {_described(made)}")
    return 0


@app.command()
def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A trace.")],
    json: options.Json = False,
) -> int:
    """Show a trace: its kinds of operations, its rate over time, and how much of the work falls on few keys."""
    from dualmem_cli.cli.trace_table import print_trace, trace_json
    from dualmem_cli.stats.traces import profile_of
    from dualmem_cli.store.traces import load_trace

    made, facts = load_trace(file)
    profile = profile_of(made)
    if json:
        print(trace_json(profile, facts, made.note))
    else:
        print_trace(profile, facts, made.note, file=str(file))
    return 0


@app.command()
def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON Lines (.jsonl), or a trace.")],
    output: _Output,
    sort: Annotated[bool, typer.Option("--sort", help="JSON Lines in any order: put them in order of time.")] = False,
    from_first: Annotated[
        bool, typer.Option("--from-first", help="JSON Lines with times of a clock: count from the first operation.")
    ] = False,
) -> int:
    """Turn JSON Lines, {"at": seconds, "operation": name, "key": number}, into a trace, or a trace into JSON Lines."""
    from dualmem_cli.errors import TraceError
    from dualmem_cli.store.documents import write_atomically
    from dualmem_cli.store.trace_lines import to_lines
    from dualmem_cli.store.traces import load_lines, load_trace, save_trace

    to_trace = output.suffix != ".jsonl"
    if to_trace == (file.suffix != ".jsonl"):
        raise TraceError(f"{file} to {output}: one of the two must be JSON Lines", hint="Let its name end in .jsonl.")
    if to_trace:
        made = load_lines(file, sort=sort, from_first=from_first)
        save_trace(made, output)
    else:
        if sort or from_first:
            raise TraceError(
                "--sort and --from-first are about JSON Lines", hint="A trace is in order and counts from its start."
            )
        made, _ = load_trace(file)
        write_atomically(output, "".join(to_lines(made)).encode(), hint="Make room or choose another file.")
    print(f"{output}: {_described(made)}")
    return 0


def _load_scenario(path: Path) -> "LoadScenario":
    from dualmem_cli.cli import setting
    from dualmem_cli.errors import ScenarioError
    from dualmem_cli.model.workload import LoadScenario
    from dualmem_cli.plan.load_scenario import parse_any_scenario

    scenario = parse_any_scenario(setting.scenario_text(path), path=str(path), name=path.stem)
    if not isinstance(scenario, LoadScenario):
        raise ScenarioError(f"{path}: it measures a kernel, and has no trace", hint='A load scenario names a "workload".')
    return scenario


def _made(scenario: "LoadScenario", library: str) -> "Trace":
    """The trace of a scenario on the workload of a library, which knows what keys count."""
    from dualmem_cli.errors import BuildError
    from dualmem_cli.measure import builds as binaries
    from dualmem_cli.measure.data import cache_directory, materialise
    from dualmem_cli.measure.player import PlayerProcesses
    from dualmem_cli.measure.worker import native_path
    from dualmem_cli.plan.load_check import populations, workloads_of
    from dualmem_cli.plan.trace import make_trace

    link = binaries.resolve(library, start=Path.cwd()).links[0]
    table = PlayerProcesses(native_path("dualmem-player")).describe(str(link))
    if table is None:
        raise BuildError(f"{link}: a library without workloads", hint="Give one that has them with --library.")
    workload = workloads_of(scenario, table)[0]
    rows = queries = 0
    if scenario.data:
        facts = materialise(scenario.data, directory=Path(scenario.path).parent, cache=cache_directory()).facts
        rows, queries = facts.rows, facts.queries
    return make_trace(scenario, workload, populations(scenario, workload, rows=rows, queries=queries))


def _described(made: "Trace") -> str:
    from dualmem_cli.report.phrases import counted

    what = f"{counted(len(made), 'operation')} of {counted(len(made.names), 'kind')}"
    return f"{what} in {made.duration_ns / 1e9:,.6g} s, {made.rate:,.6g} per second"

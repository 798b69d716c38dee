"""The table of contents of the command line."""

import signal
import sys
from types import FrameType

import typer

from dualmem_cli.cli import baseline, bench, compare, doctor, fleet, history, kernels, profile, report, schema, selftest, trace
from dualmem_cli.cli.streams import leave_stdout
from dualmem_cli.errors import DualmemError, ExitStatus

app = typer.Typer(
    name="dualmem",
    help="A performance laboratory for dual-memory stores: bench, profile, and a gate that can be trusted on shared machines.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit status: 0 ok, 1 regression, 2 usage or file error, 3 measurement failed, 4 inconclusive, 5 not comparable, "
    "130 interrupted.",
)
app.command()(bench.bench)
app.command()(profile.profile)
app.command()(compare.compare)
app.add_typer(baseline.app, name="baseline")
app.add_typer(history.app, name="history")
app.command()(report.report)
app.command()(kernels.kernels)
app.add_typer(trace.app, name="trace")
app.command()(selftest.selftest)
app.add_typer(fleet.app, name="fleet")
app.command()(doctor.doctor)
app.command()(schema.schema)


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", "-V", help="Show the version and exit."),
) -> None:
    if version:
        from dualmem_cli import __version__

        typer.echo(f"dualmem {__version__}")
        raise typer.Exit


def run() -> int:
    """Run the command line; every error that a user can act on ends as one line on stderr and an exit status."""
    signal.signal(signal.SIGTERM, _interrupt)  # a cancelled CI job keeps what was measured, as Ctrl-C does
    try:
        status = app(standalone_mode=False)
    except DualmemError as error:
        print(f"dualmem: {error}", file=sys.stderr)
        return error.status
    except (typer.Abort, KeyboardInterrupt):
        print("dualmem: interrupted", file=sys.stderr)
        return ExitStatus.INTERRUPTED
    except (BrokenPipeError, SystemExit):  # the reader left; click and rich then exit with 1, which here would be a regression
        leave_stdout()
        return ExitStatus.OK
    except Exception as error:
        return _usage_or_bug(error)
    if status == ExitStatus.INTERRUPTED and not isinstance(
        status, ExitStatus
    ):  # typer's own, of Ctrl-C where nothing was measured yet
        print("dualmem: interrupted", file=sys.stderr)
    return status if isinstance(status, int) else ExitStatus.OK


def _usage_or_bug(error: Exception) -> int:
    """A mistake in the arguments, as the argument parser words it; anything else is our own and must be reported, in one line."""
    show = getattr(error, "show", None)
    if callable(show):
        show()
        return ExitStatus.USAGE
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        print(f"dualmem: {where}{error.strerror or error}", file=sys.stderr)
        return ExitStatus.USAGE
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="dualmem-error-", suffix=".txt", delete=False) as file:
        traceback.print_exception(error, file=file)
    print(f"dualmem: internal error: {type(error).__name__}: {error}. Please report it with {file.name}.", file=sys.stderr)
    return ExitStatus.MEASUREMENT_FAILED


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt

"""The door: `dualmem` and `python -m dualmem_cli`."""

import signal
import sys

from dualmem_cli.cli.streams import finished, prepare
from dualmem_cli.errors import ExitStatus


def main() -> None:
    """Run the command line. The version is answered before anything heavy is imported: shells and CI ask for it often."""
    prepare()
    if sys.argv[1:] in (["--version"], ["-V"]):
        from dualmem_cli import __version__

        sys.exit(finished(0, last=f"dualmem {__version__}\n"))
    try:
        from dualmem_cli.cli.app import run

        status = finished(run())
    except KeyboardInterrupt:  # before there was a command, or behind its last word
        print("dualmem: interrupted", file=sys.stderr)
        status = ExitStatus.INTERRUPTED
    for number in (signal.SIGINT, signal.SIGTERM):  # nothing is left to interrupt but the interpreter, which would complain
        signal.signal(number, signal.SIG_IGN)
    sys.exit(status)


if __name__ == "__main__":
    main()

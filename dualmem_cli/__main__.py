"""The door: `dualmem` and `python -m dualmem_cli`."""

import sys

from dualmem_cli.cli.streams import finished, prepare


def main() -> None:
    """Run the command line. The version is answered before anything heavy is imported: shells and CI ask for it often."""
    prepare()
    if sys.argv[1:] in (["--version"], ["-V"]):
        from dualmem_cli import __version__

        sys.exit(finished(0, last=f"dualmem {__version__}\n"))
    from dualmem_cli.cli.app import run

    sys.exit(finished(run()))


if __name__ == "__main__":
    main()

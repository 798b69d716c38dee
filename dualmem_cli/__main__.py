"""The door: `dualmem` and `python -m dualmem_cli`."""

import sys


def main() -> None:
    """Run the command line. The version is answered before anything heavy is imported: shells and CI ask for it often."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from dualmem_cli import __version__

        print(f"dualmem {__version__}")
        return
    from dualmem_cli.cli.app import run

    sys.exit(run())


if __name__ == "__main__":
    main()

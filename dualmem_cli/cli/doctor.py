"""dualmem doctor"""

from pathlib import Path

from dualmem_cli.cli import options


def doctor(json: options.Json = False) -> int:
    """How far this machine can be trusted, what works here, and how to enable the rest."""
    from dualmem_cli.cli.checks import every_check, print_checks

    checks = every_check(Path.cwd())
    if json:
        import json as json_
        from dataclasses import asdict

        print(json_.dumps([asdict(check) for check in checks], indent=2))
    else:
        print_checks(checks)
    return 0

"""dualmem schema"""

from typing import Annotated

import typer

_KNOWN = ("scenario", "load", "record", "selftest", "summary", "selftest-summary", "fleet-summary", "history", "profile")


def schema(
    what: Annotated[
        str,
        typer.Argument(
            help="scenario, load (a load scenario), record, selftest (its record), summary (what --json prints), selftest-summary (of a "
            "self-test), fleet-summary (of a run on a fleet), history (of a history) or profile (of a profile)."
        ),
    ] = "scenario",
) -> int:
    """Print the JSON Schema of scenario files, of load scenarios, of records, of self-test records, or of what --json prints."""
    import json

    from dualmem_cli.errors import DualmemError
    from dualmem_cli.plan.spelling import did_you_mean

    match what:
        case "scenario":
            from dualmem_cli.plan import scenario

            found = scenario.json_schema()
        case "load":
            from dualmem_cli.plan import load_scenario

            found = load_scenario.json_schema()
        case "record":
            from dualmem_cli.store import records

            found = records.json_schema()
        case "selftest":
            from dualmem_cli.store import selftests

            found = selftests.json_schema()
        case "summary":
            from dualmem_cli.report import summary

            found = summary.json_schema()
        case "selftest-summary":
            from dualmem_cli.report import selftest

            found = selftest.json_schema()
        case "fleet-summary":
            from dualmem_cli.report import fleet

            found = fleet.json_schema()
        case "history":
            from dualmem_cli.report import history

            found = history.json_schema()
        case "profile":
            from dualmem_cli.profile import session

            found = session.json_schema()
        case _:
            raise DualmemError(f'there is no schema "{what}"; {did_you_mean(what, _KNOWN)}')
    print(json.dumps(found, indent=2))
    return 0

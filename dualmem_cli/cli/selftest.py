"""dualmem selftest"""

from typing import Annotated

import typer

from dualmem_cli.cli import options
from dualmem_cli.model.selftest import Load
from dualmem_cli.plan.trials import ROUNDS


def selftest(
    quick: Annotated[
        bool, typer.Option("--quick", help="About a minute: enough to see that the gate works here, not how well.")
    ] = False,
    rounds: Annotated[
        int,
        typer.Option(
            "--rounds",
            min=1,
            help=f"Rounds over all cells; {ROUNDS} make 3,000 decisions without a difference and 300 per size and load.",
        ),
    ] = ROUNDS,
    loads: Annotated[
        list[Load] | None,
        typer.Option("--load", help="What else runs meanwhile; may be given several times. Default: each in turn."),
    ] = None,
    reports: options.Reports = options.REPORTS,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Measure how far the gate can be trusted on this machine: false alarms and detection on builds whose difference is known."""
    import os

    from dualmem_cli.cli import progress, setting, showing
    from dualmem_cli.plan import trials
    from dualmem_cli.selftest import Selftest

    worker = setting.runner()
    subjects = setting.selftest_subjects(worker=worker, reports=reports)
    lab = setting.laboratory(worker=worker, kind="selftest", reports=reports, progress=progress.chosen(quiet=quiet))
    chosen = tuple(dict.fromkeys(loads or Load))
    blocks = trials.quick_blocks(chosen, seed=lab.seed) if quick else trials.full_blocks(chosen, rounds=rounds, seed=lab.seed)
    test = Selftest(
        lab, subjects, loaded=setting.loaded(worker, seed=lab.seed), load_average=lambda: os.getloadavg()[0], quick=quick
    )
    record = test.run(blocks)
    return showing.show_selftest(
        record, record_path=lab.record_path, json=json, level=showing.level_of(quiet=quiet, verbose=verbose), unsaved=test.unsaved
    )

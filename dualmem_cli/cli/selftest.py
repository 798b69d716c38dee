"""dualmem selftest"""

from pathlib import Path
from typing import Annotated

import typer

from dualmem_cli.cli import options
from dualmem_cli.model.selftest import Load, Pair
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
    continue_: Annotated[
        Path | None,
        typer.Option(
            "--continue",
            metavar="RECORD",
            help="Add rounds to an earlier self-test of the same gate and builds, of this machine or another.",
        ),
    ] = None,
    loads: Annotated[
        list[Load] | None,
        typer.Option("--load", help="What else runs meanwhile; may be given several times. Default: each in turn."),
    ] = None,
    pairs: Annotated[
        list[Pair] | None,
        typer.Option(
            "--pair",
            help="Which builds are tried: byte copies, inert recompiles, planted slowdowns; may be given several times. Default: all.",
        ),
    ] = None,
    reports: options.Reports = options.REPORTS,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Measure how far the gate can be trusted on this machine: false alarms and detection on builds whose difference is known."""
    import os

    from dualmem_cli.cli import progress, setting, showing
    from dualmem_cli.errors import DualmemError
    from dualmem_cli.judge.continuation import check_same_selftest
    from dualmem_cli.measure.provenance import gate_digest
    from dualmem_cli.plan import trials
    from dualmem_cli.selftest import Selftest
    from dualmem_cli.store import selftests

    if quick and pairs:
        raise DualmemError("--quick and --pair exclude each other", hint="A quick self-test has few cells; it tries them all.")
    if quick and continue_:
        raise DualmemError("--quick and --continue exclude each other", hint="A quick self-test has other cells than a full one.")
    earlier = selftests.load(continue_) if continue_ else None
    worker = setting.runner()
    gate = gate_digest(worker.executable)
    subjects = setting.selftest_subjects(worker=worker, reports=reports)
    if earlier is not None:
        builds = tuple(subjects.planted.values())
        check_same_selftest(earlier, path=str(continue_), builds=builds, gate=gate)
    lab = setting.laboratory(worker=worker, kind="selftest", reports=reports, progress=progress.chosen(quiet=quiet))
    chosen = tuple(dict.fromkeys(loads or Load))
    blocks = (
        trials.quick_blocks(chosen, seed=lab.seed)
        if quick
        else trials.full_blocks(chosen, tuple(pairs or Pair), rounds=rounds, seed=lab.seed)
    )
    test = Selftest(
        lab,
        subjects,
        loaded=setting.loaded(worker, seed=lab.seed),
        load_average=lambda: os.getloadavg()[0],
        quick=quick,
        gate=gate,
        earlier=earlier,
    )
    record = test.run(blocks)
    return showing.show_selftest(
        record, record_path=lab.record_path, json=json, level=showing.level_of(quiet=quiet, verbose=verbose), unsaved=test.unsaved
    )

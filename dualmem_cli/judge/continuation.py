"""Whether a compare may go on with an earlier one: only evidence about the same pair of builds, asked the same questions on the same
machine, may be added up. Then re-running until something is green gains nothing: what was decided stands, and the rule counts
every worker of every run."""

from collections.abc import Sequence

from dualmem_cli.errors import ExitStatus, RecordError
from dualmem_cli.judge.fingerprint import machine_changes
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.load import LoadRun
from dualmem_cli.model.machine import Machine
from dualmem_cli.model.record import Record
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.model.selftest import SelftestRecord
from dualmem_cli.model.workload import LoadScenario


def check_same_question(
    earlier: Record,
    *,
    path: str,
    builds: tuple[Build, Build],
    scenarios: Sequence[Scenario | LoadScenario],
    machine: Machine,
    gate: str,
) -> None:
    """Raises RecordError, which says what is not the same as it was. `gate` is the digest of what samples and decides now; loads have their
    own (`check_same_load`)."""
    if earlier.kind != "compare" or len(earlier.builds) != len(builds):
        raise RecordError(f"{path}: not a compare of two builds", hint="Give a record of `dualmem compare`.")
    for side, before, now in zip(("baseline", "candidate"), earlier.builds, builds, strict=True):
        if before.digest != now.digest:
            raise _other(path, f"its {side} is build {before.short}, this one is {now.short}")
    before_digests = {scenario.name: scenario.digest for scenario in earlier.asked}
    now_digests = {scenario.name: scenario.digest for scenario in scenarios}
    changed = sorted(
        name for name in before_digests.keys() | now_digests.keys() if before_digests.get(name) != now_digests.get(name)
    )
    if changed:
        raise _other(path, f"{changed[0]} is not the scenario that it was")
    if earlier.scenarios and earlier.gate != gate:
        raise _other(path, f"it was measured by another gate ({earlier.gate or 'not recorded'}, this one is {gate})")
    machines = machine_changes(earlier.machine, machine)
    if machines:
        first = machines[0]
        raise _other(path, f"it was made on another machine ({first.name} {first.before} -> {first.after})")


def check_same_load(earlier: LoadRun, now: LoadRun, *, record: str) -> None:
    """Raises RecordError unless a load is the one that it was in the record of that name: the same operations on the same data, played and
    judged in the same way."""
    if earlier.trace.digest != now.trace.digest:
        raise _other(record, f"the trace of {now.id} was {earlier.trace.digest[:12]}, it is {now.trace.digest[:12]}")
    if earlier.data != now.data:
        raise _other(record, f"the data of {now.id} is not what it was")
    if earlier.gate != now.gate:
        raise _other(record, f"{now.id} was judged by another gate ({earlier.gate or 'not recorded'}, this one is {now.gate})")


def check_same_selftest(earlier: SelftestRecord, *, path: str, builds: Sequence[Build], gate: str) -> None:
    """Raises RecordError unless the trials of `earlier` are of these builds, by this gate (a digest). They may be of another machine:
    trials are independent decisions, and each keeps its machine."""
    if earlier.quick:
        raise RecordError(
            f"{path}: a quick self-test has other cells than a full one", hint="Begin a full one: dualmem selftest."
        )
    if [build.digest for build in earlier.builds] != [build.digest for build in builds]:
        raise _other_gate(path, "it tried other builds of the self-test's library")
    if earlier.gate != gate:
        raise _other_gate(path, f"it tested another gate ({earlier.gate or 'not recorded'}, this one is {gate})")


def _other_gate(path: str, what: str) -> RecordError:
    return RecordError(
        f"{path}: {what}; only trials of the same gate and builds add up",
        hint="Leave out --continue to begin anew.",
        status=ExitStatus.NOT_COMPARABLE,
    )


def _other(path: str, what: str) -> RecordError:
    return RecordError(
        f"{path}: {what}; only what one gate measured of the same builds on the same machine adds up",
        hint="Leave out --continue to begin anew.",
        status=ExitStatus.NOT_COMPARABLE,
    )

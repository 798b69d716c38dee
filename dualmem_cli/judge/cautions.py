"""Warnings about a run, each with its remedy."""

from collections.abc import Sequence

from dualmem_cli.judge.fingerprint import toolchain_changes
from dualmem_cli.judge.limits import threads_of
from dualmem_cli.model.caution import Caution, CautionKind
from dualmem_cli.model.kernel import CEILINGS, Build
from dualmem_cli.model.record import CaseRun, Record
from dualmem_cli.model.units import percent
from dualmem_cli.model.verdict import BenchFinding, Verdict
from dualmem_cli.stats.pairs import dropped_share

_NOISY_INTERVAL = 0.05
_PREEMPTED_SHARE = 0.2


def bench_cautions(run: CaseRun, finding: BenchFinding) -> tuple[Caution, ...]:
    """What to know before one believes a figure of this case."""
    if run.case.kernel in CEILINGS and threads_of(run.case) > 1:
        return ()  # a roof of all cores together: on a shared machine their neighbours' load, which its interval tells
    found = list(_preempted(run))
    time = finding.quantity("time") or finding.quantity("p50")
    if time is not None and time.estimate.value > 0:
        half = (time.estimate.high - time.estimate.low) / 2 / time.estimate.value
        if half > _NOISY_INTERVAL:
            found.append(
                Caution(
                    kind=CautionKind.NOISY_MACHINE,
                    what=f"the {time.name} is not known to {percent(_NOISY_INTERVAL, signed=False, digits=0)}",
                    remedy="Measure on a quieter machine, or raise [measure] workers.",
                    case=run.case.id,
                )
            )
    return tuple(found)


def compare_cautions(run: CaseRun) -> tuple[Caution, ...]:
    """What to know before one believes a verdict of this case."""
    return _preempted(run)


def build_cautions(builds: tuple[Build, ...]) -> tuple[Caution, ...]:
    """What a comparison of these builds cannot exclude."""
    return _same_build(builds) + _one_layout(builds) + _other_compiler(builds)


def repeated_caution(earlier: Sequence[Record], *, path: str) -> tuple[Caution, ...]:
    """What earlier compares of the very same two builds said: whoever runs again until it is green should see that. `earlier` has the
    newest first, whose record lies at `path`."""
    if not earlier:
        return ()
    red = sum(any(finding.verdict is Verdict.REGRESSED for finding in record.compare) for record in earlier)
    times = "once" if len(earlier) == 1 else f"{len(earlier)} times"
    return (
        Caution(
            kind=CautionKind.REPEATED,
            what=f"these two builds were compared {times} before, {red or 'none'} of {len(earlier)} with a regression; "
            "to run again until one is green proves nothing",
            remedy=f"To add to the evidence instead: dualmem compare --continue {path}.",
        ),
    )


def stored_caution(reason: str) -> Caution:
    """What a comparison with stored numbers is worth."""
    return Caution(
        kind=CautionKind.STORED_NUMBERS,
        what=f"{reason}; only the baseline's stored numbers could be used: counts, recall and bytes are judged, times are not",
        remedy="Build the old revision here, dualmem compare --against REV, or save a baseline on this kind of machine.",
    )


def _same_build(builds: tuple[Build, ...]) -> tuple[Caution, ...]:
    """Whoever sees no change should know where there was none to be seen."""
    if len(builds) < 2 or builds[0].digest != builds[1].digest:
        return ()
    return (
        Caution(
            kind=CautionKind.SAME_BUILD,
            what="baseline and candidate are the same bytes: this tries the gate, not a change",
            remedy="If something was changed, save it and build it.",
        ),
    )


def _one_layout(builds: tuple[Build, ...]) -> tuple[Caution, ...]:
    return tuple(
        Caution(
            kind=CautionKind.ONE_LAYOUT,
            what=f"the {side} has one link, so its code layout was not rotated and a layout effect cannot be excluded",
            remedy="Give several links of the same objects: --links DIR (docs/how-to/measure-your-library.md).",
        )
        for side, build in zip(("baseline", "candidate"), builds, strict=False)
        if not build.rotated
    )


def _other_compiler(builds: tuple[Build, ...]) -> tuple[Caution, ...]:
    """A slowdown between builds of two compilers may be the compilers'."""
    if len(builds) < 2:
        return ()
    return tuple(
        Caution(
            kind=CautionKind.OTHER_COMPILER,
            what=f"{change.name} {change.before} -> {change.after}: a change may be the compiler's and not the code's",
            remedy="Build both alike: dualmem compare --against REV builds the old revision with today's compiler and flags.",
        )
        for change in toolchain_changes(builds[0].library, builds[1].library)
    )


def _preempted(run: CaseRun) -> tuple[Caution, ...]:
    shares = [dropped_share(worker.samples) for worker in run.workers if worker.samples is not None]
    if not shares or sum(shares) / len(shares) <= _PREEMPTED_SHARE:
        return ()
    return (
        Caution(
            kind=CautionKind.PREEMPTED,
            what=f"{percent(sum(shares) / len(shares), signed=False, digits=0)} of the samples lost the processor: "
            "left out, or counted by processor time",
            remedy="Stop what else runs here; the rest of the samples still counts.",
            case=run.case.id,
        ),
    )

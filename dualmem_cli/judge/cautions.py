"""Warnings about a run, each with its remedy."""

from dualmem_cli.model.caution import Caution, CautionKind
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.record import CaseRun
from dualmem_cli.model.units import percent
from dualmem_cli.model.verdict import BenchFinding
from dualmem_cli.stats.pairs import dropped_share

_NOISY_INTERVAL = 0.05
_PREEMPTED_SHARE = 0.2


def bench_cautions(run: CaseRun, finding: BenchFinding) -> tuple[Caution, ...]:
    """What to know before one believes a figure of this case."""
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
    return tuple(
        Caution(
            kind=CautionKind.ONE_LAYOUT,
            what=f"the {side} has one link, so its code layout was not rotated and a layout effect cannot be excluded",
            remedy="Give a folder with several links of the same objects.",
        )
        for side, build in zip(("baseline", "candidate"), builds, strict=False)
        if not build.rotated
    )


def _preempted(run: CaseRun) -> tuple[Caution, ...]:
    shares = [dropped_share(worker.samples) for worker in run.workers if worker.samples is not None]
    if not shares or sum(shares) / len(shares) <= _PREEMPTED_SHARE:
        return ()
    return (
        Caution(
            kind=CautionKind.PREEMPTED,
            what=f"{percent(sum(shares) / len(shares), signed=False, digits=0)} of the samples lost the processor and were left out",
            remedy="Stop what else runs here; the rest of the samples still counts.",
            case=run.case.id,
        ),
    )

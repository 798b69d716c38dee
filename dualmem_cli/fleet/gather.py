"""Records of one machine's errands as one record. Samples of different machines never meet. Pure but for the judge, which is pure too."""

from collections.abc import Hashable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from dualmem_cli.laboratory import Opened
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.record import Record

T = TypeVar("T", bound=Hashable)


def merged(known: Record | None, new: Record, *, builds: tuple[Build, ...]) -> Record:
    """What is known of a machine, with one more errand's record of the same run. `builds` are those here, whose links can be kept; what
    they support is as the machine found it."""
    builds = tuple(replace(own, library=there.library) for own, there in zip(builds, new.builds, strict=True))
    if known is None:
        return replace(new, builds=builds)
    together = replace(
        known,
        seconds=known.seconds + new.seconds,
        builds=builds,
        scenarios=known.scenarios + new.scenarios,
        data=tuple({facts.digest: facts for facts in known.data + new.data}.values()),
        cases=known.cases + new.cases,
        absent=known.absent + new.absent,
        bench=known.bench + new.bench,
        cautions=_once(known.cautions + new.cautions),
    )
    opened = Opened(together, datasets={}, links=(), copies=(), scratch=Path())
    opened.judge_together()
    return opened.record


def _once(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))

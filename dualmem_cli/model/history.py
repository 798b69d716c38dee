"""What a history keeps of a record, and what it tells of many: series of one quantity over time, where they changed, where they go."""

from dataclasses import dataclass
from datetime import datetime

from dualmem_cli.model.estimate import Estimate
from dualmem_cli.model.machine import Machine
from dualmem_cli.model.metric import Better
from dualmem_cli.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as the history keeps it. `digest` is the SHA-256 of its file; `command` is bench or compare; `build` the digest of what was
    measured (in a compare the candidate's). `created` is UTC."""

    digest: str
    command: str
    created: datetime
    seed: int
    revision: str  # without the mark of uncommitted changes, which is `dirty`
    dirty: bool
    machine: str  # the first digits of a digest of its facts
    build: str
    library: str
    compiler: str
    baseline: str  # compare only
    tool: str
    gate: str
    seconds: float
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """What is measured again and again: one quantity of one case. `shared`: it does not depend on the machine. Two of them are one series
    only if all of this agrees: a case whose data or defaults changed begins a new one."""

    command: str
    scenario: str
    kernel: str
    variant: str
    case: str
    parameters: str
    data: str
    quantity: str
    unit: str
    better: Better
    shared: bool


@dataclass(frozen=True, slots=True)
class Amount:
    """One number of a record. `low` and `high` None: without an interval."""

    measured: Measured
    value: float
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Judged:
    """One verdict of a compare."""

    scenario: str
    kernel: str
    variant: str
    case: str
    verdict: Verdict
    change: float | None
    low: float | None
    high: float | None
    threshold: float
    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """Everything that the history keeps of one record."""

    record: Kept
    machine: Machine
    amounts: tuple[Amount, ...]
    verdicts: tuple[Judged, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One record's number in a series."""

    record: Kept
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Series:
    """The numbers of one quantity in time order, of one machine (`machine` "" where they are shared by all)."""

    measured: Measured
    machine: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A change of level: the first point after it, which may as well be any from `earliest` to `latest`. `size` is a fraction of the level
    before, or, not `relative`, a difference."""

    at: int
    earliest: int
    latest: int
    size: Estimate
    relative: bool
    worse: bool | None  # None where neither direction is better


@dataclass(frozen=True, slots=True)
class Trend:
    """By how much a straight line rises over the last points, as `Change.size`. `drift`: it describes the whole series, and better than
    steps do."""

    size: Estimate
    relative: bool
    worse: bool | None
    drift: bool


@dataclass(frozen=True, slots=True)
class Course:
    """A series and what became of it. The trend is of the points since the last change, at most as many as were asked for; None of fewer
    than five. `outliers` are the points that were left out of account. `levels`: (first point, end, level) between the changes."""

    series: Series
    changes: tuple[Change, ...]
    trend: Trend | None
    outliers: tuple[int, ...]
    levels: tuple[tuple[int, int, float], ...]

    @property
    def drifts(self) -> bool:
        return self.trend is not None and self.trend.drift

    @property
    def latest(self) -> Point:
        return self.series.points[-1]


@dataclass(frozen=True, slots=True)
class Told:
    """A verdict with the record it is of."""

    record: Kept
    judged: Judged


@dataclass(frozen=True, slots=True)
class Chronicle:
    """A history as it is shown: the records, the machines by name, the courses of all series, the verdicts, the last first."""

    records: tuple[Kept, ...]
    machines: tuple[tuple[str, Machine], ...]
    courses: tuple[Course, ...]
    verdicts: tuple[Told, ...]

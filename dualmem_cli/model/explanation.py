"""Why a case regressed, as far as profiles and counts of both builds tell. Found after the verdict, which it never changes."""

from dataclasses import dataclass

from dualmem_cli.model.estimate import Estimate


@dataclass(frozen=True, slots=True)
class FunctionShift:
    """One function's own share of both profiles, as fractions, with the difference and its 95 % interval. `direction` is 1 grew, -1
    shrank, 0 not significantly either. `more` holds one text per title of the table's `more_titles`."""

    name: str
    place: str
    samples: tuple[int, int]
    shares: tuple[float, float]
    change: float
    low: float
    high: float
    direction: int
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FigureChange:
    """One count per operation on both sides, or where `unit` is "B" bytes of the whole process; None with a reason where not known."""

    name: str
    baseline: float | None
    candidate: float | None
    reason: str = ""
    unit: str = "1/op"


@dataclass(frozen=True, slots=True)
class LineCount:
    """A source line of the candidate, per operation: its own `costs`, and the instructions of what it calls. `source` is its text, ""
    where the file is not there."""

    file: str
    line: int
    source: str
    costs: tuple[float, ...]
    called: float


@dataclass(frozen=True, slots=True)
class FunctionCounts:
    """A function's own counts per operation on both sides. `lines` are those of the candidate whose counts no line of the baseline has;
    only of a function that grew."""

    name: str
    place: str
    baseline: tuple[float, ...]
    candidate: tuple[float, ...]
    lines: tuple[LineCount, ...]

    @property
    def instructions(self) -> float:
        """How many more the candidate executes."""
        return self.candidate[0] - self.baseline[0]


@dataclass(frozen=True, slots=True)
class CountedChange:
    """What one engine counted of both builds, over as many operations of each. `costs` names the counts of functions and lines,
    instructions first. `functions` differ, the one with most more instructions first; `headline` says it in words. `missing` is the
    candidate's line that misses most."""

    engine: str
    tool: str
    operations: int
    costs: tuple[str, ...]
    figures: tuple[FigureChange, ...]
    functions: tuple[FunctionCounts, ...] = ()
    notes: tuple[str, ...] = ()
    headline: str = ""
    missing: LineCount | None = None


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of a source file. `source` is its text, "" where the file is not there."""

    function: str
    file: str
    line: int
    source: str

    @property
    def where(self) -> str:
        """Basename and line: 'fan.c:12'."""
        return f"{self.file.rpartition('/')[2]}:{self.line}"


@dataclass(frozen=True, slots=True)
class LineShift:
    """A source line's own share of both profiles, as fractions, and what it adds to the baseline's time per operation, with the 95 %
    interval. `line` is the candidate's number, the baseline's where the candidate has none."""

    function: str
    file: str
    line: int
    source: str
    samples: tuple[int, int]
    shares: tuple[float, float]
    added: float
    low: float
    high: float

    @property
    def where(self) -> str:
        """Basename and line: 'fan.c:12'."""
        return f"{self.file.rpartition('/')[2]}:{self.line}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found out about one case. `headline` says it in words, and where nothing was found out, why. `folded` are the stacks of
    the baseline and of the candidate as `dualmem profile` writes them, None where there are none. `reason` is what all of it together
    says, "" where it is open. `hot` are the lines that add most to the time. `alone` is the change with one thread, of a case that has
    several."""

    case: str
    title: str
    headline: str
    lines: tuple[str, ...]
    shifts: tuple[FunctionShift, ...] = ()
    more_titles: tuple[str, ...] = ()
    counted: tuple[CountedChange, ...] = ()
    folded: tuple[str, str] | None = None
    reason: str = ""
    hot: tuple[LineShift, ...] = ()
    alone: Estimate | None = None

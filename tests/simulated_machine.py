"""A machine for whole runs without processes: two builds whose true costs are known, and workers that can be made to misbehave."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from fabricated import KERNEL, build, laboratory, library, scenario

from dualmem_cli import pipeline
from dualmem_cli.errors import ExitStatus
from dualmem_cli.judge.outcome import compare_status
from dualmem_cli.laboratory import Opened
from dualmem_cli.measure.fake import FakeRunner, quiet
from dualmem_cli.model.kernel import Kernel, Library
from dualmem_cli.model.plan import Draw, WorkerRequest
from dualmem_cli.model.record import Record
from dualmem_cli.model.samples import Failure, FailureKind, WorkerRun
from dualmem_cli.model.scenario import Scenario
from dualmem_cli.store import records

COST_NS = 5_000.0
CRASH = Failure(FailureKind.CRASHED, "run", 1, "the worker died of SIGSEGV in run")
HANG = Failure(FailureKind.TIMED_OUT, "run", 0, "no answer within 60 s, stopped in run")


class Costs(Mapping[tuple[str, str], float]):
    """Nanoseconds per operation by kernel, and how much longer the candidate takes. The laboratory copies each link to a file named by its
    side: 0 the baseline, 1 the candidate (of a bench: the copy), 2 the copy."""

    def __init__(self, kernels: Mapping[str, float], *, change: float) -> None:
        self._kernels = kernels
        self._change = change

    def __getitem__(self, key: tuple[str, str]) -> float:
        path, kernel = key
        return self._kernels[kernel] * (1.0 + self._change if Path(path).name.startswith("1.") else 1.0)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(())

    def __len__(self) -> int:
        return 0


Interfere = Callable[[int, WorkerRequest, WorkerRun], WorkerRun]


@dataclass
class Machine(FakeRunner):
    """A fake runner whose answers can be changed: `interfere` sees the number of the worker (from 1), its request and its answer."""

    interfere: Interfere = field(default=lambda _number, _request, answer: answer)
    count: int = 0

    def measure(self, request: WorkerRequest, draw: Draw, *, timeout_s: float) -> WorkerRun:
        self.count += 1
        return self.interfere(self.count, request, super().measure(request, draw, timeout_s=timeout_s))


def machine(
    known: Library,
    *,
    change: float = 0.0,
    seed: int = 1,
    worker_noise: float = 0.0018,
    noise: Callable[[Random], float] = quiet,
    failures: Mapping[str, Failure] | None = None,
    interfere: Interfere | None = None,
) -> Machine:
    """A machine on which every kernel of `known` takes 5 us, the candidate `change` longer, with 0.25 % between workers."""
    costs = Costs({kernel.name: COST_NS for kernel in known.kernels}, change=change)
    made = Machine(library=known, cost_ns=costs, seed=seed, noise=noise, worker_noise=worker_noise, failures=failures or {})
    if interfere is not None:
        made.interfere = interfere
    return made


def kernels(*names: str) -> tuple[Kernel, ...]:
    return tuple(replace(KERNEL, name=name) for name in names)


def scenarios(*names: str, text: str = "") -> tuple[Scenario, ...]:
    return tuple(scenario(text, name=name, kernel=name) for name in names)


def compare(
    runner: Machine,
    folder: Path,
    chosen: tuple[Scenario, ...],
    *,
    libraries: tuple[Library, Library] | None = None,
    links: int = 1,
    seed: int = 1,
    budget_s: float = 20.0,
    seconds: Callable[[], float] | None = None,
    earlier: Record | None = None,
) -> Opened:
    """A whole compare of two builds with `links` layouts each, going on with `earlier` if there is one."""
    old, new = libraries or (runner.library, runner.library)
    builds = (build(old, links=links, digest="a" * 64), build(new, links=links, digest="b" * 64))
    lab = laboratory(runner, folder, seed=seed, seconds=seconds)
    return pipeline.compare(lab, chosen, builds, name="main", budget_s=budget_s, earlier=earlier)


def bench(runner: Machine, folder: Path, chosen: tuple[Scenario, ...], *, known: Library | None = None) -> Opened:
    """A whole bench of one build."""
    return pipeline.bench(laboratory(runner, folder), chosen, build(known or runner.library))


def one(*names: str) -> Library:
    """A library of plain kernels with these names."""
    return library(*kernels(*(names or ("spin",))))


def status(of: Record) -> ExitStatus:
    """Of a compare, inconclusive cases not allowed."""
    return compare_status(of, allow_inconclusive=False)


def verdicts(of: Record) -> dict[str, str]:
    """By case."""
    return {finding.case: finding.verdict.value for finding in of.compare}


def saved(folder: Path) -> Record:
    """What a run in `folder` left on disk."""
    return records.load(folder / "reports" / "record.json")

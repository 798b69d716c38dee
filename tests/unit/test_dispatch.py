"""What is sent to whom, and what becomes of it, with a scheduler that does as it is told."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fabricated import build, library

from dualmem_cli.fleet import dispatch as dispatching
from dualmem_cli.fleet.dispatch import Dispatch, Done, Job, Unmeasured
from dualmem_cli.fleet.errand import Answer, Errand
from dualmem_cli.plan.needs import Amounts

FULL = {"machine": 1.0, "avx512f": 1.0}
LESS = {"machine": 1.0}


@dataclass
class Future:
    status: str = "pending"
    value: Any = None

    def result(self, timeout: float) -> Any:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


@dataclass
class Scheduler:
    """Machines by address; `answers` says what becomes of each submitted task."""

    machines: dict[str, Amounts]
    answers: Callable[[int, dict[str, float]], Any]
    status: str = "running"
    submitted: list[dict[str, float]] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)
    cancelled: int = 0

    @property
    def scheduler(self) -> Any:
        return SimpleNamespace(identity=self.identity)

    def identity(self, n_workers: int) -> Any:
        assert n_workers == -1
        return {"workers": {key: {"name": key, "resources": offer} for key, offer in {**self.machines, "strange": {}}.items()}}

    def sync(self, function: Callable[..., Any], **arguments: Any) -> Any:
        return function(**arguments)

    def submit(self, *_arguments: Any, resources: dict[str, float], **_options: Any) -> Future:
        self.submitted.append(resources)
        value = self.answers(len(self.submitted), resources)
        if value is None:
            return Future()
        return Future("error" if isinstance(value, Exception) else "finished", value)

    def run(self, _function: Any, sha256: str, *_rest: Any, workers: list[str], last: bool) -> None:
        self.sent.append((workers[0], sha256))

    def cancel(self, futures: list[Future], force: bool) -> None:
        self.cancelled += len(futures)


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatching, "_LOOK_S", 0.001)
    monkeypatch.setattr(dispatching, "_PATIENCE_S", 0.02)


def picky(offers: Any) -> Amounts:
    """AVX-512 where somebody has it."""
    return FULL if FULL in offers else LESS


def job(wanted: Any = picky, *, address: str = "") -> Job:
    return Job("s", Errand((), (), (build(library()),), "", 1), wanted, address)


def run(scheduler: Scheduler, *jobs: Job, files: dict[str, Path] | None = None) -> tuple[list[Done | Unmeasured], list[str]]:
    told: list[str] = []
    ends = list(Dispatch(scheduler, "tcp://x:1", files=files or {}, tell=told.append).run(jobs))
    return ends, told


DONE = Answer("full", "full", record=b"{}")


def test_what_a_machine_lacks_is_sent_to_it_and_the_errand_again(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"x")
    answers = [Answer("full", "full", lacking=frozenset("ab")), DONE]
    scheduler = Scheduler({"full": FULL}, lambda number, _: answers[number - 1])
    ends, _ = run(scheduler, job(), files={name: tmp_path / name for name in ("a", "b", "c")})
    assert [type(end) for end in ends] == [Done]
    assert scheduler.sent == [("full", "a"), ("full", "b")]


def test_a_machine_that_never_keeps_what_it_is_sent_is_no_endless_loop(tmp_path: Path) -> None:
    scheduler = Scheduler({"full": FULL}, lambda *_: Answer("full", "full", lacking=frozenset("a")))
    ends, _ = run(scheduler, job())
    assert ends == [Unmeasured("s", "machine full does not keep the files that are sent to it; is its disk full?")]
    assert len(scheduler.submitted) < 10


def test_the_next_best_machine_takes_it_when_the_best_is_lost() -> None:
    scheduler = Scheduler({"full": FULL, "less": LESS}, lambda *_: None)

    def answers(number: int, wanted: dict[str, float]) -> Any:
        if number == 1:
            del scheduler.machines["full"]
            return None
        return Answer("less", "less", record=b"{}")

    scheduler.answers = answers
    ends, told = run(scheduler, job())
    assert [type(end) for end in ends] == [Done]
    assert scheduler.submitted == [FULL, LESS]
    assert told == ["machine full was lost: what it had not finished goes to another that can do it"]


def test_what_nobody_can_do_is_given_up_and_cancelled_there() -> None:
    scheduler = Scheduler({"less": LESS}, lambda *_: None)
    ends, _ = run(scheduler, job(lambda _: {"machine": 1.0, "cores": 8.0}))
    assert ends == [Unmeasured("s", "no machine has 8 cores")]
    assert scheduler.cancelled == 1
    ends, _ = run(Scheduler({"less": LESS}, lambda *_: None), job(lambda _: LESS, address="gone"))
    assert ends == [Unmeasured("s", "its machine was lost")]
    ends, _ = run(Scheduler({}, lambda *_: None), job())
    assert ends == [Unmeasured("s", "no machine is left")]


def test_a_scheduler_that_goes_is_said_of_every_errand() -> None:
    scheduler = Scheduler({"less": LESS}, lambda *_: None)

    def answers(number: int, _: dict[str, float]) -> Any:
        scheduler.status = "connecting" if number == 2 else "running"
        return DONE if number == 1 else None

    scheduler.answers = answers
    ends, _ = run(scheduler, job(), job())
    assert [type(end) for end in ends] == [Done, Unmeasured]
    assert ends[1] == Unmeasured("s", "the scheduler at tcp://x:1 is gone")


class KilledWorker(Exception):  # noqa: N818 (Dask's name)
    pass


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (Answer("full", "full", problem="it says why"), "it says why"),
        (KilledWorker("long story"), "every machine that took it was lost meanwhile, four in all"),
        (ValueError("one\ntwo"), "ValueError: one"),
    ],
)
def test_what_failed_over_there_is_one_line(value: Any, why: str) -> None:
    ends, _ = run(Scheduler({"full": FULL}, lambda *_: value), job())
    assert ends == [Unmeasured("s", why)]


def test_what_somebody_cancelled_over_there_is_said() -> None:
    scheduler = Scheduler({"full": FULL}, lambda *_: None)
    scheduler.submit = lambda *_, **__: Future("cancelled")  # type: ignore[method-assign]
    assert run(scheduler, job())[0] == [Unmeasured("s", "somebody cancelled it on the scheduler")]


def test_whoever_stops_listening_stops_the_errands() -> None:
    scheduler = Scheduler({"full": FULL}, lambda number, _: DONE if number == 1 else None)
    ends: Iterator[Any] = Dispatch(scheduler, "x", files={}, tell=print).run([job(), job(), job()])
    assert isinstance(next(ends), Done)
    ends.close()  # type: ignore[attr-defined]
    assert scheduler.cancelled == 2

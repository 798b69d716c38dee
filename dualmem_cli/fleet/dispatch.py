"""Sends errands to the machines of a fleet and yields what comes back. Which machine takes which errand is Dask's to decide, by what each
offers and each errand wants; here is what Dask does not do: files that a machine lacks, and errands that no machine can take."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import dualmem_cli
from dualmem_cli.fleet import parcels, service
from dualmem_cli.fleet.engine import FleetError, distributed
from dualmem_cli.fleet.errand import Answer, Errand, Introduction, to_json
from dualmem_cli.measure.provenance import tool_digest
from dualmem_cli.plan.needs import Amounts, lacking_everywhere, satisfies

_LOOK_S = 0.2
# How long an errand may wait for a machine that can do it, and a scheduler for its way back.
_PATIENCE_S = 3.0
_RESULT_S = 30.0  # for a record to come over
_MOST_LACKED = 3  # times that a machine may lack files that it was sent, and one more for each machine


class Wanted(Protocol):
    """What to ask of a machine, given what the machines offer."""

    def __call__(self, offers: Sequence[Amounts], /) -> Amounts: ...


@dataclass(frozen=True, slots=True)
class Job:
    """An errand, what to call it, and what it wants of a machine; `address` where it is for one machine only."""

    label: str
    errand: Errand
    wanted: Wanted
    address: str = ""


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A job that nobody did, and why."""

    label: str
    why: str


@dataclass(frozen=True, slots=True)
class Done:
    """A job that was done: the record is in the answer."""

    job: Job
    answer: Answer


@dataclass(slots=True)
class _Sent:
    job: Job
    wanted: Amounts
    future: Any
    unmet_since: float | None = None
    lacked: int = 0  # how often a machine lacked files of it


@dataclass
class Dispatch:
    """One run's dealings with a scheduler. `files` are those that may be asked for, by digest; `tell` says a line to a person."""

    client: Any
    address: str
    files: Mapping[str, Path]
    tell: Any
    token: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    _sent: list[_Sent] = field(default_factory=list)
    _attempts: int = 0
    _seen: dict[str, str] = field(default_factory=dict)
    _silent_since: float | None = None

    def run(self, jobs: Sequence[Job]) -> Iterator[Done | Unmeasured]:
        """Every job's end, in the order in which they come. Whatever ends this, nothing of it goes on over there."""
        try:
            offers = self._offers() or {}
            self._seen = {address: name for address, (name, _) in offers.items()}
            self._sent = [self._send(job, [offer for _, offer in offers.values()]) for job in jobs]
            while self._sent:
                yield from self._finished()
                yield from self._checked()
                time.sleep(_LOOK_S)
        finally:
            self._cancel(self._sent)

    def offers(self) -> dict[str, Amounts]:
        """What every machine offers, by its address."""
        return {address: offer for address, (_, offer) in (self._offers() or {}).items()}

    def addresses(self) -> dict[str, str]:
        """Where every machine is now, by its name."""
        return {name: address for address, (name, _) in (self._offers() or {}).items()}

    def _send(self, job: Job, offers: Sequence[Amounts]) -> _Sent:
        wanted = job.wanted(offers)
        self._attempts += 1
        future = self.client.submit(
            service.carry_out,
            tool_digest(),
            to_json(job.errand),
            key=f"dualmem-{job.label}-{self.token}-{self._attempts}",
            resources=dict(wanted),
            workers=[job.address] if job.address else None,
            pure=False,
        )
        return _Sent(job, wanted, future)

    def _finished(self) -> Iterator[Done | Unmeasured]:
        """What has ended since the last look. A machine that lacks files gets them, and the job is sent again."""
        for sent in [each for each in self._sent if each.future.status in ("finished", "error", "cancelled")]:
            if sent.future.status == "cancelled":
                if self.client.status == "running":  # else the scheduler is gone, and that is said
                    self._sent.remove(sent)
                    yield Unmeasured(sent.job.label, "somebody cancelled it on the scheduler")
                continue
            try:
                answer = sent.future.result(timeout=_RESULT_S)
            except Exception as error:
                if sent.future.status not in ("finished", "error"):
                    continue  # the machine that has the answer was lost just now: Dask lets another one do it
                self._sent.remove(sent)
                yield Unmeasured(sent.job.label, _words(error))
                continue
            place = self._sent.index(sent)
            if answer.lacking and sent.lacked < _MOST_LACKED + len(self._seen):
                self._deposit(answer.address, answer.lacking)
                self._sent[place] = self._send(sent.job, list(self.offers().values()))
                self._sent[place].lacked = sent.lacked + 1
                continue
            self._sent.remove(sent)
            why = (
                f"machine {answer.name} does not keep the files that are sent to it; is its disk full?"
                if answer.lacking
                else answer.problem
            )
            yield Unmeasured(sent.job.label, why) if why else Done(sent.job, answer)

    def _checked(self) -> Iterator[Unmeasured]:
        """Whether somebody can do what is left. A machine that was lost may have been the only one that could do all that was wished for;
        then the next best takes it. One that nobody can do is given up, after some patience."""
        known = self._offers()
        now = time.monotonic()
        if known is None:
            self._silent_since = self._silent_since or now
            if now - self._silent_since > _PATIENCE_S:
                lost, self._sent = self._sent, []
                yield from (Unmeasured(sent.job.label, f"the scheduler at {self.address} is gone") for sent in lost)
            return
        self._silent_since = None
        self._tell_of_lost({address: name for address, (name, _) in known.items()})
        offers = [offer for _, offer in known.values()]
        for place, sent in enumerate(list(self._sent)):
            able = [offer for address, (_, offer) in known.items() if sent.job.address in ("", address)]
            if any(satisfies(offer, sent.wanted) for offer in able):
                sent.unmet_since = None
            elif not sent.job.address and any(satisfies(offer, sent.job.wanted(offers)) for offer in able):
                self._cancel([sent])
                self._sent[place] = self._send(sent.job, offers)
            else:
                sent.unmet_since = sent.unmet_since or now
                if now - sent.unmet_since > _PATIENCE_S:
                    self._cancel([sent])
                    yield Unmeasured(sent.job.label, _nobody(sent, offers))
        self._sent = [sent for sent in self._sent if sent.unmet_since is None or now - sent.unmet_since <= _PATIENCE_S]

    def _offers(self) -> dict[str, tuple[str, Amounts]] | None:
        """Name and offer of every machine by its address; None while the scheduler does not answer."""
        try:
            if self.client.status != "running":
                return None
            # Not scheduler_info(): it answers from a cache that Dask fills with totals alone meanwhile.
            workers = self.client.sync(self.client.scheduler.identity, n_workers=-1)["workers"]
        except Exception:
            return None
        offering = {address: worker for address, worker in workers.items() if service.MACHINE in worker["resources"]}
        return {address: (str(worker["name"]), worker["resources"]) for address, worker in offering.items()}

    def _tell_of_lost(self, known: dict[str, str]) -> None:
        for address in self._seen.keys() - known.keys():
            self.tell(f"machine {self._seen[address]} was lost: what it had not finished goes to another that can do it")
        self._seen = known

    def _deposit(self, address: str, digests: frozenset[str]) -> None:
        """Send files to a machine. Where that fails the next answer says so again."""
        for sha256 in sorted(digests & self.files.keys()):
            for chunk, last in parcels.pieces(self.files[sha256]):
                with suppress(Exception):
                    self.client.run(service.deposit, sha256, self.token, chunk, last=last, workers=[address])

    def _cancel(self, sent: Sequence[_Sent]) -> None:
        with suppress(Exception):  # of a scheduler that is gone nothing goes on: its workers end with it
            self.client.cancel([each.future for each in sent], force=True)


def introduced(client: Any, address: str) -> tuple[list[Introduction], list[str]]:
    """The machines of a fleet by name, and one line for each that did not introduce itself."""
    try:
        replies = client.run(service.introduce, on_error="return")
    except Exception as error:
        raise FleetError(f"{address}: {_words(error)}", hint="Is it the address of a Dask scheduler?") from None
    known = [reply for reply in replies.values() if isinstance(reply, Introduction)]
    strange = [f"{place}: {_stranger(reply)}" for place, reply in replies.items() if not isinstance(reply, Introduction)]
    return sorted(known, key=lambda machine: machine.name), sorted(strange)


def check_versions(client: Any, machines: Sequence[Introduction], strange: Sequence[str], *, address: str) -> None:
    """Raises FleetError unless every machine and the scheduler run what runs here."""
    if strange:
        raise FleetError(strange[0], hint=f"Install this dualmem {dualmem_cli.__version__} there, or end that worker.")
    if not machines:
        raise FleetError(f"no machine works for {address}", hint=f"Start one: dualmem fleet worker {address}.")
    own = distributed().__version__
    there = str(client.get_versions(check=False)["scheduler"]["packages"]["distributed"])
    for who, engine in (("the scheduler", there), *((f"machine {machine.name}", machine.engine) for machine in machines)):
        if engine != own:
            raise FleetError(
                f"{who} runs distributed {engine}, this is {own}", hint=f"Install the same: pip install distributed=={own}."
            )
    for machine in machines:
        if machine.tool != tool_digest():
            raise FleetError(
                f"machine {machine.name} runs another dualmem ({machine.version}, {machine.tool}) than this one "
                f"({dualmem_cli.__version__}, {tool_digest()})",
                hint="Install the same version or check out the same revision there, and start its worker again.",
            )


def _stranger(reply: object) -> str:
    if isinstance(reply, ModuleNotFoundError):
        return f"dualmem is not installed there ({reply})"
    return f"another dualmem runs there ({_words(reply) if isinstance(reply, BaseException) else reply})"


def _nobody(sent: _Sent, offers: Sequence[Amounts]) -> str:
    if sent.job.address:
        return "its machine was lost"
    wanted = {name: amount for name, amount in sent.job.wanted(offers).items() if name != service.MACHINE}
    return f"no machine has {lacking_everywhere(offers, wanted) or 'room for it'}" if offers else "no machine is left"


def _words(error: BaseException) -> str:
    """An exception of Dask's, or of over there, in one line."""
    if type(error).__name__ == "KilledWorker":
        return "every machine that took it was lost meanwhile, four in all"
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__

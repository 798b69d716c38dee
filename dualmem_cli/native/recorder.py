"""What a program does to its store, recorded as a trace that a load scenario can play (docs/how-to/trace.md)."""

import io
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dualmem_cli.errors import TraceError
from dualmem_cli.native.arguments import SLOT_NONE, NodeId
from dualmem_cli.native.store import Store
from dualmem_cli.trace import Trace, check_name, encode, trace

Step = tuple[str, int]
"""An operation and its key."""

How = Callable[..., Iterable[Step]]
"""From what a call returned and its arguments to the steps it is recorded as."""


class _Numbers:
    """Things, numbered in the order in which they came."""

    def __init__(self, things: Iterable[int]) -> None:
        self.of = {thing: number for number, thing in enumerate(things)}
        self.count = len(self.of)
        self._turn = threading.Lock()

    def number(self, thing: int, new: Callable[[], object] | None = None) -> int:
        """The number of a thing; the next one for one that was not seen before, when `new` is called as well."""
        found = self.of.get(thing)
        if found is None:
            with self._turn:
                found = self.of.setdefault(thing, self.count)
                if found == self.count:
                    self.count += 1
                    if new:
                        new()
        return found

    def forget(self, thing: int) -> None:
        """Its name may be another's later."""
        self.of.pop(thing, None)


class Recorded:
    """Something whose calls are noted. What is not in `how` is passed on as it is."""

    def __init__(self, target: Any, how: dict[str, How], note: Callable[[int, Iterable[Step]], None]) -> None:
        self._target, self._how, self._note = target, how, note

    def __getattr__(self, name: str) -> Any:
        """Asked for once by name: the answer stays in the instance."""
        call = getattr(self._target, name)
        how = self._how.get(name)
        if how is None:
            return call
        note = self._note

        def noted(*arguments: Any, **options: Any) -> Any:
            begin = time.perf_counter_ns()
            result = call(*arguments, **options)  # one that raises changed nothing, and is not in the trace
            note(begin, how(result, *arguments, **options))
            return result

        self.__dict__[name] = noted
        return noted

    def __enter__(self) -> Self:
        self._target.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._target.__exit__(kind, error, where)


class Recorder(Recorded):
    """A store whose operations are recorded, by any number of threads.

        with Recorder(store, "morning.dmtrace") as recorded:
            slots, cosines = recorded.lookup(queries)

    Every attribute is the store's; these calls are noted, each with the time at which it began and a key that counts the things it is about
    in the order in which they came (those there already first): lookup and index(...).search (`lookup`, one for each query; the same query
    has the same key), embedding of an episode (`read`), fan and fan_by_id of a concept (`fan`), spreader(...).spread (`spread_concept`,
    `spread_episode`, by the strongest cue), strengthen, its batch and strengthen_by_id (`update`), add_episode and add_episodes
    (`insert_episode`), form (`form`, by the first episode), consolidate (`consolidate`, by the first concept) and decay_concepts (`decay`,
    by the first concept). Readers of recorded.reader() are noted as well. Anything else can be noted with mark().

    The file is written at the end of the block, whole or not at all; the store stays open. `vectors`: keep those of the store, of what was
    added and of what was looked up as well, and write them beside it, as FILE.data.npy and FILE.queries.npy: the [data] of a scenario.
    TraceError: nothing was recorded, or the file cannot be written."""

    def __init__(self, store: Store, path: str | os.PathLike[str], *, vectors: bool = False) -> None:
        self.path = Path(path)
        self._store = store
        self._steps: list[tuple[int, str, int]] = []
        self._episodes = _Numbers(_live(store.episode_rows().slots))
        self._concepts = _Numbers(_live(store.concept_rows().slots))
        self._bindings = _Numbers(binding for slot in self._episodes.of for binding in store.edges(slot)["binding"].tolist())
        self._queries = _Numbers(())
        self._rows = _Numbers(
            range(self._concepts.count + self._episodes.count)
        )  # of the data: what was there, then what was added
        self._populations = {
            "episode": self._episodes.count, "concept": self._concepts.count, "binding": self._bindings.count,
        }  # fmt: skip
        self._vectors = vectors
        self._data = [store.embedding(slot).copy() for slot in (*self._concepts.of, *self._episodes.of)] if vectors else []
        self._looked_up: list[NDArray[np.float32]] = []
        self._start = time.perf_counter_ns()
        super().__init__(store, self._calls(), self._noted)

    def mark(self, operation: str, key: int = 0) -> None:
        """Note an operation that is done now."""
        check_name(operation)
        self._noted(time.perf_counter_ns(), ((operation, key),))

    def spreader(self, **options: Any) -> Recorded:
        """Store.spreader, whose spreads are noted."""
        return Recorded(self._store.spreader(**options), {"spread": self._spread}, self._noted)

    def index(self, **options: Any) -> Recorded:
        """Store.index, whose searches are noted."""
        return Recorded(self._store.index(**options), {"search": self._lookup}, self._noted)

    def reader(self) -> Recorded:
        """Store.reader, whose reads are noted."""
        how = {"fan": self._fan, "fan_by_id": self._fan_by_id, "embedding": self._read}
        return Recorded(self._store.reader(), how, self._noted)

    def trace(self) -> Trace:
        """What was recorded so far. TraceError: nothing was."""
        steps = sorted(self._steps, key=lambda step: step[0])  # threads may have noted them a little out of order
        if not steps:
            raise TraceError("nothing was recorded", hint="Call the recorder, not the store, in its `with` block.")
        names = tuple(dict.fromkeys(operation for _, operation, _ in steps))
        places = {name: place for place, name in enumerate(names)}
        at_ns = np.array([at for at, _, _ in steps], np.uint64)
        return trace(
            names,
            at_ns,
            np.array([places[operation] for _, operation, _ in steps], np.uint8),
            np.array([key for _, _, key in steps], np.uint64),
            duration_ns=max(time.perf_counter_ns() - self._start, int(at_ns[-1])),
            note={"source": "recorded from a Python program", "populations": self._populations | {"query": self._queries.count}},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        """Write what was recorded; also after an error, which is then the one that is told."""
        if error is None or self._steps:
            _write(self.path, encode(self.trace()))
            for name, rows in (("data", self._data), ("queries", self._looked_up)):
                if rows:
                    _write(self.path.with_name(f"{self.path.stem}.{name}.npy"), _npy(np.stack(rows)))

    # --- how calls are noted ------------------------------------------------------------------------------------------

    def _noted(self, begin: int, steps: Iterable[Step]) -> None:
        at = begin - self._start
        for operation, key in steps:
            self._steps.append((at, operation, key))

    def _calls(self) -> dict[str, How]:
        return {
            "lookup": self._lookup,
            "embedding": self._read,
            "fan": self._fan,
            "fan_by_id": self._fan_by_id,
            "strengthen": self._update,
            "strengthen_batch": self._update_batch,
            "strengthen_by_id": self._update_by_id,
            "add_episode": self._insert,
            "add_episodes": self._insert_batch,
            "form": self._form,
            "consolidate": self._consolidate,
            "decay_concepts": self._decay,
            "remove": self._remove,
        }

    def _lookup(self, found: object, queries: NDArray[np.float32], **options: object) -> Iterator[Step]:
        for query in queries:
            keep = partial(self._looked_up.append, query.copy()) if self._vectors else None
            yield "lookup", self._queries.number(hash(query.tobytes()), keep)

    def _read(self, embedding: object, slot: int) -> Iterator[Step]:
        if not self._store.is_concept(slot):
            yield "read", self._episodes.number(slot)

    def _fan(self, fan: object, slot: int) -> Iterator[Step]:
        if self._store.is_concept(slot):
            yield "fan", self._concepts.number(slot)

    def _fan_by_id(self, fan: int | None, node: NodeId) -> Iterable[Step]:
        slot = self._store.find(node)
        return () if slot is None else self._fan(fan, slot)

    def _spread(self, spread: object, cues: NDArray[np.void], **options: object) -> Iterator[Step]:
        if len(cues):
            slot = int(cues["slot"][np.argmax(cues["activation"])])
            concept = self._store.is_concept(slot)
            numbers = self._concepts if concept else self._episodes
            yield "spread_concept" if concept else "spread_episode", numbers.number(slot)

    def _update(self, strength: object, binding: int, delta: float) -> Iterator[Step]:
        yield "update", self._bindings.number(binding)

    def _update_batch(self, strengths: object, bindings: NDArray[np.uint32], deltas: object) -> Iterator[Step]:
        for binding in bindings.tolist():
            yield "update", self._bindings.number(binding)

    def _update_by_id(self, strength: float | None, episode: NodeId, concept: NodeId, delta: float) -> Iterator[Step]:
        ends = self._store.find(episode), self._store.find(concept)
        binding = None if ends[0] is None or ends[1] is None else self._store.find_binding(ends[0], ends[1])
        if binding is not None:
            yield "update", self._bindings.number(binding)

    def _insert(self, slot: int, node: NodeId, embedding: NDArray[np.float32]) -> Iterator[Step]:
        self._episodes.number(slot)
        keep = partial(self._data.append, embedding.copy()) if self._vectors else None
        yield "insert_episode", self._rows.number(-1 - slot, keep)
        self._rows.forget(-1 - slot)  # a later episode of this slot is another row

    def _insert_batch(self, slots: NDArray[np.uint32], ids: object, embeddings: NDArray[np.float32]) -> Iterator[Step]:
        for slot, embedding in zip(slots.tolist(), embeddings, strict=True):
            yield from self._insert(slot, 0, embedding)

    def _form(
        self, formed: NDArray[np.uint32], former: object, episodes: NDArray[np.uint32], ids: object, **options: object
    ) -> Iterator[Step]:
        for slot in formed.tolist():
            self._concepts.number(slot)
        if len(episodes):
            yield "form", self._episodes.number(int(episodes[0]))

    def _consolidate(self, nothing: None, concepts: NDArray[np.uint32], **options: object) -> Iterator[Step]:
        if len(concepts):
            yield "consolidate", self._concepts.number(int(concepts[0]))

    def _decay(self, nothing: None, concepts: NDArray[np.uint32], *amount: object, **options: object) -> Iterator[Step]:
        if len(concepts):
            yield "decay", self._concepts.number(int(concepts[0]))

    def _remove(self, nothing: None, slot: int) -> Iterable[Step]:
        (self._concepts if self._store.is_concept(slot) else self._episodes).forget(slot)
        return ()


def _live(slots: NDArray[np.uint32]) -> list[int]:
    """The slots of rows in use, in ascending order: that of insertion, as long as nothing was removed."""
    return sorted(slots[slots != np.uint32(SLOT_NONE)].tolist())


def _npy(rows: NDArray[np.float32]) -> bytes:
    content = io.BytesIO()
    np.save(content, rows)
    return content.getvalue()


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise TraceError(f"{path}: {error.strerror}", hint="Record into a folder that can be written.") from None

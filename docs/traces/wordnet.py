"""Turns a real text into the operations of somebody who reads it, as JSON Lines: the trace of scenarios/load/wordnet.toml is

    python docs/traces/wordnet.py scenarios/data/wordnet-2k.jsonl > wordnet.jsonl
    dualmem trace convert wordnet.jsonl -o scenarios/load/wordnet.dmtrace

The text are the glosses of 2,000 WordNet synsets, in the order of the file; row i of the vectors beside it is synset i. The first 500
are known as concepts, the next 500 were read before and are episodes; the remaining 1,000 are read now, word by word:

- A word of three letters or more that is a lemma of a synset is looked up (`lookup`, by the synset's own vector), as often as the text
  says it. Where the synset is known, it is then fetched (`fan` of a concept, `read` of an episode), and activation spreads from it
  (`spread_concept`, `spread_episode`).
- At the end of a gloss the synset arrives: `insert_episode`, which binds it to its nearest concepts. Activation spreads from its
  hypernym, where that is known (3 are), and the last episode of the same class (`lex`) is strengthened in its binding to its nearest
  concept (`update`).
- After every 200 arrivals concepts are formed of the newest 100 episodes (`form`).

Times are those of a reader of four words per second; [measure] rate plays them faster.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CONCEPTS, EPISODES, BINDINGS = 500, 500, 2  # bindings of each episode: [params] of the scenario
FORMED_EVERY, FORMED_OF = 200, 100
WORDS_PER_SECOND = 4
SHORTEST_WORD = 3


class Synset(NamedTuple):
    """A line of the text."""

    id: str
    lex: str
    hypernym: str
    lemmas: str
    gloss: str


class Step(NamedTuple):
    """A line of the trace."""

    at: float
    operation: str
    key: int


def words_of(text: str) -> list[str]:
    """Its words, in lower case."""
    return re.findall(r"[a-z][a-z'-]*", text.lower())


def reading(synsets: list[Synset]) -> Iterator[Step]:
    """What a reader does."""
    named: dict[str, int] = {}
    for row, synset in enumerate(synsets):
        for lemma in synset.lemmas.lower().split(", "):
            named.setdefault(lemma, row)
    rows = {synset.id: row for row, synset in enumerate(synsets)}
    read = 0
    for row in range(CONCEPTS + EPISODES, len(synsets)):
        for word in words_of(synsets[row].gloss):
            read += 1
            found = named.get(word) if len(word) >= SHORTEST_WORD else None
            if found is not None:
                yield from recalling(read / WORDS_PER_SECOND, found, known=row)
        yield from arriving(read / WORDS_PER_SECOND, row, synsets, rows)


def recalling(at: float, row: int, *, known: int) -> Iterator[Step]:
    """A word that names the synset of a row; those before `known` are in the store."""
    yield Step(at, "lookup", row)
    if row < CONCEPTS:
        yield Step(at, "fan", row)
    elif row < known:
        yield Step(at, "read", row - CONCEPTS)
    if row < known:
        yield spreading(at, row)


def spreading(at: float, row: int) -> Step:
    """Activation from the synset of a row."""
    return Step(at, "spread_concept", row) if row < CONCEPTS else Step(at, "spread_episode", row - CONCEPTS)


def arriving(at: float, row: int, synsets: list[Synset], rows: dict[str, int]) -> Iterator[Step]:
    """The synset of a row, once it was read."""
    yield Step(at, "insert_episode", row)
    parent = rows.get(synsets[row].hypernym, row)
    if parent < row:
        yield spreading(at, parent)
    alike = next((other for other in range(row - 1, CONCEPTS - 1, -1) if synsets[other].lex == synsets[row].lex), None)
    if alike is not None:
        yield Step(at, "update", (alike - CONCEPTS) * BINDINGS)
    arrived = row + 1 - CONCEPTS
    if (arrived - EPISODES) % FORMED_EVERY == 0:
        yield Step(at, "form", arrived - FORMED_OF)


def trace_lines(text: str) -> Iterator[str]:
    """The trace of a text, line by line."""
    synsets = [Synset(**json.loads(line)) for line in text.splitlines()]
    steps = list(reading(synsets))
    operations = list(dict.fromkeys(step.operation for step in steps))
    note = {
        "source": "reading 1,000 glosses of WordNet 3.0 (docs/traces/wordnet.py)",
        "licence": "scenarios/data/LICENSE-wordnet.txt",
        "populations": {"concept": CONCEPTS, "episode": EPISODES, "binding": EPISODES * BINDINGS, "query": len(synsets)},
    }
    yield json.dumps({"duration": steps[-1].at + 1 / WORDS_PER_SECOND, "operations": operations, "note": note}) + "\n"
    for step in steps:
        yield json.dumps(step._asdict()) + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} WORDNET.jsonl > TRACE.jsonl")
    sys.stdout.writelines(trace_lines(Path(sys.argv[1]).read_text(encoding="utf-8")))

"""The trace of real text is what its script makes of the text, and what the text says, counted another way."""

import json
import re
import subprocess
import sys
from pathlib import Path

from dualmem_cli.model.workload import LoadScenario
from dualmem_cli.plan.load_scenario import parse_load_scenario
from dualmem_cli.store.trace_lines import from_lines
from dualmem_cli.store.traces import load_trace
from dualmem_cli.trace import encode

ROOT = Path(__file__).parents[2]
TEXT = ROOT / "scenarios" / "data" / "wordnet-2k.jsonl"
TRACE = ROOT / "scenarios" / "load" / "wordnet.dmtrace"


def scenario() -> LoadScenario:
    path = TRACE.with_suffix(".toml")
    return parse_load_scenario(path.read_text(), path=str(path), name=path.stem)


def test_it_is_what_the_script_makes() -> None:
    script = ROOT / "docs" / "traces" / "wordnet.py"
    made = subprocess.run([sys.executable, script, TEXT], capture_output=True, text=True, check=True).stdout
    assert encode(from_lines(made, path="wordnet.jsonl", sort=False, from_first=False)) == TRACE.read_bytes()


def test_words_are_looked_up_as_often_as_the_text_says_them() -> None:
    synsets = [json.loads(line) for line in TEXT.read_text().splitlines()]
    lemmas = {lemma for synset in synsets for lemma in synset["lemmas"].lower().split(", ") if len(lemma) > 2}
    glosses = [re.findall(r"[a-z][a-z'-]*", synset["gloss"].lower()) for synset in synsets[1000:]]
    said = sum(word in lemmas for gloss in glosses for word in gloss)
    trace, facts = load_trace(TRACE)
    counts = dict(facts.kinds)
    assert counts["lookup"] == said > 500
    assert counts["insert_episode"] == len(glosses) == 1000
    assert counts["spread_concept"] + counts["spread_episode"] == counts["fan"] + counts["read"] + 3, "three hypernyms are known"
    arrivals = trace.keys[trace.kinds == trace.names.index("insert_episode")]
    assert arrivals.tolist() == list(range(1000, 2000)), "in the order of the text"
    assert trace.duration_ns == (sum(map(len, glosses)) + 1) * 10**9 // 4, "four words per second"


def test_keys_are_there_when_they_are_used() -> None:
    """With the parameters of the scenario, and the insertions that came before."""
    parameters = dict(scenario().parameters)
    trace, _ = load_trace(TRACE)
    episodes, each = int(parameters["episodes"]), int(parameters["bindings"] / parameters["episodes"])
    assert trace.note["populations"] == {
        "concept": parameters["concepts"], "episode": episodes, "binding": parameters["bindings"], "query": 2000,
    }  # fmt: skip
    for kind, key in zip(trace.kinds.tolist(), trace.keys.tolist(), strict=True):
        match trace.names[kind]:
            case "lookup":
                assert key < 2000
            case "fan" | "spread_concept":
                assert key < parameters["concepts"]
            case "insert_episode":
                assert key == episodes + int(parameters["concepts"])
                episodes += 1
            case "update":
                assert key < episodes * each
                assert key % each == 0, "its nearest concept's"
            case _:
                assert key < episodes
    assert episodes - parameters["episodes"] == parameters["insertions"]

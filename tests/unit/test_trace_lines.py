"""JSON Lines to a trace and back, and every mistake named with its line."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from dualmem_cli.errors import TraceError
from dualmem_cli.store.trace_lines import from_lines, to_lines
from dualmem_cli.store.traces import load_lines
from dualmem_cli.trace import LONGEST_NS, Trace, encode, trace


def read(text: str, *, sort: bool = False, from_first: bool = False) -> Trace:
    return from_lines(text, path="f.jsonl", sort=sort, from_first=from_first)


LINE = '{"at": 1, "operation": "a"}'
MISTAKES = {
    "nothing": ("", "f.jsonl: no operations. Write one a line"),
    "blank": ("\n \n", "f.jsonl: no operations."),
    "only a head": ('{"duration": 3}', "f.jsonl: no operations."),
    "not JSON": (f"{LINE}\n{{at: 1}}", "f.jsonl:2: not JSON: Expecting property name"),
    "not an object": ("[1]", "f.jsonl:1: not an object"),
    "nested without end": ("[" * 100_000, "f.jsonl:1: "),
    "misspelt key": ('{"at": 1, "opration": "a"}', 'f.jsonl:1: "opration" is not a key here; did you mean "operation"?'),
    "no time": ('{"operation": "a"}', 'f.jsonl:1: "at" is missing'),
    "no operation": ('{"at": 1}', 'f.jsonl:1: "operation" is missing'),
    "time as text": ('{"at": "1", "operation": "a"}', 'f.jsonl:1: "at" is a number of seconds from 0'),
    "time as truth": ('{"at": true, "operation": "a"}', 'f.jsonl:1: "at" is a number'),
    "negative time": ('{"at": -0.1, "operation": "a"}', 'f.jsonl:1: "at" is a number'),
    "NaN": ('{"at": NaN, "operation": "a"}', 'f.jsonl:1: "at" is a number'),
    "infinity": ('{"at": Infinity, "operation": "a"}', 'f.jsonl:1: "at" is a number'),
    "time beyond everything": ('{"at": 1e999999, "operation": "a"}', 'f.jsonl:1: "at" is a number'),
    "time beyond all exponents": (f'{{"at": 1e{"9" * 20}, "operation": "a"}}', "f.jsonl:1: a number beyond everything"),
    "half a character": (f'{{"note": {{"a": "\\ud800"}}}}\n{LINE}', 'f.jsonl:1: "note" has half a character'),
    "operation as number": ('{"at": 1, "operation": 3}', 'f.jsonl:1: "operation" is a text'),
    "operation in capitals": ('{"at": 1, "operation": "Get"}', 'f.jsonl:1: "Get" cannot name an operation'),
    "operation without end": (f'{{"at": 1, "operation": "{"a" * 200}"}}', f'f.jsonl:1: "{"a" * 80}" cannot name an operation'),
    "operation without name": ('{"at": 1, "operation": ""}', 'f.jsonl:1: "" cannot name an operation'),
    "key as text": ('{"at": 1, "operation": "a", "key": "k"}', 'f.jsonl:1: "key" is a whole number'),
    "key with a fraction": ('{"at": 1, "operation": "a", "key": 1.5}', 'f.jsonl:1: "key" is a whole number'),
    "negative key": ('{"at": 1, "operation": "a", "key": -1}', 'f.jsonl:1: "key" is a whole number'),
    "key of 57 bits": (f'{{"at": 1, "operation": "a", "key": {2**56}}}', 'f.jsonl:1: "key" is a whole number'),
    "key of thousands of digits": (f'{{"at": 1, "operation": "a", "key": {"9" * 5000}}}', "f.jsonl:1: "),
    "out of order": (
        f'{LINE}\n\n{{"at": 0.5, "operation": "b"}}',
        "f.jsonl:3: at 0.5 s, before line 1 at 1 s. Give --sort to put the lines in order.",
    ),
    "the time of day": (
        '{"at": 1700000000.25, "operation": "a"}',
        "f.jsonl:1: the first operation is at 1700000000.25 s, and times count from the start. Count from the first one with --from-first.",
    ),
    "a second head": (f'{LINE}\n{{"duration": 3}}', 'f.jsonl:2: "duration" is not a key here'),
    "duration as text": (f'{{"duration": "3"}}\n{LINE}', 'f.jsonl:1: "duration" is a number of seconds from 0'),
    "duration too short": (f'{{"duration": 0.5}}\n{LINE}', "f.jsonl: the duration is 0.5 s, the last operation at 1 s"),
    "duration of years": (f'{{"duration": 1e9}}\n{LINE}', "f.jsonl: the duration is 1000000000 s"),
    "operations as text": (f'{{"operations": "a"}}\n{LINE}', 'f.jsonl:1: "operations" is a list of names'),
    "operations that are no names": (f'{{"operations": ["A"]}}\n{LINE}', 'f.jsonl:1: "A" cannot name an operation'),
    "note as text": (f'{{"note": "x"}}\n{LINE}', 'f.jsonl:1: "note" is an object'),
    "too many kinds": (
        "\n".join(f'{{"at": 1, "operation": "o{i}"}}' for i in range(65)),
        "f.jsonl: 65 kinds of operations; a trace holds 1 to 64",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_every_mistake_is_named(name: str) -> None:
    text, wanted = MISTAKES[name]
    with pytest.raises(TraceError) as caught:
        read(text)
    assert str(caught.value).startswith(wanted), str(caught.value)
    assert "\n" not in str(caught.value)


def test_lines_are_read() -> None:
    found = read(
        '{"at": 0.25, "operation": "lookup", "key": 17}\r\n{"at": 0.25, "operation": "form"}\n{"at": 1, "operation": "lookup"}'
    )
    assert found.names == ("lookup", "form")
    assert found.at_ns.tolist() == [250_000_000, 250_000_000, 10**9]
    assert (found.kinds.tolist(), found.keys.tolist()) == ([0, 1, 0], [17, 0, 0])
    assert found.duration_ns == 1_375_000_000, "one mean gap behind the last"
    assert found.note == {"source": "converted from f.jsonl"}


def test_times_are_exact_to_the_nanosecond() -> None:
    text = "\n".join(f'{{"at": {at}, "operation": "a"}}' for at in ("0.000000001", "0.1", "0.3", "86399.999999999", "8e4"))
    assert read(text, sort=True).at_ns.tolist() == [1, 10**8, 3 * 10**8, 8 * 10**13, 86_399_999_999_999]


def test_one_operation_at_the_start_has_a_length() -> None:
    assert read('{"at": 0, "operation": "a"}').duration_ns == 1


def test_sorting_keeps_what_came_at_once_in_order() -> None:
    lines = [f'{{"at": {at}, "operation": "a", "key": {key}}}' for key, at in enumerate([3, 1, 2, 1, 3, 1])]
    assert read("\n".join(lines), sort=True).keys.tolist() == [1, 3, 5, 2, 0, 4]


def test_times_from_the_first() -> None:
    clock = 1_700_000_000
    text = f'{{"at": {clock}.25, "operation": "a"}}\n{{"at": {clock + 2}, "operation": "a"}}'
    found = read(text, from_first=True)
    assert found.at_ns.tolist() == [0, 1_750_000_000]
    assert found.duration_ns == 3_500_000_000


def test_nothing_is_lost_there_and_back() -> None:
    chance = random.Random(7)
    for count in (1, 2, 50):
        names = ("lookup", "never", "form")
        at_ns = np.array(sorted(chance.randrange(10**15 if count > 2 else 10**9) for _ in range(count)), np.uint64)
        at_ns -= at_ns[0] - at_ns[0] % np.uint64(86_400 * 10**9)
        kinds = np.array([chance.choice((0, 2)) for _ in range(count)], np.uint8)
        keys = np.array([chance.randrange(2**56) for _ in range(count)], np.uint64)
        note = {"source": "ü", "mix": {"lookup": {"share": 0.1}}, "n": 3}
        before = trace(names, at_ns, kinds, keys, duration_ns=int(at_ns[-1]) + chance.randrange(10**9), note=note)
        after = read("".join(to_lines(before)))
        assert encode(after) == encode(before)
    assert LONGEST_NS > 10**15


def test_every_line_is_json() -> None:
    text = list(to_lines(read(LINE)))
    assert [json.loads(line) for line in text][1] == {"at": 1, "operation": "a", "key": 0}


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + LINE.encode())
    assert len(load_lines(path, sort=False, from_first=False)) == 1
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(TraceError, match="not UTF-8 text"):
        load_lines(path, sort=False, from_first=False)

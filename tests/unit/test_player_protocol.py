"""The player protocol: what is written, and what is made of an answer."""

import json
from typing import Any

import pytest

from dualmem_cli.measure import player_protocol as protocol
from dualmem_cli.model.load import Play, PlayerArm, PlayerSetup, PlayMode

SETUP = PlayerSetup(
    libraries=("/a b.so", "/c.so"), arms=(PlayerArm(0, "mixed", "dual"), PlayerArm(1, "mixed", "dual")), trace="/t.dmtrace", threads=2,
    parameters=(("episodes", 100.0),), seed=3, data="/d", queries="/q", placement=64, order=(1, 0), cpus=(0, 1), times="/x",
)  # fmt: skip
PLAY = Play(arm=1, first=5, count=3, mode=PlayMode.OPEN, speed=1.5, threads=2)
COUNTED: dict[str, Any] = {"count": 3, "sum_ns": 30, "max_ns": 12, "buckets": [[8, 1], [10, 1], [12, 1]]}


def answer(**changes: Any) -> dict[str, Any]:
    kind = {"operations": 3, "errors": 1, "results": "00000000000000aa", "response": COUNTED, "service": COUNTED}
    none = {"count": 0, "sum_ns": 0, "max_ns": 0, "buckets": []}
    rare = {"operations": 0, "errors": 0, "results": "0" * 16, "response": none, "service": none}
    return {
        "event": "played", "arm": 1, "first": 5, "count": 3, "mode": "open", "speed": 1.5, "threads": 2, "scheduled_ns": 9,
        "elapsed_ns": 11, "kinds": {"lookup": kind, "form": rare}, "lateness": COUNTED, "cpu_ns": 5, "minor_faults": 1,
        "major_faults": 0, "voluntary_switches": 2, "involuntary_switches": 3, "rss_bytes": None, "metrics": [1.0, None], **changes,
    }  # fmt: skip


def test_a_set_up_is_written_line_by_line() -> None:
    assert protocol.encode_setup(SETUP).splitlines() == [
        "dualmem-player 1", "task play", "library /a b.so", "library /c.so", "arm 0 mixed dual", "arm 1 mixed dual",
        "parameter episodes 100.0", "seed 3", "data /d", "queries /q", "placement 64", "order 1 0", "cpu 0 1", "threads 2",
        "trace /t.dmtrace", "times /x", "begin",
    ]  # fmt: skip
    assert protocol.encode_play(PLAY) == "play 1 5 3 open 1.5 2\n"


def test_a_path_with_a_line_break_is_refused() -> None:
    with pytest.raises(ValueError, match="line break"):
        protocol.encode_describe("/a\nb")


def test_an_answer_is_read() -> None:
    played = protocol.played_of(json.loads(json.dumps(answer())), PLAY)
    assert [(kind.name, kind.operations, kind.errors) for kind in played.kinds] == [("lookup", 3, 1), ("form", 0, 0)]
    assert played.kinds[0].response is not None
    assert played.kinds[0].response.buckets == ((8, 1), (10, 1), (12, 1))
    assert (played.operations, played.errors, played.rss_bytes, played.metrics) == (3, 1, None, (1.0, None))


@pytest.mark.parametrize("changes", [{"arm": 0}, {"first": 6}, {"count": 4}, {"kinds": {}}])
def test_an_answer_to_another_play_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"another play|not every operation"):
        protocol.played_of(answer(**changes), PLAY)

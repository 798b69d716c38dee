"""The speedscope file, against the format's published shape, written out here by hand."""

import json
from dataclasses import replace
from typing import Any

from dualmem_cli.profile.folded import Profile
from dualmem_cli.profile.speedscope import write_speedscope


def check_shape(document: dict[str, Any]) -> None:
    """FileFormat.File with FileFormat.SampledProfile entries, as https://www.speedscope.app/file-format-schema.json requires."""
    assert set(document) <= {"$schema", "shared", "profiles", "name", "activeProfileIndex", "exporter"}
    assert document["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert set(document["shared"]) == {"frames"}
    frames = document["shared"]["frames"]
    for frame in frames:
        assert set(frame) <= {"name", "file", "line", "col"}
        assert isinstance(frame["name"], str)
        assert isinstance(frame.get("file", ""), str)
    assert isinstance(document["name"], str)
    assert isinstance(document["exporter"], str)
    assert 0 <= document["activeProfileIndex"] < len(document["profiles"])
    for profile in document["profiles"]:
        assert set(profile) == {"type", "name", "unit", "startValue", "endValue", "samples", "weights"}
        assert profile["type"] == "sampled"
        assert isinstance(profile["name"], str)
        assert profile["unit"] in {"bytes", "microseconds", "milliseconds", "nanoseconds", "none", "seconds"}
        assert len(profile["samples"]) == len(profile["weights"])
        assert all(isinstance(weight, int) and weight > 0 for weight in profile["weights"])
        assert all(isinstance(index, int) and 0 <= index < len(frames) for sample in profile["samples"] for index in sample)
        assert profile["endValue"] - profile["startValue"] == sum(profile["weights"])


def test_shape_and_content(profile: Profile) -> None:
    other = replace(profile, engine="perf", title="</script> \u2028 ü", stacks=((("main (loop.py)", "plain"), 3),), samples=3)
    document = json.loads(write_speedscope([profile, other], name="two"))
    check_shape(document)
    frames = document["shared"]["frames"]
    assert len(frames) == 7  # each distinct frame once, shared by both profiles
    read = [[frames[i] for i in sample] for sample in document["profiles"][0]["samples"]]
    assert read[1] == [
        {"name": "main", "file": "loop.py"},
        {"name": "[libffi]"},
        {"name": "dm_dot_avx2", "file": "libdualmem.so"},
    ]
    assert document["profiles"][0]["weights"] == [10, 60, 20, 10]
    assert [frames[i] for i in document["profiles"][1]["samples"][0]] == [{"name": "main", "file": "loop.py"}, {"name": "plain"}]

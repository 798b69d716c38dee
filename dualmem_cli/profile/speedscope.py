"""speedscope's file format (https://www.speedscope.app/file-format-schema.json), type "sampled".

One profile per capture; a sample is a stack of frame indices, root first, weighted by how often it was seen. The unit is "none":
these are counts, and the time they stand for is only known up to the sampler's rate.
"""

import json
from collections.abc import Sequence
from typing import Any

from dualmem_cli.profile.folded import Profile
from dualmem_cli.profile.frames import split_place

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def write_speedscope(profiles: Sequence[Profile], *, name: str) -> str:
    """Write captures as one speedscope document."""
    frames: dict[str, int] = {}
    captures = [_capture(profile, frames) for profile in profiles]
    document = {
        "$schema": _SCHEMA,
        "shared": {"frames": [_frame(frame) for frame in frames]},
        "profiles": captures,
        "name": name,
        "activeProfileIndex": 0,
        "exporter": "dualmem",
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def _capture(profile: Profile, frames: dict[str, int]) -> dict[str, Any]:
    samples = [[frames.setdefault(frame, len(frames)) for frame in stack] for stack, _ in profile.stacks]
    return {
        "type": "sampled",
        "name": f"{profile.title} ({profile.line()})",
        "unit": "none",
        "startValue": 0,
        "endValue": profile.samples,
        "samples": samples,
        "weights": [count for _, count in profile.stacks],
    }


def _frame(frame: str) -> dict[str, str]:
    name, place = split_place(frame)
    return {"name": name, "file": place} if place else {"name": name}

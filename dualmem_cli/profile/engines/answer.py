"""What the native target says of itself: its events (docs/reference/worker-protocol.md) among a tool's own lines."""

import json
import signal
from typing import Any

from dualmem_cli.profile.process import Finished


def events(done: Finished) -> list[dict[str, Any]]:
    """All events of the target, in order. A line that was cut off or is somebody else's is passed over."""
    found = []
    for _, line in done.lines:
        if line.startswith("{"):
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(event, dict):
                found.append(event)
    return found


def event(done: Finished, name: str) -> dict[str, Any]:
    """The last event of that name; empty where there is none."""
    return next((found for found in reversed(events(done)) if found.get("event") == name), {})


def target_failure(done: Finished) -> str:
    """What the worker said in its last `error` or `crash` event, else how it died."""
    for found in reversed(events(done)):
        if found.get("event") == "error":
            return f"{found.get('phase')}: {found.get('message')}"
        if found.get("event") == "crash":
            return f"{signal_name(int(found.get('signal', 0)))} in phase {found.get('phase')}"
    number = -done.status if done.status < 0 else done.status - 128
    return signal_name(number) if 0 < number < 65 else f"exit status {done.status}"


def signal_name(number: int) -> str:
    """SIGSEGV for 11."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

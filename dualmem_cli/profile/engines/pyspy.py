"""py-spy: Python and C frames of one process in one stack.

It reads the interpreter's memory from outside and unwinds C by DWARF, so the kernel is seen through the whole of
Python -> cffi -> libffi -> C. It pauses the process for each sample (so never time a sampled process) and does not see threads that C
created: perf does. Its target is its own child, which needs no privilege; attaching by process id would.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from dualmem_cli.profile.engines.engine import TARGET_FAILED, Available, Unavailable, once, refuse
from dualmem_cli.profile.folded import Profile, fold
from dualmem_cli.profile.frames import normalise, split_place
from dualmem_cli.profile.process import Finished, run_child
from dualmem_cli.profile.target import Target

_TOTALS = re.compile(r"Samples: (\d+) Errors: (\d+)")
_INTRINSIC = re.compile(r"intrin\.h\)$")
_BEHIND = re.compile(r"([\d.]+\w+) behind in sampling")
_INSTALL = "pip install py-spy (into dualmem's environment), or --with perf"
# Importing under the sampler is slow (each sample of an import stack is deep), so the start-up of a target may take this long.
_STARTUP_S = 90.0
# Each sample stops the target for about a millisecond, several in an import's deep stacks. Measured on two cores, a spin of 2 s: at 250 a
# second 493 and 497 samples and 4 s of wall time; at 500, 1,356 and 2,551 samples and 6 and 16 s; at 997 up to 24 s, because py-spy works a
# backlog off without a pause and the target stands still meanwhile.
FASTEST = 250


class PyspyEngine:
    """`py-spy record --native` on a Python target."""

    name = "pyspy"

    @once
    def availability(self) -> Available | Unavailable:
        """See Engine.availability. Asks for the version only; tracing its own child is tried by the capture itself."""
        tool = _find_tool()
        if tool is None:
            return Unavailable("py-spy is not installed", _INSTALL)
        answer = run_child([tool, "--version"], stdin="", environment={}, timeout_s=20.0)
        if answer.status != 0:
            return Unavailable(f"{tool} does not run ({_last(answer.text) or f'exit {answer.status}'})", _INSTALL)
        return Available(answer.text.strip())

    def capture(self, target: Target, *, rate: int, directory: Path) -> Profile:
        """See Engine.capture."""
        state = self.availability()
        tool = _find_tool()
        if isinstance(state, Unavailable) or tool is None:
            raise refuse(*((state.reason, state.remedy) if isinstance(state, Unavailable) else ("py-spy is gone", _INSTALL)))
        raw = directory / "pyspy.raw"
        options = [
            "record",
            "--native",
            "--nolineno",
            "--format",
            "raw",
            "--rate",
            str(min(rate, FASTEST)),
            "--output",
            str(raw),
            "--",
        ]
        done = run_child(
            [tool, *options, *target.python_argv],
            stdin="",
            environment=dict(target.environment),
            timeout_s=target.seconds * 4 + _STARTUP_S,
            cpus=target.cpus,
        )
        if done.status != 0 or not raw.exists():
            raise _refusal(done)
        totals = _TOTALS.search(done.text)
        seconds = _sampled_seconds(done)
        if seconds < target.seconds * 0.9:
            raise refuse(
                f"the Python target ended after {seconds:.1f} of {target.seconds:g} s ({_target_words(done)})",
                TARGET_FAILED,
            )
        return _profile(
            target, rate, state.detail, done, raw.read_text("utf-8", "replace"), int(totals[2]) if totals else 0, seconds
        )


def _profile(target: Target, rate: int, sampler: str, done: Finished, raw: str, errors: int, seconds: float) -> Profile:
    folded = fold(parse_raw(raw), target.focus)
    if not folded.samples:
        raise refuse("py-spy took no sample of the running target", "Sample for longer, or at a higher rate.")
    notes = []
    if rate > FASTEST:
        notes.append(
            f"{rate} samples/s were wanted; py-spy is kept at {FASTEST}, because faster it stops its target more than it lets it run"
        )
    if target.focus and not folded.focused:
        notes.append(f"start-up is included: no frame is called {' or '.join(target.focus)}")
    behind = _BEHIND.findall(done.text)
    if behind:
        notes.append(f"py-spy fell behind {len(behind)} times, by up to {behind[-1]}: a lower rate is more accurate")
    return Profile(
        title=target.title,
        engine=PyspyEngine.name,
        sampler=sampler,
        event="wall clock of running threads",
        rate_asked=float(min(rate, FASTEST)),
        rate_achieved=(folded.samples + folded.outside) / seconds,
        samples=folded.samples,
        errors=errors,
        outside=folded.outside,
        unknown_share=folded.unknown_share,
        seconds=seconds,
        stacks=folded.stacks,
        notes=tuple(notes),
    )


def parse_raw(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Read py-spy's raw format: `frame;frame count`, a frame is `name (file:line)` or `name (object)`. Root first.

    py-spy shows inlined functions. A compiler's intrinsic is one instruction of its caller, and left out.
    """
    for line in text.splitlines():
        names, _, count = line.rpartition(" ")
        if names and count.isdigit():
            frames = (normalise(*split_place(frame)) for frame in _split_frames(names))
            yield tuple(frame for frame in frames if not _INTRINSIC.search(frame)), int(count)


def _split_frames(names: str) -> list[str]:
    """Split at semicolons, except inside brackets: py-spy does not escape the semicolons of a file's name."""
    frames: list[str] = []
    rest = ""
    for piece in names.split(";"):
        rest = f"{rest};{piece}" if rest else piece
        if rest.count("(") <= rest.count(")"):
            frames.append(rest)
            rest = ""
    return frames if not rest else [*frames, *rest.split(";")]


def _find_tool() -> str | None:
    beside = Path(sys.executable).parent / "py-spy"
    return str(beside) if beside.exists() else shutil.which("py-spy")


def _sampled_seconds(done: Finished) -> float:
    """From the line with which py-spy says that it begins to the one with which it says that it ends."""
    begin = next((at for at, line in done.lines if "Sampling process" in line), None)
    end = next((at for at, line in reversed(done.lines) if "Stopped sampling" in line), None)
    return end - begin if begin is not None and end is not None and end > begin else done.seconds


def _target_words(done: Finished) -> str:
    """The last thing the target itself said: the end of a traceback, most likely."""
    own = [line.strip() for _, line in done.lines if line.strip() and not line.startswith("py-spy>")]
    return own[-1] if own else "it said nothing"


def _refusal(done: Finished) -> Exception:
    """py-spy fails with a Rust backtrace, or with a hint at sudo that is wrong for a child of its own: one line instead."""
    text = done.text
    if "Permission" in text or "Operation not permitted" in text or "elevated permissions" in text:
        return refuse(
            "permission denied: this system forbids tracing even one's own child",
            "In a container start it with --cap-add SYS_PTRACE; else sudo sysctl kernel.yama.ptrace_scope=1; or --with perf.",
        )
    if "Failed to create process" in text:
        return refuse("the Python target could not be started", "Check that dualmem's Python is still where it was.")
    if "python version" in text.lower():
        words = next((line.strip() for _, line in done.lines if line.strip() and not line.startswith(("py-spy>", "Error"))), "")
        return refuse(
            f"py-spy found no Python it knows in the target{f' ({words})' if words and 'backtrace' not in words else ''}",
            "pip install --upgrade py-spy (a new CPython needs a new py-spy), or --with perf.",
        )
    errors = [line.removeprefix("Error:").strip() for _, line in done.lines if line.startswith("Error:")]
    return refuse(
        f"py-spy failed ({errors[0] if errors else _last(text) or f'exit {done.status}'})",
        "Sample at a lower rate, or --with perf.",
    )


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""

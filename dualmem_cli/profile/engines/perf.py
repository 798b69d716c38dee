"""perf: the kernel's sampler on a plain C process, all threads, system calls included.

What the options are for: `--call-graph dwarf,8192`, because frame-pointer stacks lose the caller of a leaf and end at the first
object built without them; `perf evlist` afterwards, because where a machine has no counters perf records the processor's clock
instead of cycles without a word; `perf script --no-inline`, because looking up inlined frames takes minutes; PERF_CONFIG and
DEBUGINFOD_URLS emptied, so that neither a user's settings nor a symbol server changes what is recorded.
"""

import os
import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from dualmem_cli.errors import DualmemError
from dualmem_cli.profile.engines.answer import target_failure
from dualmem_cli.profile.engines.engine import TARGET_FAILED, Available, Unavailable, once, refuse
from dualmem_cli.profile.engines.perf_marks import marked_in_script
from dualmem_cli.profile.engines.perf_script import parse_script
from dualmem_cli.profile.folded import Profile, fold
from dualmem_cli.profile.marked import not_marked
from dualmem_cli.profile.process import Finished, run_child
from dualmem_cli.profile.target import Marking, Target

STACK_BYTES = 8192
HARDWARE_EVENT = "cycles"
SOFTWARE_EVENT = "cpu-clock"
_SETTINGS = {"PERF_CONFIG": "/dev/null", "DEBUGINFOD_URLS": "", "LC_ALL": "C"}
_INSTALL = "apt-get install linux-perf (Debian), linux-tools-$(uname -r) (Ubuntu) or perf (Fedora), or --with pyspy"
_DENIED = re.compile(r"permission|not permitted|perf_event_paranoid|access to performance monitoring", re.IGNORECASE)
_COUNTERS = re.compile(r"(cpu(_core|_atom)?|armv\d.*|apple_.*|power\d*|cpum_cf)")


class PerfEngine:
    """`perf record --call-graph dwarf` on a C target. The paths are where Linux shows its counters and its setting."""

    name = "perf"

    def __init__(
        self,
        *,
        devices: Path = Path("/sys/bus/event_source/devices"),
        paranoid: Path = Path("/proc/sys/kernel/perf_event_paranoid"),
    ) -> None:
        self._devices = devices
        self._paranoid = paranoid

    @once
    def availability(self) -> Available | Unavailable:
        """See Engine.availability. Records `true`, since a version says nothing about permission."""
        tool = shutil.which("perf")
        if tool is None:
            return Unavailable("perf is not installed", _INSTALL)
        version = run_child([tool, "--version"], stdin="", environment=_SETTINGS, timeout_s=20.0)
        if version.status != 0:
            return Unavailable(_wrong_tool(version), _INSTALL)
        with tempfile.TemporaryDirectory(prefix="dualmem-perf-") as scratch:
            trial = run_child(
                [tool, "record", "-N", "-e", self._event(), "-o", str(Path(scratch, "trial.data")), "--", "true"],
                stdin="",
                environment=_SETTINGS,
                timeout_s=30.0,
            )
        if trial.status != 0:
            return self._unavailable(trial)
        return Available(_short_version(version.text))

    def capture(self, target: Target, *, rate: int, directory: Path) -> Profile:
        """See Engine.capture."""
        state = self.availability()
        if isinstance(state, Unavailable):
            raise refuse(state.reason, state.remedy)
        data = directory / "perf.data"
        event = self._event()
        options = ["-N", "-e", event, "-F", str(rate), "--call-graph", f"dwarf,{STACK_BYTES}", "-o", str(data), "--"]
        done = run_child(
            ["perf", "record", *options, *target.native_argv],
            stdin=target.native_stdin,
            environment={**dict(target.environment), **_SETTINGS},
            timeout_s=target.seconds * 4 + 60.0,
            cpus=target.cpus,
        )
        if done.status != 0:
            raise self._failure(done, target, recorded=data.exists() and data.stat().st_size > 0)
        listed = run_child(["perf", "evlist", "-i", str(data)], stdin="", environment=_SETTINGS, timeout_s=60.0)
        used = listed.lines[0][1].strip() if listed.status == 0 and listed.lines else "not known"
        script = directory / "perf.script"
        fields = "comm,tid,time,event,ip,sym,dso"
        told = run_child(
            ["perf", "script", "--no-inline", "--show-lost-events", "-F", fields, "-i", str(data)],
            stdin="",
            environment=_SETTINGS,
            timeout_s=300.0,
            stdout=script,
        )
        if told.status != 0:
            raise refuse(f"perf script failed ({_first_line(told)})", "Sample for a shorter time, or --with pyspy.")
        profile = _profile(target, rate, state.detail, event, used, script)
        return profile if target.marking is None else _with_marks(profile, target, target.marking, script)

    def _event(self) -> str:
        """Cycles where the machine shows a processor's counters, else the clock: asked for openly rather than fallen back to."""
        try:
            names = [entry.name for entry in self._devices.iterdir()]
        except OSError:
            names = []
        return HARDWARE_EVENT if any(_COUNTERS.fullmatch(name) for name in names) else SOFTWARE_EVENT

    def _unavailable(self, trial: Finished) -> Unavailable:
        if not _DENIED.search(trial.text):
            return Unavailable(f"perf cannot record ({_first_line(trial)})", _INSTALL)
        try:
            level = int(self._paranoid.read_text())
        except (OSError, ValueError):
            return Unavailable("permission denied", "run as root, or --with pyspy")
        if level <= 1:  # the setting allows it, so something else forbids the call: a container's filter
            return Unavailable(
                f"permission denied, though perf_event_paranoid is {level}: a container forbids perf_event_open",
                "start the container with --cap-add PERFMON and a seccomp profile that allows it, or --with pyspy",
            )
        return Unavailable(
            f"permission denied (perf_event_paranoid is {level})", "sudo sysctl kernel.perf_event_paranoid=1, or --with pyspy"
        )

    def _failure(self, done: Finished, target: Target, *, recorded: bool) -> Exception:
        """perf passes its child's exit status on; whether samples were written tells whose failure it was."""
        if _DENIED.search(done.text) and not recorded:
            state = self._unavailable(done)
            return refuse(state.reason, state.remedy)
        if not recorded or "Failed to collect" in done.text:
            return refuse(f"perf record failed ({_first_line(done)})", "Sample at a lower rate, or --with pyspy.")
        return refuse(
            f"the target failed under perf ({target_failure(done)})",
            TARGET_FAILED,
        )


def _profile(target: Target, rate: int, sampler: str, asked: str, used: str, script: Path) -> Profile:
    with script.open(encoding="utf-8", errors="replace") as lines:
        parsed = parse_script(lines, focus=target.focus)
    folded = fold(parsed.stacks, target.focus)
    if not folded.samples:
        raise refuse("perf took no sample of the target", "Sample for longer, or at a higher rate.")
    notes = []
    if used.partition(":")[0].strip("/") != asked and not used.endswith(f"/{asked}/"):
        notes.append(f"{asked} was asked for, the machine gave {used}")
    if "u" in used.partition(":")[2]:
        notes.append("time in the kernel is not visible without permission (kernel.perf_event_paranoid=1 shows it)")
    if target.focus and not folded.focused:
        notes.append(f"start-up is included: no frame is called {' or '.join(target.focus)}")
    taken = folded.samples + folded.outside
    seconds = parsed.seconds if parsed.seconds > 0 else target.seconds
    return Profile(
        title=target.title,
        engine=PerfEngine.name,
        sampler=sampler,
        event=used,
        rate_asked=float(rate),
        rate_achieved=taken / seconds,
        samples=folded.samples,
        errors=parsed.lost,
        outside=folded.outside,
        unknown_share=folded.unknown_share,
        seconds=seconds,
        stacks=folded.stacks,
        notes=tuple(notes),
        leaves=parsed.leaves,
    )


def _with_marks(profile: Profile, target: Target, marking: Marking, script: Path) -> Profile:
    """The same with what lies in marked functions, or a note on why that is not known."""
    try:
        with script.open(encoding="utf-8", errors="replace") as lines:
            return replace(profile, marked=marked_in_script(lines, marking, target.focus if profile.outside else ()))
    except DualmemError as error:
        return replace(profile, notes=(*profile.notes, not_marked(error)))


def _short_version(text: str) -> str:
    found = re.search(r"perf version (\S+)", text)
    return f"perf {found[1]}" if found else "perf"


def _wrong_tool(version: Finished) -> str:
    """Distributions install a wrapper that looks for the perf of the running kernel; its complaint names the kernel."""
    if "not found for kernel" in version.text or "tools" in version.text:
        return f"perf is for another kernel than the running {os.uname().release}"
    return f"perf does not run ({_first_line(version)})"


def _first_line(done: Finished) -> str:
    words = [
        line.strip()
        for _, line in done.lines
        if line.strip().strip(":") not in ("", "Error", "Warning") and "[ perf record" not in line
    ]
    return words[0] if words else f"exit status {done.status}"

"""callgrind: every instruction of the native target counted on a simulated processor, per function and source line.

The counts are the same every time, on every machine, under any load: what differs between two builds differs in their code. What is
pinned for that: an empty environment, addresses that are not randomised (setarch -R), a fixed cache geometry, and what glibc would
otherwise choose by the size of this machine's caches.

Only the work is counted: a dump is made before and after each call of the function that runs one sample, and what lies between is used.
`--toggle-collect` on that function gives the same costs, but of one thread only, and adds the calls made outside of it to those inside
(valgrind 3.19). The second sample is shown: the first still finds the caches as preparing left them.
"""

import re
import shutil
import tempfile
from pathlib import Path

from dualmem_cli.errors import DataError, DualmemError
from dualmem_cli.profile.counts import Counts
from dualmem_cli.profile.engines.answer import event, target_failure
from dualmem_cli.profile.engines.callgrind_counts import ENGINE, counts_of
from dualmem_cli.profile.engines.callgrind_out import Part, parse_part
from dualmem_cli.profile.engines.engine import TARGET_FAILED, Available, Unavailable, once, refuse
from dualmem_cli.profile.engines.lengths import sample_length, work_of
from dualmem_cli.profile.process import Finished, run_child
from dualmem_cli.profile.target import Target, Work

GEOMETRY = {"I1": "32768,8,64", "D1": "32768,8,64", "LL": "8388608,16,64"}  # bytes, ways, bytes per line
# Thresholds that glibc derives from the processor's caches; its copies and fills take another way above them.
_TUNABLES = ":".join(
    f"glibc.cpu.{name}={value}"
    for name, value in {
        "x86_data_cache_size": 32768,
        "x86_shared_cache_size": 1048576,
        "x86_non_temporal_threshold": 786432,
        "x86_rep_movsb_threshold": 2048,
        "x86_rep_stosb_threshold": 2048,
    }.items()
)
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "GLIBC_TUNABLES": _TUNABLES}
_INSTALL = "apt-get install valgrind (Debian, Ubuntu), dnf install valgrind (Fedora), or --with perf"
_REDIRECTION = "apt-get install libc6-dbg (valgrind needs the dynamic linker's symbols), or --with perf"
_OTHER_VARIANT = "valgrind has no AVX-512 and none of the newest instructions: --case of another variant, such as avx2"
_TOOL_LINE = re.compile(r"^==\d+==|^--\d+--|^\*\*\d+\*\*|^vex ")
_TIMEOUT_S = 600.0


class CallgrindEngine:
    """`valgrind --tool=callgrind` on a C target."""

    name = ENGINE

    def __init__(self, *, timeout_s: float = _TIMEOUT_S) -> None:
        self._timeout_s = timeout_s

    @once
    def availability(self) -> Available | Unavailable:
        """See Engine.availability. Counts `true`, since valgrind starts only where it finds the dynamic linker's symbols."""
        tool = shutil.which("valgrind")
        if tool is None:
            return Unavailable("valgrind is not installed", _INSTALL)
        version = run_child([tool, "--version"], stdin="", environment={}, timeout_s=20.0)
        if version.status != 0:
            return Unavailable(f"valgrind does not run ({_first_line(version)})", _INSTALL)
        with tempfile.TemporaryDirectory(prefix="dualmem-callgrind-") as scratch:
            out = Path(scratch, "out")
            trial = run_child([*_prefix(tool), *_options(out, None), "true"], stdin="", environment={}, timeout_s=60.0)
            if trial.status != 0 or not out.exists():
                remedy = _REDIRECTION if "redirection" in trial.text or "debuginfo" in trial.text else _INSTALL
                return Unavailable(f"valgrind cannot count ({_fatal(trial)})", remedy)
        return Available(version.text.strip())

    def count(self, target: Target, *, directory: Path) -> Counts:
        """See Counter.count."""
        work = work_of(target)
        state = self.availability()
        tool = shutil.which("valgrind")
        if isinstance(state, Unavailable) or tool is None:
            raise refuse(*((state.reason, state.remedy) if isinstance(state, Unavailable) else ("valgrind is gone", _INSTALL)))
        length = sample_length(target, timeout_s=120.0)
        out = directory / "callgrind.out"
        argv = [
            *_prefix(tool, target.environment),
            *_options(out, work, addresses=target.marking is not None),
            *target.native_argv,
        ]
        try:
            done = run_child(
                argv,
                stdin=work.request(length.operations, 2),
                environment={},
                timeout_s=self._timeout_s,
                cpus=target.cpus,
            )
        except DualmemError as error:
            raise refuse(
                error.what.replace(Path(argv[0]).name, "valgrind", 1),
                "Count fewer operations (--operations), a smaller case, or --with perf.",
            ) from None
        if done.status != 0:
            raise _failure(done)
        calls = (work.calls_before + 1, work.calls_before + 2)
        first, second = (
            _part(out.with_name(f"{out.name}.{2 * call}"), work) for call in calls
        )  # odd ones: of what was before a call
        pinned = bool(_fixed_addresses())
        notes = () if pinned else ("addresses could not be pinned (setarch -R): misses may differ from run to run",)
        geometry = ", ".join(f"{name} {shape}" for name, shape in GEOMETRY.items())
        facts = (
            f"{state.detail}: {length.operations:,} operation{'s' if length.operations != 1 else ''} counted, caches {geometry}"
        )
        return counts_of(target, first, second, operations=length.operations, tool=state.detail, facts=facts, notes=notes)


def _prefix(tool: str, environment: tuple[tuple[str, str], ...] = ()) -> list[str]:
    """An environment of our own, and the same addresses every time where the system allows it."""
    variables = [f"{name}={value}" for name, value in {**_ENVIRONMENT, **dict(environment)}.items()]
    return [shutil.which("env") or "env", "-i", *variables, *_fixed_addresses(), tool]


def _fixed_addresses() -> list[str]:
    setarch = shutil.which("setarch")
    if setarch is None:
        return []
    trial = run_child([setarch, "-R", "true"], stdin="", environment={}, timeout_s=20.0)
    return [setarch, "-R"] if trial.status == 0 else []


def _options(out: Path, work: Work | None, *, addresses: bool = False) -> list[str]:
    options = ["--tool=callgrind", "--vgdb=no", "--cache-sim=yes", "--branch-sim=yes", f"--callgrind-out-file={out}"]
    options += [f"--{cache}={shape}" for cache, shape in GEOMETRY.items()]
    options += ["--dump-instr=yes"] if addresses else []
    if work is None:
        return options
    return [*options, *(f"--{option}={work.sampled}" for option in ("dump-before", "zero-before", "dump-after"))]


def _part(path: Path, work: Work) -> Part:
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            part = parse_part(lines, source=path.name)
    except FileNotFoundError:
        raise refuse(
            f"callgrind wrote no profile of {work.sampled}", "Is the worker stripped? make build, then try again; or --with perf."
        ) from None
    except DataError as error:
        raise refuse(
            f"what callgrind wrote is damaged ({error.what})", "Try again with room on the disk for it, or --with perf."
        ) from None
    if part.trigger != f"--dump-after={work.sampled}":
        raise refuse(
            f"callgrind did not see {work.sampled} end", "Is the worker stripped? make build, then try again; or --with perf."
        )
    return part


def _failure(done: Finished) -> Exception:
    error = event(done, "error")
    if error.get("phase") == "supported":
        return refuse(f"the variant does not run under valgrind ({error.get('message')})", _OTHER_VARIANT)
    if (
        "SIGILL" in done.text
        or "nrecognised instruction" in done.text
        or event(done, "crash").get("signal") == 4
        or done.status == -4
    ):
        return refuse("the target died of SIGILL: valgrind does not know one of its instructions", _OTHER_VARIANT)
    if error or event(done, "crash"):
        return refuse(f"the target failed under valgrind ({target_failure(done)})", TARGET_FAILED)
    own = _fatal(done)
    return refuse(f"valgrind failed ({own or target_failure(done)})", "Try again; if it stays so, --with perf.")


def _first_line(done: Finished) -> str:
    return next((line.strip() for _, line in done.lines if line.strip()), f"exit status {done.status}")


def _fatal(done: Finished) -> str:
    """What valgrind itself said last that is not its greeting."""
    words = [line.strip() for _, line in done.lines if line.strip() and not line.startswith("{")]
    told = [re.sub(_TOOL_LINE, "", line).strip(" :") for line in words]
    serious = [line for line in told if re.search(r"fatal|error|cannot|can't|failed|valgrind:", line, re.IGNORECASE)]
    return (serious or [line for line in told if line] or [f"exit status {done.status}"])[0].removeprefix("valgrind:").strip()

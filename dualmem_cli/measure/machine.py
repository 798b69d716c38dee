"""Facts about this machine. What cannot be read is empty, never guessed."""

import os
import platform
import subprocess
from pathlib import Path

from dualmem_cli.model.machine import ISA_LEVELS, Machine

# As the kernel spells those that it spells otherwise.
_FLAGS = {"sse4.2": "sse4_2", "avx512vnni": "avx512_vnni", "neon": "asimd"}
_NODES = Path("/sys/devices/system/node")


def read_machine() -> Machine:
    """The fingerprint of this machine."""
    import psutil

    cpu = _cpuinfo()
    flags = (cpu.get("flags") or cpu.get("Features") or "").split()
    return Machine(
        architecture=platform.machine(),
        cpu=cpu.get("model name") or cpu.get("Processor") or platform.processor(),
        cores=os.cpu_count() or 1,
        isa=tuple(level for level in ISA_LEVELS if _FLAGS.get(level, level) in flags),
        caches=_caches(),
        memory_bytes=psutil.virtual_memory().total,
        microcode=cpu.get("microcode", ""),
        governor=_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        hypervisor=_hypervisor(flags),
        kernel=platform.release(),
        libc=" ".join(platform.libc_ver()),
        python=platform.python_version(),
        clock_source=_text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        huge_pages=_chosen(_text("/sys/kernel/mm/transparent_hugepage/enabled")),
        numa_nodes=len(list(_NODES.glob("node[0-9]*"))),
    )


def usable_cpus() -> tuple[int, ...]:
    """Processors that this process may run on; empty where the system does not say."""
    return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()


def revision(directory: Path) -> str:
    """The git revision of a tree, with '+' when it has uncommitted changes; "" outside of a repository or without git."""
    try:
        head = _git(directory, "rev-parse", "--short=10", "HEAD")
        changed = _git(directory, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{head}+" if changed else head


def _git(directory: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(directory), *arguments], capture_output=True, text=True, check=True, timeout=20)
    return done.stdout.strip()


def _cpuinfo() -> dict[str, str]:
    """The first processor's block of /proc/cpuinfo."""
    found: dict[str, str] = {}
    for line in _text("/proc/cpuinfo").splitlines():
        if not line.strip() and found:
            break
        key, _, value = line.partition(":")
        found.setdefault(key.strip(), value.strip())
    return found


def _caches() -> tuple[tuple[str, int], ...]:
    found = []
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (_text(str(index / name)) for name in ("level", "type", "size"))
        if size.endswith("K") and size[:-1].isdigit():
            suffix = {"Data": "d", "Instruction": "i"}.get(kind, "")
            found.append((f"L{level}{suffix}", int(size[:-1]) * 1024))
    return tuple(found)


def _hypervisor(flags: list[str]) -> str:
    if "hypervisor" not in flags:
        return ""
    return _text("/sys/class/dmi/id/sys_vendor") or "present"


def _chosen(text: str) -> str:
    """The bracketed word of a sysfs choice: 'always [madvise] never'."""
    return text.partition("[")[2].partition("]")[0] or text


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return ""

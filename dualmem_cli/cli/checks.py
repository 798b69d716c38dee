"""What `dualmem doctor` looks at. Each check says what is, and when something is missing, what to do."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dualmem_cli.errors import DualmemError
from dualmem_cli.measure import builds as binaries
from dualmem_cli.measure.data import cache_directory
from dualmem_cli.measure.machine import read_machine, usable_cpus
from dualmem_cli.measure.player import PlayerProcesses
from dualmem_cli.measure.worker import WorkerProcesses, native_path
from dualmem_cli.model.plan import Task, WorkerArm, WorkerRequest
from dualmem_cli.plan.draw import draw_worker
from dualmem_cli.report.phrases import counted

_FREE_BYTES = 1 << 30
_BUILD_TOOLS = (
    ("cmake", "pip install cmake"),
    ("ninja", "pip install ninja"),
    ("cc", "apt-get install gcc"),
    ("git", "apt-get install git"),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `ok` None: a fact, neither good nor bad."""

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""


_BINUTILS = (
    ("objcopy", "keeps what names source lines", "counts of two builds name no source lines"),
    ("objdump", "reads instructions", "profiles show no assembly, and no prefetch that is gone is found"),
)


def every_check(start: Path) -> list[Check]:
    """All checks, in the order in which a person would ask."""
    return [*_machine(), *_native(start), *_pages(), *_building(start), *_profiling(), *_history(), *_fleet(), *_storage()]


def _machine() -> Iterator[Check]:
    machine = read_machine()
    cpus = usable_cpus()
    yield Check(
        "machine",
        None,
        f"{machine.cpu}, {machine.cores} cores, {machine.architecture}; ISA {' '.join(machine.isa) or 'base only'}",
    )
    yield Check("system", None, f"Linux {machine.kernel}, {machine.libc}, Python {machine.python}")
    if machine.hypervisor:
        yield Check(
            "virtual",
            None,
            f"a virtual machine ({machine.hypervisor}): others share its caches; percentiles above P99 contain them",
        )
    yield Check(
        "processors",
        len(cpus) > 1,
        f"may run on {len(cpus)} of {machine.cores}",
        "" if len(cpus) > 1 else "With one processor every interruption lands in a sample; allow a second one.",
    )
    if machine.governor:
        steady = machine.governor == "performance"
        yield Check("governor", steady, machine.governor, "" if steady else "sudo cpupower frequency-set -g performance")
    coarse = machine.clock_source not in ("tsc", "arch_sys_counter", "kvm-clock")
    yield Check(
        "clock", not coarse, machine.clock_source or "source not known",
        "A clock like this costs about a microsecond a read; boot with clocksource=tsc if the machine allows it." if coarse else "",
    )  # fmt: skip
    load = os.getloadavg()[0]
    busy = load > 0.5 * machine.cores
    yield Check("load", not busy, f"{load:.2f} over the last minute", "Stop what else runs here." if busy else "")


def _native(start: Path) -> Iterator[Check]:
    try:
        worker = WorkerProcesses(native_path("dualmem-worker"))
        found = binaries.resolve("", start=start)
        library = worker.describe(str(found.links[0]))
    except DualmemError as error:
        yield Check("library", False, error.what, error.hint)
        return
    runs = sum(kernel.supported for kernel in library.kernels)
    yield Check(
        "library",
        True,
        f"{library.name} {library.version} ({library.compiler}), {counted(len(found.links), 'layout')}, {found.origin}",
    )
    yield Check("kernels", runs > 0, f"{runs} of {len(library.kernels)} run here")
    try:
        table = PlayerProcesses(native_path("dualmem-player")).describe(str(found.links[0]))
    except DualmemError as error:
        yield Check("workloads", False, error.what, error.hint)
        return
    names = ", ".join(f"{workload.name}/{workload.variant}" for workload in table.workloads) if table else "none in this library"
    yield Check("workloads", None if table is None else True, names)


def _pages() -> Iterator[Check]:
    """Whether two builds can exchange their physical pages (docs/adr/0011), tried on a MiB of the self-test's."""
    try:
        worker = WorkerProcesses(native_path("dualmem-worker"))
        links = sorted(native_path("selftest/0").glob("*.so"))[:2]
    except DualmemError as error:
        yield Check("pages", False, error.what, error.hint)
        return
    draw = draw_worker(index=0, seed=1, arms=2, cpus=(), links=(1, 1))
    request = WorkerRequest(
        task=Task.MEASURE,
        libraries=tuple(map(str, links)),
        arms=tuple(WorkerArm(library=side, kernel="memory", variant="plain") for side in (0, 1)),
        parameters=(("mebibytes", 1.0),),
        order=draw.order,
        iterations=1,
        schedule="01100110",
        exchange=4,
    )
    run = worker.measure(request, draw, timeout_s=10.0)
    if run.samples is not None and run.samples.exchange:
        yield Check("pages", True, "two builds exchange theirs halfway through a worker")
        return
    why = run.failure.message if run.failure else "the kernel does not let two builds exchange theirs"
    remedy = "compare works without, but what lives on memory takes more workers; /proc/self/pagemap and smaps must be readable."
    yield Check("pages", False, why, remedy)


def _building(start: Path) -> Iterator[Check]:
    if binaries.source_tree(start) is None:
        return
    for tool, package in _BUILD_TOOLS:
        path = shutil.which(tool, path=str(Path(sys.executable).parent)) or shutil.which(tool)
        yield Check(tool, path is not None, "found" if path else "not there", "" if path else package)


def _profiling() -> Iterator[Check]:
    from dualmem_cli.profile.engines.inlined import missing_tools
    from dualmem_cli.profile.session import availability_report

    for tool, ok, detail, remedy in availability_report():
        yield Check(tool, ok, detail, remedy)
    for tool, does, lacks in _BINUTILS:
        found = shutil.which(tool) is not None
        yield Check(tool, found, does if found else f"not there: {lacks}", "" if found else "apt-get install binutils")
    gone = missing_tools()
    yield Check(
        "addr2line",
        not gone,
        f"{gone} not there: the share of dual-only functions is not known" if gone else "finds inlined functions",
        "apt-get install binutils" if gone else "",
    )


def _fleet() -> Iterator[Check]:
    """Only its presence is looked at: to import it takes longer than all the rest."""
    from importlib.metadata import PackageNotFoundError, version
    from importlib.util import find_spec

    try:
        found = f"distributed {version('distributed')}" if find_spec("distributed") else ""
    except PackageNotFoundError:
        found = ""
    yield Check("fleet", None, found or "not installed; several machines (bench --fleet) need it: pip install 'dualmem[fleet]'")


def _history() -> Iterator[Check]:
    """What `dualmem history` needs besides."""
    from importlib.metadata import PackageNotFoundError, version

    from dualmem_cli.store.history import REMEDY

    for package in ("duckdb", "ruptures"):
        try:
            yield Check(package, True, f"{version(package)}, for dualmem history")
        except PackageNotFoundError:
            yield Check(package, False, "not there: no dualmem history", REMEDY)


def _storage() -> Iterator[Check]:
    cache = cache_directory()
    existing = next(folder for folder in (cache, *cache.parents) if folder.is_dir())
    free = shutil.disk_usage(existing).free
    writable = os.access(existing, os.W_OK)
    remedy = "Set DUALMEM_CACHE to a folder with room."
    yield Check(
        "cache", writable and free > _FREE_BYTES, f"{cache}, {free / (1 << 30):.1f} GiB free" + ("" if writable else ", not writable"),
        "" if writable and free > _FREE_BYTES else remedy,
    )  # fmt: skip


def print_checks(checks: list[Check]) -> None:
    """One line per check; a problem is followed by its remedy."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    width = max(len(check.name) for check in checks)
    for check in checks:
        mark = {True: "[green]ok     [/green]", False: "[yellow]look at[/yellow]", None: "       "}[check.ok]
        remedy = f"\n{' ' * (width + 11)}Remedy: {escape(check.remedy)}" if check.remedy else ""
        console.print(f"{mark}  {check.name:<{width}}  {escape(check.detail)}{remedy}")

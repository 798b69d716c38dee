"""Which library is measured: a file or folder that was named, the working tree (built first, so that a stale binary is never
measured in its place), or the one that came with the package."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dualmem_cli.errors import BuildError
from dualmem_cli.measure.machine import revision
from dualmem_cli.measure.worker import native_path
from dualmem_cli.model.kernel import DEBUG

_TREE_MARK = Path("native/cmake/libdualmem.cmake")
# How long a build that was interrupted may take to tidy up: ninja deletes what it had half written.
_LAST_WORDS_S = 5.0


@dataclass(frozen=True, slots=True)
class Binaries:
    """The links of one build, and where they came from in words. `tree` is the source tree they were built from, if any, and `revision`
    the git revision of it: the links do not hold it, so that equal sources give equal bytes (ADR 0010)."""

    links: tuple[Path, ...]
    origin: str
    tree: Path | None
    revision: str = ""


def source_tree(start: Path) -> Path | None:
    """The checkout of dualmem that `start` lies in, if it lies in one."""
    return next((folder for folder in (start, *start.parents) if (folder / _TREE_MARK).is_file()), None)


def resolve(library: str, *, start: Path) -> Binaries:
    """The binaries to measure. `library` is a .so, a folder of links, or "" for the working tree or the packaged library."""
    if library:
        return named(Path(library))
    tree = source_tree(start)
    if tree is not None:
        known = revision(tree)
        return Binaries(links=build_tree(tree), origin=f"working tree {known or 'without revision'}", tree=tree, revision=known)
    return Binaries(links=_shared_objects(native_path("links")), origin="packaged library", tree=None)


def named(path: Path) -> Binaries:
    """A shared object, or a folder of them: several links of the same objects."""
    path = path.absolute()
    for each in (path, *path.glob("*.so")):
        if not str(each).isprintable():
            raise BuildError(f"{str(each)!a}: a path that is not printable text cannot be kept in a record", hint="Rename it.")
    if path.is_dir():
        return Binaries(links=_shared_objects(path), origin=str(path), tree=None)
    if not path.is_file():
        raise BuildError(f"{path}: no such library", hint="Give a .so that exports dm_library_get, or a folder of its links.")
    return Binaries(links=(path,), origin=str(path), tree=None)


def _shared_objects(folder: Path) -> tuple[Path, ...]:
    links = tuple(sorted(folder.glob("*.so")))
    if not links:
        raise BuildError(f"{folder}: holds no .so", hint="Give a folder with the links of one library.")
    return links


def build_tree(tree: Path) -> tuple[Path, ...]:
    """Build every link of libdualmem in `tree`, incrementally, under build/links. Two runs at once take turns."""
    folder = tree / "build" / "links"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock")):
        return build_links(tree / "native", folder=folder, options=())


def build_links(source: Path, *, folder: Path, options: Sequence[str]) -> tuple[Path, ...]:
    """Build every link of the libdualmem whose CMakeLists.txt is in `source`, in `folder`. `options` are added to CMake's command line.
    The revision is not compiled in: a commit that leaves the sources alone must leave the bytes alone."""
    cmake, ninja = _tool("cmake"), _tool("ninja")
    _run(
        [
            *(cmake, "-S", str(source), "-B", str(folder), "-G", "Ninja"),
            *(f"-DCMAKE_MAKE_PROGRAM={ninja}", "-DDUALMEM_HOST=OFF", "-DDUALMEM_REVISION=", *options),
        ]
    )
    _run([cmake, "--build", str(folder), "--target", "dualmem_links"])
    return _shared_objects(folder / "links")


def _tool(name: str) -> str:
    """A build tool: the one installed beside this Python first, then PATH."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if not found:
        raise BuildError(
            f"{name} is not there, and the working tree must be built before it is measured",
            hint=f"Install it: pip install {name}.",
        )
    return found


def _run(command: list[str]) -> None:
    """Run a build tool in a process group of its own, so that nothing of it goes on writing after an interruption."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, errors="replace",
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            output, _ = process.communicate()
        except BaseException:
            _end(process)
            raise
    if process.returncode:
        lines = [line for line in output.splitlines() if line.strip()]
        wrong = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "no output")
        raise BuildError(f"the build failed: {wrong.strip()}", hint=f"See the whole of it with: {' '.join(command)}")


def _end(process: "subprocess.Popen[str]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_LAST_WORDS_S)
        os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; whoever comes second waits."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def copy_link(source: Path, target: Path) -> None:
    """Copy a link without its debug information; symbols stay. Without strip(1) it is copied as it is."""
    strip = shutil.which("strip")
    if strip:
        done = subprocess.run([strip, "--strip-debug", "-o", target, source], capture_output=True, check=False)
        if done.returncode == 0:
            return
    shutil.copyfile(source, target)
    target.chmod(0o755)


def copy_debug(source: Path, target: Path) -> None:
    """Put the debug information of a link into a file of its own: what copy_link leaves out, to find source lines with. Nothing is written
    where there is none, or without objcopy(1)."""
    beside = source.with_suffix(DEBUG)
    if beside.is_file():
        shutil.copyfile(beside, target)
        return
    objcopy = shutil.which("objcopy")
    if objcopy is None or b".debug_line" not in source.read_bytes():
        return
    options = ["--only-keep-debug", "--compress-debug-sections"]
    done = subprocess.run([objcopy, *options, source, target], capture_output=True, check=False)
    if done.returncode:
        target.unlink(missing_ok=True)


def with_debug(link: Path, *, folder: Path) -> Path:
    """A copy of a kept link in `folder` that leads tools to its debug information; the link itself where there is none."""
    debug, objcopy = link.with_suffix(DEBUG), shutil.which("objcopy")
    if not debug.is_file() or objcopy is None:
        return link
    copied, beside = folder / link.name, folder / debug.name
    shutil.copyfile(debug, beside)
    done = subprocess.run([objcopy, f"--add-gnu-debuglink={beside}", link, copied], capture_output=True, check=False)
    return link if done.returncode else copied

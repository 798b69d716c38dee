"""Which library is measured: a file or folder that was named, the working tree (built first, so that a stale binary is never
measured in its place), or the one that came with the package."""

import contextlib
import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dualmem_cli.errors import BuildError
from dualmem_cli.measure.machine import revision
from dualmem_cli.measure.worker import native_path

_TREE_MARK = Path("native/cmake/libdualmem.cmake")


@dataclass(frozen=True, slots=True)
class Binaries:
    """The links of one build, and where they came from in words. `tree` is the source tree they were built from, if any."""

    links: tuple[Path, ...]
    origin: str
    tree: Path | None


def source_tree(start: Path) -> Path | None:
    """The checkout of dualmem that `start` lies in, if it lies in one."""
    return next((folder for folder in (start, *start.parents) if (folder / _TREE_MARK).is_file()), None)


def resolve(library: str, *, start: Path) -> Binaries:
    """The binaries to measure. `library` is a .so, a folder of links, or "" for the working tree or the packaged library."""
    if library:
        return named(Path(library))
    tree = source_tree(start)
    if tree is not None:
        return Binaries(links=build_tree(tree), origin=f"working tree {revision(tree) or 'without revision'}", tree=tree)
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
    cmake, ninja = _tool("cmake"), _tool("ninja")
    with _lock(folder.with_suffix(".lock")):
        _run(
            [
                *(cmake, "-S", str(tree / "native"), "-B", str(folder), "-G", "Ninja"),
                *(f"-DCMAKE_MAKE_PROGRAM={ninja}", "-DDUALMEM_HOST=OFF", f"-DDUALMEM_REVISION={revision(tree)}"),
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
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        wrong = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "no output")
        raise BuildError(f"the build failed: {wrong.strip()}", hint=f"See the whole of it with: {' '.join(command)}")


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
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

"""Builds kept on disk, content-addressed: a folder named by the build's digest holds its links, each named by its own, and a
manifest. What was measured can so be measured again, whatever became of the working tree."""

import contextlib
import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from dualmem_cli.errors import BuildError
from dualmem_cli.model.kernel import DEBUG, Build, Library, Link

MANIFEST = "build.json"
Copy = Callable[[Path, Path], None]


def keep(
    links: Sequence[Path],
    *,
    origin: str,
    describe: Callable[[str], Library],
    copy: Copy,
    folder: Path,
    revision: str = "",
    beside: Copy | None = None,
) -> Build:
    """Copy `links` into `folder`/<digest> with `copy` (which may strip them) unless the same build is there already, whole. The returned
    links have absolute paths in there. `beside` makes a file that belongs to the first link (what was stripped of it, for profilers)
    and not to the build: it may be missing. `revision` is that of the sources, for a library that does not hold it itself: it belongs to
    this use of the build and not to its bytes."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with _room(folder), in_use(folder, exclusive=False), tempfile.TemporaryDirectory(dir=folder, prefix=".keeping-") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        kept: list[Link] = []
        for source in links:
            unnamed = Path(scratch) / "link"
            copy(source, unnamed)
            digest = digest_of(unnamed)
            unnamed.rename(made / f"{digest}.so")
            kept.append(Link(layout=_layout(source), path=f"{digest}.so", sha256=digest))
        if beside is not None:
            beside(links[0], (made / kept[0].path).with_suffix(DEBUG))
        total = build_digest(kept)
        library = _described(made / kept[0].path, links[0], describe)
        library = replace(library, revision=library.revision or revision)
        build = Build(digest=total, origin=origin, library=_portable(library), links=tuple(kept))
        (made / MANIFEST).write_bytes(_to_json(build))
        with _taking_turns(folder):  # or one run would take away what another has just found whole
            try:
                load(folder / total)
                for extra in made.glob(f"*{DEBUG}"):  # of a build that was kept before there was one
                    extra.replace(folder / total / extra.name)
            except BuildError:
                _put(made, folder / total, aside=Path(scratch) / "damaged")
        with contextlib.suppress(OSError):
            os.utime(folder / total)  # used just now: `baseline gc` leaves it alone until a record refers to it
    return located(build, folder / total)


@contextlib.contextmanager
def _room(folder: Path) -> Iterator[None]:
    """A copy that finds the disk full blames its source."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise BuildError(f"{folder}: {error.strerror}", hint="Make room or choose another folder.") from None


@contextlib.contextmanager
def _taking_turns(folder: Path) -> Iterator[None]:
    """One run at a time looks whether a build is there and puts it there."""
    with folder.with_name(f"{folder.name}.put.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def in_use(folder: Path, *, exclusive: bool) -> Iterator[None]:
    """Hold `folder` of kept builds: shared while a build is put there, exclusive while builds are removed. The lock lies beside the
    folder, in which there is nothing but builds."""
    with folder.with_name(f"{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield


def _described(copied: Path, source: Path, describe: Callable[[str], Library]) -> Library:
    """What the copy says of itself, because the copy is what will be measured; an error names the file that was given."""
    try:
        return describe(str(copied))
    except BuildError as error:
        raise BuildError(error.what.replace(str(copied), str(source)), hint=error.hint, status=error.status) from None


def _put(made: Path, target: Path, *, aside: Path) -> None:
    """Rename a build into place, whole, and out of it what is damaged there."""
    with contextlib.suppress(FileNotFoundError):
        target.rename(aside)
    made.rename(target)


def load(folder: Path) -> Build:
    """The build kept in `folder`, every link checked against its digest. Raises BuildError when a file is missing or damaged."""
    from pydantic import TypeAdapter, ValidationError

    try:
        build = TypeAdapter(Build).validate_json((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise BuildError(f"{folder / MANIFEST}: {error.strerror}") from None
    except ValidationError:
        raise BuildError(f"{folder / MANIFEST}: damaged") from None
    for link in build.links:
        path = folder / link.path
        if not path.is_file():
            raise BuildError(f"{path}: missing")
        if digest_of(path) != link.sha256:
            raise BuildError(f"{path}: damaged, its content is not what its name says")
    if build_digest(build.links) != build.digest:
        raise BuildError(f"{folder / MANIFEST}: damaged, the digest does not match the links")
    return located(build, folder)


def located(build: Build, folder: Path) -> Build:
    """The same build with absolute link paths."""
    return replace(build, links=tuple(replace(link, path=str((folder / link.path).absolute())) for link in build.links))


def build_digest(links: Sequence[Link]) -> str:
    """The content address of a set of links: independent of their order and names."""
    return digest_of_links(link.sha256 for link in links)


def digest_of_links(digests: Iterable[str]) -> str:
    """The same from the links' own digests."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _layout(source: Path) -> str:
    """The layout's name: the number in libdualmem.2.so, else the file's stem."""
    last = source.stem.rpartition(".")[2]
    return last if last.isdigit() else source.stem


def _portable(library: Library) -> Library:
    """A library's description without the path where it happened to lie."""
    return replace(library, path="")


def _to_json(build: Build) -> bytes:
    from pydantic import TypeAdapter

    return TypeAdapter(Build).dump_json(build, indent=2)

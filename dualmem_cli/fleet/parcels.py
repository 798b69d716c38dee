"""Files that travel between machines, each under its content's digest: a build's links and data files are sent to a machine once."""

import contextlib
import hashlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from dualmem_cli.errors import DualmemError
from dualmem_cli.measure.data import cache_directory

CHUNK = 8 << 20
_KEPT_S = 30 * 86_400.0


def folder() -> Path:
    """Where this machine keeps what was sent to it."""
    return cache_directory() / "fleet" / "parcels"


def path_of(sha256: str) -> Path:
    """Where the file of that content lies, if it is there."""
    return folder() / sha256


def missing(digests: Iterable[str]) -> frozenset[str]:
    """Those of the files that are not here."""
    return frozenset(sha256 for sha256 in digests if not path_of(sha256).is_file())


def receive(sha256: str, sender: str, chunk: bytes, *, last: bool) -> bool:
    """Add a piece of a file; with the last one it is checked and put in its place. False when it is not what was announced. Two senders of
    one file have a half-made one each."""
    unfinished = folder() / f".{sha256}.{sender}.part"
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    with unfinished.open("ab") as file:
        file.write(chunk)
    if not last:
        return True
    whole = digest_of(unfinished) == sha256
    if whole:
        unfinished.replace(path_of(sha256))
    else:
        unfinished.unlink(missing_ok=True)
    return whole


def pieces(path: Path) -> Iterator[tuple[bytes, bool]]:
    """A file in chunks, and whether each is the last."""
    with path.open("rb") as file:
        chunk = file.read(CHUNK)
        while True:
            following = file.read(CHUNK)
            yield chunk, not following
            if not following:
                return
            chunk = following


def digest_of(path: Path) -> str:
    """SHA-256 of a data file or a link. Raises DualmemError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DualmemError(f"{path}: {error.strerror}", hint="[data] paths are relative to the scenario file.") from None


def tidy() -> None:
    """Remove what no errand has used for a month."""
    for path in folder().glob("*") if folder().is_dir() else ():
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _KEPT_S:
                path.unlink()


def used(digests: Iterable[str]) -> None:
    """Note that the files are still in use."""
    for sha256 in digests:
        with contextlib.suppress(OSError):
            path_of(sha256).touch()

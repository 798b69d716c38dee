"""What `baseline gc` removes: builds that nothing refers to, and what killed runs left half done."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dualmem_cli.errors import BaselineError
from dualmem_cli.store.builds import digest_of_links, in_use

# A run keeps its build before it saves its record, within seconds; from then on the record refers to the build.
YOUNG_S = 3600.0
_DIGEST = re.compile(rb"[0-9a-f]{64}")
_NAME = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Waste:
    """A folder that can go, why, and how many bytes it frees. `build`: a whole build; else something unfinished."""

    path: Path
    why: str
    size: int
    build: bool


@dataclass(frozen=True, slots=True)
class Sweep:
    """What was found: what can go, and how many builds stay only because they are young."""

    waste: tuple[Waste, ...]
    young: int


def sweep(*, reports: Path, baselines: Path, revisions: Path, now_s: float, dry_run: bool) -> Sweep:
    """Find what nothing refers to and, unless `dry_run`, remove it. `now_s` is the time since the epoch, in seconds.

    A build is referred to when its digest stands in any JSON file of `reports` or in a baseline, whole or damaged, because a record that
    cannot be read may still be mended. No build is taken away while another run puts one there, nor for an hour after a run used it.
    Raises BaselineError.
    """
    kept = reports / "builds"
    try:
        with _held(kept), _held(revisions):
            used = _mentioned(reports, baselines)
            found = [*_builds(kept, used, now_s), *_revisions(revisions, used, now_s)]
            waste = [one for one in found if one is not None]
            waste += _unfinished(kept, ".keeping-*", ".removing-*") + _unfinished(revisions, ".building-*", ".removing-*")
            waste += [one for one in _unfinished(baselines, ".saving-*") if not _young(one.path, now_s)]  # nothing locks these
            if not dry_run:
                for one in waste:
                    _remove(one.path)
    except OSError as error:
        raise BaselineError(f"{error.filename}: {error.strerror}", hint="Not everything was removed.") from None
    return Sweep(tuple(waste), sum(one is None for one in found))


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _mentioned(reports: Path, baselines: Path) -> frozenset[str]:
    """Every digest that a record, a summary or a half-written record speaks of."""
    files = [
        *reports.glob("*.json"),
        *reports.glob(".*.part"),
        *baselines.glob("*/record.json"),
        *baselines.glob("*/build/build.json"),
    ]
    found: set[str] = set()
    for path in files:
        with contextlib.suppress(FileNotFoundError):
            found.update(match.decode() for match in _DIGEST.findall(path.read_bytes()))
    return frozenset(found)


def _held(folder: Path) -> contextlib.AbstractContextManager[None]:
    """The lock under which whoever puts something into `folder` does it: what is unfinished there now was left by a run that was killed."""
    return in_use(folder, exclusive=True) if folder.is_dir() else contextlib.nullcontext()


def _builds(kept: Path, used: frozenset[str], now_s: float) -> Iterator[Waste | None]:
    """Kept builds that nothing refers to; None for one that is young."""
    for folder in _named(kept):
        if folder.name not in used:
            yield None if _young(folder, now_s) else Waste(folder, "no record refers to it", size_of(folder), build=True)


def _revisions(revisions: Path, used: frozenset[str], now_s: float) -> Iterator[Waste | None]:
    """Cached builds of revisions, by the digests of their links."""
    for folder in _named(revisions):
        links = [match.decode() for match in _DIGEST.findall(_read(folder / "SHA256SUMS"))]
        if digest_of_links(links) not in used:
            yield None if _young(folder, now_s) else Waste(folder, "no record refers to it", size_of(folder), build=True)


def _unfinished(parent: Path, *patterns: str) -> list[Waste]:
    """What killed runs left in `parent`."""
    found = sorted(path for pattern in patterns for path in parent.glob(pattern))
    return [Waste(path, "unfinished", size_of(path), build=False) for path in found]


def _named(parent: Path) -> list[Path]:
    return sorted(path for path in parent.glob("*") if _NAME.fullmatch(path.name) and path.is_dir())


def _young(folder: Path, now_s: float) -> bool:
    return now_s - folder.stat().st_mtime < YOUNG_S


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _remove(folder: Path) -> None:
    """Out of the way first, in one step: a build is there whole or not at all, also when this is interrupted."""
    aside = folder.with_name(f".removing-{os.getpid()}-{folder.name.lstrip('.')}")
    folder.rename(aside)
    shutil.rmtree(aside)

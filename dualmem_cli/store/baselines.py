"""Baselines: baselines/<name>/ holds a record and the build it was made with. Numbers alone cannot carry a 5 % gate."""

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dualmem_cli.errors import BaselineError, BuildError, RecordError
from dualmem_cli.model.kernel import Build
from dualmem_cli.model.record import Record
from dualmem_cli.store import builds, records

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline as it was read: record and build, checked."""

    name: str
    record: Record
    build: Build


def save(folder: Path, *, name: str, record: Record, build_folder: Path) -> Baseline:
    """Promote a record and its build. An older baseline of that name is replaced in one step, or kept if anything fails."""
    if not _NAME.fullmatch(name):
        raise BaselineError(
            f'"{name}" is not a name for a baseline', hint="Use letters, digits, dot, dash and underscore, 64 at most."
        )
    if record.kind != "bench":
        raise BaselineError("a compare record cannot become a baseline", hint="Run `dualmem bench` and save its record.")
    if record.interrupted:
        raise BaselineError("the record was interrupted and is not whole", hint="Run `dualmem bench` to its end first.")
    if not any(finding.problem == "" for finding in record.bench):
        raise BaselineError("the record has no case that was measured", hint="See what it says: dualmem report RECORD.")
    build = builds.load(build_folder)
    target = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as scratch:
            made, old = Path(scratch) / "new", Path(scratch) / "old"
            shutil.copytree(build_folder, made / "build")
            records.save(record, made / "record.json")
            if target.exists():
                target.rename(old)
            try:
                made.rename(target)
            except OSError:
                if old.exists():
                    old.rename(target)
                raise
    except OSError as error:
        why = error.args[0][0][2] if isinstance(error, shutil.Error) else error.strerror  # (source, target, why) of each file
        raise BaselineError(f"{target}: {why}", hint="Nothing was changed.") from None
    return Baseline(name=name, record=record, build=build)


def load(folder: Path, name: str) -> Baseline:
    """Read and check a baseline. Raises BaselineError with what to do."""
    home = folder / name
    again = f"Save it again: dualmem bench && dualmem baseline save {name}."
    if not _NAME.fullmatch(name) or not home.is_dir():
        known = names(folder)
        hint = f"Known: {', '.join(known)}." if known else f"Make one: dualmem bench && dualmem baseline save {name}."
        raise BaselineError(f'there is no baseline "{name}" in {folder}', hint=hint)
    try:
        record = records.load(home / "record.json")
        build = builds.load(home / "build")
    except (RecordError, BuildError) as error:
        raise BaselineError(f'baseline "{name}" cannot be used: {error.what}', hint=again) from None
    if [build.digest] != [made_with.digest for made_with in record.builds[:1]]:  # behind it may be peers
        raise BaselineError(f'baseline "{name}" cannot be used: its record was made with another build', hint=again)
    return Baseline(name=name, record=record, build=build)


def names(folder: Path) -> tuple[str, ...]:
    """The baselines there are, sorted."""
    if not folder.is_dir():
        return ()
    return tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")))


def choose(folder: Path, name: str) -> str:
    """The baseline to compare with: the one named; without a name the only one there is, else "main"."""
    known = names(folder)
    if name:
        return name
    return known[0] if len(known) == 1 else "main"

"""What a comparison is since: the baseline's revision, its age, and whether it was made on this machine. Words only."""

from dualmem_cli.judge.fingerprint import FieldChange, machine_changes
from dualmem_cli.model.machine import Machine
from dualmem_cli.model.record import Record
from dualmem_cli.report.phrases import age_text

_SHORT_REVISION = 10


def since_words(record: Record) -> str:
    """What the header says of the baseline: 'revision 3f2a91c0d5, 2 days ago, same machine'; "" where nothing is known of it."""
    since = record.since
    if since is None:
        return ""
    revision = f"revision {short_revision(since.revision)}" if since.revision else ""
    parts = [revision, age_text(since.created, now=record.created), machine_words(since.machine, record.machine)]
    return ", ".join(part for part in parts if part)


def regressed_since(record: Record) -> str:
    """What a FAIL says: 'since main, 3f2a91c0d5, 2 days ago'; "" where nothing is known of the baseline."""
    since = record.since
    if since is None:
        return ""
    parts = [record.baseline, short_revision(since.revision), age_text(since.created, now=record.created)]
    return f"since {', '.join(part for part in dict.fromkeys(parts) if part)}"


def machine_words(before: Machine | None, after: Machine) -> str:
    """'same machine', or the fields in which they differ; "" when the baseline was built here, by this run."""
    if before is None:
        return ""
    changes = machine_changes(before, after)
    return f"other machine: {', '.join(map(change_words, changes))}" if changes else "same machine"


def change_words(change: FieldChange) -> str:
    """'microcode 0x1 -> 0x2'."""
    return f"{change.name} {change.before or 'not known'} -> {change.after or 'not known'}"


def short_revision(revision: str) -> str:
    """A revision as git abbreviates it here; the mark of uncommitted changes stays."""
    mark = "+" if revision.endswith("+") else ""
    return revision.removesuffix("+")[:_SHORT_REVISION] + mark

"""The history: what records found, in one DuckDB file. Nothing else imports duckdb, and nothing in here reaches a network.

Every change is one transaction: a process that is killed, a full disk, leave the file as it was before.
"""

import contextlib
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, fields, replace
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dualmem_cli.errors import HistoryError, RecordError
from dualmem_cli.judge.fingerprint import place_of
from dualmem_cli.model.history import Amount, Entry, Judged, Kept, Measured, Point, Series, Told
from dualmem_cli.model.machine import Machine
from dualmem_cli.model.metric import Better
from dualmem_cli.model.verdict import Verdict
from dualmem_cli.store.documents import write_atomically
from dualmem_cli.store.history_schema import MIGRATIONS, TABLES, VERSION

if TYPE_CHECKING:
    import duckdb

FILE = "history.duckdb"
REMEDY = "pip install 'dualmem[history]'"
_SETTINGS: dict[str, Any] = {"threads": 1, "autoinstall_known_extensions": False, "autoload_known_extensions": False}
_WAIT_S = 5.0
_PAUSE_S = 0.05
_MAGIC = slice(8, 12), b"DUCK"
_SENTENCE = re.compile(r"^(?:[A-Z]\w+ )?(?:Error|exception): ", re.IGNORECASE)
_HELD = "lock on file"
_LEAST_DIGITS = 4


class Outcome(StrEnum):
    """What became of a record that was to be added."""

    ADDED = "added"
    KNOWN = "already there"
    REPLACED = "replaced an earlier state of the same run"
    OLDER = "left out: the whole of this run is there"


class History:
    """An open history. Raises HistoryError from every method."""

    def __init__(self, path: Path, *, write: bool, create: bool = True, wait_s: float = _WAIT_S) -> None:
        self._path = path
        _check_file(path, create=write and create)
        fresh = write and not path.exists()
        self._connection = _connected(path, write=write, wait_s=wait_s)
        try:
            with self._told():
                self._migrate(write=write, wait_s=wait_s)
        except HistoryError:
            self._connection.close()
            if fresh:
                for left in (path, path.with_name(f"{path.name}.wal")):
                    left.unlink(missing_ok=True)
            raise

    def __enter__(self) -> "History":
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        if kind is None:
            with self._told():
                self._connection.close()
        else:
            with contextlib.suppress(Exception):  # what went wrong before is on its way to the caller
                self._connection.close()

    def add(self, entry: Entry) -> Outcome:
        """Add a record, unless it is there. A run that was saved while it went on, or was interrupted, gives way to the same run's later
        record."""
        record = entry.record
        with self._told(), self._transaction():
            same = self._rows(
                "SELECT digest, interrupted FROM records WHERE digest = ? OR (created = ? AND seed = ? AND command = ?)",
                [record.digest, record.created, record.seed, record.command],
            )
            if any(digest == record.digest for digest, _ in same):
                return Outcome.KNOWN
            if record.interrupted and any(not interrupted for _, interrupted in same):
                return Outcome.OLDER
            unfinished = [digest for digest, interrupted in same if interrupted]
            self._delete(unfinished)
            self._insert("records", [astuple(replace(record, machine=self._machine(entry)))])
            self._insert("amounts", [(record.digest, *_flat(amount)) for amount in entry.amounts])
            self._insert("verdicts", [(record.digest, *astuple(judged)) for judged in entry.verdicts])
        return Outcome.REPLACED if unfinished else Outcome.ADDED

    def remove(self, digests: Sequence[str]) -> None:
        """Remove records, by their whole digests, with all that was kept of them."""
        with self._told(), self._transaction():
            self._delete(digests)
            self._connection.execute("DELETE FROM machines WHERE id NOT IN (SELECT machine FROM records)")

    def digest_of(self, start: str) -> str:
        """The whole digest of the record whose digest begins so."""
        with self._told():
            found = [digest for (digest,) in self._rows("SELECT digest FROM records WHERE starts_with(digest, ?)", [start])]
        if len(start) < _LEAST_DIGITS or not found:
            raise HistoryError(
                f'{self._path} has no record "{start}"',
                hint="Give a record file or four or more digits: dualmem history records.",
            )
        if len(found) > 1:
            raise HistoryError(f'{len(found)} records begin with "{start}"', hint="Give more digits: dualmem history records.")
        (digest,) = found
        return str(digest)

    def records(self, *, since: datetime | None = None, machine: str = "") -> tuple[Kept, ...]:
        """The records, the oldest first."""
        where, values = _where(since, machine)
        with self._told():
            rows = self._rows(f"SELECT * FROM records r WHERE {where} ORDER BY created, digest", values)
        return tuple(Kept(*row) for row in rows)

    def machines(self) -> tuple[tuple[str, Machine], ...]:
        """The machines by name, in the order in which they first measured."""
        with self._told():
            return self._machines()

    def series(self, *, since: datetime | None = None, machine: str = "") -> tuple[Series, ...]:
        """All series, by scenario and case, each in time order: of each machine its own, or of all where the number is shared."""
        where, values = _where(since, machine)
        measured = [field.name for field in fields(Measured)]
        named = ", ".join(f"a.{name}" for name in measured)
        record = ", ".join(f"r.{field.name}" for field in fields(Kept))
        of = "CASE WHEN a.shared THEN '' ELSE r.machine END"
        with self._told():
            rows = self._rows(
                f"SELECT {named}, {of}, {record}, a.value, a.low, a.high FROM amounts a JOIN records r ON a.digest = r.digest "
                f"WHERE {where} ORDER BY a.command, {of}, {named}, r.created, r.digest",
                values,
            )
        width = len(measured)
        return tuple(
            Series(_measured(key[:width]), key[width], tuple(_point(row[width + 1 :]) for row in found))
            for key, found in groupby(rows, key=lambda row: row[: width + 1])
        )

    def verdicts(self, *, since: datetime | None = None, machine: str = "") -> tuple[Told, ...]:
        """All verdicts, the last first."""
        where, values = _where(since, machine)
        record = ", ".join(f"r.{field.name}" for field in fields(Kept))
        judged = ", ".join(f"v.{field.name}" for field in fields(Judged))
        with self._told():
            rows = self._rows(
                f"SELECT {record}, {judged} FROM verdicts v JOIN records r ON v.digest = r.digest "
                f"WHERE {where} ORDER BY r.created DESC, r.digest, v.rowid",
                values,
            )
        width = len(fields(Kept))
        return tuple(Told(Kept(*row[:width]), _judged(row[width:])) for row in rows)

    def export(self, table: str, path: Path, *, parquet: bool) -> int:
        """Write a table, each row with the facts of its record, to a file that is there whole or not at all. Returns the number of rows."""
        with tempfile.TemporaryDirectory(prefix="dualmem-history-") as scratch:
            made = Path(scratch) / "table"
            with self._told():
                relation = self._connection.sql(TABLES[table])
                if parquet:
                    relation.write_parquet(str(made))
                else:
                    relation.write_csv(str(made))
                (count,) = self._rows(f"SELECT count(*) FROM ({TABLES[table]})")[0]
            try:
                write_atomically(path, made.read_bytes(), hint="Nothing was written.")
            except RecordError as error:
                raise HistoryError(error.what, hint=error.hint) from None
        return int(count)

    def _migrate(self, *, write: bool, wait_s: float) -> None:
        known = {name for (name,) in self._rows("SELECT table_name FROM duckdb_tables()")}
        if "dualmem_history" not in known and known:
            raise HistoryError(f"{self._path}: a database of another program", hint="Choose another file.")
        version = self._rows("SELECT version FROM dualmem_history")[0][0] if known else 0
        if version > VERSION:
            raise HistoryError(
                f"{self._path}: version {version}; this dualmem reads up to {VERSION}", hint="Use a newer dualmem."
            )
        if version == VERSION:
            return
        if not write:  # an older file is brought up to date once, then read
            self._connection.close()
            self._connection = _connected(self._path, write=True, wait_s=wait_s)
        with self._transaction():
            for script in MIGRATIONS[version:]:
                self._connection.execute(script)
            self._connection.execute("UPDATE dualmem_history SET version = ?", [VERSION])

    def _machine(self, entry: Entry) -> str:
        """The name of the record's machine, under which it may be known with a page more or less of memory."""
        known = self._machines()
        place = place_of(entry.machine, [machine for _, machine in known])
        if place < len(known):
            return known[place][0]
        facts = _facts().dump_json(entry.machine).decode()
        machine = entry.machine
        self._insert("machines", [(entry.record.machine, machine.cpu, machine.architecture, machine.cores, facts)])
        return entry.record.machine

    def _machines(self) -> tuple[tuple[str, Machine], ...]:
        return tuple(
            (name, _facts().validate_json(text)) for name, text in self._rows("SELECT id, facts FROM machines ORDER BY rowid")
        )

    def _delete(self, digests: Sequence[str]) -> None:
        for digest in digests:
            for table in ("verdicts", "amounts", "records"):
                self._connection.execute(f"DELETE FROM {table} WHERE digest = ?", [digest])

    def _insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """All rows in one statement: one at a time takes 8 ms each."""
        if rows:
            marks = ", ".join([f"({', '.join('?' * len(rows[0]))})"] * len(rows))
            self._connection.execute(f"INSERT INTO {table} VALUES {marks}", [value for row in rows for value in row])

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, list(values)).fetchall()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            with contextlib.suppress(Exception):  # the first failure is what is told
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            raise _refusal(self._path, error) from None


def _check_file(path: Path, *, create: bool) -> None:
    """What the database would say in more words, or try to mend with an extension from the network."""
    try:
        if path.is_dir():
            raise HistoryError(f"{path}: a folder", hint="Give a file.")
        if not path.exists():
            if not create:
                raise HistoryError(f"there is no history {path}", hint="Begin one: dualmem history add --all.")
            path.parent.mkdir(parents=True, exist_ok=True)
            return
        with path.open("rb") as file:
            head = file.read(_MAGIC[0].stop)
        if not head and create:
            path.unlink()
    except OSError as error:
        raise HistoryError(f"{path}: {error.strerror}", hint="Choose another file.") from None
    if head and head[_MAGIC[0]] != _MAGIC[1]:
        raise HistoryError(f"{path}: not a history of dualmem", hint="Choose another file.")
    if not head and not create:
        raise HistoryError(f"{path}: empty", hint="Begin a history: dualmem history add --all.")


def _connected(path: Path, *, write: bool, wait_s: float) -> "duckdb.DuckDBPyConnection":
    """An open database; another process that has it gets `wait_s` to finish."""
    try:
        import duckdb
    except ImportError:
        raise HistoryError("the history needs the package duckdb", hint=f"{REMEDY}.") from None
    end = time.monotonic() + wait_s
    while True:
        try:
            return duckdb.connect(str(path), read_only=not write, config=_SETTINGS)
        except duckdb.Error as error:
            if _HELD not in str(error) or time.monotonic() > end:
                raise _refusal(path, error) from None
        time.sleep(_PAUSE_S)


def _refusal(path: Path, error: Exception) -> HistoryError:
    """The database's sentence in one line, with what to do."""
    text = _SENTENCE.sub("", str(error).partition("\n")[0]).rstrip(".!")
    if _HELD in text:
        holder = re.search(r"\(PID (\d+)\)", text)
        who = f"process {holder[1]}" if holder else "another process"
        return HistoryError(f"{path}: in use by {who}", hint="Try again when it has finished; nothing was changed.")
    if "orrupt" in text or "checksum" in text or "read enough bytes" in text:
        return HistoryError(
            f"{path}: damaged: {text}", hint="Move it away and make it again from the records: dualmem history add --all."
        )
    return HistoryError(f"{path}: {text}", hint="Nothing was changed.")


def _where(since: datetime | None, machine: str) -> tuple[str, list[Any]]:
    conditions = ["true"]
    values: list[Any] = []
    if since is not None:
        conditions.append("r.created >= ?")
        values.append(since)
    if machine:
        conditions.append("r.machine = ?")
        values.append(machine)
    return " AND ".join(conditions), values


def _flat(amount: Amount) -> Iterable[Any]:
    return (*astuple(amount.measured), amount.value, amount.low, amount.high, amount.count)


def _measured(row: Sequence[Any]) -> Measured:
    command, scenario, kernel, variant, case, parameters, data, quantity, unit, better, shared = row
    return Measured(command, scenario, kernel, variant, case, parameters, data, quantity, unit, Better(better), shared)


def _point(row: Sequence[Any]) -> Point:
    *record, value, low, high = row
    return Point(Kept(*record), value, low, high)


def _judged(row: Sequence[Any]) -> Judged:
    scenario, kernel, variant, case, verdict, *rest = row
    return Judged(scenario, kernel, variant, case, Verdict(verdict), *rest)


def _facts() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Machine)

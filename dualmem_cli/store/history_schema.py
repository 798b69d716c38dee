"""The tables of a history, version by version. A script that was released never changes: what is new is one more script."""

MIGRATIONS = (
    """
    CREATE TABLE dualmem_history (version INTEGER NOT NULL);
    INSERT INTO dualmem_history VALUES (0);
    CREATE TABLE machines (id VARCHAR PRIMARY KEY, cpu VARCHAR, architecture VARCHAR, cores INTEGER, facts VARCHAR);
    CREATE TABLE records (
      digest VARCHAR NOT NULL, command VARCHAR, created TIMESTAMP, seed UBIGINT, revision VARCHAR, dirty BOOLEAN, machine VARCHAR,
      build VARCHAR, library VARCHAR, compiler VARCHAR, baseline VARCHAR, tool VARCHAR, gate VARCHAR, seconds DOUBLE,
      interrupted BOOLEAN);
    CREATE TABLE amounts (
      digest VARCHAR NOT NULL, command VARCHAR, scenario VARCHAR, kernel VARCHAR, variant VARCHAR, "case" VARCHAR, parameters VARCHAR,
      data VARCHAR, quantity VARCHAR, unit VARCHAR, better VARCHAR, shared BOOLEAN, value DOUBLE, low DOUBLE, high DOUBLE,
      count INTEGER);
    CREATE TABLE verdicts (
      digest VARCHAR NOT NULL, scenario VARCHAR, kernel VARCHAR, variant VARCHAR, "case" VARCHAR, verdict VARCHAR, change DOUBLE,
      low DOUBLE, high DOUBLE, threshold DOUBLE, reason VARCHAR);
    """,
)
"""From one version to the next."""

VERSION = len(MIGRATIONS)

_RECORD = (
    "r.digest, r.command, r.created, r.revision, r.dirty, r.build, r.library, r.compiler, r.baseline, r.tool, r.interrupted, "
    "r.machine, m.cpu, m.architecture, m.cores"
)
_JOINED = "JOIN records r ON x.digest = r.digest LEFT JOIN machines m ON r.machine = m.id"

TABLES = {
    "amounts": f"SELECT {_RECORD}, x.* EXCLUDE (digest, command) FROM amounts x {_JOINED} ORDER BY r.created, r.digest, x.rowid",
    "verdicts": f"SELECT {_RECORD}, x.* EXCLUDE (digest) FROM verdicts x {_JOINED} ORDER BY r.created, r.digest, x.rowid",
    "records": f"SELECT {_RECORD} FROM records r LEFT JOIN machines m ON r.machine = m.id ORDER BY r.created, r.digest",
}
"""What can be exported: the rows of a table, each beside the facts of its record and machine."""

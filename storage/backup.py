"""The tables in a backup or restore: find and count them, empty them, and fill them from the output of pg_restore."""

import re
from collections.abc import Callable
from typing import IO, Any, cast

from psycopg2.errors import DependentObjectsStillExist
from psycopg2.extensions import ConnectionInfo, make_dsn
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from models import Base
from storage import impressions, schema
from storage.bulk_copy import copy_in
from storage.errors import BackupError, NotEmptyError, UnknownRevisionError

# Only our tables: we may lack the right to read those of other applications. A table that a later revision drops must
# stay in this set, for backups of earlier revisions.
NAMES = frozenset(Base.metadata.tables)
# libpq parameters that are passed on beside the address; no secrets, because they become arguments of a program
_TLS_OPTIONS = ("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "channel_binding", "gssencmode", "krbsrvname")

# pg_restore names the schema of the backup's tables; here they may lie in another one
_COPY = re.compile(rb'COPY (?:.*\.)?"?(\w+)"? (\(.+\)) FROM stdin;\n')
_SETVAL = re.compile(rb"SELECT pg_catalog\.setval\('(?:.*\.)?\"?(\w+)\"?', (\d+), (true|false)\);\n")
_END_OF_ROWS = b"\\.\n"


def tables(db: Connection) -> dict[str, str]:
    """Return our tables that exist, each with its name as SQL has it: with the schema, quoted where needed.

    Partitions take the place of the table that they are parts of.
    """
    found = db.execute(
        text("""
            SELECT pg_class.relname, format('%I.%I', nspname, pg_class.relname) AS qualified
            FROM pg_class JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
            LEFT JOIN pg_inherits ON inhrelid = pg_class.oid LEFT JOIN pg_class parent ON parent.oid = inhparent
            WHERE coalesce(parent.relname, pg_class.relname) = ANY(:names) AND pg_class.relkind = 'r'
                AND pg_table_is_visible(pg_class.oid)
            ORDER BY 1
        """),
        {"names": list(NAMES)},
    )
    return {row.relname: row.qualified for row in found}


def count_rows(db: Connection) -> dict[str, int]:
    """Return how many rows each of our tables has."""
    return {
        name: db.scalar(text(f"SELECT count(*) FROM {qualified}"))  # noqa: S608 - its own name
        for name, qualified in tables(db).items()
    }


def export_snapshot(db: Connection) -> str:
    """Return the id by which another connection can see what this one sees; `db`: a transaction that stays open."""
    db.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    return db.scalar(text("SELECT pg_export_snapshot()"))


def server_version(db: Connection) -> int:
    """Return the major version of PostgreSQL."""
    return int(_info(db).server_version) // 10_000


def connection_string(db: Connection) -> tuple[str, str]:
    """Return the connection string for another program, and separately the password."""
    info = _info(db)
    options = {name: value for name, value in info.dsn_parameters.items() if name in _TLS_OPTIONS}
    # of several hosts, only the connected one has this snapshot
    address = {"host": info.host, "port": info.port, "user": info.user, "dbname": info.dbname}
    return make_dsn(**options, **address), info.password or ""


def known_revision(db: Connection) -> str | None:
    """Return the revision of the tables, None where there are none.

    Raises `UnknownRevisionError` for one that this version does not know, since there may be more tables than it sees.
    """
    revision = schema.current(db)
    if revision is not None and revision not in schema.revisions():
        raise UnknownRevisionError(revision, schema.head())
    return revision


def make_empty(db: Connection, revision: str) -> None:
    """Make the tables of a revision in a database that has no row of ours; `db` must be a transaction.

    Tables that are of this revision stay as they are, and with them whatever others made to depend on them.

    Raises:
        NotEmptyError: there is a row in one of our tables.
        UnknownRevisionError: this version does not know the revision, or that of the tables that are there.
        BackupError: the tables have to be replaced, and something of others depends on them.
    """
    schema.lock(db)
    there = known_revision(db)
    for name, qualified in tables(db).items():
        db.execute(text(f"LOCK TABLE {qualified} IN EXCLUSIVE MODE"))  # no write before the restore ends
        if db.scalar(text(f"SELECT EXISTS (SELECT FROM {qualified})")):  # noqa: S608 - its own name
            raise NotEmptyError(name)
    if there != revision:
        _drop(db, revision)
        schema.migrate_to(db, revision)


def _drop(db: Connection, wanted: str) -> None:
    try:
        schema.drop(db)
    except DBAPIError as error:
        if not isinstance(error.orig, DependentObjectsStillExist):
            raise
        raise BackupError(
            f"The tables here have to be replaced, as those of revision {wanted}, and others depend on them: "
            f"{', '.join((error.orig.diag.message_detail or '').splitlines())}. Nothing was changed. Drop what depends "
            "on them and make it again after the restore, or restore into a new database (CREATE DATABASE makes one)."
        ) from error


def fill(db: Connection, script: IO[bytes], advance: Callable[[int], object]) -> None:
    """Fill empty tables from the script that pg_restore writes; call `advance` for each row.

    Only the rows and the newest ids are used. The script also has settings of the version of pg_restore, some of
    which an older server refuses (transaction_timeout before version 17).
    """
    db.execute(text("SET LOCAL client_encoding = 'UTF8'"))
    while line := script.readline():
        if table := _COPY.fullmatch(line):
            impressions.make_partition_named(db, table[1].decode())
            rows = cast(IO[bytes], _TableRows(script, advance))
            copy_in(db, f'"{table[1].decode()}" {table[2].decode()}', rows, "FORMAT text")
        elif newest := _SETVAL.fullmatch(line):
            db.execute(
                text("SELECT setval(CAST(:sequence AS regclass), :last, :given)"),
                {"sequence": f'"{newest[1].decode()}"', "last": int(newest[2]), "given": newest[3] == b"true"},
            )


class _TableRows:
    """A file-like reader of the rows of one table in the script of pg_restore."""

    def __init__(self, script: IO[bytes], advance: Callable[[int], object]) -> None:
        self._script, self._advance = script, advance

    def read(self, size: int) -> bytes:
        """Return the next row whatever its size; nothing at the end of the table."""
        row = self._script.readline()
        if row == _END_OF_ROWS:
            return b""
        self._advance(1)
        return row


def finish(db: Connection) -> None:
    """Migrate the filled tables to the newest revision, and update the statistics of the planner."""
    schema.migrate_to(db, schema.HEAD)
    db.execute(text("ANALYZE"))


def _info(db: Connection) -> ConnectionInfo:
    driver: Any = db.connection.driver_connection
    return driver.info

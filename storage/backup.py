"""Whole tables out and in again, whichever revision they are of: what a backup is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from psycopg2.errors import DependentObjectsStillExist
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.exc import DBAPIError

from models import Base
from storage import schema
from storage.bulk_copy import copy_in, copy_out
from storage.errors import BackupError, NotEmptyError, UnknownRevisionError

# what our tables are called: whatever else is in the database is somebody else's, who may not let us read it. Every
# revision has had these; the name of one that is no longer made would have to stay here
NAMES = frozenset(Base.metadata.tables)

# what the text of a value depends on
_FORMS = {
    "client_encoding": "UTF8",
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "extra_float_digits": "1",
    "bytea_output": "hex",
}


@dataclass(frozen=True)
class Table:
    """A table as it is in a database; `counter` is the column that PostgreSQL counts up, if there is one."""

    name: str
    columns: Sequence[str]
    counter: str | None


def fix_forms(db: Connection) -> None:
    """Have values read and written in one form, wherever this database's defaults come from; `db`: a transaction."""
    for name, value in _FORMS.items():
        db.execute(text(f"SET LOCAL {name} = '{value}'"))


def tables(db: Connection) -> list[Table]:
    """Every table of ours, those that others refer to first."""
    found = MetaData()
    found.reflect(db, only=lambda name, _: name in NAMES)
    return [
        Table(
            table.name,
            [column.name for column in table.columns],
            next((column.name for column in table.columns if column.identity is not None), None),
        )
        for table in found.sorted_tables
    ]


def write(db: Connection, table: Table, file: IO[bytes]) -> int:
    """Write a table as CSV lines; how many rows it has."""
    return copy_out(db, f"SELECT {_columns(table)} FROM {_quoted(table.name)}", file)  # noqa: S608 - names of tables


def read(db: Connection, table: Table, file: IO[bytes]) -> int:
    """Fill a table with what `write` wrote, ids included; how many rows that is."""
    return copy_in(db, f"{_quoted(table.name)} ({_columns(table)})", file)


def last_id(db: Connection, table: Table) -> int | None:
    """The newest id that was given in a table, to a row that may be gone; None before the first."""
    found: int | None = db.execute(
        text("SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence(:table, :column) AS regclass))"),
        {"table": table.name, "column": table.counter},
    ).scalar_one()
    return found


def go_on_from(db: Connection, table: Table, last: int) -> None:
    """Have ids of a table given from the one after `last` on."""
    db.execute(
        text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)"),
        {"table": table.name, "column": table.counter, "last": last},
    )


def known(db: Connection) -> str | None:
    """The revision of the tables, None where there are none.

    Raises `UnknownRevisionError` for one that this version does not know, since there may be more tables than it sees.
    """
    revision = schema.current(db)
    if revision is not None and revision not in schema.revisions():
        raise UnknownRevisionError(revision, schema.head())
    return revision


def make_empty(db: Connection, revision: str) -> list[Table]:
    """Make the tables of a revision in a database that holds nothing of ours; `db` must be a transaction.

    Those that are of this revision stay as they are, with whatever somebody else has made to depend on them.

    Raises:
        NotEmptyError: there is a row in one of our tables.
        UnknownRevisionError: this version does not know the revision, or that of the tables that are there.
        BackupError: these have to be made anew, and something of somebody else depends on them.
    """
    schema.lock(db)
    there = known(db)
    for table in tables(db):
        # it is to stay empty until it is filled
        db.execute(text(f"LOCK TABLE {_quoted(table.name)} IN EXCLUSIVE MODE"))
        if db.execute(text(f"SELECT EXISTS (SELECT FROM {_quoted(table.name)})")).scalar_one():  # noqa: S608 - its own name
            raise NotEmptyError(table.name)
    if there != revision:
        _drop(db, revision)
        schema.migrate_to(db, revision)
    return tables(db)


def _drop(db: Connection, wanted: str) -> None:
    try:
        schema.drop(db)
    except DBAPIError as error:
        if not isinstance(error.orig, DependentObjectsStillExist):
            raise
        raise BackupError(
            f"The tables here have to be made anew, as those of revision {wanted}, and others depend on them: "
            f"{', '.join((error.orig.diag.message_detail or '').splitlines())}. Nothing was changed. Drop what depends "
            "on them and make it again after the restore, or restore into a new database (CREATE DATABASE makes one)."
        ) from error


def finish(db: Connection) -> None:
    """Bring filled tables of any revision to the newest, and have PostgreSQL learn what is in them."""
    schema.migrate_to(db, schema.HEAD)
    db.execute(text("ANALYZE"))


def _columns(table: Table) -> str:
    return ", ".join(_quoted(name) for name in table.columns)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

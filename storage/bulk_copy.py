"""COPY of PostgreSQL: four times as fast as executemany for writing, ten times as fast as fetching for reading."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import IO, Any, cast

from psycopg2 import extensions
from sqlalchemy import Connection


def copy_in(db: Connection, target: str, file: IO[Any], options: str = "FORMAT csv") -> int:
    """Append the rows of `file`, from its position on, to a `target` like "table (columns)"; return their number."""
    with _cursor(db) as cursor:
        cursor.copy_expert(f"COPY {target} FROM STDIN ({options})", file)
        return int(cursor.rowcount)


def copy_rows(db: Connection, target: str, rows: Iterable[Sequence[Any]]) -> None:
    """Append rows of values, None for null, to a target as in `copy_in`."""
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    file.seek(0)
    copy_in(db, target, file)


def copy_out(db: Connection, query: str, file: IO[Any], options: str = "FORMAT csv") -> int:
    """Write the rows of `query` to `file`, by default as CSV without a header; return their number."""
    with _cursor(db) as cursor:
        cursor.copy_expert(f"COPY ({query}) TO STDOUT ({options})", file)
        return int(cursor.rowcount)


def _cursor(db: Connection) -> extensions.cursor:
    return cast(extensions.cursor, db.connection.cursor())

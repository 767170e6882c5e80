"""PostgreSQL's COPY, the fast way for many rows: in four times as fast as executemany, out ten times as fetching."""

from typing import IO, Any, cast

from psycopg2 import extensions
from sqlalchemy import Connection


def copy_in(db: Connection, target: str, file: IO[Any], options: str = "FORMAT csv") -> int:
    """Append the rows of `file`, from its position on, to a table, "table (columns)"; how many they were."""
    with _cursor(db) as cursor:
        cursor.copy_expert(f"COPY {target} FROM STDIN ({options})", file)
        return int(cursor.rowcount)


def copy_out(db: Connection, query: str, file: IO[Any], options: str = "FORMAT csv") -> int:
    """Write the rows of `query` to `file`, as CSV without a header or as COPY's `options` say; how many they were."""
    with _cursor(db) as cursor:
        cursor.copy_expert(f"COPY ({query}) TO STDOUT ({options})", file)
        return int(cursor.rowcount)


def _cursor(db: Connection) -> extensions.cursor:
    return cast(extensions.cursor, db.connection.cursor())

"""Statements of which every request has one: PostgreSQL plans them once for each connection, not each time.

To plan the statement that reads a list takes PostgreSQL three times as long as to carry it out, and SQLAlchemy takes
as long again to make rows of what comes. So these go to the driver as they are, and their rows are its tuples.
"""

import re
from typing import Any, cast

import psycopg2
from sqlalchemy import Connection

HEAD = re.compile(r"\s*PREPARE (\w+) \(([^)]+)\) AS\s")


class PreparedStatement:
    """One statement, given as "PREPARE name (types) AS ..." with parameters $1, $2 ...; `body` is what follows that."""

    def __init__(self, sql: str) -> None:
        _, name, types, self.body = HEAD.split(sql)
        self.sql = sql
        self._name = name
        self._execute = f"EXECUTE {name} ({', '.join(['%s'] * len(types.split(',')))})"

    def rows(self, db: Connection, *values: Any) -> list[tuple[Any, ...]]:
        """Carry it out on this connection, with a value for each parameter, and return all rows, if it has any.

        Raises what psycopg2 raises, and its `OperationalError` for any way in which the connection was lost.
        """
        wire = db.connection
        try:
            cursor = wire.info.get(self._name)
            if cursor is None:
                cursor = wire.cursor()
                cursor.execute(self.sql)
                wire.info[self._name] = cursor  # the statement lives as long as the connection, and so may this
            cursor.execute(self._execute, values)
            return cast("list[tuple[Any, ...]]", cursor.fetchall()) if cursor.description else []
        except psycopg2.Error as error:
            if wire.dbapi_connection is not None and wire.dbapi_connection.closed:
                db.invalidate(error)
                raise psycopg2.OperationalError(str(error)) from error
            raise

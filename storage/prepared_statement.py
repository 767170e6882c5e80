"""Prepared statements for what every request does: PostgreSQL plans them once for each connection.

Planning the statement that reads a list takes PostgreSQL three times as long as executing it, and SQLAlchemy takes as
long again to make rows. So these statements go straight to the driver and return its tuples.
"""

import re
from typing import Any, cast

import psycopg2
from sqlalchemy import Connection

HEAD = re.compile(r"\s*PREPARE (\w+) \(([^)]+)\) AS\s")


class PreparedStatement:
    """A statement of the form "PREPARE name (types) AS ..." with parameters $1, $2 ...; `body` is what follows AS."""

    def __init__(self, sql: str) -> None:
        _, name, types, self.body = HEAD.split(sql)
        self.sql = sql
        self._name = name
        self._execute = f"EXECUTE {name} ({', '.join(['%s'] * len(types.split(',')))})"

    def rows(self, db: Connection, *values: Any) -> list[tuple[Any, ...]]:
        """Execute it with a value for each parameter, and return all rows.

        Raises what psycopg2 raises; a lost connection is always its `OperationalError`.
        """
        wire = db.connection
        try:
            cursor = wire.info.get(self._name)
            if cursor is None:
                cursor = wire.cursor()
                cursor.execute(self.sql)
                wire.info[self._name] = cursor  # the statement lives as long as the connection
            cursor.execute(self._execute, values)
            return cast("list[tuple[Any, ...]]", cursor.fetchall()) if cursor.description else []
        except psycopg2.Error as error:
            if wire.dbapi_connection is not None and wire.dbapi_connection.closed:
                db.invalidate(error)
                raise psycopg2.OperationalError(str(error)) from error
            raise

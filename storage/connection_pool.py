"""The connection pool: it counts waits for a connection and replaces connections that PostgreSQL has closed."""

import select
import time
from collections import deque
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool

SPARE_CONNECTIONS = 4  # for the jobs, beside one for each thread that answers requests
LOOK_SECONDS = 0.1  # between two looks whether PostgreSQL has closed a connection that is in use
LOOKED_KEY = "looked"  # where the pool keeps the time of the last one


class ConnectionPool(QueuePool):
    """A pool that counts how often a thread had to wait for a connection, and keeps some checked out for reuse.

    To check out and return a connection takes SQLAlchemy as long as PostgreSQL takes for a prepared statement. So a
    connection that has run only prepared statements stays checked out for the next thread. The spare ones are not kept.
    """

    waits = 0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._kept: deque[Connection] = deque()

    def take(self, engine: Engine) -> Connection:
        """Return a connection: the one that was kept last, or else one that is checked out."""
        while (db := self._pop()) is not None:
            if not _is_closed(db.connection):
                return db
            db.close()  # `refuse_closed` replaces it when it is next checked out
        return engine.connect()

    def put_back(self, db: Connection) -> None:
        """Keep a connection checked out for the next thread, or return it if it ran more than prepared statements."""
        changed = db.invalidated or db.in_transaction() or db.get_execution_options()
        if changed or len(self._kept) >= self.size() - SPARE_CONNECTIONS:
            db.close()
        else:
            self._kept.append(db)

    def return_failed(self, db: Connection) -> None:
        """Return a connection after an error. If it was lost, return the kept ones too: they may be lost as well."""
        if db.invalidated:
            self._return_kept()
        db.close()

    def checkedout(self) -> int:
        """Return how many connections are in use."""
        return super().checkedout() - len(self._kept)

    def dispose(self) -> None:
        self._return_kept()
        super().dispose()

    def _pop(self) -> Connection | None:
        try:
            return self._kept.pop()
        except IndexError:  # it was empty, or another thread was quicker
            return None

    def _return_kept(self) -> None:
        while (db := self._pop()) is not None:
            db.connection.info.pop(LOOKED_KEY, None)  # looked at when it is next checked out
            db.close()

    def _do_get(self) -> ConnectionPoolEntry:
        # unlocked, so two threads at once may count as one: a lock would cost every request more than it is worth
        if super().checkedout() >= self.size():
            self.waits += 1
        return super()._do_get()


def refuse_closed(connection: object, record: object, proxy: PoolProxiedConnection) -> None:
    """Replace a pooled connection that PostgreSQL has closed, and all others as old."""
    if _is_closed(proxy):
        raise InvalidatePoolError


def _is_closed(connection: PoolProxiedConnection) -> bool:
    """Return whether PostgreSQL has closed a connection that waits for work.

    An idle connection with something to read has been closed by the server. To ask the kernel takes 2 us, where asking
    PostgreSQL takes a round trip; but then another thread runs first, which under load costs 7 % of all reads. So one
    in use is asked ten times a second: PostgreSQL takes longer than that to come back. Work that fails is not begun
    again: a write that is repeated could overwrite a rating that came in between.
    """
    driver = connection.dbapi_connection
    if driver is None or driver.closed:
        return True
    now = time.monotonic()
    if now - connection.info.get(LOOKED_KEY, 0.0) < LOOK_SECONDS:
        return False
    look = select.poll()
    look.register(driver.fileno(), select.POLLIN)
    if look.poll(0):
        return True
    connection.info[LOOKED_KEY] = now
    return False

"""One deadline for each use of the database: a place in the pool, a connection, and the answers of PostgreSQL.

PostgreSQL itself keeps `statement_timeout`, and only while it works. libpq has no limit for an answer, and TCP's limits
notice a dead network, not a PostgreSQL that hangs: the kernel of its machine still confirms every packet. psycopg2's
wait callback could keep a limit, but there is one for the whole process, and COPY does not work with it.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, cast

import psycopg2
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from storage.connection_pool import ConnectionPool
from storage.driver_errors import NO_ANSWER, REQUEST_SECONDS, raise_if_unavailable

LOOK_SECONDS = 0.05  # between two checks for connections that are late
SOCKET_KEY = "socket"  # where the pool keeps what `socket_of` has made of a connection


class Watchdog:
    """Cuts connections whose deadline has passed, in one thread for all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[socket.socket, float] = {}
        self._thread: threading.Thread | None = None

    def watch(self, watched: socket.socket, until: float) -> None:
        """Cut a connection at the monotonic time `until` unless `unwatch` comes before; its thread gets an error."""
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._watch, name="database-deadlines", daemon=True)
                thread.start()
                self._thread = thread
            self._until[watched] = until

    def unwatch(self, watched: socket.socket) -> bool:
        """Watch the connection no longer; return whether it was cut."""
        with self._lock:
            return self._until.pop(watched, None) is None

    def close_socket(self, connection: object, record: ConnectionPoolEntry) -> None:
        """Close our descriptor of a connection that leaves the pool, so that PostgreSQL sees the close at once."""
        with self._lock:  # to cut it now could cut the next socket of this number
            if left := record.info.pop(SOCKET_KEY, None):
                left.close()

    def close(self) -> None:
        """End the thread; later work starts another."""
        with self._lock:
            self._thread = None

    def _watch(self) -> None:
        while True:
            with self._lock:
                if self._thread is not threading.current_thread():
                    return
                now = time.monotonic()
                for late in [watched for watched, until in self._until.items() if until <= now]:
                    del self._until[late]
                    with suppress(OSError):  # the other side was quicker, or it has left the pool
                        late.shutdown(socket.SHUT_RDWR)
            time.sleep(LOOK_SECONDS)


class ThreadDeadline(threading.local):
    """The deadline of this thread's work; None for work without one."""

    until: float | None = None


class DeadlineConnection:
    """Check out a connection under one deadline for pool wait, connect and queries.

    Raises `DatabaseUnavailableError` when it passes. Written flat: every request pays for nested context managers.
    """

    __slots__ = ("_db", "_deadline", "_engine", "_pool", "_socket", "_watchdog")
    _db: Connection
    _pool: ConnectionPool
    _socket: socket.socket

    def __init__(self, engine: Engine, watchdog: Watchdog, deadline: ThreadDeadline) -> None:
        self._engine, self._watchdog, self._deadline = engine, watchdog, deadline

    def __enter__(self) -> Connection:
        self._deadline.until = until = time.monotonic() + REQUEST_SECONDS
        try:
            self._pool = pool = cast(ConnectionPool, self._engine.pool)
            db = pool.take(self._engine)
            try:
                self._socket = socket_of(db)
                self._watchdog.watch(self._socket, until)
            except BaseException:
                db.close()
                raise
        except BaseException as error:
            self._deadline.until = None
            raise_if_unavailable(error)
            raise
        self._db = db
        return db

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        cut = self._watchdog.unwatch(self._socket)
        try:
            if error is None and not cut:
                self._pool.put_back(self._db)
            else:
                self._pool.return_failed(self._db)
        except Exception as late:
            raise_if_unavailable(error or late)
            raise
        finally:
            self._deadline.until = None
        if error is not None:
            no_answer = cut and isinstance(error, DBAPIError | psycopg2.Error)
            raise_if_unavailable(TimeoutError(NO_ANSWER) if no_answer else error)


@contextmanager
def within_deadline(watchdog: Watchdog, db: Connection) -> Iterator[None]:
    """Limit a statement on a connection that is kept for longer. Raises `TimeoutError` without an answer in time."""
    watched = socket_of(db)
    watchdog.watch(watched, time.monotonic() + REQUEST_SECONDS)
    try:
        yield
    except (DBAPIError, psycopg2.Error) as error:
        if watchdog.unwatch(watched):
            raise TimeoutError(NO_ANSWER) from error
        raise
    finally:
        watchdog.unwatch(watched)


def socket_of(db: Connection) -> socket.socket:
    """Return a descriptor of our own of a connection's socket: libpq may close its own, whose number is then another's.

    It is made once for a connection: to make and close one lets other threads run first.
    """
    connection = db.connection
    made: socket.socket | None = connection.info.get(SOCKET_KEY)
    if made is None:
        made = connection.info[SOCKET_KEY] = socket.socket(fileno=os.dup(connection.fileno()))
    return made


def connect_before(connect: Callable[[], Any], until: float) -> Any:
    """Return what `connect` returns; raise `TimeoutError` at the monotonic time `until`, and close what comes later.

    libpq's own limit is for each address of a host, in whole seconds, at least two, and not for the look-up of names.
    """
    made: Future[Any] = Future()

    def fulfil() -> None:
        try:
            made.set_result(connect())
        except Exception as error:  # noqa: BLE001 - whoever waits for the connection gets it
            made.set_exception(error)

    threading.Thread(target=fulfil, name="database-connect", daemon=True).start()
    try:
        return made.result(max(0.0, until - time.monotonic()))
    except TimeoutError:
        made.add_done_callback(lambda late: late.exception() or late.result().close())
        raise

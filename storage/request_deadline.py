"""A connection for work that a request waits for: one limit for all that may keep it waiting."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import psycopg2
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from storage.driver_errors import translate_error
from storage.watchdog import NO_ANSWER, REQUEST_SECONDS, SocketHandle, Watchdog, WatchedConnection

SOCKET_KEY = "wire"  # where the pool keeps it, beside its connection


class ThreadDeadline(threading.local):
    """Until when the work of this thread may last, while it is in haste."""

    until: float | None = None


class DeadlineConnection:
    """A connection out of the pool for the length of a block, which raises `DatabaseUnavailableError` once too late.

    The limit is one for a place in the pool, a connection and the answers. Written flat, where context managers
    inside each other would be shorter, for every request pays for it.
    """

    __slots__ = ("_db", "_deadline", "_engine", "_watchdog", "_watched")
    _db: Connection
    _watched: WatchedConnection

    def __init__(self, engine: Engine, watchdog: Watchdog, deadline: ThreadDeadline) -> None:
        self._engine, self._watchdog, self._deadline = engine, watchdog, deadline

    def __enter__(self) -> Connection:
        self._deadline.until = until = time.monotonic() + REQUEST_SECONDS
        try:
            db = self._engine.connect()
            try:
                self._watched = self._watchdog.watch(_socket_handle(db), until)
            except BaseException:
                db.close()
                raise
        except BaseException as error:
            self._deadline.until = None
            _raise(error)
            raise
        self._db = db
        return db

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._watchdog.unwatch(self._watched)
        cut = self._watched.cut
        del self._watched  # what is raised here holds this object, and with it the socket of a connection that is gone
        try:
            self._db.close()
        except Exception as late:
            _raise(error or late)
            raise
        finally:
            self._deadline.until = None
        if error is not None:
            _raise(_silent(error) if cut else error)


def _raise(error: BaseException) -> None:
    """Raise what it means if that is that the database is away."""
    away = translate_error(error)
    if away is not None:
        raise away from error


@contextmanager
def within_deadline(watchdog: Watchdog, db: Connection) -> Iterator[None]:
    """For a statement on a connection that is kept for longer. Raises `TimeoutError` if there was no answer in time."""
    with watchdog.watching(_socket_handle(db), time.monotonic() + REQUEST_SECONDS) as one:
        try:
            yield
        except (DBAPIError, psycopg2.Error) as error:
            if one.cut:
                raise TimeoutError(NO_ANSWER) from error
            raise


def _socket_handle(db: Connection) -> SocketHandle:
    """Made once for each connection: to make and close it lets other threads go first."""
    connection = db.connection
    wire: SocketHandle | None = connection.info.get(SOCKET_KEY)
    if wire is None:
        wire = connection.info[SOCKET_KEY] = SocketHandle(connection.fileno())
    return wire


def drop_socket_handle(connection: object, record: ConnectionPoolEntry) -> None:
    """For a connection that leaves the pool: PostgreSQL is to see it closed at once."""
    record.info.pop(SOCKET_KEY, None)


def _silent(error: BaseException) -> BaseException:
    return TimeoutError(NO_ANSWER) if isinstance(error, DBAPIError | psycopg2.Error) else error

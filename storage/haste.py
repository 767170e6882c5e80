"""A connection for work that a request waits for: one limit for all that may keep it waiting."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import psycopg2
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from storage.deadline import REQUEST_SECONDS, SILENT, Watchdog, Watched
from storage.lost import meaning


class Hurry(threading.local):
    """Until when the work of this thread may last, while it is in haste."""

    until: float | None = None


class Haste:
    """A connection out of the pool for the length of a block, which raises `DatabaseUnavailableError` once too late.

    The limit is one for a place in the pool, a connection and the answers. Written flat, where context managers
    inside each other would be shorter, for every request pays for it.
    """

    __slots__ = ("_db", "_engine", "_hurry", "_watchdog", "_watched")
    _db: Connection
    _watched: Watched

    def __init__(self, engine: Engine, watchdog: Watchdog, hurry: Hurry) -> None:
        self._engine, self._watchdog, self._hurry = engine, watchdog, hurry

    def __enter__(self) -> Connection:
        self._hurry.until = until = time.monotonic() + REQUEST_SECONDS
        try:
            db = self._engine.connect()
            try:
                self._watched = self._watchdog.watch(db.connection.fileno(), until)
            except BaseException:
                db.close()
                raise
        except BaseException as error:
            self._hurry.until = None
            _raise(error)
            raise
        self._db = db
        return db

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._watchdog.leave(self._watched)
        try:
            self._db.close()
        except Exception as late:
            _raise(error or late)
            raise
        finally:
            self._hurry.until = None
        if error is not None:
            _raise(_silent(error) if self._watched.cut else error)


def _raise(error: BaseException) -> None:
    """Raise what it means if that is that the database is away."""
    away = meaning(error)
    if away is not None:
        raise away from error


@contextmanager
def watched(watchdog: Watchdog, db: Connection) -> Iterator[None]:
    """For a statement on a connection that is kept for longer. Raises `TimeoutError` if there was no answer in time."""
    with watchdog.watching(db.connection.fileno(), time.monotonic() + REQUEST_SECONDS) as one:
        try:
            yield
        except (DBAPIError, psycopg2.Error) as error:
            if one.cut:
                raise TimeoutError(SILENT) from error
            raise


def _silent(error: BaseException) -> BaseException:
    return TimeoutError(SILENT) if isinstance(error, DBAPIError | psycopg2.Error) else error

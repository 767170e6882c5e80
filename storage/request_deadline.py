"""One deadline for everything that a request waits for: a place in the pool, a connection, and PostgreSQL's answers.

PostgreSQL itself keeps `statement_timeout`, and only while it works. libpq has no limit for an answer, and TCP's limits
notice a dead network, not a PostgreSQL that hangs: the kernel of its machine still confirms every packet. psycopg2's
wait callback could keep a limit, but there is one for the whole process, and COPY does not work with it.
"""

import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import psycopg2
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from storage.driver_errors import NO_ANSWER, REQUEST_SECONDS, translate_error

NEVER = math.inf
SOCKET_KEY = "socket"  # where the pool keeps a connection's `SocketHandle`


class SocketHandle:
    """A descriptor of a connection's socket of our own.

    libpq may close the connection while it is at work, and its number may soon be another socket's.
    """

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = os.dup(number)

    def __del__(self) -> None:
        os.close(self.number)

    def cut(self) -> None:
        """End the connection, so that whoever waits for an answer on it gets an error."""
        connection = socket.socket(fileno=self.number)
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # the other side was quicker
            return
        finally:
            connection.detach()  # the handle closes the descriptor


@dataclass(eq=False, slots=True)
class WatchedConnection:
    """A connection at work: its deadline, its socket, and whether it was cut."""

    until: float
    handle: SocketHandle
    cut: bool = False


class Watchdog:
    """Cuts connections whose deadline has passed.

    One thread serves all. It costs the watched work a few microseconds: it wakes only for a deadline before the one it
    sleeps until, and by then most of the work that it knew of has ended.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._watched: set[WatchedConnection] = set()
        self._wakes = NEVER
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, handle: SocketHandle, until: float) -> Iterator[WatchedConnection]:
        """Cut a connection if the block has not ended at the monotonic time `until`."""
        watched = self.watch(handle, until)
        try:
            yield watched
        finally:
            self.unwatch(watched)

    def watch(self, handle: SocketHandle, until: float) -> WatchedConnection:
        """Begin what `watching` does; `unwatch` has to follow."""
        watched = WatchedConnection(until, handle)
        with self._changed:
            self._watched.add(watched)
            if until < self._wakes:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._watch, name="database-deadlines", daemon=True)
                    self._thread.start()
                self._changed.notify_all()
        return watched

    def unwatch(self, watched: WatchedConnection) -> None:
        """Watch the connection no longer."""
        with self._changed:
            self._watched.discard(watched)

    def close(self) -> None:
        """End the thread; later work starts another."""
        with self._changed:
            self._thread, self._wakes = None, NEVER
            self._changed.notify_all()

    def _watch(self) -> None:
        with self._changed:
            while self._thread is threading.current_thread():
                now = time.monotonic()
                self._cut_expired(now)
                self._wakes = min((watched.until for watched in self._watched if not watched.cut), default=NEVER)
                self._changed.wait(None if self._wakes == NEVER else self._wakes - now)

    def _cut_expired(self, now: float) -> None:
        # not in `_watch`, whose variables would keep a socket open for as long as the thread sleeps
        for watched in self._watched:
            if watched.until <= now and not watched.cut:
                watched.cut = True
                watched.handle.cut()


class ThreadDeadline(threading.local):
    """The deadline of this thread's work; None for work without one."""

    until: float | None = None


class DeadlineConnection:
    """Check out a connection under one deadline for pool wait, connect and queries.

    Raises `DatabaseUnavailableError` when it passes. Written flat: every request pays for nested context managers.
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
            _raise_if_unavailable(error)
            raise
        self._db = db
        return db

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._watchdog.unwatch(self._watched)
        cut = self._watched.cut
        del self._watched  # an error raised here holds this object, and so the socket of a lost connection
        try:
            self._db.close()
        except Exception as late:
            _raise_if_unavailable(error or late)
            raise
        finally:
            self._deadline.until = None
        if error is not None:
            no_answer = cut and isinstance(error, DBAPIError | psycopg2.Error)
            _raise_if_unavailable(TimeoutError(NO_ANSWER) if no_answer else error)


def _raise_if_unavailable(error: BaseException) -> None:
    unavailable = translate_error(error)
    if unavailable is not None:
        raise unavailable from error


@contextmanager
def within_deadline(watchdog: Watchdog, db: Connection) -> Iterator[None]:
    """Limit a statement on a connection that is kept for longer. Raises `TimeoutError` without an answer in time."""
    with watchdog.watching(_socket_handle(db), time.monotonic() + REQUEST_SECONDS) as watched:
        try:
            yield
        except (DBAPIError, psycopg2.Error) as error:
            if watched.cut:
                raise TimeoutError(NO_ANSWER) from error
            raise


def _socket_handle(db: Connection) -> SocketHandle:
    """Return the handle of a connection, made once: making and closing one lets other threads run first."""
    connection = db.connection
    handle: SocketHandle | None = connection.info.get(SOCKET_KEY)
    if handle is None:
        handle = connection.info[SOCKET_KEY] = SocketHandle(connection.fileno())
    return handle


def drop_socket_handle(connection: object, record: ConnectionPoolEntry) -> None:
    """Let PostgreSQL see at once that a connection which leaves the pool is closed."""
    record.info.pop(SOCKET_KEY, None)


def connect_before(connect: Callable[[], Any], until: float) -> Any:
    """Return what `connect` returns; raise `TimeoutError` at the monotonic time `until`, and close what comes later.

    libpq's own limit is for each address of a host, in whole seconds, at least two, and not for the look-up of names.
    """
    made: Future[Any] = Future()
    threading.Thread(target=_fulfil, args=(made, connect), name="database-connect", daemon=True).start()
    try:
        return made.result(max(0.0, until - time.monotonic()))
    except TimeoutError:
        if made.cancel():
            raise
        return made.result()  # it came just now


def _fulfil(made: Future[Any], connect: Callable[[], Any]) -> None:
    try:
        connection = connect()
    except Exception as error:  # noqa: BLE001 - whoever waits for the connection gets it
        if made.set_running_or_notify_cancel():
            made.set_exception(error)
        return
    if made.set_running_or_notify_cancel():
        made.set_result(connection)
    else:
        connection.close()

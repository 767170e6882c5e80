"""Limits of time that hold even where PostgreSQL says nothing at all.

`statement_timeout` is kept by PostgreSQL itself, libpq has no limit for an answer, and keepalives tell only of a
network that is gone: the kernel of a machine whose PostgreSQL hangs goes on confirming every packet.
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
from typing import Protocol, TypeVar

REQUEST_SECONDS = 1.8  # no request waits longer for the database in all, whatever is the matter with it
NO_ANSWER = f"PostgreSQL has not answered within {REQUEST_SECONDS} s"
NEVER = math.inf


class Closable(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


class SocketHandle:
    """A file descriptor of a connection's socket that is open as long as somebody holds it.

    The connection may be closed while it is at work, and its own number soon be another socket's.
    """

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = os.dup(number)

    def __del__(self) -> None:
        os.close(self.number)

    def cut(self) -> None:
        """Have whoever waits for an answer on it get an error instead."""
        connection = socket.socket(fileno=self.number)
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # the other side was quicker
            return
        finally:
            connection.detach()  # whoever holds it closes it


@dataclass(eq=False, slots=True)
class WatchedConnection:
    """A connection at work: until when it may be, its socket, and whether it was cut."""

    until: float
    wire: SocketHandle
    cut: bool = False


class Watchdog:
    """Cuts connections whose time is up, so that who waits for an answer on them gets an error instead.

    One thread serves all. It costs the work that is watched a few microseconds, for it is woken only when a deadline
    comes before the one it sleeps until; by then most of the work that it knew of has long been done.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._watched: set[WatchedConnection] = set()
        self._wakes = NEVER
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, wire: SocketHandle, until: float) -> Iterator[WatchedConnection]:
        """Cut `wire` if the block has not ended at the monotonic time `until`."""
        watched = self.watch(wire, until)
        try:
            yield watched
        finally:
            self.unwatch(watched)

    def watch(self, wire: SocketHandle, until: float) -> WatchedConnection:
        """Begin what `watching` does; `unwatch` is to follow, whatever happens."""
        watched = WatchedConnection(until, wire)
        with self._lock:
            self._watched.add(watched)
            if until < self._wakes:
                self._wake()
        return watched

    def unwatch(self, watched: WatchedConnection) -> None:
        """Watch it no longer."""
        with self._lock:
            self._watched.discard(watched)

    def close(self) -> None:
        """End the thread; work that comes later starts another."""
        with self._changed:
            self._thread, self._wakes = None, NEVER
            self._changed.notify_all()

    def _wake(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._watch, name="database-deadlines", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _watch(self) -> None:
        with self._changed:
            while self._thread is threading.current_thread():
                now = time.monotonic()
                self._cut_expired(now)
                self._wakes = min((watched.until for watched in self._watched if not watched.cut), default=NEVER)
                self._changed.wait(None if self._wakes == NEVER else self._wakes - now)

    def _cut_expired(self, now: float) -> None:
        # apart from `_watch`, whose names hold what they stand for, and with it a socket, as long as the thread sleeps
        for watched in self._watched:
            if watched.until <= now and not watched.cut:
                watched.cut = True
                watched.wire.cut()


def connect_before(connect: Callable[[], C], until: float) -> C:
    """What `connect` returns, or `TimeoutError` at the monotonic time `until`; what comes too late is closed.

    libpq's own limit is for each address of a host, in whole seconds and no less than two, and not for its look-up.
    """
    made: Future[C] = Future()
    threading.Thread(target=_fulfil, args=(made, connect), name="database-connect", daemon=True).start()
    try:
        return made.result(max(0.0, until - time.monotonic()))
    except TimeoutError:
        if made.cancel():
            raise
        return made.result()  # it came just now


def _fulfil(made: Future[C], connect: Callable[[], C]) -> None:
    try:
        connection = connect()
    except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
        if made.set_running_or_notify_cancel():
            made.set_exception(error)
        return
    if made.set_running_or_notify_cancel():
        made.set_result(connection)
    else:
        connection.close()

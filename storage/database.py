"""The database: a pool of connections, transactions, migrations, and locks among processes."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg2
from sqlalchemy import Connection, Dialect, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from storage import schema
from storage.connection import STATEMENT_SECONDS, ConnectionFactory
from storage.connection_pool import SPARE_CONNECTIONS, ConnectionPool, refuse_closed
from storage.driver_errors import first_line, translating_errors, translating_privilege_errors
from storage.inspection import refuse_read_only
from storage.request_deadline import DeadlineConnection, ThreadDeadline, Watchdog, connect_before, within_deadline

log = logging.getLogger(__name__)

TRAINING_LOCK = 0x4D617432  # an arbitrary number


class Database:
    """A pool of connections to one PostgreSQL; connects when first used."""

    def __init__(self, url: str, threads: int) -> None:
        self.url = url
        self._connections = ConnectionFactory(url)
        self._engine = create_engine(
            "postgresql+psycopg2://",  # `_connect` knows the way
            poolclass=ConnectionPool,
            pool_size=threads + SPARE_CONNECTIONS,  # a pool smaller than the threads reconnects under load
            max_overflow=0,
            pool_reset_on_return=None,  # a transaction ends with its block, and to ask psycopg2 lets other threads run
            pool_use_lifo=True,  # the connection that was used last is the one whose caches PostgreSQL has filled
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,  # an error in the log would tell what a user thinks of a movie
            pool_timeout=STATEMENT_SECONDS,
            use_native_hstore=False,  # it would look for that type on each new connection
        )
        self._transactions = self._engine.execution_options(isolation_level="READ COMMITTED")
        self._watchdog = Watchdog()
        self._deadline = ThreadDeadline()
        event.listen(self._engine, "do_connect", self._connect)
        event.listen(self._engine, "checkout", refuse_closed)
        for leaving in ("close", "detach"):
            event.listen(self._engine, leaving, self._watchdog.close_socket)

    def statement(self) -> DeadlineConnection:
        """Check out a connection for one statement under the request deadline; it commits by itself."""
        return DeadlineConnection(self._engine, self._watchdog, self._deadline)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run statements in one transaction, under the request deadline."""
        with self.statement() as plain:
            # under the deadline too: psycopg2 may ask PostgreSQL when the isolation level changes
            db = plain.execution_options(isolation_level="READ COMMITTED")
            with db.begin():
                yield db

    @contextmanager
    def background_transaction(self) -> Iterator[Connection]:
        """Run a transaction without a time limit on its own connection, for work that no request waits for."""
        with translating_errors(), self._transactions.begin() as db:
            # libpq keeps a buffer of the largest message for as long as the connection lives: each connection of the
            # pool would soon hold one of twice a generation's size
            db.detach()
            db.execute(text("SET LOCAL statement_timeout = 0"))
            yield db

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Run statements that all see the database as of the first one, and can change nothing."""
        with translating_errors(), self._engine.connect() as db:
            db = db.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with db.begin():
                db.execute(text("SET LOCAL statement_timeout = 0"))
                yield db

    @contextmanager
    def try_lock(self, lock: int) -> Iterator[bool]:
        """Try to take an advisory lock and yield whether it was taken; PostgreSQL releases it when the process dies."""
        with translating_errors(), self._engine.connect() as db:
            with within_deadline(self._watchdog, db):
                taken = db.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": lock})
            try:
                yield taken
            finally:
                if taken:
                    self._unlock(db, lock)

    def migrate(self, revision: str = "head") -> None:
        """Bring the tables to a revision, one process at a time.

        Raises `UnknownRevisionError`, and `DatabaseRefusedError` where our role may not write, or nobody may, as on a
        standby: whoever migrates is about to write, even if the tables are of that revision.
        """
        with translating_privilege_errors(), self.background_transaction() as db:
            refuse_read_only(db)
            schema.migrate_to(db, revision)

    def ping(self) -> None:
        """Raise `DatabaseUnavailableError` unless PostgreSQL answers."""
        with self.statement() as db:
            db.execute(text("SELECT 1"))

    @property
    def pool(self) -> ConnectionPool:
        """Return the pool, for its metrics."""
        return cast(ConnectionPool, self._engine.pool)

    def close(self) -> None:
        """Close the pooled connections."""
        self._engine.dispose()
        self._watchdog.close()

    def _connect(self, dialect: Dialect, record: object, arguments: Any, options: Any) -> Any:
        """Open a connection for the pool, within the deadline of the waiting thread."""
        connect = self._connections.connect
        return connect() if self._deadline.until is None else connect_before(connect, self._deadline.until)

    def _unlock(self, db: Connection, lock: int) -> None:
        try:
            with within_deadline(self._watchdog, db):
                db.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": lock})
        except (DBAPIError, psycopg2.Error, TimeoutError) as error:
            # PostgreSQL releases the lock with the connection, which might hold it for ever if it stayed in the pool
            log.warning("the connection that held a lock was lost: %s", first_line(error))
            db.invalidate()

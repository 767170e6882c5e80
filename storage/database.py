"""The way to PostgreSQL: a pool of connections, their timeouts, migrations, and one lock among processes."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import alembic.command
import psycopg2
from alembic.config import Config
from psycopg2 import errorcodes
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from settings import ROOT
from storage.errors import DatabaseRefusedError, DatabaseUnavailableError

log = logging.getLogger(__name__)

CONNECT_SECONDS = 2
REQUEST_SECONDS = 2  # no request waits longer for a statement or for a connection
SPARE_CONNECTIONS = 4  # beside one for each thread that answers requests: for the jobs
MIGRATION_LOCK, TRAINING_LOCK = 0x4D617431, 0x4D617432  # any two numbers that nobody else uses in this database
# a network that drops every packet is noticed in about ten seconds, where TCP by itself takes hours
LIVELINESS = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 2, "tcp_user_timeout": 5000}
# libpq gives no SQLSTATE for a connection that was refused, only what the server said
REFUSED = re.compile(
    r"authentication failed|no pg_hba\.conf entry|no password supplied|(database|role) .+ does not exist"
)
ADVICE = "Correct the user, password or database in DATABASE_URL, or make them in PostgreSQL."
# psycopg2's own come where SQLAlchemy puts a connection back into the pool
LOST = (OperationalError, InterfaceError, PoolTimeoutError, psycopg2.OperationalError, psycopg2.InterfaceError)
AWAY = {
    errorcodes.QUERY_CANCELED,  # timed out
    errorcodes.ADMIN_SHUTDOWN,
    errorcodes.CRASH_SHUTDOWN,
    errorcodes.CANNOT_CONNECT_NOW,
    errorcodes.TOO_MANY_CONNECTIONS,
}


class Database:
    """A pool of connections to one PostgreSQL; connects when first used."""

    def __init__(self, url: str, threads: int) -> None:
        # the pool is as large as the threads are many: a smaller one reconnects under load
        self.url = make_url(url).set(drivername="postgresql+psycopg2")
        self._engine = create_engine(
            self.url,
            pool_size=threads + SPARE_CONNECTIONS,
            max_overflow=0,
            isolation_level="AUTOCOMMIT",
            pool_timeout=REQUEST_SECONDS,
            connect_args={
                "connect_timeout": CONNECT_SECONDS,
                "application_name": "matinee",
                **LIVELINESS,
                "options": f"-c statement_timeout={REQUEST_SECONDS * 1000}",
            },
        )
        self._transactions = self._engine.execution_options(isolation_level="READ COMMITTED")

    @contextmanager
    def statement(self) -> Iterator[Connection]:
        """For work that is one statement: it commits by itself, which saves two round trips."""
        with _translated(), self._engine.connect() as db:
            yield db

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """For work of several statements that count together or not at all, and may take their time."""
        with _translated(), self._transactions.begin() as db:
            db.execute(text("SET LOCAL statement_timeout = 0"))
            yield db

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Every statement inside sees the database as it was at the first one, and can change nothing."""
        with _translated(), self._engine.connect() as db:
            db = db.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with db.begin():
                db.execute(text("SET LOCAL statement_timeout = 0"))
                yield db

    @contextmanager
    def alone(self, lock: int) -> Iterator[bool]:
        """Whether this is now the only process inside; PostgreSQL frees the place of one that dies."""
        with _translated(), self._engine.connect() as db:
            taken = bool(db.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": lock}).scalar_one())
            try:
                yield taken
            finally:
                if taken:
                    _unlock(db, lock)

    def migrate(self, revision: str = "head") -> None:
        """Bring the tables to a revision, one process at a time."""
        with self.transaction() as db:
            db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
            config = Config()
            config.set_main_option("script_location", str(ROOT / "migrations").replace("%", "%%"))
            config.attributes["connection"] = db
            command = alembic.command.downgrade if revision == "base" else alembic.command.upgrade
            command(config, revision)

    def ping(self) -> None:
        """Raise `DatabaseUnavailableError` unless PostgreSQL answers."""
        with self.statement() as db:
            db.execute(text("SELECT 1"))

    def close(self) -> None:
        """Drop the pooled connections."""
        self._engine.dispose()


def _unlock(db: Connection, lock: int) -> None:
    try:
        db.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": lock})
    except (DBAPIError, psycopg2.Error) as error:
        # what was done under the lock is done; in the pool the connection might hold the lock for ever, and
        # PostgreSQL frees it with the connection
        log.warning("the connection that held a lock was lost: %s", _first_line(error))
        db.invalidate()


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the many ways in which a database is away into `DatabaseUnavailableError`."""
    try:
        yield
    except LOST as error:
        raise _unavailable(_first_line(error)) from error
    except DBAPIError as error:
        if error.connection_invalidated or getattr(error.orig, "pgcode", None) in AWAY:
            raise DatabaseUnavailableError(_first_line(error)) from error
        raise


def _unavailable(told: str) -> DatabaseUnavailableError:
    return DatabaseRefusedError(f"{told}. {ADVICE}") if REFUSED.search(told) else DatabaseUnavailableError(told)


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]

"""The many ways in which a database is away, told as one error."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2.errors import ReadOnlySqlTransaction
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from storage.errors import DatabaseRefusedError, DatabaseUnavailableError
from storage.watchdog import NO_ANSWER

# libpq gives no SQLSTATE for a connection that was refused, only what the server said
REFUSED = re.compile(
    r"authentication failed|no pg_hba\.conf entry|no password supplied|(database|role) .+ does not exist"
)
ADVICE = "Correct the user, password or database in DATABASE_URL, or make them in PostgreSQL."
READ_ONLY_ADVICE = "It takes no writes: name the primary in DATABASE_URL."
# psycopg2's own come where SQLAlchemy puts a connection back into the pool
CONNECTION_ERRORS = (
    OperationalError,
    InterfaceError,
    PoolTimeoutError,
    TimeoutError,
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
)


@contextmanager
def translating_errors() -> Iterator[None]:
    """Raise `DatabaseUnavailableError` for any error that means that the database is away."""
    try:
        yield
    except Exception as error:
        away = translate_error(error)
        if away is not None:
            raise away from error
        raise


def translate_error(error: BaseException) -> DatabaseUnavailableError | None:
    """What to raise from this error if it means that the database is away, else None."""
    if isinstance(getattr(error, "orig", error), ReadOnlySqlTransaction):  # as long as a failover lasts
        return DatabaseUnavailableError(f"{first_line(error)}. {READ_ONLY_ADVICE}")
    lost = isinstance(error, CONNECTION_ERRORS) or (isinstance(error, DBAPIError) and error.connection_invalidated)
    if not lost:
        return None
    told = first_line(error)
    return DatabaseRefusedError(f"{told}. {ADVICE}") if REFUSED.search(told) else DatabaseUnavailableError(told)


def first_line(error: BaseException) -> str:
    """What the driver said, without its advice on the lines that follow."""
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0] or NO_ANSWER

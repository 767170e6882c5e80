"""Translate errors of the driver: a database outage, and missing privileges of the role."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2.errors import InsufficientPrivilege, InvalidSchemaName, ReadOnlySqlTransaction
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from storage.errors import DatabaseRefusedError, DatabaseUnavailableError
from system.postgres_url import LIBPQ_VARIABLE

REQUEST_SECONDS = 1.8  # of one use of the database: a place in the pool, connecting and the answers together
NO_ANSWER = f"PostgreSQL has not answered within {REQUEST_SECONDS} s"
# libpq gives no SQLSTATE for a connection that fails, only a text. These are the failures that waiting does not mend.
REFUSED = re.compile(
    r"authentication failed|no pg_hba\.conf entry|no password supplied|(database|role) .+ does not exist"
    r"|is not permitted to log in|is not currently accepting connections|permission denied for database"
    r"|^could not (parse network address|match \d+)|^invalid \S+ value|^invalid port number|invalid integer value"
    r"|definition of service|service file|certificate|private key|does not support (SSL|GSSAPI)"
    r"|SSL was required|GSSAPI|channel binding|authentication method requirement|unrecognized configuration parameter"
    r"|server is not in hot standby mode|session is not read-only|no schema has been selected"
    r"|not supported by (client|server)|SSL support is not compiled in|invalid value for parameter"
)
NO_CONNECTION_LEFT = re.compile(r"too many (clients|connections)|connection slots are reserved")
ADVICE = "Correct DATABASE_URL, or make its user and database in PostgreSQL."
CONNECTIONS_ADVICE = "Raise max_connections, or the limit of the role or database, or end other clients of PostgreSQL."
READ_FAILED = "error in .read() call"
READ_ONLY_ADVICE = "It takes no writes: name the primary in DATABASE_URL."
GRANT = (
    "Have the role of DATABASE_URL own its database (ALTER DATABASE ... OWNER TO), or GRANT it CREATE on the schema "
    "public and all rights on the tables and sequences of Matinee."
)
NO_SCHEMA = "Make the schema that search_path in DATABASE_URL names, or leave it out; else: "
# psycopg2's own errors come where SQLAlchemy puts a connection back into the pool
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
    """Raise `DatabaseUnavailableError` for an error that means a database outage."""
    try:
        yield
    except Exception as error:
        raise_if_unavailable(error)
        raise


def raise_if_unavailable(error: BaseException) -> None:
    """Raise `DatabaseUnavailableError` if an error means a database outage."""
    unavailable = translate_error(error)
    if unavailable is not None:
        raise unavailable from error


def translate_error(error: BaseException) -> DatabaseUnavailableError | None:
    """Return what to raise for an error that means a database outage, else None."""
    if isinstance(getattr(error, "orig", error), ReadOnlySqlTransaction):  # as long as a failover lasts
        return DatabaseUnavailableError(f"{first_line(error)}. {READ_ONLY_ADVICE}")
    lost = isinstance(error, CONNECTION_ERRORS) or (isinstance(error, DBAPIError) and error.connection_invalidated)
    if not lost:
        return None
    line = first_line(error)
    if READ_FAILED in line:  # of our own rows, on their way into a COPY
        return None
    if REFUSED.search(line):
        return DatabaseRefusedError(f"{line}. {ADVICE}{_environment_note()}")
    advice = f". {CONNECTIONS_ADVICE}" if NO_CONNECTION_LEFT.search(line) else ""
    return DatabaseUnavailableError(f"{line}{advice}")


def _environment_note() -> str:
    """Return a note that names the libpq variables in the environment, which apply where the URL says nothing."""
    names = sorted(name for name in os.environ if LIBPQ_VARIABLE.fullmatch(name))
    return f" The environment sets {', '.join(names)}, which count as well." if names else ""


def first_line(error: BaseException) -> str:
    """Return the first line of the driver's message; the others are advice."""
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0] or NO_ANSWER


@contextmanager
def translating_privilege_errors() -> Iterator[None]:
    """Raise `DatabaseRefusedError` if the role lacks a privilege."""
    try:
        yield
    except Exception as error:
        cause = getattr(error, "orig", error)  # psycopg2's own come from a COPY
        if isinstance(cause, InvalidSchemaName):  # also where the role may not use any schema
            raise DatabaseRefusedError(f"{first_line(error)}. {NO_SCHEMA}{GRANT}") from error
        if isinstance(cause, InsufficientPrivilege):
            raise DatabaseRefusedError(f"{first_line(error)}. {GRANT}") from error
        raise

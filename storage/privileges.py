"""Errors about rights that our role lacks, translated into one line that says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2 import errors

from storage.driver_errors import first_line
from storage.errors import DatabaseRefusedError

GRANT = (
    "Have the role of DATABASE_URL own its database (ALTER DATABASE ... OWNER TO), or GRANT it CREATE on the schema "
    "public and all rights on the tables and sequences of Matinee."
)
NO_SCHEMA = "Make the schema that search_path in DATABASE_URL names, or leave it out; else: "


@contextmanager
def translating_privilege_errors() -> Iterator[None]:
    """Raise `DatabaseRefusedError` for work that our role has no right to do."""
    try:
        yield
    except Exception as error:
        cause = getattr(error, "orig", error)  # psycopg2's own come from a COPY
        if isinstance(cause, errors.InvalidSchemaName):  # also where the role may not use any schema
            raise DatabaseRefusedError(f"{first_line(error)}. {NO_SCHEMA}{GRANT}") from error
        if isinstance(cause, errors.InsufficientPrivilege):
            raise DatabaseRefusedError(f"{first_line(error)}. {GRANT}") from error
        raise

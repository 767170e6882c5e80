"""What PostgreSQL does not let our role do, told in one line with what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2 import errors

from storage.driver_errors import first_line
from storage.errors import DatabaseRefusedError

GRANT = (
    "Have the role of DATABASE_URL own its database (ALTER DATABASE ... OWNER TO), or GRANT it CREATE on the schema "
    "public and all rights on the tables and sequences of Matinee."
)
# the second is what a role gets that may not use any schema
PRIVILEGE_ERRORS = (errors.InsufficientPrivilege, errors.InvalidSchemaName)


@contextmanager
def translating_privilege_errors() -> Iterator[None]:
    """Raise `DatabaseRefusedError` for work that our role has no right to do."""
    try:
        yield
    except Exception as error:
        if not isinstance(getattr(error, "orig", error), PRIVILEGE_ERRORS):  # psycopg2's own come from a COPY
            raise
        raise DatabaseRefusedError(f"{first_line(error)}. {GRANT}") from error

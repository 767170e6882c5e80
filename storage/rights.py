"""What PostgreSQL does not let our role do, told in one line with what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2 import errors

from storage.errors import DatabaseRefusedError
from storage.lost import first_line

GRANT = (
    "Have the role of DATABASE_URL own its database (ALTER DATABASE ... OWNER TO), or GRANT it CREATE on the schema "
    "public and all rights on the tables and sequences of Matinee."
)
# the second is what a role gets that may not use any schema
REFUSALS = (errors.InsufficientPrivilege, errors.InvalidSchemaName)


@contextmanager
def rights_told() -> Iterator[None]:
    """Raise `DatabaseRefusedError` for work that our role has no right to do."""
    try:
        yield
    except Exception as error:
        if not isinstance(getattr(error, "orig", error), REFUSALS):  # psycopg2's own come from a COPY
            raise
        raise DatabaseRefusedError(f"{first_line(error)}. {GRANT}") from error

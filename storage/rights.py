"""What PostgreSQL does not let our role do, told in one line with what to do about it."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2 import errors

from storage.errors import DatabaseRefusedError
from storage.lost import first_line

GRANT = (
    "Have the role of DATABASE_URL own its database (ALTER DATABASE ... OWNER TO), or GRANT it CREATE on the schema "
    "public and all rights on the tables of Matinee."
)
PRIMARY = "It takes no writes: name the primary in DATABASE_URL."
ADVICE = {
    errors.InsufficientPrivilege: GRANT,
    errors.InvalidSchemaName: GRANT,  # of a role that may not use any schema
    errors.ReadOnlySqlTransaction: PRIMARY,
}


@contextmanager
def rights_told() -> Iterator[None]:
    """Raise `DatabaseRefusedError` for work that our role has no right to do, or that nobody has, as on a standby."""
    try:
        yield
    except Exception as error:
        advice = ADVICE.get(type(getattr(error, "orig", error)))  # psycopg2's own come from a COPY
        if advice is None:
            raise
        raise DatabaseRefusedError(f"{first_line(error)}. {advice}") from error

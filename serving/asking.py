"""Questions to another process of ours whose answer may be that the database is away."""

from typing import Any

from runtime.line import FarError, Line
from storage.errors import DatabaseRefusedError, DatabaseUnavailableError

AWAY = {error.__name__ for error in (DatabaseUnavailableError, DatabaseRefusedError)}


def asked(line: Line, question: str, *details: Any) -> Any:
    """What the other end answers. Raises `DatabaseUnavailableError` for its own, `FarError` and `LineCutError`."""
    try:
        return line.ask(question, *details)
    except FarError as error:
        if error.kind in AWAY:
            raise DatabaseUnavailableError(error.text) from error
        raise

"""Questions to another process of ours whose answer may be that the database is away."""

from typing import Any

from runtime.line import FarError, Line
from storage.errors import DatabaseRefusedError, DatabaseUnavailableError

AWAY = {error.__name__ for error in (DatabaseUnavailableError, DatabaseRefusedError)}


def asked(line: Line, question: str, *details: Any, seconds: float | None = None) -> Any:
    """What the other end answers, for which it is waited so many seconds, or as long as it takes.

    Raises `DatabaseUnavailableError` for its own and where the time is over, `FarError` and `LineCutError`.
    """
    try:
        return line.begin(question, *details).result(seconds)
    except TimeoutError as error:
        raise DatabaseUnavailableError(f"the first process of the service has not answered in {seconds:g} s") from error
    except FarError as error:
        if error.kind in AWAY:
            raise DatabaseUnavailableError(error.text) from error
        raise

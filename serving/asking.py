"""Questions to another process of ours whose answer may be that the database is away."""

from typing import Any

from storage.errors import DatabaseRefusedError, DatabaseUnavailableError
from system.line import FarError, Line, LineCutError

AWAY = {error.__name__ for error in (DatabaseUnavailableError, DatabaseRefusedError)}
MOST_UNANSWERED = 50  # of a process that stands still; some hundreds fill the line up, and asking would take for ever


def answered(line: Line, question: str, *details: Any, seconds: float | None = None) -> Any:
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


def asked(first: Line, question: str, seconds: float) -> Any:
    """What the first process of the service answers to another one, on behalf of a request.

    Raises `DatabaseUnavailableError` if it does not within so many seconds, at once if it has left many questions
    unanswered or the line to it is cut, and `FarError`.
    """
    if first.unanswered >= MOST_UNANSWERED:
        raise DatabaseUnavailableError(
            f"the first process of the service has left {MOST_UNANSWERED} questions unanswered"
        )
    try:
        return answered(first, question, seconds=seconds)
    except LineCutError as error:
        raise DatabaseUnavailableError("the service is being stopped") from error

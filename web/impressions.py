"""Record the lists that users are shown."""

from flask import Response, current_app, request

from storage.impression_buffer import ImpressionBuffer
from storage.impressions import ShownList


def impressions() -> ImpressionBuffer | None:
    """Return what records for the application that answers; None while nothing is to be recorded."""
    found: ImpressionBuffer | None = current_app.extensions["impressions"]
    return found


def record(user_id: int, route: str, shown: ShownList) -> str | None:
    """Record the list that the current request is answered with; return its id.

    None without recording: where it is off, and for HEAD, which shows nothing.
    """
    buffer = impressions()
    return None if buffer is None or request.method == "HEAD" else buffer.shown(user_id, route, shown)


def with_list_id(response: Response, list_id: str | None) -> Response:
    """Return the answer with the id of its list in a header."""
    if list_id is not None:
        response.headers["X-List-ID"] = list_id
    return response

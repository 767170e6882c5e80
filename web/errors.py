"""Every error as one JSON body, `application/problem+json` (RFC 9457), on every route and method."""

import json
import logging
from http import HTTPStatus

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from catalogue.movie_table import UnknownMovieError
from storage.errors import (
    DatabaseUnavailableError,
    UnknownGenerationError,
    UnknownRatingError,
    UnknownUserError,
)
from system.logs import request_id

log = logging.getLogger(__name__)

RETRY_SECONDS = 1
MAX_FAULTS_IN_DETAIL = 5  # so many of the faults of a request are in its detail; in its errors are all


class InvalidInputError(ValueError):
    """A request that cannot be understood: each (where it is wrong, what is expected there)."""

    def __init__(self, *faults: tuple[str, str]) -> None:
        more = f"; and {len(faults) - MAX_FAULTS_IN_DETAIL} more" if len(faults) > MAX_FAULTS_IN_DETAIL else ""
        super().__init__("; ".join(f"{where}: {message}" for where, message in faults[:MAX_FAULTS_IN_DETAIL]) + more)
        self.faults = faults


class NotReadyError(RuntimeError):
    """The service cannot answer yet; the message says what is missing."""


def problem(status: int, detail: str, **members: object) -> Response:
    """The body of an error, with the id under which the log tells of it; `members` are added to it."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    body |= {"success": False, "request_id": request_id.get()} | members
    return Response(json.dumps(body), status, content_type="application/problem+json")


def handle_errors(app: Flask) -> None:
    """Turn every exception that a request can end with into a `problem`."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(InvalidInputError, _invalid)
    for unknown in (UnknownUserError, UnknownMovieError, UnknownRatingError, UnknownGenerationError):
        app.register_error_handler(unknown, _unknown)
    app.register_error_handler(DatabaseUnavailableError, _database_unavailable)
    app.register_error_handler(NotReadyError, _not_ready)
    app.register_error_handler(Exception, _unforeseen)


def _http(error: HTTPException) -> Response:
    response = problem(error.code or 500, error.description or "")
    response.headers.extend(
        [(k, v) for k, v in error.get_headers() if k.lower() not in ("content-type", "content-length")]
    )
    return response


def _invalid(error: InvalidInputError) -> Response:
    errors = [{"where": where, "message": message} for where, message in error.faults]
    return problem(400, str(error), errors=errors)


def _unknown(error: LookupError) -> Response:
    return problem(404, str(error.args[0]))


def _database_unavailable(error: DatabaseUnavailableError) -> Response:
    log.warning("the database is away: %s", error)
    return _retry_later("The database cannot be reached at the moment. Try again; sending a rating twice does no harm.")


def _not_ready(error: NotReadyError) -> Response:
    return _retry_later(str(error))


def _retry_later(detail: str) -> Response:
    response = problem(503, detail)
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def _unforeseen(error: Exception) -> Response:
    log.exception("a request failed", exc_info=error)
    return problem(500, "Something went wrong here. It has been written to the log.")

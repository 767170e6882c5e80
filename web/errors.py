"""Every error as one JSON body, `application/problem+json` (RFC 9457), on every route and method."""

import json
import logging
from http import HTTPStatus
from pathlib import Path

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, ServiceUnavailable

from catalogue.movie import UnknownGenreError, UnknownMovieError
from storage.errors import (
    DatabaseUnavailableError,
    UnknownGenerationError,
    UnknownMarkError,
    UnknownRatingError,
    UnknownTokenError,
    UnknownUserError,
)
from storage.experiments import UnknownExperimentError
from storage.movie_changes import ExternalIdTakenError, KeyReusedError
from system.logs import request_id
from system.validation_messages import UNKNOWN_MEMBER, UNKNOWN_PARAMETER

log = logging.getLogger(__name__)

RETRY_SECONDS = 1
MAX_FAULTS_IN_DETAIL = 5  # the member `errors` has all faults of a request, `detail` the first ones
API_PREFIXES = ("/api/", "/users/", "/health/")
CODES = {  # of errors that Flask, Werkzeug and our own routes raise as HTTP errors
    400: "request_invalid",
    401: "key_missing",
    403: "key_insufficient",
    404: "route_not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "body_too_large",
    415: "media_type_unsupported",
    429: "rate_limited",
    500: "internal_error",
}
UNKNOWN: dict[type[LookupError], str] = {
    UnknownMovieError: "movie_not_found",
    UnknownRatingError: "rating_not_found",
    UnknownMarkError: "mark_not_found",
    UnknownTokenError: "token_not_found",
    UnknownGenerationError: "generation_not_found",
    UnknownExperimentError: "experiment_not_found",
}
NOT_FOUND_PAGE = Path(__file__).with_name("not_found.html")


class InvalidInputError(ValueError):
    """The request is malformed: one (place, message) for each fault.

    `code` is "rating_invalid" if every fault is in a rating, and so on for other places; "input_invalid" for several;
    "member_invalid" for names that we do not have, which a client may choose.
    """

    def __init__(self, *faults: tuple[str, str], code: str | None = None) -> None:
        more = f"; and {len(faults) - MAX_FAULTS_IN_DETAIL} more" if len(faults) > MAX_FAULTS_IN_DETAIL else ""
        super().__init__("; ".join(f"{where}: {message}" for where, message in faults[:MAX_FAULTS_IN_DETAIL]) + more)
        self.faults = faults
        names = {
            "member"
            if message in (UNKNOWN_MEMBER, UNKNOWN_PARAMETER)
            else where.rstrip(".0123456789").rpartition(".")[2]  # without indexes
            for where, message in faults
        }
        self.code = code or (f"{names.pop().lower().replace('-', '_')}_invalid" if len(names) == 1 else "input_invalid")


def with_code(code: str, error: HTTPException) -> HTTPException:
    """Return an HTTP error with a code of its own, in place of that of its status in `CODES`."""
    error.error_code = code  # type: ignore[attr-defined]
    return error


def retry_later(detail: str, code: str) -> HTTPException:
    """Return the error of a service that cannot answer yet; `detail` says what is missing."""
    return with_code(code, ServiceUnavailable(detail, retry_after=RETRY_SECONDS))


def problem(status: int, detail: str, code: str, **members: object) -> Response:
    """Return an error response.

    Programs tell errors apart by `code`. The body has the request's id, which the log also shows, and these extra
    members.
    """
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, "code": code}
    body |= {"success": False, "request_id": request_id.get()} | members
    return Response(json.dumps(body), status, content_type="application/problem+json")


def handle_errors(app: Flask) -> None:
    """Turn every exception that a request can end with into a `problem`."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(InvalidInputError, _invalid)
    app.register_error_handler(UnknownGenreError, _unknown_genre)
    app.register_error_handler(UnknownUserError, _unknown_user)
    for unknown in UNKNOWN:
        app.register_error_handler(unknown, _unknown)
    app.register_error_handler(ExternalIdTakenError, _external_id_taken)
    app.register_error_handler(KeyReusedError, _key_reused)
    app.register_error_handler(DatabaseUnavailableError, _database_unavailable)
    app.register_error_handler(Exception, _unforeseen)


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    mistyped = status in (401, 404) and _is_mistyped_page()
    code = getattr(error, "error_code", CODES.get(status, "http_error"))
    response = _error_page(status) if mistyped else problem(status, _detail(error), code)
    response.headers.extend(
        [(k, v) for k, v in error.get_headers() if k.lower() not in ("content-type", "content-length")]
    )
    return response


def _error_page(status: int) -> Response:
    """Return a small HTML page that leads back to the movies."""
    html = NOT_FOUND_PAGE.read_text("utf-8").replace("{root}", request.script_root)
    return Response(html, status, content_type="text/html; charset=utf-8")


def _is_mistyped_page() -> bool:
    """Return whether a browser opens an address that is no route, and no path of an API either."""
    accepted = request.accept_mimetypes
    opens_page = request.method == "GET" and accepted["text/html"] > accepted["application/problem+json"]
    return opens_page and request.url_rule is None and not request.path.startswith(API_PREFIXES)


def _detail(error: HTTPException) -> str:
    if error.description == NotFound.description:  # Werkzeug's own, which speaks of typed addresses
        return f"There is nothing at {request.path[:100]!r}."
    if isinstance(error, MethodNotAllowed):
        return f"{request.method[:20]} is not allowed here; these are: {', '.join(sorted(error.valid_methods or []))}."
    return error.description or ""


def _invalid(error: InvalidInputError) -> Response:
    errors = [{"where": where, "message": message} for where, message in error.faults]
    return problem(400, str(error), error.code, errors=errors)


def _unknown_genre(error: UnknownGenreError) -> Response:
    return _invalid(InvalidInputError((error.name, str(error)), code="genre_unknown"))


def _unknown(error: LookupError) -> Response:
    return problem(404, str(error.args[0]), UNKNOWN[type(error)])


def _unknown_user(error: UnknownUserError) -> Response:
    route = "/api/v1/users" if request.path.startswith("/api/") else "/users/create"
    return problem(404, f"{error.args[0]} POST {request.script_root}{route} creates one.", "user_not_found")


def _external_id_taken(error: ExternalIdTakenError) -> Response:
    many = request.path.endswith("/batch")
    errors = [
        {"where": f"movies.{one.place}.{one.column}" if many else one.column, "message": f"movie {one.movie_id} has it"}
        for one in error.taken
    ]
    return problem(409, str(error), "external_id_taken", movie_id=error.taken[0].movie_id, errors=errors)


def _key_reused(error: KeyReusedError) -> Response:
    return problem(409, str(error), "idempotency_key_reused", movie_id=error.movie_id)


def _database_unavailable(error: DatabaseUnavailableError) -> Response:
    log.warning("the database is unavailable: %s", error)
    detail = "The database cannot be reached at the moment. Try again; sending a rating twice does no harm."
    return _http(retry_later(detail, "database_unavailable"))


def _unforeseen(error: Exception) -> Response:
    log.exception("a request failed", exc_info=error)
    detail = "Something went wrong on the server. Its log has the details under this request_id."
    return problem(500, detail, CODES[500])

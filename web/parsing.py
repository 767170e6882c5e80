"""Parsing of requests: ids in the path, JSON bodies, and the rating of the original route."""

import json
import re
from typing import Any, NoReturn

from flask import Request, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from ranking.ratings import SCALE, on_scale
from web.errors import InvalidInputError

INT32 = 2**31 - 1
LARGEST_BODY = 1024 * 1024
A_FILE = 10 * 1024 * 1024 + 64 * 1024  # and the form around it
LARGER_BODIES = {"imports.import_history": A_FILE, "programs.receive_webhook": A_FILE}  # Plex sends a poster along
RATING_TYPES = ("", "application/json", "application/x-www-form-urlencoded", "multipart/form-data")
HOW_TO_RATE = 'send JSON, {"rating": 4.5}, or a form with the field rating'


class Json(DefaultJSONProvider):
    """Flask's JSON, except that a body must be UTF-8 and that too deep nesting counts as malformed."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Return the value of a JSON text. Raises `ValueError`, as callers expect of malformed JSON."""
        try:
            return super().loads(s.decode("utf-8-sig") if isinstance(s, bytes) else s, **kwargs)
        except RecursionError as error:
            raise ValueError("it nests too deeply") from error


class JsonRequest(Request):
    """A request whose `get_json` says where a body is malformed."""

    def on_json_loading_failed(self, e: ValueError | None) -> NoReturn:
        """Raise `InvalidInputError` with the line and column."""
        raise InvalidInputError(("body", f"it is not valid JSON: {_where_malformed(e)}"))


def check_body() -> None:
    """Refuse a body that is too large or compressed, also on a route that would not read it."""
    largest = request.max_content_length = LARGER_BODIES.get(request.endpoint or "", LARGEST_BODY)
    if (request.content_length or 0) > largest:
        raise RequestEntityTooLarge(f"A body is at most {largest} bytes long.")
    coding = request.headers.get("Content-Encoding", "identity")
    if coding.lower() != "identity":
        raise UnsupportedMediaType(f"Send the body as it is, not encoded as {coding[:50]!r}.")


def parse_id(where: str, text: str) -> int:
    """Return an id from the path. Raises `InvalidInputError` if it is not an int32."""
    if not re.fullmatch(r"-?[0-9]{1,10}", text, re.ASCII) or not -INT32 - 1 <= int(text) <= INT32:
        raise InvalidInputError((where, f"{text[:50]!r} is not a whole number of 32 bits"))
    return int(text)


def parse_rating(request: Request) -> float:
    """Return the rating in the body: JSON `{"rating": 4.5}` of any declared type, or the form field `rating`.

    `curl --data-binary @view.json` without a header declares its JSON to be a form, and must work.
    """
    if request.mimetype not in RATING_TYPES:
        raise UnsupportedMediaType(f"{HOW_TO_RATE[0].upper()}{HOW_TO_RATE[1:]}.")
    request.get_data(cache=True)  # before `form`, which would take the body away
    if request.mimetype != "application/json" and "rating" in request.form:
        return _on_scale(_number(request.form["rating"]))
    try:
        sent = request.get_json(force=True)
    except InvalidInputError as error:
        where, message = error.faults[0]
        raise InvalidInputError((where, f"{message}; {HOW_TO_RATE}")) from error
    if not isinstance(sent, dict) or "rating" not in sent:
        raise InvalidInputError(("rating", f"it is missing; {SCALE}"))
    return _on_scale(sent["rating"])


def _where_malformed(error: ValueError | None) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (line {error.lineno}, column {error.colno})"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is not {error.encoding.upper()}"
    return str(error)


def _number(text: str) -> float | str:
    return float(text) if re.fullmatch(r"[0-9]{1,4}(\.[0-9]{0,4})?", text, re.ASCII) else text


def _on_scale(value: Any) -> float:
    if not on_scale(value):
        raise InvalidInputError(("rating", SCALE))
    return float(value)

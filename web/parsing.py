"""What clients send: ids in the path and ratings in the body."""

import json
import re
from typing import Any

from flask import Request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import UnsupportedMediaType

from ranking.ratings import SCALE, on_scale
from web.errors import InvalidInputError

INT32 = 2**31 - 1


class Json(DefaultJSONProvider):
    """JSON as Flask reads it, with what nests too deep for Python counted as malformed too."""

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Raises `ValueError`, which everyone expects of malformed JSON."""
        try:
            return super().loads(s, **kwargs)
        except RecursionError as error:
            raise ValueError("The JSON nests too deeply.") from error


def parse_id(where: str, text: str) -> int:
    """An id from the path. Raises `InvalidInputError` if it is not an int32."""
    if not re.fullmatch(r"-?[0-9]{1,10}", text, re.ASCII) or not -INT32 - 1 <= int(text) <= INT32:
        raise InvalidInputError((where, f"{text[:50]!r} is not a whole number of 32 bits"))
    return int(text)


def parse_rating(request: Request) -> float:
    """The rating in the body: JSON `{"rating": 4.5}`, whatever it is declared as, or the form field `rating`.

    `curl --data-binary @view.json` without a header declares its JSON to be a form, and must work.
    """
    if request.mimetype not in ("", "application/json", "application/x-www-form-urlencoded", "multipart/form-data"):
        raise UnsupportedMediaType('Send JSON, {"rating": 4.5}, or a form with the field rating.')
    body = request.get_data(cache=True)
    if request.mimetype != "application/json" and "rating" in request.form:
        return _on_scale(_number(request.form["rating"]))
    try:
        sent = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(("body", 'send JSON, {"rating": 4.5}, or a form with the field rating')) from error
    if not isinstance(sent, dict) or "rating" not in sent:
        raise InvalidInputError(("rating", f"it is missing; {SCALE}"))
    return _on_scale(sent["rating"])


def _number(text: str) -> float | str:
    return float(text) if re.fullmatch(r"[0-9]{1,4}(\.[0-9]{0,4})?", text, re.ASCII) else text


def _on_scale(value: Any) -> float:
    if not on_scale(value):
        raise InvalidInputError(("rating", SCALE))
    return float(value)

"""The OpenAPI 3.1 document of /api/v1, made from the routes of web/v1 and their models.

`python -m web.openapi > docs/openapi.json` updates the copy that makes changes visible in review.
"""

import json
from typing import Any, NoReturn

from flask import request
from flask_openapi3 import APIBlueprint, Info, OpenAPI, SecurityScheme, Server
from pydantic import ValidationError

from system.validation_messages import UNKNOWN_MEMBER, UNKNOWN_PARAMETER
from web.errors import InvalidInputError
from web.parsing import LARGER_BODIES
from web.v1 import BLUEPRINTS
from web.v1.schemas import DETAILS, FILE_DETAILS, YEAR_RANGE_EMPTY, Problem, faults_of, problems

VERSION = "1.0.0"
ABOUT = """\
Stores users' movie ratings and recommends what to watch next.

* Once a write returns 2xx, that user's next recommendations reflect it.
* Every write can be repeated without harm. `POST /users`, `POST /movies` and `POST /movies/batch` need an
  `Idempotency-Key` for that; only `POST /users/{user_id}/tokens` makes another one each time.
* Movie ids are those of MovieLens, and from 1,000,000,000 on ours. A rating is a multiple of 0.5 from 0.5 to 5.
* Lists are paged: send `next_cursor` back as `cursor` until it is null.
* A query names a parameter again for each of several values: `genre=Drama&genre=Crime`.
* With `MATINEE_USER_TOKENS=1` on the server a user's routes need the `token` that `POST /users` returned, or a key.
* Errors are `application/problem+json` (RFC 9457). `code` is stable: `rating_invalid` if a rating is wrong, and so on,
  `input_invalid` for several; `errors` names every fault with its place. Retry 429 and 503 after `Retry-After` seconds.
"""
SECURITY: dict[str, SecurityScheme | dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, an admin key, or a user's token"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same in a header"},
}
TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
REQUEST_ID = {"X-Request-ID": {"description": "The request's id, also in the server's log.", "schema": TEXT}}
RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait before trying again.", "schema": NUMBER}}
HEADERS = {  # in addition to those declared with a model
    "401": {"WWW-Authenticate": {"description": "How to send a key.", "schema": TEXT}},
    "429": RETRY_AFTER,
    "503": RETRY_AFTER,
}
ETAG = {
    "ETag": {"description": "Send it back as If-None-Match: the answer is 304 until something changes.", "schema": TEXT}
}
ETAG_HEADERS = {"200": ETAG, "304": ETAG}  # of answers that a client may keep


class Application(OpenAPI):
    """A Flask application with its OpenAPI document."""

    def register_api(self, api: APIBlueprint, **options: Any) -> None:
        """Register a group of routes; flask-openapi3 alone keeps only the last group that uses a path."""
        described = {path: self.paths[path] for path in api.paths if path in self.paths}
        super().register_api(api, **options)
        for path, item in described.items():
            methods = {method: getattr(item, method) for method in item.model_fields_set}
            self.paths[path] = self.paths[path].model_copy(update=methods)

    def generate_spec_json(self) -> None:
        """Make the document, with what flask-openapi3 leaves out."""
        super().generate_spec_json()  # type: ignore[no-untyped-call]
        # flask-openapi3 writes every bound as a float, those of integers too
        self.spec_json = json.loads(json.dumps(self.spec_json), parse_float=_number)
        for path in self.spec_json["paths"].values():
            for method, operation in path.items():
                _complete(method, operation)


def new_app(name: str, url_prefix: str = "") -> Application:
    """Return a Flask application with the routes of /api/v1, served under `url_prefix`."""
    app = Application(
        name,
        info=Info(title="Matinee", version=VERSION, description=ABOUT),
        servers=[Server(url=url_prefix or "/")],
        security_schemes=SECURITY,
        validation_error_status=400,
        validation_error_model=Problem,
        validation_error_callback=_refuse,
        doc_ui=False,
        static_folder=None,
    )
    for blueprint in BLUEPRINTS:
        app.register_api(blueprint)
    return app


def to_json_text(document: dict[str, Any]) -> str:
    """Return the text of a document as in docs/openapi.json."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _refuse(error: ValidationError) -> NoReturn:
    only = {fault["type"] for fault in error.errors()} == {YEAR_RANGE_EMPTY}
    faults = [
        (where, UNKNOWN_PARAMETER if message == UNKNOWN_MEMBER and where in request.args else message)
        for where, message in faults_of(error)
    ]
    raise InvalidInputError(*faults, code=YEAR_RANGE_EMPTY if only else None)


def _number(text: str) -> int | float:
    return int(text.removesuffix(".0")) if text.endswith(".0") else float(text)


def _complete(method: str, operation: dict[str, Any]) -> None:
    if "description" in operation:
        operation["description"] = operation["description"].replace("<br/>", "\n").strip()
    forbidden = problems(403) if method != "get" else {}  # for pages of other sites, and on admin routes
    is_file = f"{operation['tags'][0]}.{operation['operationId']}" in LARGER_BODIES
    details = FILE_DETAILS if is_file else DETAILS
    unread = problems(413, 415, details=details) if "requestBody" in operation else {}
    operation["responses"] = dict(sorted((forbidden | unread | operation["responses"]).items()))
    kept = ETAG_HEADERS if "304" in operation["responses"] else {}
    for status, response in operation["responses"].items():
        response["headers"] = response.get("headers", {}) | HEADERS.get(status, {}) | kept.get(status, {}) | REQUEST_ID
    for parameter in operation.get("parameters", []):
        parameter["schema"] = _plain(parameter["schema"])


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter's schema without what the parameter itself has, and without null, which cannot be sent."""
    outside = ("title", "description", "example", "anyOf")
    plain = {
        name: value for name, value in schema.items() if name not in outside and (name, value) != ("default", None)
    }
    choices = [choice for choice in schema.get("anyOf", []) if choice.get("type") != "null"]
    return plain | (choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {})


if __name__ == "__main__":
    print(to_json_text(new_app(__name__).api_doc), end="")

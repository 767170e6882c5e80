"""The application as one that documents itself: OpenAPI 3.1 made from the routes of web/v1 and their models.

`python -m web.openapi > docs/openapi.json` writes the document down where a change of it is seen in review.
"""

import json
from typing import Any, NoReturn

from flask_openapi3 import APIBlueprint, Info, OpenAPI, SecurityScheme, Server
from pydantic import ValidationError

from web.errors import InvalidInputError
from web.v1 import BLUEPRINTS
from web.v1.schemas import Problem, faults_of, problems

VERSION = "1.0.0"
ABOUT = """\
Records what people think of movies and tells them what to watch next.

* Whatever was answered with 2xx is reflected by the next recommendations of that user.
* Writes can be repeated without harm; `POST /users` can with an `Idempotency-Key`.
* Movies have MovieLens's ids. A rating is a multiple of 0.5 from 0.5 to 5.
* Lists come in pages: send `next_cursor` back as `cursor` until it is null.
* Errors are `application/problem+json` (RFC 9457); `errors` names everything that is wrong with a request.
"""
SECURITY: dict[str, SecurityScheme | dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "MATINEE_API_KEY or MATINEE_ADMIN_KEY"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "the same keys in a header"},
}
TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
REQUEST_ID = {"X-Request-ID": {"description": "Under which the log tells of the request.", "schema": TEXT}}
RETRY_AFTER = {"Retry-After": {"description": "Seconds after which to try again.", "schema": NUMBER}}
HEADERS = {  # beside those that are declared with a model
    "401": {"WWW-Authenticate": {"description": "How to send a key.", "schema": TEXT}},
    "429": RETRY_AFTER,
    "503": RETRY_AFTER,
}
ETAG = {"ETag": {"description": "To be sent back as If-None-Match: 304 while nothing changes.", "schema": TEXT}}
ETAG_HEADERS = {"200": ETAG, "304": ETAG}  # where an answer can be kept


class Application(OpenAPI):
    """A Flask application that knows its own description."""

    def register_api(self, api: APIBlueprint, **options: Any) -> None:
        """Two groups may have routes of one path, of which flask-openapi3 describes only those of the last."""
        described = {path: self.paths[path] for path in api.paths if path in self.paths}
        super().register_api(api, **options)
        for path, item in described.items():
            methods = {method: getattr(item, method) for method in item.model_fields_set}
            self.paths[path] = self.paths[path].model_copy(update=methods)

    def generate_spec_json(self) -> None:
        """Complete what flask-openapi3 makes of the routes."""
        super().generate_spec_json()  # type: ignore[no-untyped-call]
        # its bounds are floats, those of whole numbers too
        self.spec_json = json.loads(json.dumps(self.spec_json), parse_float=_number)
        for path in self.spec_json["paths"].values():
            for method, operation in path.items():
                _complete(method, operation)


def new_app(name: str) -> Application:
    """A Flask application with the routes of /api/v1."""
    app = Application(
        name,
        info=Info(title="Matinee", version=VERSION, description=ABOUT),
        servers=[Server(url="/")],
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
    """A document as it is kept in docs/openapi.json."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _refuse(error: ValidationError) -> NoReturn:
    raise InvalidInputError(*faults_of(error))


def _number(text: str) -> int | float:
    return int(text.removesuffix(".0")) if text.endswith(".0") else float(text)


def _complete(method: str, operation: dict[str, Any]) -> None:
    if "description" in operation:
        operation["description"] = operation["description"].replace("<br/>", "\n").strip()
    forbidden = problems(403) if method != "get" else {}  # to other sites, and where only an admin may
    unread = problems(413, 415) if "requestBody" in operation else {}
    operation["responses"] = dict(sorted((forbidden | unread | operation["responses"]).items()))
    kept = ETAG_HEADERS if "304" in operation["responses"] else {}
    for status, response in operation["responses"].items():
        response["headers"] = response.get("headers", {}) | HEADERS.get(status, {}) | kept.get(status, {}) | REQUEST_ID
    for parameter in operation.get("parameters", []):
        parameter["schema"] = _plain(parameter["schema"])


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Of a parameter: what is said beside it is not said again, and where its field is null it is not sent."""
    said = ("title", "description", "example", "anyOf")
    plain = {name: value for name, value in schema.items() if name not in said and (name, value) != ("default", None)}
    choices = [choice for choice in schema.get("anyOf", []) if choice.get("type") != "null"]
    return plain | (choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {})


if __name__ == "__main__":
    print(to_json_text(new_app(__name__).api_doc), end="")

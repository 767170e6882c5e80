"""The page that documents /api/v1 and sends requests to it: Swagger UI, all of whose files are served from here."""

from pathlib import Path
from typing import cast

import flask_openapi3_swagger  # type: ignore[import-untyped]
from flask import Blueprint, Response, current_app, request, send_file
from werkzeug.exceptions import NotFound

from web.openapi import Application, to_json_text

docs_page = Blueprint("docs", __name__)

OURS = Path(__file__).with_name("docs")
SWAGGER = Path(flask_openapi3_swagger.__file__).parent / "templates/swagger"
ASSETS = {
    "start.js": OURS / "start.js",
    "swagger-ui.css": SWAGGER / "css/swagger-ui.css",
    "swagger-ui-bundle.js": SWAGGER / "js/swagger-ui-bundle.js",
}
MAX_AGE = 3600


@docs_page.get("/docs")
def show_page() -> Response:
    return send_file(OURS / "index.html", max_age=MAX_AGE)


@docs_page.get("/docs/")
def redirect_to_page() -> Response:
    """The page names its files relative to /docs."""
    return Response(status=308, headers={"Location": f"{request.script_root}/docs"})


@docs_page.get("/docs/<name>")
def show_asset(name: str) -> Response:
    if name not in ASSETS:
        raise NotFound(f"The documentation has no file {name[:50]!r}.")
    return send_file(ASSETS[name], max_age=MAX_AGE)


@docs_page.get("/openapi.json")
@docs_page.get("/openapi/openapi.json")
def show_document() -> Response:
    document = cast(Application, current_app).api_doc
    response = Response(to_json_text(document), content_type="application/json")
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response

"""Pages for browsers: the page of Matinee, and Swagger UI, which documents /api/v1 and sends requests to it.

All their files are served from here, and both call /api/v1 as any other client does.
"""

from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import cast

import flask_openapi3_swagger  # type: ignore[import-untyped]
from flask import Blueprint, Response, current_app, request, send_file, send_from_directory
from werkzeug.exceptions import NotFound

from web.openapi import Application, to_json_text

pages = Blueprint("pages", __name__)
docs = Blueprint("docs", __name__)

STATIC = Path(__file__).with_name("static")
OURS = Path(__file__).with_name("docs")
SWAGGER = Path(flask_openapi3_swagger.__file__).parent / "templates/swagger"
ASSETS = {
    "start.js": OURS / "start.js",
    "swagger-ui.css": SWAGGER / "css/swagger-ui.css",
    "swagger-ui-bundle.js": SWAGGER / "js/swagger-ui-bundle.js",
}
MAX_AGE = 3600  # seconds, of the files of Swagger UI
FOREVER = 365 * 24 * 3600  # seconds; what HTTP caches treat as "never changes"


@cache
def version() -> str:
    """Return a digest of all files. It is part of their addresses, so that a browser need not ask whether one changed.

    Modules and images are addressed relative to each other, so only index.html has to name it.
    """
    digest = blake2b(digest_size=6)
    for file in sorted(STATIC.rglob("*.*")):
        digest.update(file.read_bytes())
    return f"v-{digest.hexdigest()}"


@pages.get("/")
def show_page() -> Response:
    html = (STATIC / "index.html").read_text("utf-8").replace('"static/', f'"static/{version()}/')
    return _revalidated(html, "text/html; charset=utf-8")


@pages.get("/static/<path:name>")
def show_file(name: str) -> Response:
    """Send a file of the page; a page from before an update gets the new file, which it must revalidate."""
    first, _, rest = name.partition("/")
    current = first == version()
    path = rest if first.startswith("v-") else name
    response = send_from_directory(STATIC, path, max_age=FOREVER if current else 0)
    response.cache_control.immutable = current
    return response


@docs.get("/docs")
def show_docs() -> Response:
    return send_file(OURS / "index.html", max_age=MAX_AGE)


@docs.get("/docs/")
def redirect_to_docs() -> Response:
    """Redirect to /docs, relative to which the page names its files."""
    return Response(status=308, headers={"Location": f"{request.script_root}/docs"})


@docs.get("/docs/<name>")
def show_docs_file(name: str) -> Response:
    if name not in ASSETS:
        raise NotFound(f"The documentation has no file {name[:50]!r}.")
    return send_file(ASSETS[name], max_age=MAX_AGE)


@docs.get("/openapi.json")
@docs.get("/openapi/openapi.json")
def show_document() -> Response:
    document = cast(Application, current_app).api_doc
    return _revalidated(to_json_text(document), "application/json")


def _revalidated(text: str, content_type: str) -> Response:
    """Return an answer that browsers keep, and ask each time whether it has changed."""
    response = Response(text, content_type=content_type)
    response.cache_control.no_cache = True
    response.add_etag()
    response.make_conditional(request)
    return response

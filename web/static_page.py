"""The page for visitors: static files, which call /api/v1 as any other client does."""

from functools import cache
from hashlib import blake2b
from pathlib import Path

from flask import Blueprint, Response, request, send_from_directory

pages = Blueprint("pages", __name__)

STATIC = Path(__file__).with_name("static")
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
    response = Response(html, content_type="text/html; charset=utf-8")
    response.cache_control.no_cache = True
    response.add_etag()
    response.make_conditional(request)
    return response


@pages.get("/static/<path:name>")
def show_file(name: str) -> Response:
    """Another version, which a page of before an update asks for, gets today's file and must revalidate it."""
    first, _, rest = name.partition("/")
    current = first == version()
    path = rest if first.startswith("v-") else name
    response = send_from_directory(STATIC, path, max_age=FOREVER if current else 0)
    response.cache_control.immutable = current
    return response

"""The page for visitors: static files, which call /api/v1 as any other client does."""

import gzip
from functools import cache, lru_cache
from hashlib import blake2b
from pathlib import Path

from flask import Blueprint, Response, request, send_from_directory

pages = Blueprint("pages", __name__)

STATIC = Path(__file__).with_name("static")
FOREVER = 365 * 24 * 3600  # seconds; what HTTP caches treat as "never changes"
WORTH_COMPRESSING = 1000  # bytes


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
    return _compressed(response)


@pages.get("/static/<path:name>")
def show_file(name: str) -> Response:
    """Another version, which a page of before an update asks for, gets today's file and must revalidate it."""
    first, _, rest = name.partition("/")
    current = first == version()
    path = rest if first.startswith("v-") else name
    response = send_from_directory(STATIC, path, max_age=FOREVER if current else 0)
    response.cache_control.immutable = current
    return _compressed(response)


def _compressed(response: Response) -> Response:
    """Compress a response, unless it is small. Its ETag becomes weak: it names the same content."""
    response.vary.add("Accept-Encoding")
    if response.status_code != 200 or not request.accept_encodings["gzip"]:
        return response
    response.direct_passthrough = False
    content = response.get_data()
    if len(content) > WORTH_COMPRESSING:
        response.set_data(_gzip(content))
        response.headers["Content-Encoding"] = "gzip"
        response.headers.pop("Accept-Ranges", None)
        response.set_etag(response.get_etag()[0] or "", weak=True)
    return response


@lru_cache(maxsize=100)
def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)

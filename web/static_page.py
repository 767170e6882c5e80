"""The page for visitors: static files, which call /api/v1 as any other client does."""

import gzip
from pathlib import Path

from flask import Blueprint, Response, request, send_from_directory

pages = Blueprint("pages", __name__)

STATIC = Path(__file__).with_name("static")
REVALIDATE = 0  # seconds that a browser may keep a file without asking; asking costs one 304
WORTH_COMPRESSING = 1000  # bytes


@pages.get("/")
def show_page() -> Response:
    return show_file("index.html")


@pages.get("/static/<path:name>")
def show_file(name: str) -> Response:
    response = send_from_directory(STATIC, name, max_age=REVALIDATE)
    response.vary.add("Accept-Encoding")
    if response.status_code == 200 and request.accept_encodings["gzip"] > 0:
        _compress(response)
    return response


def _compress(response: Response) -> None:
    """Compress the file of a response, unless it is small. Its ETag becomes weak: it names the same content."""
    response.direct_passthrough = False
    content = response.get_data()
    if len(content) > WORTH_COMPRESSING:
        response.set_data(gzip.compress(content, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        response.headers.pop("Accept-Ranges", None)
        response.set_etag(response.get_etag()[0] or "", weak=True)

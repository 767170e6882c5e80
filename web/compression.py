"""Compression of answers for clients that accept gzip."""

import gzip
import re
from functools import lru_cache

from flask import Response, request

TEXT = re.compile("^text/|json|javascript|xml")  # of image/svg+xml too
WORTH_COMPRESSING = 1000  # bytes
REPEATED = {"pages", "docs"}  # blueprints that answer the same bytes, and many, again and again


def compress(response: Response) -> Response:
    """Compress an answer, unless it is small. Its ETag becomes weak: it names the same content."""
    if not TEXT.search(response.mimetype or ""):
        return response
    response.vary.add("Accept-Encoding")
    if not 200 <= response.status_code < 300 or not request.accept_encodings["gzip"]:
        return response
    response.direct_passthrough = False
    content = response.get_data()
    if len(content) > WORTH_COMPRESSING:
        response.set_data(_once(content) if request.blueprint in REPEATED else gzip.compress(content, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        response.headers.pop("Accept-Ranges", None)
        tag, _ = response.get_etag()
        if tag is not None:
            response.set_etag(tag, weak=True)
    return response


@lru_cache(maxsize=100)
def _once(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)

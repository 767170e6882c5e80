"""Answers that need not be sent again: ETag, If-None-Match and Cache-Control."""

from collections.abc import Callable
from hashlib import blake2b

from flask import Response, request


def conditional_response(etag: str, cache_control: str, make: Callable[[], Response]) -> Response:
    """The answer of `make` with ETag and Cache-Control, or 304 without making it where the client has it.

    Args:
        etag: everything that the answer depends on, in any characters.
    """
    tag = blake2b(etag.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    response = Response(status=304) if request.if_none_match.contains_weak(tag) else make()
    response.set_etag(tag, weak=True)  # the same content; a newer version may write it in other bytes
    response.headers["Cache-Control"] = cache_control
    return response

"""Conditional answers: ETag, If-None-Match and Cache-Control."""

from collections.abc import Callable
from hashlib import blake2b

from flask import Response, current_app, request

from storage import inspection
from web.v1.blueprint import recommender

IDENTITY = "database_identity"  # the application keeps it: it is read once per process


def conditional_response(etag: str, cache_control: str, make: Callable[[], Response]) -> Response:
    """Return the answer of `make` with ETag and Cache-Control, or 304 without calling it if the client has it.

    Args:
        etag: everything that the answer depends on, in any characters.
    """
    tag = blake2b(etag.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    response = Response(status=304) if request.if_none_match.contains_weak(tag) else make()
    response.set_etag(tag, weak=True)  # the same content; a newer version may write it in other bytes
    response.headers["Cache-Control"] = cache_control
    return response


def database_identity() -> str:
    """Return what differs between databases, those restored from one backup included.

    Ids and versions of users and generations are counted in each database alone.
    """
    known: dict[str, str] = current_app.extensions
    if IDENTITY not in known:
        with recommender().database.statement() as db:
            known[IDENTITY] = inspection.identity(db)
    return known[IDENTITY]

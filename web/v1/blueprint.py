"""Helpers that all routes of /api/v1 share: blueprints, JSON answers and conditional answers."""

from collections.abc import Callable
from hashlib import blake2b

from flask import Response, current_app, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel
from werkzeug.exceptions import UnsupportedMediaType

from recommender import Recommender
from storage import inspection
from system.validation_messages import UNKNOWN_MEMBER
from web.access import PROGRAMS
from web.errors import InvalidInputError
from web.v1.schemas import problems

PREFIX = "/api/v1"
IDENTITY = "database_identity"  # the application keeps it: it is read once per process
COMMON_ERRORS = (400, 401, 429, 503)  # any route may answer with one of these


def group(name: str, description: str, takes_files: bool = False) -> APIBlueprint:
    """Return a blueprint for the routes of one subject, whose bodies are JSON unless it `takes_files`."""
    blueprint = APIBlueprint(
        name,
        __name__,
        url_prefix=PREFIX,
        abp_tags=[Tag(name=name, description=description)],
        abp_security=[] if name == PROGRAMS else [{"bearer": []}, {"header": []}],
        abp_responses=problems(*COMMON_ERRORS),
        operation_id_callback=lambda *, name, path, method: name,
    )
    if not takes_files:
        blueprint.before_request(_refuse_other_than_json)
    return blueprint


def answer(model: BaseModel, status: int = 200, **headers: str) -> Response:
    """Return a model as JSON, with `Cache-Control: no-store` unless it is set to something else later."""
    response = Response(model.model_dump_json(), status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers.extend({name.replace("_", "-"): value for name, value in headers.items()})
    return response


def location(path: str) -> str:
    """Return the address of a /api/v1 path, under the prefix that the service is served with."""
    return f"{request.script_root}{PREFIX}{path}"


def refuse_members() -> None:
    """Refuse what is in the body of a request that needs none; `{}` is nothing."""
    if sent := request.get_json(silent=True):
        raise InvalidInputError(*((name, UNKNOWN_MEMBER) for name in sent))


def recommender() -> Recommender:
    """Return the recommender of this application."""
    return current_app.extensions["recommender"]


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


def _refuse_other_than_json() -> None:
    """Refuse a body that is not declared as JSON: a page of another site can make a browser send a form."""
    if request.method not in ("POST", "PUT", "PATCH") or not request.get_data():
        return
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send JSON with Content-Type: application/json.")
    if not isinstance(request.get_json(), dict):
        raise InvalidInputError(("body", "send a JSON object"))

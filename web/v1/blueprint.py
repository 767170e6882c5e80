"""How every group of /api/v1 routes is made, and how its answers are."""

from typing import Any

from flask import Response, current_app, request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel
from werkzeug.exceptions import UnsupportedMediaType

from recommender import Recommender
from web.errors import InvalidInputError
from web.v1.schemas import problems

PREFIX = "/api/v1"
COMMON_ERRORS = (400, 401, 429, 503)  # what any route may answer


def group(name: str, description: str) -> APIBlueprint:
    """A blueprint for the routes of one subject."""
    blueprint = APIBlueprint(
        name,
        __name__,
        url_prefix=PREFIX,
        abp_tags=[Tag(name=name, description=description)],
        abp_security=[{"bearer": []}, {"header": []}],
        abp_responses=problems(*COMMON_ERRORS),
        operation_id_callback=lambda *, name, path, method: name,
    )
    blueprint.before_request(_refuse_other_than_json)
    return blueprint


def answer(model: BaseModel, status: int = 200, **headers: str) -> Response:
    """A model as JSON, not to be kept by anyone unless `Cache-Control` is set on it later."""
    response = Response(model.model_dump_json(), status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers.extend({name.replace("_", "-"): value for name, value in headers.items()})
    return response


def recommender() -> Recommender:
    """The recommender that answers."""
    found: Recommender = current_app.extensions["recommender"]
    return found


def _refuse_other_than_json() -> None:
    """A body is JSON and declared as such: a form is what another site can have a browser send."""
    if request.method not in ("POST", "PUT", "PATCH") or not request.get_data():
        return
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send JSON with Content-Type: application/json.")
    sent: Any = request.get_json(silent=True)
    if not isinstance(sent, dict):
        raise InvalidInputError(("body", "send a JSON object"))

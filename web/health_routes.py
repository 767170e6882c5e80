"""Whether the process runs, and whether it can answer: for load balancers and operators."""

import json
from typing import Any

from flask import Blueprint, Response, current_app

from health import COMPONENTS, Health
from recommender import Recommender
from storage.errors import DatabaseUnavailableError

health_routes = Blueprint("health", __name__, url_prefix="/health")


@health_routes.get("/live")
def live() -> Response:
    return _answer(200)


@health_routes.get("/ready")
def ready() -> Response:
    health, recommender = _parts()
    _look_at_database(health, recommender)
    return _answer(200 if health.ready else 503)


def _answer(status: int) -> Response:
    health, recommender = _parts()
    parts: dict[str, Any] = {}
    for name in COMPONENTS:
        part = health[name]
        parts[name] = {"state": part.state, "since": part.since.isoformat(), "reason": part.reason}
    parts["generation"]["id"] = recommender.live.id if recommender.live else None
    body = {"status": "ready" if health.ready else "not ready", "parts": parts}
    response = Response(json.dumps(body), status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _look_at_database(health: Health, recommender: Recommender) -> None:
    if health["database"].state == "starting":
        return
    try:
        recommender.database.ping()
        health.report("database", "ready")
    except DatabaseUnavailableError as error:
        health.report("database", "failed", str(error))


def _parts() -> tuple[Health, Recommender]:
    return current_app.extensions["health"], current_app.extensions["recommender"]

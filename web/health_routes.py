"""Liveness and readiness, for load balancers and operators, as jobs/refresh.py reports them each second."""

import json
from typing import Any

from flask import Blueprint, Response, current_app

from health import COMPONENTS, Component, Health
from recommender import Recommender
from web.access import for_operators

health_routes = Blueprint("health", __name__, url_prefix="/health")


@health_routes.get("/live")
def live() -> Response:
    return _answer(200)


@health_routes.get("/ready")
def ready() -> Response:
    return _answer(200 if current_app.extensions["health"].ready else 503)


def shown_reason(part: Component) -> str | None:
    """Return why a part is not ready, as far as the caller may know."""
    return for_operators(part.reason) if part.state == "failed" else part.reason


def _answer(status: int) -> Response:
    health: Health = current_app.extensions["health"]
    recommender: Recommender = current_app.extensions["recommender"]
    parts: dict[str, Any] = {}
    for name in COMPONENTS:
        part = health[name]
        parts[name] = {"state": part.state, "since": part.since.isoformat(), "reason": shown_reason(part)}
    parts["generation"]["id"] = recommender.model.live.id if recommender.model.live else None
    body = {"status": "ready" if health.ready else "not ready", "parts": parts}
    response = Response(json.dumps(body), status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response

"""Liveness and readiness, for load balancers and operators."""

import json
import threading
import time
from typing import Any

from flask import Blueprint, Response, current_app

from health import COMPONENTS, Component, Health
from recommender import Recommender
from storage.errors import DatabaseUnavailableError
from web.access import for_operators

health_routes = Blueprint("health", __name__, url_prefix="/health")

PING_SECONDS = 1.0


class DatabaseProbe:
    """Pings the database at most once a second, however many callers ask."""

    def __init__(self) -> None:
        self._pinging = threading.Lock()
        self._next_at = 0.0

    def look(self, health: Health, recommender: Recommender) -> None:
        """Report the state of the database to `health`; while another thread pings, what was reported before stands."""
        if health["database"].state == "starting" or not self._pinging.acquire(blocking=False):
            return
        try:
            if time.monotonic() >= self._next_at:
                _ping(health, recommender)
                self._next_at = time.monotonic() + PING_SECONDS
        finally:
            self._pinging.release()


@health_routes.get("/live")
def live() -> Response:
    return _answer(200)


@health_routes.get("/ready")
def ready() -> Response:
    health, recommender = _parts()
    probe: DatabaseProbe = current_app.extensions["database_probe"]
    probe.look(health, recommender)
    return _answer(200 if health.ready else 503)


def shown_reason(part: Component) -> str | None:
    """Return why a part is not ready, as far as the caller may know."""
    return for_operators(part.reason) if part.state == "failed" else part.reason


def _answer(status: int) -> Response:
    health, recommender = _parts()
    parts: dict[str, Any] = {}
    for name in COMPONENTS:
        part = health[name]
        parts[name] = {"state": part.state, "since": part.since.isoformat(), "reason": shown_reason(part)}
    parts["generation"]["id"] = recommender.model.live.id if recommender.model.live else None
    body = {"status": "ready" if health.ready else "not ready", "parts": parts}
    response = Response(json.dumps(body), status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _ping(health: Health, recommender: Recommender) -> None:
    try:
        recommender.database.ping()
        health.report("database", "ready")
    except DatabaseUnavailableError as error:
        health.report("database", "failed", str(error))


def _parts() -> tuple[Health, Recommender]:
    return current_app.extensions["health"], current_app.extensions["recommender"]

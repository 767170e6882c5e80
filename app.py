"""The web application: its routes, errors, access rules and middleware. Creating it opens no connection."""

from flask import Flask, Response, request

from health import Health
from recommender import Recommender
from settings import Settings
from storage.impression_buffer import ImpressionBuffer
from web.access import guard
from web.behind_proxy import behind_proxy
from web.compression import compress
from web.errors import handle_errors, retry_later
from web.health_routes import health_routes, shown_reason
from web.metrics_page import metrics_page, other_metrics
from web.openapi import new_app
from web.original_routes import original_routes
from web.parsing import LARGEST_BODY, Json, JsonRequest, check_body
from web.request_log import RequestLog
from web.request_metrics import RequestMetrics, record_route_pattern
from web.static_page import docs, pages


def create_app(recommender: Recommender, health: Health, settings: Settings) -> Flask:
    """Return a WSGI application that answers from `recommender`, reports `health` and follows `settings`."""
    app = new_app(__name__, settings.url_prefix)
    app.json = Json(app)
    app.request_class = JsonRequest
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_BODY
    app.config["EXPLORE"] = settings.explore
    app.url_map.merge_slashes = False  # "//users/create" is unknown rather than a redirect with a page of HTML
    app.extensions |= _extensions(recommender, health, settings)
    for blueprint in (health_routes, metrics_page, docs, pages, original_routes):
        app.register_blueprint(blueprint)
    guard(app, settings)
    app.before_request(check_body)
    app.before_request(_answer_server_options)
    app.after_request(_without_type)
    app.after_request(compress)
    app.after_request(record_route_pattern)
    app.before_request(lambda: _wait_for_catalogue(health))
    handle_errors(app)
    app.wsgi_app = RequestLog(app.wsgi_app, app.extensions["metrics"].request)  # type: ignore[method-assign]
    app.wsgi_app = behind_proxy(app.wsgi_app, settings)  # type: ignore[assignment, method-assign]
    return app


def _extensions(recommender: Recommender, health: Health, settings: Settings) -> dict[str, object]:
    """Return what the routes work with, by name."""
    database, counts = recommender.database, RequestMetrics()
    buffer = ImpressionBuffer(database, settings.impression_days, counts.impressed) if settings.impressions else None
    return {
        "recommender": recommender,
        "health": health,
        "metrics": counts,
        "impressions": buffer,  # records the lists that users are shown
        "other_metrics": other_metrics(database),
    }


def _answer_server_options() -> Response | None:
    """Answer "OPTIONS *", which asks about the server as a whole and so has no route."""
    asks = request.method == "OPTIONS" and request.environ.get("REQUEST_URI") == "*"
    return Response(status=204, headers={"Allow": "GET, HEAD, OPTIONS, POST, PUT, DELETE"}) if asks else None


def _without_type(response: Response) -> Response:
    """Drop the Content-Type of an empty answer; Flask calls its empty answer to OPTIONS an HTML page."""
    if request.method == "OPTIONS" and response.status_code == 200:
        response.status_code = 204
    if response.status_code == 204:
        response.headers.pop("Content-Type", None)
    return response


def _wait_for_catalogue(health: Health) -> None:
    """Refuse requests that need the catalogue until its tables are filled, and say why."""
    catalogue = health["catalogue"]
    if catalogue.state != "ready" and request.blueprint not in ("health", "metrics", "docs", "pages"):
        raise retry_later(f"Not ready yet: {shown_reason(catalogue)}.", "not_ready")

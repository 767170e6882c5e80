"""The web application, put together: routes, errors, limits. It connects to nothing by itself."""

from flask import Flask, Response, request

from health import Health
from recommender import Recommender
from settings import Settings
from web.access import guard
from web.docs_page import docs_page
from web.errors import NotReadyError, handle_errors
from web.framing import LARGEST_BODY
from web.health_routes import health_routes
from web.metrics_page import MetricsPage, metrics_page
from web.openapi import new_app
from web.original_routes import original_routes
from web.parsing import Json
from web.request_log import RequestLog
from web.request_metrics import RequestMetrics, record_route_patterns
from web.static_page import pages
from web.v1.training_routes import TrainingControl


def create_app(
    recommender: Recommender, health: Health, settings: Settings, training: TrainingControl | None = None
) -> Flask:
    """A WSGI application that answers from `recommender`, reports `health` and lets in whom `settings` say.

    Without `training` it can be asked for none.
    """
    app = new_app(__name__)
    app.json = Json(app)
    app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_BODY  # any body that the edge lets in may be a form
    app.url_map.merge_slashes = False  # "//users/create" is unknown rather than a redirect with a page of HTML
    app.extensions["recommender"] = recommender
    app.extensions["health"] = health
    app.extensions["training"] = training
    app.extensions["metrics"] = RequestMetrics()
    app.extensions["metrics_page"] = MetricsPage(recommender.database)
    app.register_blueprint(health_routes)
    app.register_blueprint(metrics_page)
    app.register_blueprint(docs_page)
    app.register_blueprint(pages)
    app.register_blueprint(original_routes)
    guard(app, settings)
    app.after_request(_without_type)
    record_route_patterns(app)
    app.before_request(lambda: _wait_for_catalogue(health))
    handle_errors(app)
    app.wsgi_app = RequestLog(app.wsgi_app, app.extensions["metrics"].request)  # type: ignore[method-assign]
    return app


def _without_type(response: Response) -> Response:
    """Flask calls the nothing that it answers to OPTIONS an HTML page."""
    if request.method == "OPTIONS" and response.status_code == 200:
        response.status_code = 204
    if response.status_code == 204:
        response.headers.pop("Content-Type", None)
    return response


def _wait_for_catalogue(health: Health) -> None:
    """Before the tables are made and filled there is nothing to answer with, and a reason to tell."""
    catalogue = health["catalogue"]
    if catalogue.state != "ready" and request.blueprint not in ("health", "metrics", "docs", "pages"):
        raise NotReadyError(f"Not ready yet: {catalogue.reason}.")

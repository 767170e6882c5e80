"""The web application, put together: routes, errors, limits. It connects to nothing by itself."""

from flask import Flask, request

from health import Health
from recommender import Recommender
from web.errors import NotReadyError, handle_errors
from web.health_routes import health_routes
from web.seed_routes import seed_routes

LARGEST_BODY = 1024 * 1024


def create_app(recommender: Recommender, health: Health) -> Flask:
    """A WSGI application that answers from `recommender` and reports `health`."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.extensions["recommender"] = recommender
    app.extensions["health"] = health
    app.register_blueprint(health_routes)
    app.register_blueprint(seed_routes)
    app.before_request(lambda: _wait_for_catalogue(health))
    handle_errors(app)
    return app


def _wait_for_catalogue(health: Health) -> None:
    """Before the tables are made and filled there is nothing to answer with, and a reason to tell."""
    catalogue = health["catalogue"]
    if catalogue.state != "ready" and request.blueprint != "health":
        raise NotReadyError(f"Not ready yet: {catalogue.reason}.")

"""The web application, put together: routes, errors, limits. It connects to nothing by itself."""

from flask import Flask, request
from werkzeug.exceptions import RequestEntityTooLarge

from health import Health
from recommender import Recommender
from web.edge import LARGEST_BODY
from web.errors import NotReadyError, handle_errors
from web.health_routes import health_routes
from web.seed_routes import seed_routes


def create_app(recommender: Recommender, health: Health) -> Flask:
    """A WSGI application that answers from `recommender` and reports `health`."""
    app = Flask(__name__, static_folder=None)
    # Flask cuts a body without a length here and goes on; so one byte more than is allowed, which tells that it was cut
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_BODY + 1
    app.url_map.merge_slashes = False  # "//users/create" is unknown rather than a redirect with a page of HTML
    app.extensions["recommender"] = recommender
    app.extensions["health"] = health
    app.register_blueprint(health_routes)
    app.register_blueprint(seed_routes)
    app.before_request(_read_body)
    app.before_request(lambda: _wait_for_catalogue(health))
    handle_errors(app)
    return app


def _read_body() -> None:
    """Take in the body whatever is asked for: what is left unread would be taken for the next request."""
    if len(request.get_data()) > LARGEST_BODY:
        raise RequestEntityTooLarge


def _wait_for_catalogue(health: Health) -> None:
    """Before the tables are made and filled there is nothing to answer with, and a reason to tell."""
    catalogue = health["catalogue"]
    if catalogue.state != "ready" and request.blueprint != "health":
        raise NotReadyError(f"Not ready yet: {catalogue.reason}.")

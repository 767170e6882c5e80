"""The HTTP server of the service, with its edge and access log, and one answer from memory to every request.

    python benchmarks/memory_server.py bare|service|asking PORT THREADS [DATABASE_URL] < JSON

"bare" has no application behind the server, "service" the whole one, in which only the making of the list is left out.
"asking" is "service", but asks PostgreSQL whether the list is current in the cheapest way there is, on a connection of
each thread's own, without a pool and without a deadline: no service that asks at all can do more. What it reads is a
JSON list of [header, value] pairs and the body. It says "ready" once it listens.
"""

import json
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

sys.path.append(str(Path(__file__).resolve().parent.parent))

import cherrypy
import psycopg2
from flask import Response
from sqlalchemy import make_url

from app import create_app
from health import Health
from recommender import Recommender
from settings import Settings
from storage.database import Database
from system.logs import log_to_stderr
from web.edge import harden
from web.request_log import RequestLog
from web.request_metrics import RequestMetrics

Fields = list[tuple[str, str]]
TYPE = "Content-Type"
CURRENT = """
    PREPARE current (integer) AS
    SELECT history_version, (SELECT generation_id FROM live_generation) FROM users WHERE id = $1
"""
NOWHERE = "postgresql://nobody@127.0.0.1:9/nothing"  # never connected to


def bare(fields: Fields, body: bytes, url: str) -> WSGIApplication:
    """An application that is nothing but its answer."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", fields)
        return [body]

    return RequestLog(answer, RequestMetrics().request)


def service(fields: Fields, body: bytes, url: str) -> WSGIApplication:
    """The service with an answer to give in place of any list."""
    return _with_lists(lambda user_id: Response(body, content_type=dict(fields)[TYPE]))


def asking(fields: Fields, body: bytes, url: str) -> WSGIApplication:
    """The same, but for a question to PostgreSQL before each."""
    own, libpq = threading.local(), make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)

    def answer(user_id: str) -> Response:
        if not hasattr(own, "cursor"):
            connection = psycopg2.connect(libpq)
            connection.autocommit = True
            own.cursor = connection.cursor()
            own.cursor.execute(CURRENT)
        own.cursor.execute("EXECUTE current (%s)", (int(user_id),))
        own.cursor.fetchone()
        return Response(body, content_type=dict(fields)[TYPE])

    return _with_lists(answer)


def _with_lists(answer: Callable[[str], Response]) -> WSGIApplication:
    health = Health()
    health.report("catalogue", "ready")
    app = create_app(Recommender(Database(NOWHERE, 1)), health, Settings())
    app.view_functions["seed.list_recommendations"] = answer
    return app


KINDS = {"bare": bare, "service": service, "asking": asking}


def main(kind: str, port: int, threads: int, url: str = "") -> None:
    headers, text = json.load(sys.stdin)
    log_to_stderr("INFO", "text")
    cherrypy.tree.graft(KINDS[kind]([(name, value) for name, value in headers], text.encode(), url), "/")
    cherrypy.config.update({
        "environment": "production", "log.screen": False, "server.socket_host": "127.0.0.1",
        "server.socket_port": port, "server.thread_pool": threads, "server.socket_queue_size": 128,
    })  # fmt: skip
    cherrypy.server.httpserver, cherrypy.server.bind_addr = cherrypy.server.httpserver_from_self()
    harden(cherrypy.server.httpserver)
    cherrypy.engine.start()
    print("ready", flush=True)
    cherrypy.engine.block()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])

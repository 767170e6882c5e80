"""Run the HTTP server of the service with one answer from memory for every request.

    python benchmarks/memory_server.py KIND PORT THREADS [DATABASE_URL] < JSON

"bare" has no application behind the server. "application" has the whole application, but computes no list.
"postgres-check" also runs the service's query in the cheapest way: each thread has its own connection, without a pool
and without a deadline. No service that queries PostgreSQL can be faster. "postgres-insert" answers a rating after its
bare INSERT in the same way.
Standard input has the answer: a JSON list of [header, value] pairs, and the body. Prints "ready" when it listens.
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
from flask import Response, request
from sqlalchemy import make_url

from app import create_app
from health import Health
from recommender import Recommender
from serving.front import serve
from settings import Settings
from storage.database import Database
from storage.recommendations import CURRENT_VERSIONS
from system.logs import log_to_stderr
from web.request_log import RequestLog
from web.request_metrics import RequestMetrics

Headers = list[tuple[str, str]]
CONTENT_TYPE = "Content-Type"
INSERT = """
    PREPARE rate (integer, integer, real) AS
    INSERT INTO views (user_id, movie_id, rating, version) VALUES ($1, $2, $3, 1)
    ON CONFLICT (user_id, movie_id) DO UPDATE SET rating = excluded.rating
"""
UNUSED_URL = "postgresql://nobody@127.0.0.1:9/nothing"  # never connected to


def bare(headers: Headers, body: bytes, url: str) -> WSGIApplication:
    """Return an application that only sends the answer."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", headers)
        return [body]

    return RequestLog(answer, RequestMetrics().request)


def application(headers: Headers, body: bytes, url: str) -> WSGIApplication:
    """Return the whole application with this answer in place of every list."""
    return _with_answer(lambda user_id: Response(body, content_type=dict(headers)[CONTENT_TYPE]))


def postgres_check(headers: Headers, body: bytes, url: str) -> WSGIApplication:
    cursor = _cursors(url, CURRENT_VERSIONS.sql)

    def answer(user_id: str) -> Response:
        own = cursor()
        own.execute("EXECUTE current_versions (%s)", (int(user_id),))
        own.fetchone()
        return Response(body, content_type=dict(headers)[CONTENT_TYPE])

    return _with_answer(answer)


def postgres_insert(headers: Headers, body: bytes, url: str) -> WSGIApplication:
    cursor = _cursors(url, INSERT)

    def answer(user_id: str, movie_id: str) -> Response:
        cursor().execute("EXECUTE rate (%s, %s, %s)", (int(user_id), int(movie_id), request.get_json()["rating"]))
        return Response(body, content_type=dict(headers)[CONTENT_TYPE])

    return _with_answer(answer, "original.put_view")


def _cursors(url: str, prepare: str) -> Callable[[], "psycopg2.extensions.cursor"]:
    """Return a function that returns the thread's own cursor, with autocommit and this statement prepared."""
    of_thread = threading.local()
    libpq = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)

    def cursor() -> "psycopg2.extensions.cursor":
        if not hasattr(of_thread, "cursor"):
            connection = psycopg2.connect(libpq)
            connection.autocommit = True
            of_thread.cursor = connection.cursor()
            of_thread.cursor.execute(prepare)
        own: psycopg2.extensions.cursor = of_thread.cursor
        return own

    return cursor


def _with_answer(answer: Callable[..., Response], route: str = "original.list_recommendations") -> WSGIApplication:
    health = Health()
    health.report("catalogue", "ready")
    app = create_app(Recommender(Database(UNUSED_URL, 1)), health, Settings())
    app.view_functions[route] = answer
    return app


KINDS = {
    "bare": bare,
    "application": application,
    "postgres-check": postgres_check,
    "postgres-insert": postgres_insert,
}


def main(kind: str, port: int, threads: int, url: str = "") -> None:
    headers, text = json.load(sys.stdin)
    log_to_stderr("INFO", "text")
    app = KINDS[kind]([(name, value) for name, value in headers], text.encode(), url)
    serve(app, Settings(port=port, threads=threads))
    print("ready", flush=True)
    cherrypy.engine.block()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])

"""The access log: one line for each request, under an id that its answer and every other line about it carry.

The line has the pattern of the route in place of the path, so it names no user, and no query, header or address: those
may hold what a user looks for, and keys.
"""

import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from paste.translogger import TransLogger

from system.logs import request_id
from web.request_metrics import OTHER, ROUTE

HEADER = "X-Request-ID"
SANE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
BEGAN = "matinee.began"
QUIET_ROUTES = ("/health/", "/metrics", "/static/", "/docs")  # what machines ask for, and the files of a page

log = logging.getLogger(__name__)


class RequestLog(TransLogger):
    """WSGI middleware that gives each request its id and logs its answer.

    `count` is called with environ, status and seconds.
    """

    format = "%(method)s %(route)s %(status)d, %(bytes)d bytes, %(ms).2f ms"

    def __init__(self, app: WSGIApplication, count: Callable[[WSGIEnvironment, int, float], None]) -> None:
        super().__init__(app, logger=log)
        self.count = count

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[BEGAN] = time.perf_counter()
        with named_request(environ.get("HTTP_X_REQUEST_ID", "")) as own:

            def start(status: str, headers: list[tuple[str, str]]) -> Any:
                return start_response(status, [*headers, (HEADER, own)])

            answer: Iterable[bytes] = super().__call__(environ, start)
            return answer

    def write_log(
        self, environ: WSGIEnvironment, method: str, req_uri: str, start: object, status: str, bytes: str | None
    ) -> None:
        """Log one answer; TransLogger calls this when its headers are known."""
        seconds = time.perf_counter() - environ[BEGAN]
        route, code = environ.get(ROUTE, OTHER), int(status[:3])
        ms = round(1000 * seconds, 2)
        fields = {"method": method, "route": route, "status": code, "bytes": int(bytes or 0), "ms": ms}
        level = logging.DEBUG if route.startswith(QUIET_ROUTES) else logging.INFO
        self.logger.log(level, self.format, fields, extra=fields)
        self.count(environ, code, seconds)


@contextmanager
def named_request(given: str = "") -> Iterator[str]:
    """Log what happens in the block under the id `given`, or under a new one if that is not sane; yield the id."""
    own = given if SANE.fullmatch(given) else secrets.token_hex(8)
    before = request_id.set(own)
    try:
        yield own
    finally:
        request_id.reset(before)

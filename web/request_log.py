"""The access log: one line for each request, under an id that its answer and every other line about it carry.

The line has the path without its query, which may hold what someone looks for, and no header: some hold keys.
"""

import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from system.logs import request_id

HEADER = "X-Request-ID"
SANE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
LONGEST_PATH = 200

log = logging.getLogger(__name__)


class RequestLog:
    """WSGI around an application: gives each request its id, and writes down what came of it and in what time.

    `count` is told the same: environ, status and seconds.
    """

    def __init__(self, app: WSGIApplication, count: Callable[[WSGIEnvironment, int, float], None]) -> None:
        self.app = app
        self.count = count

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began = time.perf_counter()
        status, length = 500, 0
        with request_named(environ.get("HTTP_X_REQUEST_ID", "")) as own:

            def start(line: str, headers: list[tuple[str, str]], *error: Any) -> Any:
                nonlocal status, length
                status = int(line[:3])
                length = next((int(value) for name, value in headers if name == "Content-Length"), 0)
                return start_response(line, [*headers, (HEADER, own)], *error)

            try:
                return self.app(environ, start)
            finally:
                seconds = time.perf_counter() - began
                _write(environ["REQUEST_METHOD"], _path(environ), status, length, seconds)
                self.count(environ, status, seconds)


@contextmanager
def request_named(given: str = "") -> Iterator[str]:
    """What happens in the block belongs to a request: with the id it came with, if that is sane, or with a new one."""
    own = given if SANE.fullmatch(given) else secrets.token_hex(8)
    before = request_id.set(own)
    try:
        yield own
    finally:
        request_id.reset(before)


def _write(method: str, path: str, status: int, length: int, seconds: float) -> None:
    told = {"method": method, "path": path, "status": status, "bytes": length, "ms": round(1000 * seconds, 2)}
    log.info("%s %s %s, %s bytes, %.2f ms", *told.values(), extra=told)


def _path(environ: WSGIEnvironment) -> str:
    """As it was sent: decoded, one could be made to look like another."""
    sent: str = environ.get("REQUEST_URI") or environ["PATH_INFO"]
    return sent.partition("?")[0][:LONGEST_PATH]
